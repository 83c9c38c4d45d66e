#include "engine/temp_triggers.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>

#include "engine/connection_state.h"
#include "engine/own_statement.h"
#include "engine/undo.h"
#include "sql/lexer.h"
#include "sql/stored_definition.h"

namespace dosql::engine {

Result<TempTriggers::Definitions> TempTriggers::read() const {
  DOSQL_ASSIGN_OR_RETURN(
      OwnStatement rows,
      OwnStatement::prepare(
          connection_, "SELECT name, sql FROM temp.sqlite_schema WHERE type = 'trigger' ORDER BY rowid"));
  Definitions definitions;
  int rc = SQLITE_OK;
  while ((rc = rows.step()) == SQLITE_ROW) definitions.emplace_back(rows.text(0), rows.text(1));
  if (rc != SQLITE_DONE) return connection_.error(rc);
  return definitions;
}

Status TempTriggers::drop() {
  DOSQL_ASSIGN_OR_RETURN(definitions_, read());
  for (const auto& [name, sql] : definitions_)
    DOSQL_RETURN_IF_ERROR(run_own(connection_, fmt::format("DROP TRIGGER temp.{}", sql::quoted(name))));
  return {};
}

Status TempTriggers::create() const {
  for (const auto& [name, sql] : definitions_) {
    const Status done = run_own(connection_, sql::with_created_name(sql, "temp." + sql::quoted(name)));
    if (!done && done.error().code() != ErrorCode::kSql) return done;
  }
  return {};
}

// SQLite changes their definitions where they are when it renames something.
Status TempTriggers::follow(const std::string& rename) {
  if (definitions_.empty()) return {};
  DOSQL_RETURN_IF_ERROR(run_own(connection_, "SAVEPOINT dosql_temp_triggers"));
  DOSQL_RETURN_IF_ERROR(create());
  const Status renamed = run_own(connection_, rename);
  // Who is going to do it gets the same answer.
  if (!renamed && renamed.error().code() != ErrorCode::kSql) return renamed;
  DOSQL_ASSIGN_OR_RETURN(const Definitions there, read());
  DOSQL_RETURN_IF_ERROR(undo_savepoint(connection_, "dosql_temp_triggers"));
  for (auto& [name, sql] : definitions_) {
    const auto found = std::ranges::find(there, name, [](const auto& one) { return one.first; });
    if (found != there.end()) sql = found->second;
  }
  return {};
}

}  // namespace dosql::engine
