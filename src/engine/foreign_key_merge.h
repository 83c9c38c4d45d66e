// Foreign keys in a merge: numbers that follow those of other rows, and whether what the merge did left rows
// that refer to nothing.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <dosql/result.h>

#include "engine/merge_context.h"
#include "engine/merged_table.h"
#include "engine/rebased_changes.h"
#include "engine/table_merge.h"
#include "merge/keyed_changes.h"

namespace dosql::engine {

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

// A table into which changes were brought.
struct VerifiedTable {
  const MergedTable& table;
  bool is_new = false;    // it was not there before the merge
  bool replaced = false;  // another one was, of which it may have no row
  std::function<Result<RebasedChanges>()> changes;
};

// A row of ours that refers to a number by which ours meant a row, and theirs brings another one under it.
struct DoubtfulReference {
  const ForeignKey* key = nullptr;
  TouchedRows::Row row;  // by the columns of the merged table
};

// Looks at what the merge did: the changes of these tables, what is noted in the context besides, and the
// keys that were not there `before`, or whose parent was: those rows that refer to nothing are conflicts, and
// so is what decisions about them leave. Rows that refer to a number in doubt are conflicts, too: incoming
// ones where it is on our side, and `doubtful` ones as far as they are still there. Errors: those of the
// changes, what SQLite reports, kConstraint (what was decided leaves a row that refers to nothing).
Status verify_foreign_keys(MergeContext& context, const ForeignKeys& before, const ForeignKeys& now,
                           const std::vector<VerifiedTable>& tables,
                           const std::vector<DoubtfulReference>& doubtful);

}  // namespace dosql::engine
