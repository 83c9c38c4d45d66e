// What a merge with several bases is counted from: for one row, what the bases are merged.
//
// Two bases that have the row the same have it so. Where they differ, what they had in common before (which
// may be several versions again) tells which of them changed it, cell by cell, as in any merge. So a row has
// no such base only where the bases themselves are in conflict about it, or where it cannot be told:
//
//   - it has no key, or another one in a version that counts, or a column is not declared the same in all of
//   them, or was dropped in one that has it later all the same; what tables and columns are called does not
//   matter;
//   - its number need not be the same row in these versions: merges say so (version/moved_numbers.h), or the
//     row cannot be traced from one to the other (row_identity.h).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <dosql/result.h>

#include "engine/common_versions.h"
#include "engine/merged_table.h"
#include "engine/row_identity.h"
#include "engine/version_rows.h"
#include "version/moved_numbers.h"
#include "version/version_store.h"

namespace dosql::engine {

class ConnectionState;

// One thread at a time.
class VirtualBase {
 public:
  // All must outlive it.
  VirtualBase(ConnectionState& connection, RowIdentity& identity, std::vector<version::ReadPoint> bases,
              const version::ReadPoint& theirs, RowSide ours);

  struct Row {
    bool known = false;
    std::optional<RowCopy> row;  // none: the row is not there
    // Columns that none of the versions has: the row has their DEFAULT.
    std::vector<std::uint32_t> absent = {};
  };
  // `row`: its values, of which those of the key count. `surely`: what a side has there has to be the row;
  // else it need not be another one. Errors: those of reading the versions.
  Result<Row> find(const MergedTable& table, std::span<const diff::Field> row, bool surely = false);

 private:
  using Points = CommonVersions::Points;

  // A table whose names are followed.
  struct Followed {
    MergedTable table;
    bool in_ours = false;
    bool in_theirs = false;
  };
  // What is being looked for.
  struct Wanted {
    const MergedTable& table;
    RowAddress address;
    std::optional<version::ReadPoint> where = {};  // a version that has it
    std::map<std::vector<Lsn>, Row> merged = {};   // the ways back of three and more meet again
  };

  Result<Row> merged(Wanted& wanted, const Points& points, int depth);
  Result<Row> merge_all(Wanted& wanted, const Points& points, int depth);
  Result<bool> is_same_in(const Wanted& wanted, const RowSide& side, bool surely);
  Result<Row> row_at(Wanted& wanted, const version::ReadPoint& point);
  Result<bool> in_doubt(const Wanted& wanted, const Points& before, const Points& since);
  // What two of the versions make of what they have in common; not known: they are in conflict.
  static Row merged_row(const Row& base, const Row& ours, const Row& theirs);
  // Whether a commit says of a number in the key, by the name that the table had then, that it came otherwise
  // than by being inserted: who traces the row does not see that.
  Result<bool> brought_under_another_name(const Wanted& wanted);
  // By which the row is known.
  static std::vector<std::int64_t> numbers_of(const Wanted& wanted);
  Result<const Followed*> followed(const MergedTable& table);

  ConnectionState& connection_;
  RowIdentity& identity_;
  VersionRows& rows_;
  const Points bases_;
  const version::ReadPoint theirs_;
  const RowSide ours_;
  std::map<std::shared_ptr<const MergedTable::Places>, Followed> tables_;
  std::optional<std::vector<version::MovedBy>> brought_;  // by commits that either side contains
  CommonVersions common_;
  std::map<std::pair<Lsn, Lsn>, std::vector<version::MovedBy>> moved_;
};

}  // namespace dosql::engine
