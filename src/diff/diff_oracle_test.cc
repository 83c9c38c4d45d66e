// Random workloads of stock SQLite: the diff of two versions is what comparing all of their rows says.

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>

#include "diff/diff_test_support.h"
#include "diff/random_values_test_support.h"
#include "diff/row.h"
#include "diff/schema.h"
#include "diff/table_diff.h"
#include "testing/run_length.h"

namespace dosql::diff {
namespace {

constexpr std::size_t kColumnsMax = 16;
const std::string kAddedDefault = "n7";  // of every column that ALTER TABLE adds

// A table of the workload.
struct Table {
  std::string name;
  std::string sql;
  std::vector<KeyColumn> key;  // empty: by rowid
  int rowid_column = -1;       // the INTEGER PRIMARY KEY
};

const std::vector<Table>& tables() {
  static const std::vector<Table> all = {
      {"ids", "(id INTEGER PRIMARY KEY, a, b REAL, c)", {}, 0},
      {"rows", "(a, b, c, d AS (ifnull(a, 0) || ifnull(b, 0)) STORED)", {}},
      {"indexed", "(a UNIQUE, b, c)", {}},
      {"pairs",
       "(a TEXT COLLATE NOCASE, b, c, PRIMARY KEY(a, b DESC)) WITHOUT ROWID",
       {{compare_nocase, false}, {compare_binary, true}}},
      {"values_", "(a PRIMARY KEY, b, c) WITHOUT ROWID", {KeyColumn{}}},
      {"children",
       "(id INTEGER PRIMARY KEY, a, b REFERENCES parents ON DELETE CASCADE ON UPDATE CASCADE, c)",
       {},
       0},
      // Of what happens to `ids`, by triggers.
      {"noted", "(a, b, c)", {}},
  };
  return all;
}

// Random statements.
class Workload {
 public:
  Workload(SqliteHistory& history, std::uint64_t seed) : history_(history), random_(seed) {
    add_chance();
    create_tables();
    history_.sqlite().exec("PRAGMA foreign_keys=ON; CREATE TABLE parents(id INTEGER PRIMARY KEY, v)");
    history_.commit();
  }

  // Commits a version, or several on the way when SQLite says so.
  void step() {
    StockSqlite& sqlite = history_.sqlite();
    if (pick(12) == 0) return structural_step();
    sqlite.exec("BEGIN");
    for (std::uint64_t i = 0; i <= pick(4); ++i) change(sqlite);
    if (pick(3) == 0) with_savepoint(sqlite);
    sqlite.exec(pick(8) == 0 ? "ROLLBACK" : "COMMIT");
    if (pick(6) == 0) write_into_blob(sqlite);
    history_.commit();
  }

  // Those that are missing: a version may have been between DROP and CREATE.
  void create_tables() {
    for (const Table& table : tables()) create(table);
  }

  std::uint64_t pick(std::uint64_t below) { return random_() % below; }

 private:
  // chance(n) is true once in n times. SQLite's own random() cannot be replayed.
  void add_chance() {
    const auto chance = [](sqlite3_context* context, int, sqlite3_value** arguments) {
      auto* const self = static_cast<Workload*>(sqlite3_user_data(context));
      sqlite3_result_int(context,
                         self->pick(static_cast<std::uint64_t>(sqlite3_value_int64(arguments[0]))) == 0);
    };
    StockSqlite& sqlite = history_.sqlite();
    sqlite.check(
        sqlite3_create_function(sqlite.db(), "chance", 1, SQLITE_UTF8, this, chance, nullptr, nullptr));
  }

  void create(const Table& table) {
    StockSqlite& sqlite = history_.sqlite();
    sqlite.exec("CREATE TABLE IF NOT EXISTS " + table.name + table.sql);
    if (table.name != "ids") return;
    sqlite.exec(
        "CREATE TRIGGER IF NOT EXISTS ids_deleted AFTER DELETE ON ids BEGIN INSERT INTO noted(a, b) VALUES "
        "(old.id, "
        "old.c); END;"
        "CREATE TRIGGER IF NOT EXISTS ids_updated AFTER UPDATE ON ids BEGIN DELETE FROM noted WHERE a = "
        "new.id; END");
  }
  const Table& any_table() { return tables()[pick(tables().size())]; }

  // VACUUM, new columns, tables that go and come: outside of transactions.
  void structural_step() {
    StockSqlite& sqlite = history_.sqlite();
    const Table& table = any_table();
    switch (pick(6)) {
      case 0: sqlite.exec("VACUUM"); break;
      case 1: sqlite.exec("PRAGMA incremental_vacuum(3)"); break;
      case 2:
        if (columns_added_ < kColumnsMax - 8)
          sqlite.exec("ALTER TABLE " + table.name + " ADD COLUMN x" + std::to_string(columns_added_++) +
                      " DEFAULT 7");
        break;
      case 3:
        sqlite.exec("DROP TABLE " + table.name);
        if (pick(2) == 0) history_.commit();
        create(table);
        break;
      case 4: sqlite.exec("DELETE FROM " + table.name); break;
      default:
        sqlite.exec("CREATE TABLE IF NOT EXISTS other(z); INSERT INTO other VALUES (zeroblob(9000))");
        break;
    }
    history_.commit();
  }

  void with_savepoint(StockSqlite& sqlite) {
    sqlite.exec("SAVEPOINT s");
    change(sqlite);
    sqlite.exec(pick(2) == 0 ? "ROLLBACK TO s; RELEASE s" : "RELEASE s");
  }

  std::string value() { return diff::random_sql_value(random_); }
  std::string key_value() { return diff::random_sql_key(random_); }

  void change(StockSqlite& sqlite) {
    const Table& table = any_table();
    const std::string modulus = std::to_string(2 + pick(60));
    const std::string some = " WHERE chance(" + modulus + ")";
    if (pick(6) == 0) return change_parents(sqlite, some);
    switch (pick(8)) {
      case 0:
      case 1:
      case 2: insert(sqlite, table, 1 + pick(4)); break;
      case 3: insert(sqlite, table, pick(5) == 0 ? 300 : 20); break;
      case 4: sqlite.exec("UPDATE " + table.name + " SET c = " + value() + some); break;
      // The same length, so that where it overflows only the last page changes.
      case 5:
        sqlite.exec("UPDATE " + table.name + " SET c = substr(c, 1, length(c) - 1) || 'z'" + some +
                    " AND typeof(c) = 'text'");
        break;
      case 6: sqlite.try_exec("UPDATE OR REPLACE " + table.name + " SET a = " + key_value() + some); break;
      default: sqlite.exec("DELETE FROM " + table.name + some); break;
    }
  }

  // Their children follow.
  void change_parents(StockSqlite& sqlite, const std::string& some) {
    switch (pick(4)) {
      case 0: sqlite.exec("DELETE FROM parents" + some); break;
      case 1: sqlite.try_exec("UPDATE parents SET id = id + 100" + some); break;
      default:
        for (int i = 0; i < 5; ++i)
          sqlite.exec("INSERT OR IGNORE INTO parents VALUES (" + std::to_string(pick(300)) + ", 0)");
    }
  }

  void insert(StockSqlite& sqlite, const Table& table, std::uint64_t count) {
    for (std::uint64_t i = 0; i < count; ++i) {
      std::string columns = "a, b, c";
      const std::string some_parent =
          "(SELECT id FROM parents WHERE id >= " + std::to_string(pick(200)) + " LIMIT 1)";
      const std::string b = table.name == "children" ? some_parent : key_value();
      std::string values = key_value() + ", " + b + ", " + value();
      if (table.rowid_column >= 0) {
        columns = "id, " + columns;
        values = std::to_string(static_cast<std::int64_t>(pick(3000)) - 500) + ", " + values;
      }
      sqlite.exec("INSERT OR REPLACE INTO " + table.name + "(" + columns + ") VALUES (" + values + ")");
    }
  }

  // Writes overflow pages only.
  void write_into_blob(StockSqlite& sqlite) {
    sqlite.exec("INSERT OR REPLACE INTO ids(id, c) VALUES (7000, zeroblob(20000))");
    history_.commit();
    sqlite3_blob* blob = nullptr;
    sqlite.check(sqlite3_blob_open(sqlite.db(), "main", "ids", "c", 7000, 1, &blob));
    sqlite.check(sqlite3_blob_write(blob, "y", 1, static_cast<int>(5000 + pick(15'000))));
    sqlite.check(sqlite3_blob_close(blob));
  }

  SqliteHistory& history_;
  std::mt19937_64 random_;
  std::size_t columns_added_ = 0;
};

// A row's values one behind the other, padded with what ALTER TABLE ADD COLUMN added.
std::string row_text(std::vector<std::string> values) {
  values.resize(kColumnsMax, kAddedDefault);
  std::string text;
  for (const std::string& value : values) text += value + ",";
  return text;
}

// What makes rows the same row: NOCASE makes letters the same.
std::string key_text(const Table& table, const std::vector<std::string>& values) {
  std::string text;
  for (std::size_t i = 0; i < table.key.size(); ++i) {
    std::string value = values.at(i);
    if (value[0] == 'r') value.erase(0, 1);  // 2 and 2.0 are one key
    const bool folds = table.name == "pairs" && i == 0 && value[0] == 't';
    for (std::size_t at = 1; folds && at + 1 < value.size(); at += 2) {
      const auto letter = std::stoul(value.substr(at, 2), nullptr, 16);
      if (letter >= 'A' && letter <= 'Z') value[at] = static_cast<char>(value[at] + 2);
    }
    text += value + ",";
  }
  return text;
}

using Rows = std::map<std::string, std::string>;  // by key

// All rows by SQLite itself.
Rows rows_of(StockSqlite& sqlite, const Table& table) {
  Rows rows;
  sqlite3_stmt* statement = nullptr;
  const bool has_rowid = table.key.empty();
  const std::string sql = "SELECT " + std::string(has_rowid ? "rowid" : "0") + ", * FROM " + table.name;
  // It may not exist in this version.
  if (sqlite3_prepare_v2(sqlite.db(), sql.c_str(), -1, &statement, nullptr) != SQLITE_OK) return rows;
  while (sqlite3_step(statement) == SQLITE_ROW) {
    std::vector<std::string> values;
    for (int i = 1; i < sqlite3_column_count(statement); ++i) values.push_back(column_text(statement, i));
    const std::string key =
        has_rowid ? std::to_string(sqlite3_column_int64(statement, 0)) : key_text(table, values);
    EXPECT_TRUE(rows.emplace(key, row_text(values)).second) << key;
  }
  sqlite3_finalize(statement);
  return rows;
}

// Before and after by key; "" where there is no row.
using Changes = std::map<std::string, std::pair<std::string, std::string>>;

Changes wanted_changes(const Rows& before, const Rows& after) {
  Changes changes;
  for (const auto& [key, row] : before) {
    const auto found = after.find(key);
    if (found == after.end() || found->second != row)
      changes[key] = {row, found == after.end() ? "" : found->second};
  }
  for (const auto& [key, row] : after) {
    if (!before.contains(key)) changes[key] = {"", row};
  }
  return changes;
}

struct DecodedRow {
  std::string key;
  std::string text;  // "": there is none
};

DecodedRow decoded_row(const Table& table, const std::vector<StoredColumn>& columns, std::int64_t rowid,
                       Bytes record) {
  if (record.empty()) return {};
  std::vector<Field> stored;
  std::vector<Field> fields;
  decode_record(record, stored).value();
  decode_row(stored, rowid, columns, fields);
  std::vector<std::string> values;
  for (const Field& field : fields) values.push_back(field_text(field));
  return {table.key.empty() ? std::to_string(rowid) : key_text(table, values), row_text(values)};
}

// As the version's own schema has them.
std::vector<StoredColumn> stored_columns(StockSqlite& sqlite, const Table& table) {
  std::vector<StoredColumn> columns;
  sqlite3_stmt* statement = nullptr;
  const std::string sql =
      "SELECT type = 'REAL', hidden, dflt_value FROM pragma_table_xinfo('" + table.name + "')";
  sqlite.check(sqlite3_prepare_v2(sqlite.db(), sql.c_str(), -1, &statement, nullptr));
  std::uint32_t place = 0;
  while (sqlite3_step(statement) == SQLITE_ROW) {
    constexpr int kVirtual = 2;
    StoredColumn column{.is_rowid = static_cast<int>(columns.size()) == table.rowid_column,
                        .is_real = sqlite3_column_int(statement, 0) != 0};
    if (sqlite3_column_int(statement, 1) != kVirtual) column.place = place++;
    if (sqlite3_column_type(statement, 2) != SQLITE_NULL)
      column.missing = {.type = FieldType::kInteger, .integer = sqlite3_column_int64(statement, 2)};
    columns.push_back(column);
  }
  sqlite3_finalize(statement);
  return columns;
}

PageNo root_of(const std::vector<SchemaEntry>& schema, const std::string& table) {
  const SchemaEntry* const entry = find_table(schema, table);
  return entry ? entry->root : PageNo{};
}

std::vector<std::string> schema_lines(StockSqlite& sqlite) {
  std::vector<std::string> lines;
  sqlite3_stmt* statement = nullptr;
  sqlite.check(sqlite3_prepare_v2(sqlite.db(),
                                  "SELECT type || '|' || name || '|' || tbl_name || '|' || rootpage || '|' ||"
                                  " ifnull(sql, '') FROM sqlite_schema ORDER BY rowid",
                                  -1, &statement, nullptr));
  while (sqlite3_step(statement) == SQLITE_ROW)
    lines.emplace_back(reinterpret_cast<const char*>(sqlite3_column_text(statement, 0)));
  sqlite3_finalize(statement);
  return lines;
}

// Two versions, by the store and by SQLite.
class Pair {
 public:
  Pair(SqliteHistory& history, const HistoryVersion& before, const HistoryVersion& after)
      : before_(history.store()), after_(history.store()) {
    before_.pin(before.point);
    after_.pin(after.point);
    changes_ = PageChanges::between(history.store(), before_, after_).value();
    sqlite_before_.load(before.image);
    sqlite_after_.load(after.image);
    schema_before_ = read_schema(before_).value();
    schema_after_ = read_schema(after_).value();
  }

  void expect_right_schema() {
    std::vector<std::string> lines;
    for (const SchemaEntry& entry : schema_after_)
      lines.push_back(entry.type + "|" + entry.name + "|" + entry.table + "|" +
                      std::to_string(raw(entry.root)) + "|" + entry.sql);
    EXPECT_EQ(lines, schema_lines(sqlite_after_));
  }

  // Returns how many changes there were.
  std::size_t expect_right_changes(const Table& table) {
    const Changes wanted = wanted_changes(rows_of(sqlite_before_, table), rows_of(sqlite_after_, table));
    EXPECT_TRUE(changes_of(table) == wanted) << table.name << ": " << wanted.size() << " changes";
    return wanted.size();
  }

 private:
  Changes changes_of(const Table& table) {
    const TablePlace place{root_of(schema_before_, table.name), root_of(schema_after_, table.name),
                           table.key};
    TableDiff diff = TableDiff::open(before_, after_, changes_, place).value();
    const std::vector<StoredColumn> columns_before = stored_columns(sqlite_before_, table);
    const std::vector<StoredColumn> columns_after = stored_columns(sqlite_after_, table);
    Changes changes;
    RowChange change;
    while (diff.next(change).value()) {
      const DecodedRow before = decoded_row(table, columns_before, change.rowid, change.before);
      const DecodedRow after = decoded_row(table, columns_after, change.rowid, change.after);
      EXPECT_EQ(before.text.empty(), change.kind == ChangeKind::kInsert);
      EXPECT_EQ(after.text.empty(), change.kind == ChangeKind::kDelete);
      // The same values, stored in another way.
      if (before.text == after.text) continue;
      const std::string& key = before.text.empty() ? after.key : before.key;
      EXPECT_TRUE(changes.emplace(key, std::pair(before.text, after.text)).second) << "twice: " << key;
    }
    return changes;
  }

  version::Reader before_;
  version::Reader after_;
  PageChanges changes_;
  StockSqlite sqlite_before_;
  StockSqlite sqlite_after_;
  std::vector<SchemaEntry> schema_before_;
  std::vector<SchemaEntry> schema_after_;
};

class DiffOracleTest : public ::testing::TestWithParam<const char*> {};

INSTANTIATE_TEST_SUITE_P(AutoVacuum, DiffOracleTest, ::testing::Values("NONE", "INCREMENTAL", "FULL"),
                         [](const auto& one) { return std::string(one.param); });

TEST_P(DiffOracleTest, IsWhatComparingAllRowsSays) {
  const std::uint64_t seed = testing::test_seed();
  std::size_t changes = 0;
  const int histories = testing::scaled(testing::soak() ? 200 : 4);
  for (int h = 0; h < histories; ++h) {
    SqliteHistory history("PRAGMA auto_vacuum=" + std::string(GetParam()));
    Workload workload(history, seed * 1000 + static_cast<std::uint64_t>(h));
    for (int i = 0; i < 60; ++i) {
      if (workload.pick(20) == 0) {
        const HistoryVersion from = history.versions()[workload.pick(history.versions().size())];
        history.branch_from(from, "b" + std::to_string(i));
        workload.create_tables();
      }
      workload.step();
    }
    const auto& versions = history.versions();
    for (int i = 0; i < 25; ++i) {
      const std::size_t from = workload.pick(versions.size());
      // Neighbours as often as any two.
      const std::size_t to =
          workload.pick(2) == 0 ? std::min(from + 1, versions.size() - 1) : workload.pick(versions.size());
      SCOPED_TRACE("history " + std::to_string(h) + ", from " + std::to_string(from) + " to " +
                   std::to_string(to));
      Pair pair(history, versions[from], versions[to]);
      pair.expect_right_schema();
      for (const Table& table : tables()) changes += pair.expect_right_changes(table);
      if (::testing::Test::HasFailure()) return;
    }
  }
  EXPECT_GT(changes, 1000u) << "or nothing was tested";
}

}  // namespace
}  // namespace dosql::diff
