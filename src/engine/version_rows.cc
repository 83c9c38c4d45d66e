#include "engine/version_rows.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <vector>

#include "diff/schema.h"
#include "engine/column_lines.h"
#include "engine/column_matching.h"
#include "engine/connection_state.h"
#include "engine/foreign_keys.h"
#include "sql/lexer.h"

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

// None: it is gone there.
const TableShape* table_after(const TablePairs& pairs, const std::string& before) {
  const auto found = std::ranges::find_if(pairs.pairs, [&](const TablePair& pair) {
    return pair.before != nullptr && equals_ignoring_case(pair.before->name, before);
  });
  return found == pairs.pairs.end() ? nullptr : found->after;
}

// Its column in the version, of each of the merged table's, as all places have it.
class ColumnPlaces {
 public:
  ColumnPlaces(const TableShape& shape, std::size_t count) : shape_(shape), columns_(count) {}

  void add(const MergedTable::Place& place, const TableShape& table, const ColumnMatches& matches) {
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      if (!place.columns[i]) continue;
      Column& column = columns_[i];
      const ColumnShape& declared = table.columns[*place.columns[i]];
      const std::optional<std::size_t> match = matches[*place.columns[i]];
      column.is_clear = column.is_clear && (column.declared == nullptr || column.place == match);
      column.declared = &declared;
      column.place = match;
      if (!match) continue;
      const ColumnShape& there = shape_.columns[*match];
      column.is_clear = column.is_clear && !there.hidden && there.generated == Generated::kNo &&
                        declared_the_same(declared, there);
    }
  }

  bool all_clear() const {
    return std::ranges::all_of(columns_,
                               [](const Column& one) { return one.is_clear && one.declared != nullptr; });
  }
  // None: the version does not have it.
  std::optional<std::size_t> place(std::size_t column) const { return columns_[column].place; }
  bool is_at(std::size_t column, std::size_t place) const {
    return columns_[column].is_clear && columns_[column].place == std::optional(place);
  }
  // What it holds where a version does not have it. REQUIRES: all_clear().
  const diff::Field& missing(std::size_t column) const { return columns_[column].declared->stored.missing; }

 private:
  struct Column {
    bool is_clear = true;
    const ColumnShape* declared = nullptr;
    std::optional<std::size_t> place = {};
  };

  const TableShape& shape_;
  std::vector<Column> columns_;
};

bool has_key_at(const TableShape& shape, const MergedTable& table, const ColumnPlaces& columns) {
  if (shape.kind == TableKind::kVirtual || table.is_virtual) return false;
  if (table.rowid_column)
    return shape.rowid_column && columns.is_at(*table.rowid_column, *shape.rowid_column);
  if (shape.rowid_column) return false;
  if (!table.rowid_name.empty() && shape.find_column(table.rowid_name)) return false;
  return std::ranges::equal(shape.key, table.key, [&](const KeyPart& one, const MergedTable::Key& other) {
    return columns.is_at(other.column, one.column) && equals_ignoring_case(one.collation, other.collation) &&
           is_builtin(one.collation);
  });
}

// Adds the tables whose numbers the column holds; `depth` references are left.
void add_parents(const ForeignKeys& keys, const VersionSchema& schema, const std::string& table,
                 const std::string& column, std::size_t depth, std::vector<std::string>& parents) {
  for (const ForeignKey* const key : keys.from(table)) {
    const TableShape* const parent = depth == 0 ? nullptr : schema.find(key->parent);
    for (std::size_t i = 0; parent != nullptr && i < key->child_columns.size(); ++i) {
      if (!equals_ignoring_case(key->child_columns[i], column)) continue;
      const std::string& meant = key->parent_columns[i];
      const bool is_number =
          parent->rowid_column && equals_ignoring_case(parent->columns[*parent->rowid_column].name, meant);
      if (is_number) parents.push_back(parent->name);
      if (!is_number) add_parents(keys, schema, parent->name, meant, depth - 1, parents);
    }
  }
}

}  // namespace

VersionRows::VersionRows(ConnectionState& connection, ColumnLines& lines)
    : connection_(connection), lines_(lines) {}
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
    DOSQL_ASSIGN_OR_RETURN(TablePairs pairs, lines_.pair_tables(base, point));
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

// Where the places do not agree about it, it cannot be told.
Result<VersionRows::There> VersionRows::follow(const ReadPoint& point, const MergedTable& table) {
  There there{.table = table};
  std::vector<TablePairs> all;
  const TableShape* shape = nullptr;
  for (const MergedTable::Place& place : *table.places) {
    DOSQL_ASSIGN_OR_RETURN(all.emplace_back(), lines_.pair_tables(place.version, point));
    const TableShape* const found = table_after(all.back(), place.table);
    if (found == nullptr) continue;
    there.is_clear = there.is_clear && (shape == nullptr || found->name == shape->name);
    shape = found;
  }
  there.has_table = shape != nullptr;
  if (!there.is_clear || !there.has_table) return there;
  there.table.name = shape->name;
  ColumnPlaces columns(*shape, table.columns.size());
  for (std::size_t i = 0; i < all.size(); ++i) {
    const MergedTable::Place& place = (*table.places)[i];
    const TableShape* const before = all[i].before->find(place.table);
    if (before == nullptr || table_after(all[i], place.table) == nullptr) continue;
    DOSQL_ASSIGN_OR_RETURN(const ColumnMatches matches, lines_.match(place.version, *before, point, *shape));
    columns.add(place, *before, matches);
  }
  there.has_key = has_key_at(*shape, table, columns);
  there.has_columns = there.has_key && table.restored.empty() && columns.all_clear();
  std::vector<diff::Field> missing;
  for (std::uint32_t i = 0; i < table.columns.size(); ++i) {
    const std::optional<std::size_t> column = columns.place(i);
    if (column) there.table.columns[i].name = shape->columns[*column].name;
    there.columns += (there.columns.empty() ? "" : ", ") +
                     (column ? sql::quoted(shape->columns[*column].name) : std::string("NULL"));
    if (column || !there.has_columns) continue;
    there.absent.push_back(i);
    missing.push_back(columns.missing(i));
  }
  if (table.rowid_column) there.table.rowid_name = there.table.columns[*table.rowid_column].name;
  there.missing.assign(missing);
  return there;
}

Result<const VersionRows::There*> VersionRows::there(const ReadPoint& point, const MergedTable& table) {
  const std::pair name(table.places, PointName(point.branch, point.version));
  const auto known = there_.find(name);
  if (known != there_.end()) return &known->second;
  DOSQL_ASSIGN_OR_RETURN(There found, follow(point, table));
  return &there_.emplace(name, std::move(found)).first->second;
}

Result<VersionRows::Found> VersionRows::find_merged(const ReadPoint& point, const MergedTable& table,
                                                    const RowAddress& row) {
  if (raw(point.version) == 0) return Found{.known = true, .row = std::nullopt};
  DOSQL_ASSIGN_OR_RETURN(const There* const found, there(point, table));
  if (!found->is_clear) return Found();
  if (!found->has_table) return Found{.known = true, .row = std::nullopt};
  if (!found->has_columns) return Found();
  DOSQL_ASSIGN_OR_RETURN(Opened* const version, open(point));
  return find_there(*found, *version, row);
}

Result<VersionRows::Found> VersionRows::find_now(const MergedTable& table, const RowAddress& row) {
  const ReadPoint point = connection_.file().point();
  if (raw(point.version) == 0) return Found();
  DOSQL_ASSIGN_OR_RETURN(const There* const found, there(point, table));
  if (!found->is_clear || !found->has_columns) return Found();
  Opened now;
  now.connection = {std::shared_ptr<ConnectionState>(), &connection_};
  DOSQL_ASSIGN_OR_RETURN(now.schema, connection_.schemas().of(point));
  return find_there(*found, now, row);
}

// REQUIRES: it has all columns, or says what the others are.
Result<VersionRows::Found> VersionRows::find_there(const There& there, Opened& version,
                                                   const RowAddress& row) {
  DOSQL_ASSIGN_OR_RETURN(Found found, look(version, there.table, there.columns, row));
  if (!found.row || there.absent.empty()) return found;
  found.row = with_absent(there, *found.row);
  found.absent = there.absent;
  return found;
}

RowCopy VersionRows::with_absent(const There& there, const RowCopy& row) {
  std::vector<diff::Field> values(row.values().begin(), row.values().end());
  for (std::size_t i = 0; i < there.absent.size(); ++i) values[there.absent[i]] = there.missing.values()[i];
  return RowCopy(values);
}

Result<std::optional<std::vector<VersionRows::Row>>> VersionRows::find_all(const ReadPoint& point,
                                                                           const MergedTable& table,
                                                                           std::uint32_t column,
                                                                           std::int64_t number) {
  std::optional<std::vector<Row>> rows;
  if (raw(point.version) == 0) return std::optional(std::vector<Row>());
  if (!table.places) return rows;
  DOSQL_ASSIGN_OR_RETURN(const There* const found, there(point, table));
  if (!found->is_clear || (found->has_table && !found->has_columns)) return rows;
  if (std::ranges::find(found->absent, column) != found->absent.end()) return rows;
  rows.emplace();
  if (!found->has_table) return rows;
  DOSQL_ASSIGN_OR_RETURN(Opened* const version, open(point));
  const MergedTable& named = found->table;
  const bool has_rowid = version->schema->find(named.name)->kind == TableKind::kRowid;
  DOSQL_ASSIGN_OR_RETURN(
      OwnStatement statement,
      OwnStatement::prepare(
          *version->connection,
          fmt::format("SELECT {}, {} FROM main.{} WHERE {} = ?1",
                      has_rowid && !named.rowid_name.empty() ? sql::quoted(named.rowid_name) : "0",
                      found->columns, sql::quoted(named.name), sql::quoted(named.columns[column].name))));
  statement.bind(1, number);
  int rc = SQLITE_OK;
  while ((rc = statement.step()) == SQLITE_ROW) {
    std::vector<diff::Field> values;
    for (int i = 1; i < statement.columns(); ++i) values.push_back(statement.value(i));
    rows->push_back({with_absent(*found, RowCopy(values)), statement.integer(0)});
  }
  if (rc != SQLITE_DONE) return version->connection->error(rc);
  return rows;
}

Result<VersionRows::Found> VersionRows::find(const ReadPoint& point, const MergedTable& table,
                                             const RowAddress& row) {
  if (raw(point.version) == 0) return Found{.known = true, .row = std::nullopt};
  if (table.follows_names) {
    DOSQL_ASSIGN_OR_RETURN(const There* const found, there(point, table));
    if (!found->is_clear) return Found();
    if (!found->has_table) return Found{.known = true, .row = std::nullopt};
    if (!found->has_key) return Found();
    DOSQL_ASSIGN_OR_RETURN(Opened* const version, open(point));
    return look_at_stored(*version, found->table, *version->schema->find(found->table.name), row);
  }
  DOSQL_ASSIGN_OR_RETURN(Opened* const version, open(point));
  const TableShape* const shape = version->schema->find(table.name);
  if (shape == nullptr || !has_key_of(*shape, table)) return Found();
  DOSQL_ASSIGN_OR_RETURN(const bool another, is_another(point, *version, *shape, table));
  if (another) return Found();
  return look_at_stored(*version, table, *shape, row);
}

// All columns but generated ones.
Result<VersionRows::Found> VersionRows::look_at_stored(Opened& version, const MergedTable& table,
                                                       const TableShape& shape, const RowAddress& row) {
  std::string columns;
  std::optional<std::size_t> number;
  std::size_t count = 0;
  for (std::size_t i = 0; i < shape.columns.size(); ++i) {
    if (shape.columns[i].generated != Generated::kNo) continue;
    if (shape.rowid_column == i) number = count;
    columns += (count++ > 0 ? ", " : "") + sql::quoted(shape.columns[i].name);
  }
  DOSQL_ASSIGN_OR_RETURN(Found found, look(version, table, columns, row));
  found.number = number;
  return found;
}

Result<std::optional<std::string>> VersionRows::name_in(const ReadPoint& point, const MergedTable& table) {
  if (raw(point.version) == 0) return std::optional(std::string());
  DOSQL_ASSIGN_OR_RETURN(const There* const found, there(point, table));
  if (!found->is_clear) return std::optional<std::string>();
  return std::optional(found->has_table ? found->table.name : std::string());
}

Result<std::vector<VersionRows::Reference>> VersionRows::references(const ReadPoint& point,
                                                                    const MergedTable& table) {
  std::vector<Reference> found;
  std::string name = table.name;
  if (table.follows_names) {
    DOSQL_ASSIGN_OR_RETURN(const std::optional<std::string> there, name_in(point, table));
    name = there.value_or("");
  }
  if (raw(point.version) == 0 || name.empty()) return found;
  DOSQL_ASSIGN_OR_RETURN(Opened* const version, open(point));
  const TableShape* const shape = version->schema->find(name);
  if (shape == nullptr) return found;
  if (!version->foreign_keys) {
    auto keys = std::make_shared<ForeignKeys>();
    DOSQL_RETURN_IF_ERROR(keys->read(*version->connection));
    version->foreign_keys = std::move(keys);
  }
  const ForeignKeys& keys = *version->foreign_keys;
  std::size_t value = 0;
  for (const ColumnShape& column : shape->columns) {
    if (column.generated != Generated::kNo) continue;
    std::vector<std::string> parents;
    add_parents(keys, *version->schema, shape->name, column.name, keys.all().size(), parents);
    for (std::string& parent : parents) found.push_back({value, std::move(parent)});
    ++value;
  }
  return found;
}

}  // namespace dosql::engine
