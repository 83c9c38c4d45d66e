// What a merge with several bases is counted from: for one row, what the bases are merged.
//
// Two bases that have the row the same have it so. Where they differ, what they had in common before (which
// may be several versions again) tells which of them changed it, cell by cell, as in any merge. So a row has
// no such base only where the bases themselves are in conflict about it, or where it cannot be told:
//
//   - it has no key, or the table is not defined the same on the sides that have it and in all versions that
//   count;
//   - its number need not be the same row in these versions: merges say so (version/moved_numbers.h), or the
//     row cannot be traced from one to the other (row_identity.h).
#pragma once

#include <map>
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
  };
  // `row`: its values, of which those of the key count. Errors: those of reading the versions.
  Result<Row> find(const MergedTable& table, std::span<const diff::Field> row);

 private:
  using Points = CommonVersions::Points;

  struct Definition {
    std::string sql;  // empty: the table is not defined the same on both sides
    bool in_ours = false;
    bool in_theirs = false;
  };
  // What is being looked for.
  struct Wanted {
    const MergedTable& table;
    const std::string& definition;
    RowAddress address;
    std::optional<version::ReadPoint> where = {};  // a version that has it
  };

  Result<Row> merged(Wanted& wanted, const Points& points, int depth);
  Result<Row> row_at(Wanted& wanted, const version::ReadPoint& point);
  Result<bool> in_doubt(const Wanted& wanted, const Points& before, const Points& since);
  Result<const Definition*> definition_of(const std::string& table);

  ConnectionState& connection_;
  RowIdentity& identity_;
  VersionRows& rows_;
  const Points bases_;
  const version::ReadPoint theirs_;
  const RowSide ours_;
  std::map<std::string, Definition> definitions_;
  CommonVersions common_;
  std::map<std::pair<Lsn, Lsn>, std::vector<version::MovedBy>> moved_;
};

}  // namespace dosql::engine
