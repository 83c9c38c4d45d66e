// A connection: SQLite's handle, the file under it, and what its statements share.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <dosql/result.h>

#include "engine/connection_hooks.h"
#include "engine/database_core.h"
#include "engine/main_file.h"
#include "engine/past_databases.h"
#include "engine/session.h"
#include "engine/statement_cache.h"

struct sqlite3;

namespace dosql::engine {

class HistoryRanges;
class ShapedTables;
class VersionSchemas;

// Held by its Connection and by every Statement in use, so that neither can outlive the handle. One thread at
// a time.
class ConnectionState {
 public:
  // On main; or read-only on `point`, which stays pinned.
  static Result<std::shared_ptr<ConnectionState>> open(DatabaseCore& core,
                                                       std::optional<version::ReadPoint> point = {});
  // On `point`, to try what would come of a transaction there, be the database read-only or not: none can be
  // committed.
  static Result<std::shared_ptr<ConnectionState>> open_trial(DatabaseCore& core,
                                                             const version::ReadPoint& point);
  ~ConnectionState();
  ConnectionState(const ConnectionState&) = delete;
  ConnectionState& operator=(const ConnectionState&) = delete;

  sqlite3* db() const { return session_->db; }
  Session& session() { return *session_; }
  const std::shared_ptr<Session>& shared_session() { return session_; }
  MainFile& file() { return *file_; }
  DatabaseCore& core() { return core_; }
  StatementCache& cache() { return cache_; }
  // The old versions that statements of this connection read; null before the first.
  PastDatabases* past() { return past_.get(); }
  PastDatabases& need_past();
  ConnectionHooks& hooks() { return hooks_; }
  // The schemas of versions, as diff and row history need them.
  VersionSchemas& schemas() { return *schemas_; }
  ShapedTables& shaped_tables() { return *shaped_tables_; }
  HistoryRanges& history_ranges() { return *history_ranges_; }

  // What the newest call on the handle reported.
  Error error(int sqlite_code) { return connection_error(*session_, sqlite_code); }

  // Moves the connection to another branch. Errors: kBranchNotFound, kInvalidArgument (inside a transaction,
  // or a statement is running; on a fixed version).
  Status checkout(std::string_view branch);
  const std::string& branch_name() const { return branch_name_; }
  // It was opened on a version and stays there. It is not on the version's branch, which may be dropped.
  bool fixed() const { return pin_.pinned(); }
  // What another process committed is visible from now on, to what does not have its version pinned. For the
  // beginning of whatever looks at heads and names. Errors: those of VersionStore::catch_up().
  bool follows() const { return follows_; }
  bool read_only() const { return session_->read_only; }
  Status catch_up() { return follows_ ? core_.store().catch_up() : Status(); }
  // The newest version of its branch; on a fixed version, that.
  version::ReadPoint newest() const { return fixed() ? pin_.point() : core_.store().head(file_->branch()); }

  // Before a statement runs: adapts SQLite's page cache to how many connections there are.
  void adapt_cache() {
    if (cache_kib_ != core_.cache_budget().share_kib()) [[unlikely]]
      take_cache_share();
  }

  // Waits for the writer slot as a statement of SQLite's would, and keeps it for the next write. Errors:
  // kBusy, kInterrupted.
  Status wait_for_slot();

  // For a name that no other savepoint of the connection has.
  std::uint64_t next_savepoint() { return ++savepoints_; }

  // The Connection is going: rolls back and forgets the idle statements.
  void retire();
  bool retired() const { return retired_; }

 private:
  enum class Writes : std::uint8_t { kCommit, kTrial };
  static Result<std::shared_ptr<ConnectionState>> open(DatabaseCore& core,
                                                       std::optional<version::ReadPoint> point,
                                                       Writes writes);
  ConnectionState(DatabaseCore& core, std::shared_ptr<Session> session, MainFile* file,
                  const std::optional<version::ReadPoint>& point);
  Status refuse_checkout() const;
  Status configure();
  void take_cache_share();
  int wait_while_busy(int count);
  bool gets_slot();

  DatabaseCore& core_;
  std::shared_ptr<Session> session_;  // keeps the core
  MainFile* file_;
  version::Reader pin_;  // of a fixed version, between statements too
  StatementCache cache_;
  std::unique_ptr<PastDatabases> past_;
  ConnectionHooks hooks_;
  const std::unique_ptr<VersionSchemas> schemas_;
  const std::unique_ptr<ShapedTables> shaped_tables_;
  const std::unique_ptr<HistoryRanges> history_ranges_;
  const bool follows_;
  std::uint64_t savepoints_ = 0;
  int cache_kib_ = CacheBudget::kSqliteKib;
  bool retired_ = false;
  std::string branch_name_;
};

}  // namespace dosql::engine
