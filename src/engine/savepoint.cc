#include <dosql/savepoint.h>
#include <fmt/format.h>
#include <sqlite3.h>

#include <dosql/connection.h>

#include "engine/connection_state.h"
#include "engine/undo.h"

namespace dosql {
namespace {

using engine::ConnectionState;

Status run_sql(ConnectionState& state, const std::string& sql) {
  state.session().begin_call();
  const int rc = sqlite3_exec(state.db(), sql.c_str(), nullptr, nullptr, nullptr);
  if (rc == SQLITE_OK && !state.session().commit_failed) return {};
  return state.error(rc == SQLITE_OK ? SQLITE_IOERR : rc);
}

Error ended_error() { return Error(ErrorCode::kInvalidArgument, "the savepoint has ended"); }

}  // namespace

Result<Savepoint> Connection::savepoint() {
  std::string name = fmt::format("dosql_savepoint_{}", state_->next_savepoint());
  DOSQL_RETURN_IF_ERROR(run_sql(*state_, "SAVEPOINT " + name));
  return Savepoint(state_, std::move(name));
}

Savepoint::Savepoint(std::shared_ptr<ConnectionState> state, std::string name)
    : state_(std::move(state)), name_(std::move(name)) {}

Savepoint::~Savepoint() {
  if (state_) rollback().ignore("the transaction may have ended, and with it the savepoint");
}

Status Savepoint::release() {
  if (!state_) return ended_error();
  Status done = run_sql(*state_, "RELEASE " + name_);
  if (done) state_.reset();
  return done;
}

Status Savepoint::rollback() {
  if (!state_) return ended_error();
  const std::shared_ptr<ConnectionState> state = std::move(state_);
  if (state->retired()) return ended_error();
  return engine::undo_savepoint(*state, name_, engine::Traced::kYes);
}

}  // namespace dosql
