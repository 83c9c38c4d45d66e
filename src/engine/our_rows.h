// Rows of one table as ours has them by now: that is a version, what the open transaction has merged and
// picked on it, and what it did itself.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include <dosql/result.h>

#include "engine/merge_context.h"
#include "engine/merged_table.h"
#include "engine/row_identity.h"
#include "engine/table_statements.h"
#include "engine/version_rows.h"
#include "version/version_store.h"

namespace dosql::engine {

// One thread at a time. Errors of all: those of reading the versions, and what SQLite reports.
class OurRows {
 public:
  // Both must outlive it. REQUIRES: context.identity.
  OurRows(MergeContext& context, const MergedTable& table);

  // The table for who looks in other versions.
  const MergedTable& followed() const { return followed_; }
  // None: there is no such row.
  Result<std::optional<FoundRow>> find(const RowAddress& row) { return statements_.find(row); }

  // Whether it has as `here` what `version` has as `row`; `without` as in RowIdentity. What neither its
  // version nor anything that the transaction brought has is a row that the transaction inserted: another
  // one. REQUIRES: both have the row; of context.brought, the runs are there.
  Result<SameRow> compare(const version::ReadPoint& version, const RowAddress& row, const RowAddress& here,
                          const version::ReadPoint* without = nullptr);

 private:
  using Points = std::vector<version::ReadPoint>;

  // A version that ours may have the row from, and what it has there.
  struct Way {
    version::ReadPoint at;
    RowCopy row;
  };

  // From where the open transaction brought it; none: no note of its says so.
  Result<std::optional<SameRow>> compare_brought(const version::ReadPoint& version, const RowAddress& row,
                                                 const RowAddress& here, const version::ReadPoint* without);
  // Those that have a row there. `known`: whether all know the table.
  Result<std::vector<Way>> all_ways(const RowAddress& here, bool& known);
  // The versions that it can have the row from. `known`: whether there are no others.
  Result<Points> ways_of(const RowAddress& here, bool& known);
  Result<VersionRows::Found> find_in(const version::ReadPoint& way, const RowAddress& row);
  // Whether the row that the way has there kept its number when the open transaction merged it. kNo: ours has
  // it under another one. kUnknown: a note says so, but what is there is not as one of `ways` has it.
  Result<SameRow> stayed(const Way& way, const RowAddress& row, const std::vector<Way>& ways);
  // But for the number.
  bool have_same_content(std::span<const diff::Field> a, std::span<const diff::Field> b) const;
  std::vector<version::MovedRun> pending_runs() const;

  MergeContext& context_;
  const MergedTable& table_;
  const MergedTable followed_;
  TableStatements statements_;
};

}  // namespace dosql::engine
