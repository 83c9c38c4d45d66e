#include "engine/unique_keys.h"

#include <sqlite3.h>

#include <algorithm>
#include <map>
#include <string>
#include <string_view>

#include "engine/connection_state.h"
#include "engine/own_statement.h"
#include "sql/lexer.h"

namespace dosql::engine {
namespace {

// What is behind the WHERE of CREATE INDEX.
std::string condition_of(std::string_view definition) {
  sql::Lexer lexer(definition);
  int depth = 0;
  for (sql::Token token = lexer.next(); token.kind != sql::TokenKind::kEnd; token = lexer.next()) {
    if (token.kind == sql::TokenKind::kOpen) ++depth;
    if (token.kind == sql::TokenKind::kClose) --depth;
    const bool is_where = token.kind == sql::TokenKind::kWord && depth == 0 &&
                          sql::equals_ignoring_case(token.span.of(definition), "WHERE");
    if (is_where) return std::string(definition.substr(token.span.end));
  }
  return "";
}

}  // namespace

Result<std::vector<UniqueKey>> unique_keys(ConnectionState& connection, const MergedTable& table) {
  DOSQL_ASSIGN_OR_RETURN(
      OwnStatement rows,
      OwnStatement::prepare(connection,
                            "SELECT i.name, c.name, c.coll, CASE WHEN i.partial THEN (SELECT s.sql FROM "
                            "main.sqlite_schema AS s WHERE s.type = 'index' AND s.name = i.name) END "
                            "FROM pragma_index_list(?1, 'main') AS i, "
                            "pragma_index_xinfo(i.name, 'main') AS c WHERE i.\"unique\" AND c.key "
                            "ORDER BY i.seq, c.seqno"));
  rows.bind(1, table.name);
  std::map<std::string, UniqueKey> keys;
  std::vector<std::string> unknown;
  int rc = SQLITE_OK;
  while ((rc = rows.step()) == SQLITE_ROW) {
    const std::string index = rows.text(0);
    const std::string name = rows.text(1);
    const auto column = std::ranges::find_if(
        table.columns, [&](const MergedColumn& one) { return sql::equals_ignoring_case(one.name, name); });
    if (column == table.columns.end()) {
      unknown.push_back(index);
    } else {
      const auto at = static_cast<std::uint32_t>(column - table.columns.begin());
      keys[index].columns.push_back({.column = at, .collation = rows.text(2)});
      if (!rows.is_null(3)) keys[index].condition = condition_of(rows.text(3));
    }
  }
  if (rc != SQLITE_DONE) return connection.error(rc);
  for (const std::string& index : unknown) keys.erase(index);
  std::vector<UniqueKey> result;
  for (const bool partial : {false, true}) {
    for (const auto& [name, key] : keys) {
      if (key.condition.empty() != partial) result.push_back(key);
    }
  }
  return result;
}

}  // namespace dosql::engine
