#include "engine/sqlite_value.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <cstring>

namespace dosql::engine {
namespace {

std::string column_text(sqlite3_stmt* statement, int column) {
  const void* text = sqlite3_column_text(statement, column);
  const int bytes = sqlite3_column_bytes(statement, column);
  return text ? std::string(static_cast<const char*>(text), bytes) : std::string();
}

const void* text_in(sqlite3_value* value, diff::TextEncoding encoding) {
  switch (encoding) {
    case diff::TextEncoding::kUtf8: return sqlite3_value_text(value);
    case diff::TextEncoding::kUtf16LittleEndian: return sqlite3_value_text16le(value);
    case diff::TextEncoding::kUtf16BigEndian: return sqlite3_value_text16be(value);
  }
  return nullptr;
}

int bytes_in(sqlite3_value* value, diff::TextEncoding encoding) {
  return encoding == diff::TextEncoding::kUtf8 ? sqlite3_value_bytes(value) : sqlite3_value_bytes16(value);
}

diff::Field bytes_field(diff::FieldType type, const void* bytes, int size, std::vector<std::byte>& kept) {
  const auto* const begin = static_cast<const std::byte*>(bytes);
  if (size > 0) kept.assign(begin, begin + size);
  return {.type = type, .bytes = kept};
}

}  // namespace

int bind_value(sqlite3_stmt* statement, int index, const Value& value) {
  switch (value.type()) {
    case Value::Type::kNull: return sqlite3_bind_null(statement, index);
    case Value::Type::kInteger: return sqlite3_bind_int64(statement, index, value.integer());
    case Value::Type::kReal: return sqlite3_bind_double(statement, index, value.real());
    case Value::Type::kText:
      return sqlite3_bind_text64(statement, index, value.text().data(), value.text().size(), SQLITE_TRANSIENT,
                                 SQLITE_UTF8);
    case Value::Type::kBlob:
      // A null pointer would be NULL instead of an empty blob.
      if (value.blob().empty()) return sqlite3_bind_zeroblob(statement, index, 0);
      return sqlite3_bind_blob64(statement, index, value.blob().data(), value.blob().size(),
                                 SQLITE_TRANSIENT);
  }
  return SQLITE_INTERNAL;
}

Value value_of_column(sqlite3_stmt* statement, int column) {
  switch (sqlite3_column_type(statement, column)) {
    case SQLITE_INTEGER: return std::int64_t{sqlite3_column_int64(statement, column)};
    case SQLITE_FLOAT: return sqlite3_column_double(statement, column);
    case SQLITE_TEXT: return column_text(statement, column);
    case SQLITE_BLOB: {
      Blob blob(sqlite3_column_bytes(statement, column));
      if (!blob.empty()) std::memcpy(blob.data(), sqlite3_column_blob(statement, column), blob.size());
      return blob;
    }
    default: return {};
  }
}

Value value_of(sqlite3_value* value) {
  switch (sqlite3_value_type(value)) {
    case SQLITE_INTEGER: return std::int64_t{sqlite3_value_int64(value)};
    case SQLITE_FLOAT: return sqlite3_value_double(value);
    case SQLITE_TEXT: {
      const auto* const text = reinterpret_cast<const char*>(sqlite3_value_text(value));
      return text ? std::string(text, static_cast<std::size_t>(sqlite3_value_bytes(value))) : std::string();
    }
    case SQLITE_BLOB: {
      const auto* const bytes = static_cast<const std::byte*>(sqlite3_value_blob(value));
      return Blob(bytes, bytes + sqlite3_value_bytes(value));
    }
    default: return {};
  }
}

diff::Field field_of(sqlite3_value* value, diff::TextEncoding encoding, std::vector<std::byte>& kept) {
  switch (sqlite3_value_type(value)) {
    case SQLITE_INTEGER: return {.type = diff::FieldType::kInteger, .integer = sqlite3_value_int64(value)};
    case SQLITE_FLOAT: return {.type = diff::FieldType::kReal, .real = sqlite3_value_double(value)};
    case SQLITE_BLOB:
      return bytes_field(diff::FieldType::kBlob, sqlite3_value_blob(value), sqlite3_value_bytes(value), kept);
    case SQLITE_TEXT: {
      const void* const text = text_in(value, encoding);
      return bytes_field(diff::FieldType::kText, text, bytes_in(value, encoding), kept);
    }
    default: return {};
  }
}

Value value_of(const diff::Field& field, diff::TextEncoding encoding) {
  switch (field.type) {
    case diff::FieldType::kInteger: return field.integer;
    case diff::FieldType::kReal: return field.real;
    case diff::FieldType::kText: return diff::utf8_text(field.bytes, encoding);
    case diff::FieldType::kBlob: return Blob(field.bytes.begin(), field.bytes.end());
    case diff::FieldType::kNull: break;
  }
  return {};
}

void value_result(sqlite3_context* out, const Value& value) {
  switch (value.type()) {
    case Value::Type::kNull: sqlite3_result_null(out); break;
    case Value::Type::kInteger: sqlite3_result_int64(out, value.integer()); break;
    case Value::Type::kReal: sqlite3_result_double(out, value.real()); break;
    case Value::Type::kText:
      sqlite3_result_text64(out, value.text().data(), value.text().size(), SQLITE_TRANSIENT, SQLITE_UTF8);
      break;
    case Value::Type::kBlob:
      sqlite3_result_blob64(out, value.blob().empty() ? static_cast<const void*>("") : value.blob().data(),
                            value.blob().size(), SQLITE_TRANSIENT);
      break;
  }
}

void field_result(sqlite3_context* out, const diff::Field& field, diff::TextEncoding encoding) {
  // A null pointer would be NULL instead of an empty value.
  const void* const bytes = field.bytes.empty() ? "" : static_cast<const void*>(field.bytes.data());
  switch (field.type) {
    case diff::FieldType::kNull: sqlite3_result_null(out); break;
    case diff::FieldType::kInteger: sqlite3_result_int64(out, field.integer); break;
    case diff::FieldType::kReal: sqlite3_result_double(out, field.real); break;
    case diff::FieldType::kText:
      sqlite3_result_text64(out, static_cast<const char*>(bytes), field.bytes.size(), SQLITE_TRANSIENT,
                            static_cast<unsigned char>(encoding));
      break;
    case diff::FieldType::kBlob:
      sqlite3_result_blob64(out, bytes, field.bytes.size(), SQLITE_TRANSIENT);
      break;
  }
}

std::string literal(const Value& value) {
  if (value.type() == Value::Type::kBlob) {
    std::string text = "x'";
    for (const std::byte byte : value.blob()) text += fmt::format("{:02x}", std::to_integer<int>(byte));
    return text + "'";
  }
  char* text = nullptr;
  switch (value.type()) {
    case Value::Type::kInteger:
      text = sqlite3_mprintf("%lld", static_cast<long long>(value.integer()));
      break;
    case Value::Type::kReal: text = sqlite3_mprintf("%!.15g", value.real()); break;
    case Value::Type::kText: text = sqlite3_mprintf("%Q", value.text().c_str()); break;
    default: return "NULL";
  }
  std::string result = text ? text : "";
  sqlite3_free(text);
  return result;
}

}  // namespace dosql::engine
