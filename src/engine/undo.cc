#include "engine/undo.h"

#include <sqlite3.h>

#include "engine/connection_state.h"
#include "engine/sqlite_running.h"

namespace dosql::engine {
namespace {

Status run(ConnectionState& connection, const std::string& sql, Traced traced) {
  connection.session().begin_call();
  const std::string text = traced == Traced::kYes ? sql : DOSQL_OWN_SQL + sql;
  const int rc = dosql_run_uninterrupted(connection.db(), text.c_str());
  if (rc == SQLITE_OK && !connection.session().commit_failed) return {};
  return connection.error(rc == SQLITE_OK ? SQLITE_IOERR : rc);
}

}  // namespace

void roll_back(ConnectionState& connection, Traced traced) {
  if (sqlite3_get_autocommit(connection.db()) != 0) return;
  run(connection, "ROLLBACK", traced).ignore("the failure that led here is the one to report");
}

Status undo_savepoint(ConnectionState& connection, const std::string& name, Traced traced) {
  DOSQL_RETURN_IF_ERROR(run(connection, "ROLLBACK TO " + name, traced));
  return run(connection, "RELEASE " + name, traced);
}

}  // namespace dosql::engine
