// What the engine's tests share: databases on any storage, stock SQLite beside them, and short ways to say
// things.
#pragma once

#include <dosql/dosql.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <cstdlib>
#include <filesystem>
#include <random>
#include <string>

#include "engine/database_core.h"
#include "io/memory_storage.h"
#include "io/posix_storage.h"

namespace dosql::engine {

inline std::string failure_text(const Error& error) {
  return std::string(error_code_name(error.code())) + ": " + error.message();
}

#define DOSQL_EXPECT_OK(expression)                                    \
  do {                                                                 \
    const auto& result_ = (expression);                                \
    EXPECT_TRUE(result_.has_value()) << failure_text(result_.error()); \
  } while (false)
#define DOSQL_ASSERT_OK(expression)                                    \
  do {                                                                 \
    const auto& result_ = (expression);                                \
    ASSERT_TRUE(result_.has_value()) << failure_text(result_.error()); \
  } while (false)
#define DOSQL_EXPECT_ERROR(expression, wanted)                                             \
  do {                                                                                     \
    const auto& result_ = (expression);                                                    \
    ASSERT_FALSE(result_.has_value()) << "should have failed";                             \
    EXPECT_EQ(error_code_name(result_.error().code()), error_code_name(ErrorCode::wanted)) \
        << result_.error().message();                                                      \
  } while (false)

// A run is repeated by setting DOSQL_SEED to what a failure printed.
inline std::uint64_t test_seed() {
  const char* text = std::getenv("DOSQL_SEED");
  return text ? std::strtoull(text, nullptr, 10) : std::random_device{}();
}

// Removed with all it holds.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    path_ = (std::filesystem::temp_directory_path() / "dosql-test-XXXXXX").string();
    if (mkdtemp(path_.data()) == nullptr) std::abort();
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  const std::string& path() const { return path_; }
  std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

inline Result<Database> open_on(std::unique_ptr<io::Directory> directory, const Options& options = {}) {
  DOSQL_ASSIGN_OR_RETURN(auto core, DatabaseCore::open(std::move(directory), "/nowhere/test", options));
  return DatabaseAccess::make(std::move(core));
}

inline Database open_in_memory(const Options& options = {}) {
  return open_on(io::make_memory_directory(), options).value();
}

inline std::string value_text(const Value& value) {
  switch (value.type()) {
    case Value::Type::kNull: return "NULL";
    case Value::Type::kInteger: return std::to_string(value.integer());
    case Value::Type::kReal: {
      char text[40];
      std::snprintf(text, sizeof text, "%.15g", value.real());
      return text;
    }
    case Value::Type::kText: return value.text();
    case Value::Type::kBlob: {
      std::string text = "x'";
      for (const std::byte byte : value.blob()) {
        text += "0123456789abcdef"[std::to_integer<unsigned>(byte) >> 4];
        text += "0123456789abcdef"[std::to_integer<unsigned>(byte) & 15];
      }
      return text + "'";
    }
  }
  return "?";
}

// The rows of a query, "1|one" and one per line; or "error: ...".
inline std::string rows_text(Connection& connection, std::string_view sql) {
  auto rows = connection.query(sql);
  if (!rows) return "error: " + rows.error().message();
  std::string text;
  for (const Row& row : *rows) {
    std::string line;
    for (const Value& value : row.values()) line += (line.empty() ? "" : "|") + value_text(value);
    text += (text.empty() ? "" : "\n") + line;
  }
  return text;
}

inline Value column_value(sqlite3_stmt* statement, int column) {
  switch (sqlite3_column_type(statement, column)) {
    case SQLITE_INTEGER: return sqlite3_column_int64(statement, column);
    case SQLITE_FLOAT: return sqlite3_column_double(statement, column);
    case SQLITE_TEXT: return reinterpret_cast<const char*>(sqlite3_column_text(statement, column));
    case SQLITE_BLOB: {
      const auto* bytes = static_cast<const std::byte*>(sqlite3_column_blob(statement, column));
      return Blob(bytes, bytes + sqlite3_column_bytes(statement, column));
    }
    default: return {};
  }
}

inline std::string row_text(sqlite3_stmt* statement) {
  std::string line;
  for (int column = 0; column < sqlite3_column_count(statement); ++column) {
    line += (column == 0 ? "" : "|") + value_text(column_value(statement, column));
  }
  return line;
}

// The same for SQLite's own handle.
inline std::string rows_text(sqlite3* db, const std::string& sql) {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v2(db, sql.c_str(), -1, &statement, nullptr) != SQLITE_OK) {
    return std::string("error: ") + sqlite3_errmsg(db);
  }
  std::string text;
  while (sqlite3_step(statement) == SQLITE_ROW) text += (text.empty() ? "" : "\n") + row_text(statement);
  if (sqlite3_finalize(statement) != SQLITE_OK) return std::string("error: ") + sqlite3_errmsg(db);
  return text;
}

// Stock SQLite on a plain file (or ":memory:").
class Stock {
 public:
  explicit Stock(const std::string& path) {
    check(sqlite3_open_v2(path.c_str(), &db_, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, "unix"));
    exec("PRAGMA synchronous = OFF");  // nobody pulls its plug
  }
  ~Stock() { sqlite3_close(db_); }
  Stock(const Stock&) = delete;
  Stock& operator=(const Stock&) = delete;

  sqlite3* db() const { return db_; }
  // SQLite's result code.
  int try_exec(const std::string& sql) { return sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, nullptr); }
  void exec(const std::string& sql) { check(try_exec(sql)); }
  std::string rows_text(const std::string& sql) { return engine::rows_text(db_, sql); }

 private:
  void check(int rc) { EXPECT_EQ(rc, SQLITE_OK) << sqlite3_errmsg(db_); }

  sqlite3* db_ = nullptr;
};

// Everything in a database that SQL can see, as text: two databases with the same have the same content.
template <class Source>
std::string content_text(const Source& rows_of) {
  std::string text = rows_of("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name");
  std::string names = rows_of("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name");
  while (!names.empty()) {
    const std::size_t end = std::min(names.find('\n'), names.size());
    const std::string name = names.substr(0, end);
    // ANALYZE takes the tables in the order of a hash table in memory.
    const char* const order = name.starts_with("sqlite_stat") ? " ORDER BY 1, 2, rowid" : "";
    text += "\n" + name + ":\n" + rows_of("SELECT * FROM \"" + name + "\"" + order);
    names.erase(0, end + 1);
  }
  return text;
}
inline std::string content_text(Connection& connection) {
  return content_text([&](const std::string& sql) { return rows_text(connection, sql); });
}
inline std::string content_text(sqlite3* db) {
  return content_text([&](const std::string& sql) { return rows_text(db, sql); });
}
inline std::string content_text(Stock& stock) { return content_text(stock.db()); }

}  // namespace dosql::engine
