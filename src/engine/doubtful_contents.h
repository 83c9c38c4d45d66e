// Rows that only a hidden rowid tells apart, and that refer to others by numbers which need not mean the same
// row in base, ours and theirs. What such a row holds does not say which row it is, since where a number
// followed it is otherwise, and where another row has it now it is the same: neither its rowid nor counting
// (content_merge.h) tells what became of it. A table in which that may matter is one conflict.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <dosql/result.h>

#include "engine/foreign_keys.h"
#include "engine/merge_context.h"
#include "engine/number_runs.h"
#include "engine/row_copy.h"
#include "engine/table_shape.h"
#include "engine/version_merge.h"
#include "version/version_store.h"

namespace dosql::engine {

class ConnectionState;
class ContentMerge;

// One thread at a time. Errors of all: those of reading the versions, and what SQLite reports.
class DoubtfulContents {
 public:
  // All must outlive it. REQUIRES: context.identity, context.lines; the rows are ours yet.
  DoubtfulContents(ConnectionState& connection, const VersionMerge& what, MergeContext& context)
      : connection_(connection), what_(what), context_(context) {}

  // Of a table of ours whose rows only a hidden rowid tells apart. Reads no row where no commit gave numbers.
  Result<bool> in_doubt(const std::string& table);
  // Whether its rows, left as they are, may refer to others than before, since theirs has these under their
  // numbers.
  Result<bool> cannot_stay(const std::string& table);
  // Whether one of these rows, which both sides added, may be two, since it refers to one row here and to
  // another one there.
  Result<bool> may_be_two(const std::string& table, std::span<const RowCopy> rows);

 private:
  struct Reference {
    std::size_t column = 0;  // of those that are not generated
    const TableShape* parent = nullptr;
  };
  using References = std::vector<Reference>;
  // What a side did to rows that refer to such numbers.
  struct Changes {
    bool touched = false;              // it changed or deleted some
    std::vector<std::string> came;     // contents of those that it added, or changed so
    std::vector<std::int64_t> rowids;  // of all rows of base that it changed, whatever they refer to
  };

  Status read();
  Status read_notes();
  References references_of(const std::string& table) const;
  void add_parents(const std::string& table, const std::string& name, std::size_t column, std::size_t depth,
                   References& found) const;
  bool is_noted(const References& references) const;

  Result<bool> refers_to_doubtful(const References& references, std::span<const diff::Field> row);
  // Whether what ours has under the number is what base and theirs have, or what theirs deleted of base.
  Result<bool> is_clear(const TableShape& parent, std::int64_t number);
  Result<bool> find_clear(const TableShape& parent, std::int64_t number);
  Result<bool> stays_there(const TableShape& parent, std::int64_t number);

  Result<bool> in_doubt(const std::string& table, const References& references);
  // None: one of them does not declare the table as ours does.
  Result<std::optional<Changes>> changes_since(ContentMerge& contents, const version::ReadPoint& base,
                                               const version::ReadPoint& side, const References& references);
  Result<bool> in_doubt_of_several(const std::string& table, ContentMerge& contents,
                                   const References& references);
  Result<bool> only_adds_others(const version::ReadPoint& base, const std::string& table,
                                const References& references, const Changes& theirs);
  Result<bool> only_theirs_gave_numbers(const version::ReadPoint& base, const References& references);
  Result<bool> ours_refers_so(const std::string& table, const References& references);
  Result<bool> ours_has_one(const std::string& table, const std::vector<std::string>& contents);
  // A row that theirs may have put in the place of one of base that is just as that: no diff shows it.
  Result<bool> hides_another(const version::ReadPoint& base, const std::string& table,
                             const References& references, const Changes& changes);

  ConnectionState& connection_;
  const VersionMerge& what_;
  MergeContext& context_;
  bool is_read_ = false;
  ForeignKeys keys_;
  std::shared_ptr<const VersionSchema> schema_;  // of ours
  std::map<std::string, NumberRuns> moved_;      // by table of ours: numbers that became others, or may have
  std::map<std::string, NumberRuns> in_ours_;    // of them, those of which ours says so
  std::map<std::string, NumberRuns> in_theirs_;
  std::map<std::pair<const TableShape*, std::int64_t>, bool> clear_;
};

}  // namespace dosql::engine
