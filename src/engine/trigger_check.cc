#include "engine/trigger_check.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <optional>
#include <string_view>
#include <vector>

#include "engine/connection_state.h"
#include "engine/own_statement.h"
#include "engine/undo.h"
#include "sql/lexer.h"

namespace dosql::engine {
namespace {

using sql::equals_ignoring_case;
using sql::quoted;

// And without foreign keys, which may not fit either.
class WithTriggers {
 public:
  explicit WithTriggers(sqlite3* db) : db_(db) {
    for (Setting& setting : settings_) {
      sqlite3_db_config(db_, setting.what, -1, &setting.before);
      sqlite3_db_config(db_, setting.what, setting.meanwhile, nullptr);
    }
  }
  ~WithTriggers() {
    for (const Setting& setting : settings_) sqlite3_db_config(db_, setting.what, setting.before, nullptr);
  }
  WithTriggers(const WithTriggers&) = delete;
  WithTriggers& operator=(const WithTriggers&) = delete;

 private:
  struct Setting {
    int what;
    int meanwhile;
    int before = 0;
  };
  sqlite3* const db_;
  Setting settings_[2] = {{SQLITE_DBCONFIG_ENABLE_TRIGGER, 1}, {SQLITE_DBCONFIG_ENABLE_FKEY, 0}};
};

// DELETE, INSERT or UPDATE: the first of these words behind the trigger's name.
std::string_view event_of(std::string_view definition) {
  sql::Lexer lexer(definition);
  for (int i = 0; i < 3; ++i) lexer.next_significant();
  while (true) {
    const sql::Token token = lexer.next_significant();
    if (token.kind == sql::TokenKind::kEnd) return {};
    for (const std::string_view event : {"DELETE", "INSERT", "UPDATE"}) {
      if (equals_ignoring_case(token.span.of(definition), event)) return event;
    }
  }
}

Result<std::string> assignments(ConnectionState& connection, const std::string& table) {
  DOSQL_ASSIGN_OR_RETURN(
      OwnStatement columns,
      OwnStatement::prepare(connection, "SELECT name FROM pragma_table_xinfo(?1, 'main') WHERE hidden = 0"));
  columns.bind(1, std::string_view(table));
  std::string text;
  int rc = SQLITE_OK;
  while ((rc = columns.step()) == SQLITE_ROW) {
    const std::string name = quoted(columns.text(0));
    text += fmt::format("{}{} = {}", text.empty() ? "" : ", ", name, name);
  }
  if (rc != SQLITE_DONE) return connection.error(rc);
  return text;
}

}  // namespace

Result<std::string> trigger_problem(ConnectionState& connection, const std::string& name) {
  DOSQL_ASSIGN_OR_RETURN(OwnStatement find,
                         OwnStatement::prepare(connection,
                                               "SELECT tbl_name, sql FROM main.sqlite_schema WHERE "
                                               "type = 'trigger' AND name = ?1 COLLATE NOCASE"));
  find.bind(1, std::string_view(name));
  const int rc = find.step();
  if (rc == SQLITE_DONE) return std::string();
  if (rc != SQLITE_ROW) return connection.error(rc);
  const std::string table = find.text(0);
  const std::string definition = find.text(1);
  find.reset();
  const std::string_view event = event_of(definition);
  std::string statement = fmt::format("INSERT INTO main.{} DEFAULT VALUES", quoted(table));
  if (event == "DELETE") statement = fmt::format("DELETE FROM main.{}", quoted(table));
  if (event == "UPDATE") {
    DOSQL_ASSIGN_OR_RETURN(const std::string set, assignments(connection, table));
    statement = fmt::format("UPDATE main.{} SET {}", quoted(table), set);
  }
  const WithTriggers on(connection.db());
  const auto compiled = OwnStatement::prepare(connection, statement);
  if (compiled) return std::string();
  if (compiled.error().code() != ErrorCode::kSql) return compiled.error();
  return compiled.error().message();
}

Result<std::string> trigger_problem_alone(ConnectionState& connection, const std::string& name) {
  std::vector<std::string> others;
  {
    DOSQL_ASSIGN_OR_RETURN(
        OwnStatement find,
        OwnStatement::prepare(connection,
                              "SELECT name FROM main.sqlite_schema WHERE type = 'trigger' AND name <> ?1 "
                              "COLLATE NOCASE"));
    find.bind(1, std::string_view(name));
    int rc = SQLITE_OK;
    while ((rc = find.step()) == SQLITE_ROW) others.push_back(find.text(0));
    if (rc != SQLITE_DONE) return connection.error(rc);
  }
  DOSQL_RETURN_IF_ERROR(run_own(connection, "SAVEPOINT dosql_alone"));
  Status alone;
  for (const std::string& other : others) {
    alone = run_own(connection, "DROP TRIGGER main." + quoted(other));
    if (!alone) break;
  }
  Result<std::string> problem = std::string();
  if (alone) problem = trigger_problem(connection, name);
  const Status undone = undo_savepoint(connection, "dosql_alone");
  DOSQL_RETURN_IF_ERROR(alone);
  DOSQL_RETURN_IF_ERROR(undone);
  return problem;
}

}  // namespace dosql::engine
