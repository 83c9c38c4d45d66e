// The foreign keys of a database, and which numbers of rows a merge has to do with by them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <dosql/result.h>

#include "engine/merge_context.h"
#include "engine/merged_table.h"
#include "engine/table_merge.h"

namespace dosql::engine {

std::optional<std::uint32_t> find_column(const MergedTable& table, std::string_view name);

struct ForeignKey {
  std::string child;
  std::string parent;
  std::vector<std::string> child_columns;
  std::vector<std::string> parent_columns;
  bool has_parent = false;       // the table and its columns are there
  bool child_has_index = false;  // that finds the rows which refer to one
};

class ForeignKeys {
 public:
  // All that the database has now.
  Status read(ConnectionState& connection);

  // Which of the table's columns hold numbers of rows that got others.
  std::vector<NumberReference> renumbered(const MergeContext& context, const MergedTable& table) const;
  // Whether the table's number is a reference to a row of another table, so that it cannot choose others.
  bool number_is_reference(const MergedTable& table) const;
  // Whether a column of a key may hold a number of a row, and not only what tells rows with one number apart.
  bool is_number(const MergeContext& context, std::string_view table, std::string_view column) const;
  // By the columns of `key`, which numbers in them are in doubt, one kind of them; null: none are. Empty: in
  // no column any are.
  std::vector<const NumberRuns*> doubtful(const MergeContext& context, const ForeignKey& key,
                                          NumberRuns Doubts::*kind) const;
  // Which rows of the tables the merge has to note.
  void watch(MergeContext& context, const MergedTable& table) const;

  const std::vector<ForeignKey>& all() const { return keys_; }
  std::vector<const ForeignKey*> from(std::string_view child) const;
  std::vector<const ForeignKey*> to(std::string_view parent) const;

 private:
  const NewNumbers* numbers_of(const MergeContext& context, std::string_view table, std::string_view column,
                               std::size_t depth) const;
  const NumberRuns* doubts_of(const MergeContext& context, std::string_view table, std::string_view column,
                              NumberRuns Doubts::*kind, std::size_t depth) const;

  std::vector<ForeignKey> keys_;
};

}  // namespace dosql::engine
