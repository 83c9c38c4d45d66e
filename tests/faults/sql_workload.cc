#include "tests/faults/sql_workload.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace dosql::testing {
namespace {

// Every table has a and b at least, whatever else it is.
struct Shape {
  const char* table;
  const char* create;
  const char* columns;
  bool has_c;
};

constexpr std::array kShapes = {
    Shape{"t_rowid", "CREATE TABLE t_rowid(id INTEGER PRIMARY KEY, a INT, b TEXT, c BLOB)", "a, b, c", true},
    Shape{"t_hidden", "CREATE TABLE t_hidden(a INT UNIQUE, b TEXT, c BLOB)", "a, b, c", true},
    Shape{"t_without", "CREATE TABLE t_without(a INT PRIMARY KEY, b TEXT, c BLOB) WITHOUT ROWID", "a, b, c",
          true},
    Shape{"t_auto",
          "CREATE TABLE t_auto(id INTEGER PRIMARY KEY AUTOINCREMENT, a INT CHECK (a < 900), b TEXT,"
          " d INT AS (a * 2) STORED)",
          "a, b", false},
    Shape{"t_child",
          "CREATE TABLE t_child(a INT REFERENCES t_without(a) ON DELETE CASCADE ON UPDATE SET NULL, b TEXT)",
          "a, b", false},
    Shape{"t_text", "CREATE VIRTUAL TABLE t_text USING fts5(a, b)", "a, b", false},
};

const Shape& shape_of(const std::string& table) {
  const auto* found =
      std::find_if(kShapes.begin(), kShapes.end(), [&](const Shape& shape) { return table == shape.table; });
  return found == kShapes.end() ? kShapes[0] : *found;
}

}  // namespace

std::string SqlWorkload::tables_query() {
  std::string names;
  for (const Shape& shape : kShapes) names += fmt::format("{}'{}'", names.empty() ? "" : ", ", shape.table);
  return fmt::format("SELECT name FROM sqlite_schema WHERE type = 'table' AND name IN ({}) ORDER BY name",
                     names);
}

std::string SqlWorkload::text() {
  constexpr std::array kWords = {"north", "sea", "cold", "wind", "stone", "harbour", "light"};
  std::string words;
  for (std::size_t i = below(6); i > 0; --i) words += std::string(kWords[below(kWords.size())]) + " ";
  // Now and then long enough for overflow pages.
  if (one_in(20)) return fmt::format("'{}' || hex(zeroblob({}))", words, below(9000));
  return fmt::format("'{}{}'", words, below(1000));
}

std::string SqlWorkload::blob() {
  if (one_in(15)) return fmt::format("zeroblob({})", below(20'000));
  return fmt::format("x'{:016x}{:016x}'", random_(), random_());
}

std::string SqlWorkload::condition() {
  switch (below(4)) {
    case 0: return fmt::format("a = {}", below(1000));
    case 1: return fmt::format("a BETWEEN {0} AND {0} + {1}", below(1000), below(80));
    case 2: return fmt::format("a % {} = 0", 2 + below(40));
    default: return fmt::format("b LIKE '%{}%'", below(100));
  }
}

std::string SqlWorkload::create_table() { return kShapes[below(kShapes.size())].create; }

std::string SqlWorkload::insert(const std::string& table) {
  const Shape& shape = shape_of(table);
  const std::string how = one_in(3) ? "INSERT OR REPLACE INTO" : "INSERT OR IGNORE INTO";
  const std::string start = fmt::format("{} {}({}) ", one_in(6) ? "INSERT INTO" : how, table, shape.columns);
  if (one_in(3)) {
    // Many at once.
    const std::uint64_t rows = one_in(10) ? 400 : 1 + below(40);
    return fmt::format(
        "WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < {}) {}"
        "SELECT (i * {} + {}) % 1000, {} || i{} FROM n",
        rows, start, 1 + below(97), below(1000), text(), shape.has_c ? ", " + blob() : "");
  }
  return start + fmt::format("VALUES({}, {}{})", below(1000), text(), shape.has_c ? ", " + blob() : "");
}

std::string SqlWorkload::update(const std::string& table) {
  const std::string how = one_in(2) ? "UPDATE OR IGNORE" : "UPDATE OR REPLACE";
  const std::string start = fmt::format("{} {} SET ", table == "t_text" ? "UPDATE" : how, table);
  std::string set;
  switch (below(4)) {
    case 0: set = fmt::format("a = a + {}", 1 + below(5)); break;
    case 1: set = fmt::format("b = b || {}", text()); break;
    case 2: set = shape_of(table).has_c ? "c = " + blob() : "b = upper(b)"; break;
    default: set = "b = " + text(); break;
  }
  return start + set + " WHERE " + condition();
}

std::string SqlWorkload::erase(const std::string& table) {
  return fmt::format("DELETE FROM {} WHERE {}", table, one_in(12) ? "1" : condition());
}

std::string SqlWorkload::change_rows(const std::string& table) {
  const std::uint64_t kind = below(10);
  if (kind < 5) return insert(table);
  if (kind < 8) return update(table);
  return erase(table);
}

std::string SqlWorkload::change_schema(const std::vector<std::string>& tables) {
  const std::string table = any_of(tables);
  switch (below(7)) {
    case 0: return "DROP TABLE " + table;
    case 1: return fmt::format("CREATE INDEX i_{0} ON {0}(b)", table);
    case 2: return fmt::format("DROP INDEX IF EXISTS i_{}", table);
    case 3: return fmt::format("ALTER TABLE {} ADD COLUMN e{} TEXT DEFAULT 'none'", table, below(30));
    case 4:
      return fmt::format("CREATE VIEW IF NOT EXISTS v_{0} AS SELECT a, count(*) FROM {0} GROUP BY a", table);
    case 5:
      return fmt::format(
          "CREATE TRIGGER IF NOT EXISTS g_{0} AFTER DELETE ON {0} WHEN old.a % 7 = 0 BEGIN "
          "UPDATE {0} SET b = b || '.' WHERE a = old.a + 1; END",
          table);
    default: return "DROP TRIGGER IF EXISTS g_" + table;
  }
}

std::string SqlWorkload::maintenance() {
  switch (below(5)) {
    case 0:
    case 1: return "VACUUM";
    case 2: return fmt::format("PRAGMA incremental_vacuum({})", 1 + below(20));
    case 3: return "ANALYZE";
    default: return "REINDEX";
  }
}

void SqlWorkload::add_changes(const std::vector<std::string>& tables, std::size_t count, SqlBlock& block) {
  for (; count > 0; --count)
    block.push_back(one_in(20) ? change_schema(tables) : change_rows(any_of(tables)));
}

SqlBlock SqlWorkload::transaction(const std::vector<std::string>& tables) {
  SqlBlock block = {one_in(2) ? "BEGIN" : "BEGIN IMMEDIATE"};
  add_changes(tables, 1 + below(4), block);
  if (one_in(2)) {
    block.push_back("SAVEPOINT one");
    add_changes(tables, 1 + below(4), block);
    if (one_in(3)) {
      block.push_back("SAVEPOINT two");
      add_changes(tables, 1 + below(3), block);
      block.push_back(one_in(2) ? "ROLLBACK TO two" : "RELEASE two");
      add_changes(tables, below(2), block);
    }
    block.push_back(one_in(2) ? "ROLLBACK TO one" : "RELEASE one");
    add_changes(tables, below(3), block);
  }
  block.push_back(one_in(8) ? "ROLLBACK" : "COMMIT");
  return block;
}

SqlBlock SqlWorkload::next_block(const std::vector<std::string>& tables) {
  if (tables.size() < 2 || one_in(40)) return {create_table()};
  const std::uint64_t kind = below(100);
  if (kind < 5) return {change_schema(tables)};
  if (kind < 9) return {maintenance()};
  if (kind < 40) return transaction(tables);
  return {change_rows(any_of(tables))};
}

}  // namespace dosql::testing
