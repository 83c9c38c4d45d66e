#include "engine/version_rows.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <vector>

#include "diff/schema.h"
#include "engine/column_lines.h"
#include "engine/connection_state.h"
#include "sql/lexer.h"
#include "sql/stored_definition.h"

namespace dosql::engine {
namespace {

using sql::equals_ignoring_case;
using version::ReadPoint;

constexpr std::size_t kOpenMax = 128;

// Others are known to the connection only.
bool is_builtin(std::string_view collation) {
  return equals_ignoring_case(collation, "BINARY") || equals_ignoring_case(collation, "NOCASE") ||
         equals_ignoring_case(collation, "RTRIM");
}

bool has_key_of(const TableShape& shape, const MergedTable& table) {
  if (shape.kind == TableKind::kVirtual || table.is_virtual) return false;
  if (table.rowid_column) {
    return shape.rowid_column && equals_ignoring_case(shape.columns[*shape.rowid_column].name,
                                                      table.columns[*table.rowid_column].name);
  }
  if (shape.rowid_column) return false;
  if (!table.rowid_name.empty() && shape.find_column(table.rowid_name)) return false;
  return std::ranges::equal(shape.key, table.key, [&](const KeyPart& one, const MergedTable::Key& other) {
    return equals_ignoring_case(shape.columns[one.column].name, table.columns[other.column].name) &&
           equals_ignoring_case(one.collation, other.collation) && is_builtin(one.collation);
  });
}

bool has_other_name(const VersionSchema& schema, const MergedTable& table) {
  return table.origin && std::ranges::find(schema.tables, table.origin->schema_rowid,
                                           &TableShape::schema_rowid) != schema.tables.end();
}

}  // namespace

VersionRows::VersionRows(ConnectionState& connection) : connection_(connection) {}
VersionRows::~VersionRows() = default;

Result<VersionRows::Opened*> VersionRows::open(const ReadPoint& point) {
  const std::pair name(point.branch, point.version);
  const auto known = opened_.find(name);
  if (known != opened_.end()) return &known->second;
  if (opened_.size() == kOpenMax) opened_.clear();
  Opened opened;
  DOSQL_ASSIGN_OR_RETURN(opened.schema, connection_.schemas().of(point));
  DOSQL_ASSIGN_OR_RETURN(opened.connection, ConnectionState::open(connection_.core(), point));
  return &opened_.emplace(name, std::move(opened)).first->second;
}

// Names go from table to table; what kept its row in sqlite_schema is the same.
Result<bool> VersionRows::is_another(const ReadPoint& point, Opened& version, const TableShape& shape,
                                     const MergedTable& table) {
  if (!table.origin || shape.schema_rowid == table.origin->schema_rowid) return false;
  const ReadPoint& base = table.origin->base;
  const std::pair name(base.branch, base.version);
  auto known = version.since.find(name);
  if (known == version.since.end()) {
    ColumnLines lines(connection_.core().store(), connection_.schemas(), connection_.db(), {base, point});
    DOSQL_ASSIGN_OR_RETURN(TablePairs pairs, lines.pair_tables(base, point));
    known = version.since.emplace(name, std::move(pairs)).first;
  }
  const TablePair* const pair = known->second.find(shape.name);
  return pair == nullptr || pair->before == nullptr ||
         pair->before->schema_rowid != table.origin->schema_rowid;
}

Result<VersionRows::Found> VersionRows::look(Opened& version, const MergedTable& table,
                                             const std::string& columns, const RowAddress& row) {
  const std::string text = fmt::format("SELECT {} FROM main.{} WHERE {}", columns, sql::quoted(table.name),
                                       table.where_text("", row.key_of.empty(), 1));
  auto known = version.statements.find(text);
  if (known == version.statements.end()) {
    DOSQL_ASSIGN_OR_RETURN(OwnStatement statement, OwnStatement::prepare(*version.connection, text));
    known = version.statements.emplace(text, std::move(statement)).first;
  }
  OwnStatement& statement = known->second;
  bind_address(statement, table, row, version.schema->encoding, 1);
  const int rc = statement.step();
  if (rc != SQLITE_ROW && rc != SQLITE_DONE) return version.connection->error(rc);
  Found found{.known = true, .row = std::nullopt};
  if (rc == SQLITE_ROW) {
    std::vector<diff::Field> values;
    for (int i = 0; i < statement.columns(); ++i) values.push_back(statement.value(i));
    found.row.emplace(values);
  }
  statement.reset();
  return found;
}

Result<VersionRows::Found> VersionRows::find(const ReadPoint& point, const MergedTable& table,
                                             const std::string& definition, const RowAddress& row) {
  if (raw(point.version) == 0) return Found{.known = true, .row = std::nullopt};
  DOSQL_ASSIGN_OR_RETURN(Opened* const version, open(point));
  const TableShape* const shape = version->schema->find(table.name);
  if (shape == nullptr) return Found{.known = !has_other_name(*version->schema, table), .row = std::nullopt};
  const diff::SchemaEntry* const entry = diff::find_table(version->schema->entries, table.name);
  if (entry == nullptr || !sql::same_definition(entry->sql, definition) || !has_key_of(*shape, table))
    return Found();
  DOSQL_ASSIGN_OR_RETURN(const bool another, is_another(point, *version, *shape, table));
  if (another) return Found();
  std::string columns;
  for (const MergedColumn& column : table.columns)
    columns += (columns.empty() ? "" : ", ") + sql::quoted(column.name);
  return look(*version, table, columns, row);
}

Result<VersionRows::Found> VersionRows::find(const ReadPoint& point, const MergedTable& table,
                                             const RowAddress& row) {
  if (raw(point.version) == 0) return Found{.known = true, .row = std::nullopt};
  DOSQL_ASSIGN_OR_RETURN(Opened* const version, open(point));
  const TableShape* const shape = version->schema->find(table.name);
  if (shape == nullptr || !has_key_of(*shape, table)) return Found();
  DOSQL_ASSIGN_OR_RETURN(const bool another, is_another(point, *version, *shape, table));
  if (another) return Found();
  std::string columns;
  std::optional<std::size_t> number;
  std::size_t count = 0;
  for (std::size_t i = 0; i < shape->columns.size(); ++i) {
    if (shape->columns[i].generated != Generated::kNo) continue;
    if (shape->rowid_column == i) number = count;
    columns += (count++ > 0 ? ", " : "") + sql::quoted(shape->columns[i].name);
  }
  DOSQL_ASSIGN_OR_RETURN(Found found, look(*version, table, columns, row));
  found.number = number;
  return found;
}

Result<std::string> VersionRows::definition(const ReadPoint& point, const std::string& table) {
  DOSQL_ASSIGN_OR_RETURN(const auto schema, connection_.schemas().of(point));
  const diff::SchemaEntry* const entry = diff::find_table(schema->entries, table);
  return entry == nullptr ? std::string() : entry->sql;
}

}  // namespace dosql::engine
