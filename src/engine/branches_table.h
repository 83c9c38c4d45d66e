// dosql_branches and dosql_snapshots: one row per name, ascending.
#pragma once

#include <map>
#include <memory>
#include <span>

#include <dosql/result.h>

#include "engine/computed_table.h"
#include "engine/database_core.h"
#include "engine/main_file.h"

namespace dosql::engine {

// Rows of a ComputedTable; gathered when the scan begins.
class BranchRows : public GatheredRows<version::BranchInfo> {
 public:
  struct Context {
    DatabaseCore& core;
    MainFile& file;
  };

  static constexpr const char* kSchema =
      "CREATE TABLE dosql_branches(name TEXT, version INTEGER, lsn INTEGER, parent TEXT, fork_version "
      "INTEGER,"
      " created TEXT, unmerged INTEGER, current INTEGER)";

  explicit BranchRows(Context& context) : context_(context) {}
  Status begin(int, const char*, std::span<sqlite3_value* const>);
  Status column(sqlite3_context* out, int column);

 private:
  Context& context_;
  std::map<BranchId, std::uint64_t> unmerged_;
};

// As above.
class SnapshotRows : public GatheredRows<version::NamedSnapshot> {
 public:
  struct Context {
    DatabaseCore& core;
  };

  static constexpr const char* kSchema =
      "CREATE TABLE dosql_snapshots(name TEXT, branch TEXT, version INTEGER, lsn INTEGER, created TEXT)";

  explicit SnapshotRows(Context& context) : context_(context) {}
  Status begin(int, const char*, std::span<sqlite3_value* const>);
  Status column(sqlite3_context* out, int column);

 private:
  Context& context_;
};

}  // namespace dosql::engine
