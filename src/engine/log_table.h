// dosql_log: one row per commit, newest first.
#pragma once

#include <memory>
#include <span>

#include <dosql/result.h>

#include "engine/database_core.h"
#include "engine/main_file.h"
#include "engine/touched_tables.h"

struct sqlite3_context;
struct sqlite3_index_info;
struct sqlite3_value;

namespace dosql::engine {

// Rows of a ComputedTable. They end at the version that the connection looks at. `tables` costs a walk of the
// commit's pages, so only where it is asked for.
class LogRows {
 public:
  struct Context {
    std::shared_ptr<DatabaseCore> core;
    MainFile& file;
    std::unique_ptr<TouchedTables> touched = {};  // made when it is asked for
  };

  static constexpr const char* kSchema =
      "CREATE TABLE dosql_log(version INTEGER, lsn_first INTEGER, lsn_last INTEGER, branch TEXT, timestamp "
      "TEXT,"
      " pages INTEGER, db_pages INTEGER, bytes INTEGER, tables TEXT, parent TEXT, merged TEXT, squashed "
      "TEXT, message TEXT)";

  static void plan(sqlite3_index_info& info);
  explicit LogRows(Context& context) : context_(context) {}
  Status begin(int order, const char* operators, std::span<sqlite3_value* const> bounds);
  bool at_end() const { return version_ < first_ || version_ > last_; }
  Status next();
  std::int64_t rowid() const { return static_cast<std::int64_t>(version_); }
  Status column(sqlite3_context* out, int column);

 private:
  void narrow(char comparison, sqlite3_value* bound);
  Status load();
  void merges_result(sqlite3_context* out, version::MergeKind kind) const;

  Context& context_;
  bool oldest_first_ = false;
  std::uint64_t first_ = 1;
  std::uint64_t last_ = 0;
  std::uint64_t version_ = 0;
  version::CommitInfo info_;
};

}  // namespace dosql::engine
