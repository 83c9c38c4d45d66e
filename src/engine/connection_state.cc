#include "engine/connection_state.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "base/check.h"
#include "engine/history_range.h"
#include "engine/shaped_tables.h"
#include "engine/sqlite_internals.h"
#include "engine/sqlite_running.h"
#include "engine/system_tables.h"
#include "engine/table_shape.h"
#include "engine/time_points.h"
#include "engine/undo.h"

namespace dosql::engine {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// What the pager needs of us, for as long as `session.configuring` keeps answer_pragma out of the way. A
// database whose schema cannot be read refuses them; it opens all the same, as in SQLite, and its first
// statement says why: the pager's defaults work too, with a journal handle opened per transaction.
void configure_pager(sqlite3* db) {
  // The journal stays open between transactions and is "cut" at their end.
  sqlite3_exec(db, "PRAGMA main.journal_mode = TRUNCATE", nullptr, nullptr, nullptr);
  // Nothing in it needs a sync. It also keeps this file out of super-journals: a transaction over this
  // database and one plain file commits here first, and is rolled back there when that fails.
  sqlite3_exec(db, "PRAGMA main.synchronous = OFF", nullptr, nullptr, nullptr);
}

// Compiling the PRAGMA is what sets the mode that page 1 will be made with; running it would make page 1 now,
// and with it a version.
void choose_auto_vacuum(sqlite3* db) {
  sqlite3_stmt* statement = nullptr;
  sqlite3_prepare_v2(db, "PRAGMA main.auto_vacuum = INCREMENTAL", -1, &statement, nullptr);
  sqlite3_finalize(statement);
}

// A plain file that was attached is busy: as SQLite's own handler, longer and longer naps.
int nap(const Session& session, int count) {
  const auto left = session.busy_deadline - steady_clock::now();
  if (left <= steady_clock::duration::zero()) return 0;
  std::this_thread::sleep_for(
      std::min<steady_clock::duration>(left, milliseconds(std::min(1 << std::min(count, 7), 100))));
  return 1;
}

}  // namespace

Result<std::shared_ptr<ConnectionState>> ConnectionState::open(DatabaseCore& core,
                                                               std::optional<version::ReadPoint> point) {
  return open(core, point, Writes::kCommit);
}

Result<std::shared_ptr<ConnectionState>> ConnectionState::open_trial(DatabaseCore& core,
                                                                     const version::ReadPoint& point) {
  return open(core, point, Writes::kTrial);
}

Result<std::shared_ptr<ConnectionState>> ConnectionState::open(DatabaseCore& core,
                                                               std::optional<version::ReadPoint> point,
                                                               Writes writes) {
  DOSQL_RETURN_IF_ERROR(core.store().catch_up());
  std::shared_ptr<Session> session = core.new_session();
  if (point) {
    session->read_only = true;
    session->fixed_at = version_id(core.store(), *point).to_string();
  }
  if (!core.connect()) return Error(ErrorCode::kInvalidArgument, "the database is closed");
  auto file =
      writes == Writes::kTrial ? core.vfs().open_trial(session, *point) : core.vfs().open(session, point);
  if (!file) {
    core.disconnect();
    return std::move(file).error();
  }
  std::shared_ptr<ConnectionState> state(new ConnectionState(core, std::move(session), *file, point));
  DOSQL_RETURN_IF_ERROR(state->configure());
  return state;
}

ConnectionState::ConnectionState(DatabaseCore& core, std::shared_ptr<Session> session, MainFile* file,
                                 const std::optional<version::ReadPoint>& point)
    : core_(core),
      session_(std::move(session)),
      file_(file),
      pin_(core.store()),
      schemas_(std::make_unique<VersionSchemas>(core)),
      shaped_tables_(std::make_unique<ShapedTables>()),
      history_ranges_(std::make_unique<HistoryRanges>()),
      follows_(core.read_only()),
      branch_name_(core.store().branch_info(file->branch()).name) {
  session_->connection = this;
  if (point) {
    pin_.pin(*point);
    return;
  }
  std::lock_guard lock(core_.branch_uses().mutex());
  core_.branch_uses().enter(branch_name_);
}

ConnectionState::~ConnectionState() {
  retire();
  if (!fixed()) {
    std::lock_guard lock(core_.branch_uses().mutex());
    core_.branch_uses().leave(branch_name_);
  }
  core_.disconnect();
  session_->connection = nullptr;
  sqlite3_busy_handler(session_->db, nullptr, nullptr);
  past_.reset();
  hooks_.clear(session_->db);
  // Statements that somebody made on the raw handle keep it, and the session, until they are finalised.
  sqlite3_close_v2(session_->db);
}

Status ConnectionState::configure() {
  sqlite3* const db = session_->db;
  sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_FKEY, 1, nullptr);
  // A file somebody sent must not run functions with side effects from its views and triggers. Defensive mode
  // stays off: re-reading a .dump writes sqlite_schema and shadow tables.
  sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  sqlite3_busy_handler(
      db, [](void* self, int count) { return static_cast<ConnectionState*>(self)->wait_while_busy(count); },
      this);
  configure_pager(db);
  if (!session_->read_only && file_->size() == 0) choose_auto_vacuum(db);
  session_->configuring = false;
  session_->begin_call();
  adapt_cache();
  return register_system_tables(core_, session_, *file_);
}

int ConnectionState::wait_while_busy(int count) {
  Session& session = *session_;
  const bool for_slot = session.refusal != Refusal::kNone;
  // SQLite counts from 0 again when it tries a statement again. The file forgets the deadline of another one.
  const bool is_first = for_slot ? session.busy_deadline == steady_clock::time_point() : count == 0;
  if (is_first) session.busy_deadline = steady_clock::now() + milliseconds(session.busy_timeout_ms);
  if (!for_slot) return nap(session, count);
  return gets_slot() ? 1 : 0;
}

bool ConnectionState::gets_slot() {
  if (file_->wait_for_slot(session_->busy_deadline)) return true;
  session_->busy_deadline = {};
  if (sqlite3_is_interrupted(db())) session_->failure.emplace(ErrorCode::kInterrupted, "interrupted");
  return false;
}

Status ConnectionState::wait_for_slot() {
  session_->busy_deadline = steady_clock::now() + milliseconds(session_->busy_timeout_ms);
  dosql_forget_interrupt(db());
  if (gets_slot()) return {};
  session_->refusal = Refusal::kSlotTaken;
  return error(SQLITE_BUSY);
}

Status ConnectionState::refuse_checkout() const {
  if (fixed()) {
    return Error(
               ErrorCode::kInvalidArgument,
               fmt::format("CHECKOUT is not possible here: this connection stays at {}", session_->fixed_at))
        .with_hint("open another connection");
  }
  if (sqlite3_get_autocommit(session_->db) == 0) {
    return Error(ErrorCode::kInvalidArgument, "CHECKOUT inside a transaction is not possible")
        .with_hint("COMMIT or ROLLBACK first");
  }
  for (sqlite3_stmt* statement = nullptr;
       (statement = sqlite3_next_stmt(session_->db, statement)) != nullptr;) {
    if (sqlite3_stmt_busy(statement) == 0) continue;
    const char* const sql = sqlite3_sql(statement);
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("CHECKOUT while a statement is running is not possible: {}",
                             sql != nullptr ? sql : "an open BLOB handle"))
        .with_hint("run it to its end, or reset it");
  }
  return {};
}

Status ConnectionState::checkout(std::string_view name) {
  DOSQL_RETURN_IF_ERROR(refuse_checkout());
  DOSQL_RETURN_IF_ERROR(catch_up());
  std::lock_guard lock(core_.branch_uses().mutex());
  const auto branch = core_.store().find_branch(name);
  if (!branch) return branch_not_found(core_.store(), name);
  if (branch->id == file_->branch()) return {};
  if (core_.branch_uses().dropping(branch->name)) return branch_being_dropped(branch->name);
  // Else their schemas would be read anew as well.
  if (past_) past_->detach_idle();
  core_.branch_uses().enter(branch->name);
  core_.branch_uses().leave(branch_name_);
  file_->move_to(branch->id);
  branch_name_ = branch->name;
  // SQLite tells schemas apart by their cookie, a number that counts up: two branches may have the same one.
  // So what it remembers is cleared, and each statement compiles again when it is used next. No PRAGMA does
  // that: an interrupt could stop it, and the connection has moved by now.
  dosql_forget_schemas(session_->db);
  return {};
}

void ConnectionState::take_cache_share() {
  const int share_kib = core_.cache_budget().share_kib();
  const bool less = share_kib < cache_kib_;
  cache_kib_ = share_kib;
  if (session_->cache_size_chosen) return;
  session_->configuring = true;
  const std::string sql = fmt::format(DOSQL_OWN_SQL "PRAGMA main.cache_size = -{}", share_kib);
  dosql_run_uninterrupted(session_->db, sql.c_str());
  session_->configuring = false;
  if (less) sqlite3_db_release_memory(session_->db);
}

PastDatabases& ConnectionState::need_past() {
  if (!past_) past_ = std::make_unique<PastDatabases>(core_, session_);
  return *past_;
}

void ConnectionState::retire() {
  if (retired_) return;
  retired_ = true;
  cache_.clear();
  roll_back(*this);
}

}  // namespace dosql::engine
