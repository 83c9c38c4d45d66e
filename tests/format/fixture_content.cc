#include "tests/format/fixture_content.h"

#include <fmt/format.h>
#include <sqlite3.h>
#include <unistd.h>

#include <filesystem>

#include "base/checksum.h"

namespace dosql::format_test {
namespace {

namespace fs = std::filesystem;

// All rows of all tables as one text.
std::string content_text(sqlite3* db) {
  std::string text;
  const auto append_row = [](void* to, int columns, char** values, char**) {
    auto& out = *static_cast<std::string*>(to);
    for (int i = 0; i < columns; ++i) out += fmt::format("{}|", values[i] ? values[i] : "NULL");
    out += '\n';
    return 0;
  };
  std::vector<std::string> tables;
  const auto append_name = [](void* to, int, char** values, char**) {
    static_cast<std::vector<std::string>*>(to)->push_back(values[0]);
    return 0;
  };
  sqlite3_exec(db, "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name", append_name, &tables,
               nullptr);
  sqlite3_exec(db, "SELECT type, name, sql FROM sqlite_schema ORDER BY name", append_row, &text, nullptr);
  for (const std::string& table : tables) {
    sqlite3_exec(db, fmt::format("SELECT * FROM \"{}\" ORDER BY 1", table).c_str(), append_row, &text,
                 nullptr);
  }
  sqlite3_exec(db, "PRAGMA integrity_check", append_row, &text, nullptr);
  return text;
}

}  // namespace

std::vector<std::string> fixture_statements() {
  std::vector<std::string> statements = {
      "CREATE TABLE note(id INTEGER PRIMARY KEY, text TEXT, data BLOB)",
      "CREATE TABLE word(word TEXT PRIMARY KEY, n INT) WITHOUT ROWID",
      "CREATE INDEX note_text ON note(text)",
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400) "
      "INSERT INTO note SELECT i, printf('note %d %.*c', i, i % 90, 'x'), zeroblob(i % 50) FROM n",
      "INSERT INTO note VALUES (1000, 'long', zeroblob(20000))",
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 12000) "
      "INSERT INTO word SELECT printf('%.*c%d', i % 200, 'w', i), i FROM n",
  };
  for (int i = 1; i <= 150; ++i) {
    statements.push_back(fmt::format("UPDATE note SET text = 'changed {}' WHERE id = {}", i, 1 + i % 5));
  }
  statements.push_back("DELETE FROM word WHERE n > 100");
  statements.push_back("VACUUM");
  statements.push_back("ALTER TABLE note ADD COLUMN extra DEFAULT 'e'");
  statements.push_back("INSERT INTO word VALUES ('last', 0)");
  return statements;
}

Result<std::vector<std::string>> describe_versions(Database& database) {
  std::vector<std::string> lines;
  DOSQL_ASSIGN_OR_RETURN(Connection connection, database.connect());
  DOSQL_ASSIGN_OR_RETURN(const Rows log,
                         connection.query("SELECT version, lsn_first, lsn_last FROM dosql_log ORDER BY 1"));
  const fs::path file = fs::temp_directory_path() / fmt::format("dosql-format-test-{}.sqlite", ::getpid());
  for (const Row& row : log) {
    fs::remove(file);
    DOSQL_RETURN_IF_ERROR(
        database.export_sqlite(file.string(), static_cast<std::uint64_t>(row[0].integer())));
    sqlite3* db = nullptr;
    sqlite3_open_v2(file.c_str(), &db, SQLITE_OPEN_READONLY, "unix");
    const std::string text = content_text(db);
    sqlite3_close(db);
    lines.push_back(fmt::format("{} {} {} {:016x}", row[0].integer(), row[1].integer(), row[2].integer(),
                                checksum64(std::as_bytes(std::span(text)), 0)));
  }
  fs::remove(file);
  return lines;
}

}  // namespace dosql::format_test
