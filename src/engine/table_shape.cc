#include "engine/table_shape.h"

#include <fmt/format.h>

#include <algorithm>
#include <ranges>

#include "engine/database_core.h"
#include "engine/main_file.h"
#include "engine/sqlite_internals.h"
#include "engine/sqlite_value.h"
#include "sql/lexer.h"

namespace dosql::engine {
namespace {

using diff::Field;
using diff::FieldType;
using diff::TextEncoding;

constexpr std::size_t kPointsMax = 64;
constexpr std::size_t kSchemasMax = 16;

Affinity affinity_of(char letter) {
  switch (letter) {
    case 'B': return Affinity::kText;
    case 'C': return Affinity::kNumeric;
    case 'D': return Affinity::kInteger;
    case 'E': return Affinity::kReal;
    default: return Affinity::kBlob;
  }
}

Generated generated_of(dosql_generated generated) {
  switch (generated) {
    case dosql_generated_virtual: return Generated::kVirtual;
    case dosql_generated_stored: return Generated::kStored;
    case dosql_not_generated: break;
  }
  return Generated::kNo;
}

TableKind kind_of(dosql_table_kind kind) {
  switch (kind) {
    case dosql_without_rowid: return TableKind::kWithoutRowid;
    case dosql_virtual_table: return TableKind::kVirtual;
    case dosql_rowid_table: break;
  }
  return TableKind::kRowid;
}

void read_missing(sqlite3* db, const std::string& table, int index, TextEncoding encoding,
                  ColumnShape& column) {
  sqlite3_value* const value = dosql_default_value(db, table.c_str(), index);
  if (value == nullptr) return;
  Field& missing = column.stored.missing;
  missing = field_of(value, encoding, column.missing_bytes);
  sqlite3_value_free(value);
  if (column.stored.is_real && missing.type == FieldType::kInteger)
    missing = {.type = FieldType::kReal, .real = static_cast<double>(missing.integer)};
}

ColumnShape describe_column(sqlite3* db, const std::string& table, int index, TextEncoding encoding) {
  dosql_column raw{};
  dosql_describe_column(db, table.c_str(), index, &raw);
  ColumnShape column{.name = raw.name,
                     .type = raw.type,
                     .affinity = affinity_of(raw.affinity),
                     .collation = raw.collation,
                     .not_null = raw.is_not_null != 0,
                     .generated = generated_of(raw.generated),
                     .hidden = raw.is_hidden != 0};
  if (raw.default_text != nullptr) column.default_sql = raw.default_text;
  if (raw.place >= 0) column.stored.place = static_cast<std::uint32_t>(raw.place);
  column.stored.is_real = column.affinity == Affinity::kReal;
  read_missing(db, table, index, encoding, column);
  return column;
}

diff::Collation compare_with(const dosql_collation& collation) {
  return [collation](Bytes a, Bytes b) {
    // As SQLite does it, no collation sees a null pointer.
    const auto start = [](Bytes text) -> const void* {
      if (text.empty()) return "";
      return text.data();
    };
    return dosql_collate(&collation, start(a), static_cast<int>(a.size()), start(b),
                         static_cast<int>(b.size()));
  };
}

template <class T>
void keep_newest(std::vector<T>& all, std::size_t most) {
  if (all.size() > most) all.erase(all.begin());
}

}  // namespace

std::string TableShape::rowid_name() const {
  if (kind == TableKind::kWithoutRowid) return {};
  if (rowid_column) return columns[*rowid_column].name;
  for (const char* const free : {"rowid", "_rowid_", "oid"}) {
    if (!find_column(free)) return free;
  }
  return {};
}

std::optional<std::size_t> TableShape::find_column(std::string_view column) const {
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (sql::equals_ignoring_case(columns[i].name, column)) return i;
  }
  return std::nullopt;
}

std::vector<diff::StoredColumn> TableShape::stored_columns() const {
  std::vector<diff::StoredColumn> stored;
  for (const ColumnShape& column : columns) stored.push_back(column.stored);
  return stored;
}

const TableShape* VersionSchema::find(std::string_view table) const {
  const auto found = std::ranges::find_if(
      tables, [&](const TableShape& shape) { return sql::equals_ignoring_case(shape.name, table); });
  return found == tables.end() ? nullptr : &*found;
}

Result<std::vector<diff::KeyColumn>> row_order(const TableShape& table, TextEncoding encoding,
                                               sqlite3* handle) {
  std::vector<diff::KeyColumn> order;
  if (table.kind != TableKind::kWithoutRowid) return order;
  for (const KeyPart& part : table.key) {
    dosql_collation collation{};
    if (dosql_find_collation(handle, part.collation.c_str(), static_cast<int>(encoding), &collation) == 0) {
      return Error(ErrorCode::kSql, fmt::format("no such collation sequence: {} (of the key of {})",
                                                part.collation, table.name));
    }
    order.push_back({compare_with(collation), part.descending});
  }
  return order;
}

// --- VersionSchemas ---

VersionSchemas::VersionSchemas(DatabaseCore& core) : core_(core), reader_(core.store()) {}

VersionSchemas::~VersionSchemas() { close(); }

void VersionSchemas::close() {
  file_ = nullptr;
  if (session_) sqlite3_close(session_->db);
  session_.reset();
}

Result<std::shared_ptr<const VersionSchema>> VersionSchemas::of(const version::ReadPoint& point) {
  for (const Known& known : std::views::reverse(points_)) {
    if (known.point == point) return known.schema;
  }
  DOSQL_ASSIGN_OR_RETURN(Shared schema, read(point));
  points_.push_back({point, schema});
  keep_newest(points_, kPointsMax);
  return schema;
}

Result<std::shared_ptr<const VersionSchema>> VersionSchemas::read(const version::ReadPoint& point) {
  auto made = std::make_shared<VersionSchema>();
  reader_.pin(point);
  auto entries = diff::read_schema(reader_);
  auto encoding = diff::text_encoding(reader_);
  reader_.unpin();
  DOSQL_ASSIGN_OR_RETURN(made->entries, std::move(entries));
  DOSQL_ASSIGN_OR_RETURN(made->encoding, std::move(encoding));
  for (const Shared& known : std::views::reverse(schemas_)) {
    if (known->encoding == made->encoding && known->entries == made->entries) return known;
  }
  if (!made->entries.empty()) {
    DOSQL_RETURN_IF_ERROR(look_at(point));
    DOSQL_RETURN_IF_ERROR(describe(*made));
  }
  schemas_.push_back(made);
  keep_newest(schemas_, kSchemasMax);
  return Shared(std::move(made));
}

// SQLite reads a schema when a name is looked for in it. No table can be made with this one.
Status VersionSchemas::look_at(const version::ReadPoint& point) {
  if (file_ == nullptr) {
    session_ = core_.new_session();
    auto file = core_.vfs().open(session_, point);
    if (!file) {
      close();
      return std::move(file).error();
    }
    file_ = *file;
  } else {
    file_->look_at(point);
  }
  // From the first time on: a version's own cookie could be one that is shown later.
  file_->show_another_schema();
  session_->begin_call();
  sqlite3_stmt* statement = nullptr;
  const char* const sql = DOSQL_OWN_SQL "SELECT 1 FROM main.sqlite_";
  const int rc = sqlite3_prepare_v2(session_->db, sql, -1, &statement, nullptr);
  sqlite3_finalize(statement);
  const std::string_view message = sqlite3_errmsg(session_->db);
  if (rc == SQLITE_OK || (rc == SQLITE_ERROR && message.starts_with("no such table"))) return {};
  Error error = connection_error(*session_, rc);
  close();
  return error;
}

Status VersionSchemas::describe(VersionSchema& schema) {
  for (const diff::SchemaEntry& entry : schema.entries) {
    if (entry.type != "table") continue;
    DOSQL_ASSIGN_OR_RETURN(TableShape table, describe_table(entry, schema.encoding));
    schema.tables.push_back(std::move(table));
  }
  return {};
}

Result<TableShape> VersionSchemas::describe_table(const diff::SchemaEntry& entry, TextEncoding encoding) {
  sqlite3* const db = session_->db;
  if (raw(entry.root) == 0) {
    // A virtual table's columns are known once its module has seen it.
    const std::string sql = fmt::format(DOSQL_OWN_SQL "PRAGMA main.table_xinfo({})", sql::quoted(entry.name));
    sqlite3_stmt* statement = nullptr;
    sqlite3_prepare_v2(db, sql.c_str(), -1, &statement, nullptr);
    sqlite3_finalize(statement);
  }
  dosql_table raw{};
  if (dosql_describe_table(db, entry.name.c_str(), &raw) == 0) {
    return Error(ErrorCode::kCorrupt,
                 fmt::format("the schema has a table {} that SQLite does not know of", entry.name));
  }
  TableShape table;
  table.name = entry.name;
  table.schema_rowid = entry.rowid;
  table.root = entry.root;
  table.kind = kind_of(raw.kind);
  table.shadow = raw.is_shadow != 0;
  table.strict = raw.is_strict != 0;
  table.autoincrement = raw.is_autoincrement != 0;
  for (int i = 0; i < raw.columns; ++i) table.columns.push_back(describe_column(db, entry.name, i, encoding));
  for (int i = 0; i < raw.key_columns; ++i) {
    dosql_key_column part{};
    dosql_describe_key(db, entry.name.c_str(), i, &part);
    const auto column = static_cast<std::size_t>(part.column);
    table.key.push_back({column, part.collation, part.is_descending != 0});
    table.columns.at(column).key_position = static_cast<std::uint32_t>(i + 1);
  }
  for (int i = 0; const char* const parent = dosql_parent_of(db, entry.name.c_str(), i); ++i)
    table.parents.emplace_back(parent);
  if (raw.rowid_column >= 0) {
    table.rowid_column = static_cast<std::size_t>(raw.rowid_column);
    table.columns.at(*table.rowid_column).stored.is_rowid = true;
  }
  return table;
}

}  // namespace dosql::engine
