#include "engine/own_statement.h"

#include <sqlite3.h>

#include <utility>

#include "engine/connection_state.h"

namespace dosql::engine {
namespace {

using diff::Field;
using diff::FieldType;

// A null pointer would be NULL.
const char* bytes_of(Bytes bytes) { return bytes.empty() ? "" : reinterpret_cast<const char*>(bytes.data()); }

Field bytes_field(FieldType type, sqlite3_stmt* statement, int column) {
  const auto* const bytes = static_cast<const std::byte*>(sqlite3_column_blob(statement, column));
  const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement, column));
  return {.type = type, .bytes = Bytes(bytes, bytes == nullptr ? 0 : size)};
}

}  // namespace

Result<OwnStatement> OwnStatement::prepare(ConnectionState& connection, std::string_view sql) {
  connection.session().begin_call();
  const std::string own = std::string(DOSQL_OWN_SQL) + std::string(sql);
  sqlite3_stmt* statement = nullptr;
  const int rc = sqlite3_prepare_v3(connection.db(), own.data(), static_cast<int>(own.size()),
                                    SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (rc != SQLITE_OK) return connection.error(rc);
  return OwnStatement(statement);
}

OwnStatement::~OwnStatement() { sqlite3_finalize(statement_); }

OwnStatement::OwnStatement(OwnStatement&& other) noexcept
    : statement_(std::exchange(other.statement_, nullptr)) {}

OwnStatement& OwnStatement::operator=(OwnStatement&& other) noexcept {
  std::swap(statement_, other.statement_);
  return *this;
}

void OwnStatement::bind(int index, const Field& value, diff::TextEncoding encoding) {
  switch (value.type) {
    case FieldType::kNull: sqlite3_bind_null(statement_, index); break;
    case FieldType::kInteger: sqlite3_bind_int64(statement_, index, value.integer); break;
    case FieldType::kReal: sqlite3_bind_double(statement_, index, value.real); break;
    case FieldType::kText:
      // The numbers of the encodings are SQLite's.
      sqlite3_bind_text64(statement_, index, bytes_of(value.bytes), value.bytes.size(), SQLITE_STATIC,
                          static_cast<unsigned char>(encoding));
      break;
    case FieldType::kBlob:
      sqlite3_bind_blob64(statement_, index, bytes_of(value.bytes), value.bytes.size(), SQLITE_STATIC);
      break;
  }
}

void OwnStatement::bind(int index, std::int64_t value) { sqlite3_bind_int64(statement_, index, value); }

void OwnStatement::bind(int index, std::string_view utf8) {
  sqlite3_bind_text64(statement_, index, utf8.empty() ? "" : utf8.data(), utf8.size(), SQLITE_STATIC,
                      SQLITE_UTF8);
}

void OwnStatement::bind_pointer(int index, const void* pointer, const char* type) {
  sqlite3_bind_pointer(statement_, index, const_cast<void*>(pointer), type, nullptr);
}

int OwnStatement::step() {
  const int rc = sqlite3_step(statement_);
  // With the failure's own code, which sqlite3_step() has given as well.
  if (rc != SQLITE_ROW) sqlite3_reset(statement_);
  return rc;
}

int OwnStatement::run() {
  int rc = SQLITE_ROW;
  while (rc == SQLITE_ROW) rc = step();
  return rc;
}

void OwnStatement::reset() { sqlite3_reset(statement_); }

Field OwnStatement::value(int column) const {
  switch (sqlite3_column_type(statement_, column)) {
    case SQLITE_INTEGER:
      return {.type = FieldType::kInteger, .integer = sqlite3_column_int64(statement_, column)};
    case SQLITE_FLOAT: return {.type = FieldType::kReal, .real = sqlite3_column_double(statement_, column)};
    case SQLITE_TEXT: return bytes_field(FieldType::kText, statement_, column);
    case SQLITE_BLOB: return bytes_field(FieldType::kBlob, statement_, column);
    default: return {};
  }
}

std::string OwnStatement::text(int column) const {
  const auto* const text = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
  const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_, column));
  return text == nullptr ? std::string() : std::string(text, size);
}

std::int64_t OwnStatement::integer(int column) const { return sqlite3_column_int64(statement_, column); }

bool OwnStatement::is_null(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}

int OwnStatement::columns() const { return sqlite3_column_count(statement_); }

Status run_own(ConnectionState& connection, const std::string& sql) {
  connection.session().begin_call();
  const int rc = sqlite3_exec(connection.db(), (DOSQL_OWN_SQL + sql).c_str(), nullptr, nullptr, nullptr);
  return rc == SQLITE_OK && !connection.session().commit_failed
             ? Status()
             : Status(connection.error(rc == SQLITE_OK ? SQLITE_IOERR : rc));
}

}  // namespace dosql::engine
