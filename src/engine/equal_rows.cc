#include "engine/equal_rows.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <map>
#include <optional>
#include <vector>

#include "base/json_text.h"
#include "engine/connection_state.h"
#include "engine/own_statement.h"
#include "engine/row_json.h"
#include "sql/lexer.h"
#include "sql/stored_definition.h"

namespace dosql::engine {
namespace {

// Whoever decides about the index needs no more to see what is against it.
constexpr int kRowsMax = 100;

struct ShownColumns {
  std::vector<std::string> names;
  std::vector<std::string> order;  // what its rows are known by, as it is written
};

Result<ShownColumns> columns_of(ConnectionState& connection, const std::string& table) {
  DOSQL_ASSIGN_OR_RETURN(
      OwnStatement rows,
      OwnStatement::prepare(connection, "SELECT name, pk FROM pragma_table_info(?1, 'main') ORDER BY cid"));
  rows.bind(1, std::string_view(table));
  ShownColumns columns;
  std::map<std::int64_t, std::string> key;
  int rc = SQLITE_OK;
  while ((rc = rows.step()) == SQLITE_ROW) {
    columns.names.push_back(rows.text(0));
    if (rows.integer(1) > 0) key[rows.integer(1)] = sql::quoted(rows.text(0));
  }
  if (rc != SQLITE_DONE) return connection.error(rc);
  for (const auto& [place, name] : key) columns.order.push_back(name);
  for (const char* const rowid : {"rowid", "_rowid_", "oid"}) {
    const bool is_column = std::ranges::any_of(
        columns.names, [&](const std::string& name) { return sql::equals_ignoring_case(name, rowid); });
    if (columns.order.empty() && !is_column) columns.order.push_back(rowid);
  }
  return columns;
}

std::string select_text(const ShownColumns& columns, const std::string& table,
                        const sql::IndexDefinition& index) {
  std::string terms;
  std::string condition = index.where.empty() ? "1" : fmt::format("({})", index.where);
  for (const std::string_view term : index.terms) {
    terms += fmt::format("{}{}", terms.empty() ? "" : ", ", term);
    condition += fmt::format(" AND ({}) IS NOT NULL", term);
  }
  std::string shown;
  std::string order;
  for (std::size_t i = 0; i < columns.order.size(); ++i) {
    shown += fmt::format(", {}", columns.order[i]);
    order += fmt::format("{}{}", i == 0 ? " ORDER BY " : ", ", i + 2);
  }
  for (const std::string& name : columns.names) shown += fmt::format(", {}", sql::quoted(name));
  // Not by GROUP BY, to which a number is a column's place.
  return fmt::format(
      "SELECT * FROM (SELECT count(*) OVER (PARTITION BY {}) AS dosql_equal{} FROM main.{} WHERE {}) "
      "WHERE dosql_equal > 1{} LIMIT {}",
      terms, shown, sql::quoted(table), condition, order, kRowsMax);
}

}  // namespace

Result<std::string> equal_rows_json(ConnectionState& connection, const std::string& table,
                                    std::string_view index, diff::TextEncoding encoding) {
  const std::optional<sql::IndexDefinition> definition = sql::index_definition(index);
  if (!definition || definition->terms.empty()) return std::string("null");
  DOSQL_ASSIGN_OR_RETURN(const ShownColumns columns, columns_of(connection, table));
  DOSQL_ASSIGN_OR_RETURN(OwnStatement rows,
                         OwnStatement::prepare(connection, select_text(columns, table, *definition)));
  std::vector<std::string> all;
  int rc = SQLITE_OK;
  while ((rc = rows.step()) == SQLITE_ROW) {
    const std::size_t first = 1 + columns.order.size();
    std::string row = "{";
    for (std::size_t i = 0; i < columns.names.size(); ++i) {
      row += fmt::format("{}{}:{}", i == 0 ? "" : ",", json_string(columns.names[i]),
                         value_json(rows.value(static_cast<int>(first + i)), encoding));
    }
    all.push_back(row + "}");
  }
  if (rc != SQLITE_DONE) return connection.error(rc);
  return rows_json(all);
}

}  // namespace dosql::engine
