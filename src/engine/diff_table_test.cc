// dosql_diff against comparing all rows of both versions, after random work of all kinds.

#include "engine/diff_table.h"

#include <set>

#include "engine/change_workload_test_support.h"
#include "testing/run_length.h"

namespace dosql::engine {
namespace {

constexpr const char* kAddedDefault = "i7";  // of every column that ALTER TABLE adds: x1, x2, ...

// Before and after by key; nothing where there is no row.
using Changes = std::map<std::string, std::pair<NamedValues, NamedValues>>;

std::set<std::string> columns_of(const RowsByKey& rows) {
  std::set<std::string> columns;
  if (!rows.empty()) {
    for (const auto& [column, value] : rows.begin()->second) columns.insert(column);
  }
  return columns;
}

NamedValues with_defaults(NamedValues values, const std::set<std::string>& columns) {
  for (const std::string& column : columns) values.emplace(column, column[0] == 'x' ? kAddedDefault : "NULL");
  return values;
}

Changes wanted_changes(const RowsByKey& before, const RowsByKey& after) {
  std::set<std::string> columns = columns_of(before);
  columns.merge(columns_of(after));
  Changes changes;
  for (const auto& [key, row] : before) {
    const auto found = after.find(key);
    if (found == after.end()) {
      changes[key].first = row;
    } else if (with_defaults(row, columns) != with_defaults(found->second, columns)) {
      changes[key] = {row, found->second};
    }
  }
  for (const auto& [key, row] : after) {
    if (!before.contains(key)) changes[key].second = row;
  }
  return changes;
}

// `known`: the columns of that side.
NamedValues side_of(const Row& row, const std::string& prefix, const std::set<std::string>& known) {
  NamedValues values;
  for (std::size_t i = 0; i < row.size(); ++i) {
    const std::string& name = row.columns()[i];
    if (!name.starts_with(prefix)) continue;
    const std::string column = name.substr(prefix.size());
    if (known.contains(column)) {
      values[column] = exact_text(row[i]);
    } else {
      EXPECT_TRUE(row[i].is_null()) << name << ": the version has no such column";
    }
  }
  return values;
}

class DiffTableTest : public ::testing::Test {
 protected:
  void expect_right(const ChangeWorkload& workload, std::size_t index, const std::string& from,
                    const std::string& to) {
    const WorkloadTable& table = workload.tables()[index];
    const std::string name_from = name_at(connection_, index, from);
    const std::string name_to = name_at(connection_, index, to);
    if (name_from.empty() && name_to.empty()) return;
    const RowsByKey before = rows_at(connection_, table, name_from, from);
    const RowsByKey after = rows_at(connection_, table, name_to, to);
    const Changes wanted = wanted_changes(before, after);
    const auto rows = connection_.query(
        "SELECT * FROM dosql_diff('" + (name_to.empty() ? name_from : name_to) + "', ?1, ?2)", from, to);
    ASSERT_TRUE(rows) << failure_text(rows.error());
    Changes found;
    for (const Row& row : *rows) {
      const std::string change = row.get<std::string>("change");
      std::pair<NamedValues, NamedValues> sides;
      if (change != "insert") sides.first = side_of(row, "before_", columns_of(before));
      if (change != "delete") sides.second = side_of(row, "after_", columns_of(after));
      const bool is_rowid = table.key[0] == "rowid";
      // An INTEGER PRIMARY KEY is the key under its own name.
      const std::string key = is_rowid && row.find("rowid") == nullptr
                                  ? key_text(*row.find("id"), false) + "|"
                                  : key_of(table, row);
      EXPECT_TRUE(found.emplace(key, sides).second) << "twice: " << key;
    }
    EXPECT_EQ(found.size(), wanted.size());
    EXPECT_TRUE(found == wanted) << name_from << " to " << name_to;
    changes_ += wanted.size();
  }

  Database database_ = open_in_memory();
  Connection connection_ = database_.connect().value();
  std::size_t changes_ = 0;
};

TEST_F(DiffTableTest, IsWhatComparingAllRowsSays) {
  const std::uint64_t seed = testing::test_seed();
  const int histories = testing::scaled(testing::soak() ? 100 : 3);
  for (int h = 0; h < histories; ++h) {
    database_ = open_in_memory();
    connection_ = database_.connect().value();
    ChangeWorkload workload(connection_, seed * 1000 + static_cast<std::uint64_t>(h));
    std::vector<std::string> versions;
    const auto note_versions = [&](const std::string& branch) {
      for (std::uint64_t version = 1; version <= connection_.version(); ++version)
        versions.push_back(branch + "@" + std::to_string(version));
    };
    for (int i = 0; i < 50; ++i) workload.step();
    note_versions("main");
    const std::size_t made = workload.versions_of_making();
    workload.fork("side", "'" + versions[made + workload.pick(versions.size() - made)] + "'");
    for (int i = 0; i < 20; ++i) workload.step();
    note_versions("side");
    for (int i = 0; i < 25; ++i) {
      const std::size_t from = workload.pick(versions.size());
      const std::size_t to =
          workload.pick(3) == 0 ? std::min(from + 1, versions.size() - 1) : workload.pick(versions.size());
      SCOPED_TRACE("history " + std::to_string(h) + ", " + versions[from] + " to " + versions[to]);
      for (std::size_t table = 0; table < workload.tables().size(); ++table)
        expect_right(workload, table, versions[from], versions[to]);
      if (HasFailure()) return;
    }
  }
  EXPECT_GT(changes_, 1000u) << "or nothing was tested";
}

// Statements are kept over executions: the columns are those of the points of each.
TEST_F(DiffTableTest, AStatementWithParametersFollowsTheSchema) {
  DOSQL_ASSERT_OK(
      connection_.exec("CREATE TABLE t(a); INSERT INTO t VALUES (1); ALTER TABLE t ADD COLUMN b;"
                       "INSERT INTO t VALUES (2, 3)"));
  Statement statement = connection_.prepare("SELECT * FROM dosql_diff('t', ?, ?)").value();
  const auto columns = [&](const std::string& from, const std::string& to) {
    statement.reset();
    DOSQL_EXPECT_OK(statement.bind(1, from));
    DOSQL_EXPECT_OK(statement.bind(2, to));
    EXPECT_TRUE(statement.step().value());
    std::string names;
    for (int i = 0; i < statement.column_count(); ++i) names += std::string(statement.column_name(i)) + " ";
    return names;
  };
  EXPECT_EQ(columns("main@1", "main@2"), "change rowid before_a after_a lsn ");
  EXPECT_EQ(columns("main@2", "main@4"), "change rowid before_a before_b after_a after_b lsn ");
  EXPECT_EQ(columns("main@1", "main@2"), "change rowid before_a after_a lsn ");
}

TEST_F(DiffTableTest, TextsInUtf16AndKeysWithTheUsersCollations) {
  const auto by_length = [](void*, int a_bytes, const void*, int b_bytes, const void*) {
    return a_bytes - b_bytes;
  };
  sqlite3_create_collation(connection_.sqlite_handle(), "by_length", SQLITE_UTF8, nullptr, by_length);
  DOSQL_ASSERT_OK(
      connection_.exec("PRAGMA encoding = 'UTF-16be';"
                       "CREATE TABLE t(a TEXT COLLATE by_length PRIMARY KEY, b) WITHOUT ROWID;"
                       "INSERT INTO t VALUES ('a', 'ä'), ('bb', 'ö'); REPLACE INTO t VALUES ('c', '€')"));
  EXPECT_EQ(rows_text(connection_,
                      "SELECT change, a, before_a, before_b, after_b FROM dosql_diff('t', "
                      "'main@2', 'main@3')"),
            "update|c|a|ä|€");
  EXPECT_EQ(rows_text(connection_,
                      "SELECT count(*), min(lsn) < max(lsn) FROM dosql_diff('t', 'main@1', "
                      "'main@3')"),
            "2|1");
  Connection stranger = database_.connect().value();
  EXPECT_EQ(rows_text(stranger, "SELECT * FROM dosql_diff('t', 'main@2', 'main@3')"),
            "error: no such collation sequence: by_length (of the key of t)");
}

TEST_F(DiffTableTest, ColumnsWithTheNamesOfOurs) {
  DOSQL_ASSERT_OK(connection_.exec("CREATE TABLE t(lsn PRIMARY KEY, change, before_change, \"a b\"\"c\")"));
  DOSQL_ASSERT_OK(connection_.exec("INSERT INTO t VALUES (1, 2, 3, 4)"));
  EXPECT_EQ(rows_text(connection_,
                      "SELECT change, key_lsn, after_lsn, after_before_change, \"after_a b\"\"c\" "
                      "FROM dosql_diff('t', 'main@1', 'main@2')"),
            "insert|1|1|3|4");
}

// The columns are declared when the statement is compiled; a handle of the user's may outlive its connection.
TEST_F(DiffTableTest, AfterTheConnectionIsGone) {
  DOSQL_ASSERT_OK(connection_.exec("CREATE TABLE t(a)"));
  sqlite3_stmt* statement = nullptr;
  sqlite3_prepare_v2(connection_.sqlite_handle(), "SELECT * FROM dosql_diff_summary('main@1', 'main@1')", -1,
                     &statement, nullptr);
  ASSERT_NE(statement, nullptr);
  connection_ = database_.connect().value();
  EXPECT_EQ(sqlite3_step(statement), SQLITE_ERROR);
  sqlite3_finalize(statement);
}

}  // namespace
}  // namespace dosql::engine
