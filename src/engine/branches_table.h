// dosql_branches and dosql_snapshots: one row per name, ascending.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include <dosql/result.h>

#include "engine/database_core.h"
#include "engine/main_file.h"

struct sqlite3_context;
struct sqlite3_index_info;
struct sqlite3_value;

namespace dosql::engine {

// Rows of a ComputedTable; gathered when the scan begins.
class BranchRows {
 public:
  struct Context {
    DatabaseCore& core;
    MainFile& file;
  };

  static constexpr const char* kSchema =
      "CREATE TABLE dosql_branches(name TEXT, version INTEGER, lsn INTEGER, parent TEXT, fork_version "
      "INTEGER,"
      " created TEXT, unmerged INTEGER, current INTEGER)";

  static void plan(sqlite3_index_info&) {}
  explicit BranchRows(Context& context) : context_(context) {}
  Status begin(int, const char*, std::span<sqlite3_value* const>);
  bool at_end() const { return at_ == branches_.size(); }
  Status next() {
    ++at_;
    return {};
  }
  std::int64_t rowid() const { return static_cast<std::int64_t>(at_) + 1; }
  Status column(sqlite3_context* out, int column);

 private:
  Context& context_;
  std::vector<version::BranchInfo> branches_;
  std::size_t at_ = 0;
};

// As above.
class SnapshotRows {
 public:
  struct Context {
    DatabaseCore& core;
  };

  static constexpr const char* kSchema =
      "CREATE TABLE dosql_snapshots(name TEXT, branch TEXT, version INTEGER, lsn INTEGER, created TEXT)";

  static void plan(sqlite3_index_info&) {}
  explicit SnapshotRows(Context& context) : context_(context) {}
  Status begin(int, const char*, std::span<sqlite3_value* const>);
  bool at_end() const { return at_ == snapshots_.size(); }
  Status next() {
    ++at_;
    return {};
  }
  std::int64_t rowid() const { return static_cast<std::int64_t>(at_) + 1; }
  Status column(sqlite3_context* out, int column);

 private:
  Context& context_;
  std::vector<version::NamedSnapshot> snapshots_;
  std::size_t at_ = 0;
};

}  // namespace dosql::engine
