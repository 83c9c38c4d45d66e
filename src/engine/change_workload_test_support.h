// A random workload on a database of ours, for tests that compare what is said of its changes with the rows
// of its versions.
#pragma once

#include <dosql/dosql.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <cstdio>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "diff/random_values_test_support.h"
#include "engine/engine_test_support.h"

namespace dosql::engine {

// A table that lasts, under names that change.
struct WorkloadTable {
  std::string name;
  std::string columns;
  std::vector<std::string> key;  // "rowid", or the columns of a WITHOUT ROWID table's PRIMARY KEY
  bool folds = false;            // letters of the key are the same in either case
};

// All kinds of statements: inserts, REPLACE, updates, deletes, of keys too, with triggers and cascades; in
// transactions with savepoints in savepoints, some rolled back; ALTER, VACUUM, tables that go and come;
// branches.
class ChangeWorkload {
 public:
  ChangeWorkload(Connection& connection, std::uint64_t seed) : connection_(connection), random_(seed) {
    const auto chance = [](sqlite3_context* context, int, sqlite3_value** arguments) {
      auto* const self = static_cast<ChangeWorkload*>(sqlite3_user_data(context));
      const auto below = static_cast<std::uint64_t>(sqlite3_value_int64(arguments[0]));
      sqlite3_result_int(context, self->pick(below) == 0);
    };
    sqlite3_create_function(connection_.sqlite_handle(), "chance", 1, SQLITE_UTF8, this, chance, nullptr,
                            nullptr);
    exec("CREATE TABLE parents(id INTEGER PRIMARY KEY, v)");
    for (const WorkloadTable& table : tables_) create(table);
    add_triggers();
    versions_of_making_ = connection_.version();
  }

  // How many versions making the tables took. What is forked off one of these has not all of them.
  std::size_t versions_of_making() const { return versions_of_making_; }

  std::uint64_t pick(std::uint64_t below) { return random_() % below; }
  const std::vector<WorkloadTable>& tables() const { return tables_; }

  // Commits none, one or several versions.
  void step() {
    if (pick(10) == 0) return structural_step();
    exec("BEGIN");
    for (std::uint64_t i = 0; i <= pick(4); ++i) change();
    if (pick(3) == 0) savepoint(0);
    exec(pick(8) == 0 ? "ROLLBACK" : "COMMIT");
  }

  void fork(const std::string& branch, const std::string& point) {
    exec("CREATE BRANCH " + branch + " FROM " + point + "; CHECKOUT " + branch);
    // The names of that time.
    for (std::size_t i = 0; i < tables_.size(); ++i) {
      const std::string found =
          rows_text(connection_, "SELECT name FROM sqlite_schema WHERE type = 'table' AND name GLOB 't" +
                                     std::to_string(i) + "_*'");
      ASSERT_FALSE(found.empty());
      tables_[i].name = found;
    }
    add_triggers();
  }

 private:
  void savepoint(int depth) {
    exec("SAVEPOINT s");
    change();
    if (depth < 2 && pick(3) == 0) savepoint(depth + 1);
    exec(pick(2) == 0 ? "ROLLBACK TO s; RELEASE s" : "RELEASE s");
  }

  void exec(const std::string& sql) {
    const Status done = connection_.exec(sql);
    EXPECT_TRUE(done) << failure_text(done.error()) << " in " << sql;
  }
  // May fail, as statements of users do.
  void try_exec(const std::string& sql) {
    connection_.exec(sql).ignore("constraints are violated now and then");
  }

  void create(const WorkloadTable& table) {
    exec("CREATE TABLE " + table.name + table.columns);
    if (pick(2) == 0)
      exec("CREATE INDEX " + table.name + "_c" + std::to_string(++names_) + " ON " + table.name + "(c)");
  }

  // Of what happens to the first table, in the second one.
  void add_triggers() {
    exec("DROP TRIGGER IF EXISTS gone; CREATE TRIGGER gone AFTER DELETE ON " + tables_[0].name +
         " BEGIN INSERT INTO " + tables_[1].name + "(a, b) VALUES (old.id, old.c); END");
  }

  std::string new_name(std::size_t table) {
    return "t" + std::to_string(table) + "_" + std::to_string(++names_);
  }

  void structural_step() {
    const std::size_t index = pick(tables_.size());
    WorkloadTable& table = tables_[index];
    switch (pick(9)) {
      case 0: exec("VACUUM"); break;
      case 1: exec("PRAGMA incremental_vacuum(3)"); break;
      case 2:
        exec("ALTER TABLE " + table.name + " ADD COLUMN x" + std::to_string(++names_) + " DEFAULT 7");
        break;
      case 3: {
        const std::string old = table.name;
        table.name = new_name(index);
        exec("ALTER TABLE " + old + " RENAME TO " + table.name);
        break;
      }
      case 4:
        exec("BEGIN; DROP TABLE " + table.name);
        create(table);
        exec("COMMIT");
        add_triggers();
        break;
      case 5: exec("DELETE FROM " + table.name); break;
      case 6:
      case 7: change_added_column(table); break;
      default: exec("CREATE TABLE IF NOT EXISTS other(z); INSERT INTO other VALUES (zeroblob(9000))"); break;
    }
  }

  // Of those that ALTER TABLE added: other values, another name, or gone.
  void change_added_column(const WorkloadTable& table) {
    const std::string column = rows_text(
        connection_, "SELECT name FROM pragma_table_info('" + table.name + "') WHERE name GLOB 'x*' LIMIT 1");
    if (column.empty()) return;
    switch (pick(3)) {
      case 0: exec("ALTER TABLE " + table.name + " DROP COLUMN " + column); break;
      case 1:
        exec("ALTER TABLE " + table.name + " RENAME COLUMN " + column + " TO x" + std::to_string(++names_));
        break;
      default: try_exec("UPDATE " + table.name + " SET " + column + " = " + value() + " WHERE chance(3)");
    }
  }

  std::string value() { return diff::random_sql_value(random_); }
  std::string key_value() { return diff::random_sql_key(random_); }

  void change() {
    const WorkloadTable& table = tables_[pick(tables_.size())];
    const std::string some = " WHERE chance(" + std::to_string(2 + pick(60)) + ")";
    switch (pick(10)) {
      case 0:
      case 1:
      case 2: insert(table, 1 + pick(4)); break;
      case 3: insert(table, pick(8) == 0 ? 200 : 20); break;
      case 4: try_exec("UPDATE " + table.name + " SET c = " + value() + some); break;
      case 5: try_exec("UPDATE OR REPLACE " + table.name + " SET a = " + key_value() + some); break;
      case 6: try_exec("DELETE FROM parents" + some); break;
      case 7: try_exec("UPDATE parents SET id = id + 100" + some); break;
      case 8:
        for (int i = 0; i < 5; ++i)
          try_exec("INSERT OR IGNORE INTO parents VALUES (" + std::to_string(pick(300)) + ", 0)");
        break;
      default: try_exec("DELETE FROM " + table.name + some); break;
    }
  }

  void insert(const WorkloadTable& table, std::uint64_t count) {
    const bool has_id = table.columns.starts_with("(id");
    const bool is_child = table.columns.find("REFERENCES") != std::string::npos;
    for (std::uint64_t i = 0; i < count; ++i) {
      const std::string b =
          is_child ? "(SELECT id FROM parents WHERE id >= " + std::to_string(pick(200)) + " LIMIT 1)"
                   : key_value();
      const std::string id = std::to_string(static_cast<std::int64_t>(pick(3000)) - 500);
      try_exec("INSERT OR REPLACE INTO " + table.name +
               (has_id ? "(id, a, b, c) VALUES (" + id + ", " : "(a, b, c) VALUES (") + key_value() + ", " +
               b + ", " + value() + ")");
    }
  }

  Connection& connection_;
  std::mt19937_64 random_;
  std::uint64_t names_ = 0;
  std::size_t versions_of_making_ = 0;
  std::vector<WorkloadTable> tables_ = {
      {"t0_0", "(id INTEGER PRIMARY KEY, a, b REAL, c)", {"rowid"}},
      {"t1_0", "(a, b, c, d AS (ifnull(a, 0) || ifnull(b, 0)) STORED, e AS (a))", {"rowid"}},
      {"t2_0", "(a UNIQUE, b, c)", {"rowid"}},
      {"t3_0", "(a TEXT COLLATE NOCASE, b, c, PRIMARY KEY(a, b DESC)) WITHOUT ROWID", {"a", "b"}, true},
      {"t4_0", "(a PRIMARY KEY, b, c) WITHOUT ROWID", {"a"}},
      {"t5_0",
       "(id INTEGER PRIMARY KEY, a, b REFERENCES parents ON DELETE CASCADE ON UPDATE CASCADE, c)",
       {"rowid"}},
  };
};

// A value as text, the same for the same value of the same type.
inline std::string exact_text(const Value& value) {
  switch (value.type()) {
    case Value::Type::kInteger: return "i" + value_text(value);
    case Value::Type::kReal: {
      char text[40];
      std::snprintf(text, sizeof text, "r%.17g", value.real());
      return text;
    }
    case Value::Type::kText: return "t" + value_text(value);
    default: return value_text(value);
  }
}

// The same for values that are the same key.
inline std::string key_text(const Value& value, bool folds) {
  std::string text = exact_text(value);
  if (text[0] == 'r' && text.find_first_not_of("0123456789-", 1) == std::string::npos) text[0] = 'i';
  for (char& letter : text) {
    if (folds && text[0] == 't' && letter >= 'A' && letter <= 'Z') letter = static_cast<char>(letter + 32);
  }
  return text;
}

// The values of a row by column.
using NamedValues = std::map<std::string, std::string>;
// The rows of a table of the workload by key.
using RowsByKey = std::map<std::string, NamedValues>;

inline std::string key_of(const WorkloadTable& table, const Row& row, const std::string& prefix = "") {
  std::string key;
  for (const std::string& column : table.key) key += key_text(*row.find(prefix + column), table.folds) + "|";
  return key;
}

// What the table is called at a version; empty: it is not there.
inline std::string name_at(Connection& connection, std::size_t table, const std::string& version) {
  return rows_text(connection, "SELECT name FROM sqlite_schema FOR SYSTEM_TIME AS OF SNAPSHOT '" + version +
                                   "' WHERE type = 'table' AND name GLOB 't" + std::to_string(table) + "_*'");
}

inline RowsByKey rows_at(Connection& connection, const WorkloadTable& table, const std::string& name,
                         const std::string& version) {
  RowsByKey rows;
  if (name.empty()) return rows;
  const std::string columns = table.key[0] == "rowid" ? "rowid AS rowid, *" : "*";
  const auto all = connection.query("SELECT " + columns + " FROM " + name +
                                    " FOR SYSTEM_TIME AS OF SNAPSHOT '" + version + "'");
  EXPECT_TRUE(all) << failure_text(all.error());
  for (const Row& row : *all) {
    NamedValues values;
    for (std::size_t i = 0; i < row.size(); ++i) {
      // "rowid" is the key's; "e" is computed.
      if (row.columns()[i] != "rowid" && row.columns()[i] != "e")
        values[row.columns()[i]] = exact_text(row[i]);
    }
    EXPECT_TRUE(rows.emplace(key_of(table, row), std::move(values)).second);
  }
  return rows;
}

}  // namespace dosql::engine
