// Row history against the rows of every version, after random work of all kinds.

#include "engine/history_table.h"

#include <set>

#include "engine/change_workload_test_support.h"
#include "testing/run_length.h"

namespace dosql::engine {
namespace {

// A version of a row: by key, values and the versions in which it was.
using RowVersions = std::multiset<std::string>;

class HistoryTableTest : public ::testing::Test {
 protected:
  // The columns that are shown, in their order.
  std::vector<std::string> columns_at(const std::string& name, const std::string& version) {
    std::vector<std::string> columns;
    const auto rows = connection_.query("SELECT * FROM " + name + " FOR SYSTEM_TIME AS OF SNAPSHOT '" +
                                        version + "' LIMIT 0");
    Statement statement =
        connection_.prepare("SELECT * FROM " + name + " FOR SYSTEM_TIME AS OF SNAPSHOT '" + version + "'")
            .value();
    for (int i = 0; i < statement.column_count(); ++i) {
      if (statement.column_name(i) != "e") columns.emplace_back(statement.column_name(i));
    }
    return columns;
  }

  static std::string line(const std::string& key, const NamedValues& values,
                          const std::vector<std::string>& columns, std::uint64_t begin, std::uint64_t end) {
    std::string text = key + ":";
    for (const std::string& column : columns) {
      const auto found = values.find(column);
      text += (found != values.end() ? found->second : column[0] == 'x' ? "i7" : "NULL") + ",";
    }
    return text + std::to_string(begin) + "-" + std::to_string(end);
  }

  // By reading all of every version. The ends of periods are 0 where they are open.
  RowVersions wanted(const ChangeWorkload& workload, std::size_t index, std::uint64_t first,
                     std::uint64_t last, const std::vector<std::string>& columns) {
    struct Open {
      std::string values;
      NamedValues row;
      std::uint64_t begin;
    };
    RowVersions all;
    std::map<std::string, Open> open;
    const std::uint64_t head = connection_.version();
    const auto close = [&](const std::string& key, const Open& one, std::uint64_t end) {
      if (one.begin <= last && (end == 0 || end > first))
        all.insert(line(key, one.row, columns, one.begin, end));
    };
    for (std::uint64_t version = 1; version <= head; ++version) {
      const std::string point = "main@" + std::to_string(version);
      const WorkloadTable& table = workload.tables()[index];
      const RowsByKey rows = rows_at(connection_, table, name_at(connection_, index, point), point);
      std::erase_if(open, [&](const auto& entry) {
        const auto found = rows.find(entry.first);
        const bool same =
            found != rows.end() && line("", found->second, columns, 0, 0) == entry.second.values;
        if (!same) close(entry.first, entry.second, version);
        return !same;
      });
      for (const auto& [key, row] : rows)
        open.try_emplace(key, Open{line("", row, columns, 0, 0), row, version});
    }
    for (const auto& [key, one] : open) close(key, one, 0);
    return all;
  }

  RowVersions found(const WorkloadTable& table, const std::string& query,
                    const std::vector<std::string>& columns) {
    RowVersions all;
    const auto rows = connection_.query(query);
    EXPECT_TRUE(rows) << failure_text(rows.error()) << query;
    if (!rows) return all;
    for (const Row& row : *rows) {
      NamedValues values;
      for (const std::string& column : columns) values[column] = exact_text(*row.find(column));
      const auto begin = static_cast<std::uint64_t>(row.get<std::int64_t>("_dosql_version"));
      const auto end = row.get<std::optional<std::string>>("_dosql_valid_to");
      const std::string key = row.find("rowid") == nullptr && table.key[0] == "rowid"
                                  ? key_text(*row.find("id"), false) + "|"
                                  : key_of(table, row);
      all.insert(line(key, values, columns, begin, end ? version_of(*end) : 0));
    }
    return all;
  }

  std::uint64_t version_of(const std::string& timestamp) {
    return std::stoull(
        rows_text(connection_, "SELECT version FROM dosql_log WHERE timestamp = '" + timestamp + "'"));
  }

  Database database_ = open_in_memory();
  Connection connection_ = database_.connect().value();
};

TEST_F(HistoryTableTest, IsWhatReadingEveryVersionSays) {
  const std::uint64_t seed = testing::test_seed();
  const int histories = testing::scaled(testing::soak() ? 60 : 2);
  std::size_t rows = 0;
  for (int h = 0; h < histories; ++h) {
    database_ = open_in_memory();
    connection_ = database_.connect().value();
    ChangeWorkload workload(connection_, seed * 4241 + static_cast<std::uint64_t>(h));
    for (int i = 0; i < 45; ++i) workload.step();
    const std::uint64_t head = connection_.version();
    for (int i = 0; i < 6; ++i) {
      std::uint64_t first = 1 + workload.pick(head);
      std::uint64_t last = 1 + workload.pick(head);
      if (i == 0) first = 1, last = head;
      if (first > last) std::swap(first, last);
      const std::string end = "main@" + std::to_string(last);
      for (std::size_t index = 0; index < workload.tables().size(); ++index) {
        const WorkloadTable& table = workload.tables()[index];
        const std::string name = name_at(connection_, index, end);
        if (name.empty()) continue;
        SCOPED_TRACE("history " + std::to_string(h) + ", " + name + " from " + std::to_string(first) +
                     " to " + end);
        const std::vector<std::string> columns = columns_at(name, end);
        const RowVersions right = wanted(workload, index, first, last, columns);
        const bool has_rowid = table.key[0] == "rowid";
        const std::string select = "SELECT *, _dosql_version, _dosql_valid_to" +
                                   std::string(has_rowid && columns[0] != "id" ? ", rowid" : "") + " FROM " +
                                   name + " FOR SYSTEM_TIME BETWEEN SNAPSHOT 'main@" + std::to_string(first) +
                                   "' AND SNAPSHOT '" + end + "'";
        EXPECT_TRUE(found(table, select, columns) == right) << right.size();
        // Row by row, by its key.
        RowVersions by_key;
        std::set<std::string> keys;
        for (const std::string& one : right) keys.insert(one.substr(0, one.find(':')));
        if (has_rowid) {
          const std::string column = columns[0] == "id" ? "id" : "rowid";
          for (const std::string& key : keys)
            by_key.merge(
                found(table, select + " WHERE " + column + " = " + key.substr(1, key.size() - 2), columns));
          EXPECT_TRUE(by_key == right) << right.size();
        }
        rows += right.size();
        if (HasFailure()) return;
      }
    }
  }
  EXPECT_GT(rows, 500u) << "or nothing was tested";
}

TEST_F(HistoryTableTest, KeysOfTablesWithoutRowids) {
  DOSQL_ASSERT_OK(connection_.exec("CREATE TABLE t(a TEXT, b REAL, v, PRIMARY KEY(b, a)) WITHOUT ROWID"));
  for (int i = 0; i < 300; ++i) {
    DOSQL_ASSERT_OK(connection_.run("INSERT INTO t VALUES (?, ?, 0)", "key " + std::to_string(i), i % 7));
  }
  DOSQL_ASSERT_OK(
      connection_.exec("UPDATE t SET v = 1 WHERE a = 'key 100'; DELETE FROM t WHERE a = 'key 100';"
                       "INSERT INTO t SELECT value, 2, 2 FROM (SELECT 'key 100' AS value)"));
  EXPECT_EQ(rows_text(connection_,
                      "SELECT v, _dosql_version FROM t FOR SYSTEM_TIME ALL WHERE a = 'key 100' AND b = 2"),
            "0|102\n1|302\n2|304");
  EXPECT_EQ(
      rows_text(connection_, "SELECT count(*) FROM t FOR SYSTEM_TIME ALL WHERE a = 'key 100' AND b = '2'"),
      "3");
  EXPECT_EQ(rows_text(connection_, "SELECT count(*) FROM t FOR SYSTEM_TIME ALL WHERE a = 100 AND b = 2"),
            "0");
}

TEST_F(HistoryTableTest, AStatementWithParametersFollowsThePointsAndTheSchema) {
  DOSQL_ASSERT_OK(
      connection_.exec("CREATE TABLE t(id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES (1, 0);"
                       "UPDATE t SET v = 1; ALTER TABLE t ADD COLUMN w; UPDATE t SET v = 2"));
  Statement statement =
      connection_.prepare("SELECT * FROM t FOR SYSTEM_TIME BETWEEN SNAPSHOT ?2 AND SNAPSHOT ? WHERE id = ?1")
          .value();
  const auto values = [&](const char* from, const char* to) {
    statement.reset();
    DOSQL_EXPECT_OK(statement.bind(1, 1));
    DOSQL_EXPECT_OK(statement.bind(2, from));
    DOSQL_EXPECT_OK(statement.bind(3, to));
    std::string text;
    while (statement.step().value()) text += value_text(statement.value(1)) + " ";
    return text + std::to_string(statement.column_count());
  };
  EXPECT_EQ(values("main@2", "main@3"), "0 1 2");
  EXPECT_EQ(values("main@3", "main@5"), "1 2 3");
  EXPECT_EQ(values("main@2", "main@2"), "0 2");
}

// On a line of versions that goes through several branches.
TEST_F(HistoryTableTest, BranchesGoOnFromTheirParents) {
  DOSQL_ASSERT_OK(connection_.exec(
      "CREATE TABLE t(id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES (1, 'main'); CREATE BRANCH a;"
      "UPDATE t SET v = 'main later'; CHECKOUT a; UPDATE t SET v = 'a'; CREATE BRANCH b; UPDATE t SET v = 'a "
      "later';"
      "CHECKOUT b; UPDATE t SET v = 'b'"));
  EXPECT_EQ(
      rows_text(connection_, "SELECT v, _dosql_branch, _dosql_valid_to IS NULL FROM t FOR SYSTEM_TIME ALL"),
      "main|main|0\na|a|0\nb|b|1");
  EXPECT_EQ(rows_text(connection_,
                      "SELECT v, _dosql_branch, _dosql_valid_to IS NULL FROM t FOR SYSTEM_TIME BETWEEN "
                      "SNAPSHOT 'main@2' AND BRANCH 'main' WHERE id = 1"),
            "main|main|0\nmain later|main|1");
  EXPECT_EQ(rows_text(connection_, "SELECT v FROM t FOR SYSTEM_TIME BETWEEN BRANCH 'main' AND BRANCH 'b'"),
            "error: main@3 is not on the way to b@4");
}

TEST_F(HistoryTableTest, TheEndOfFromToIsAMoment) {
  DOSQL_ASSERT_OK(connection_.exec(
      "CREATE TABLE t(v); INSERT INTO t VALUES (1); UPDATE t SET v = 2; UPDATE t SET v = 3"));
  const std::string third = rows_text(connection_, "SELECT timestamp FROM dosql_log WHERE version = 3");
  const auto history = [&](const std::string& range) {
    return rows_text(connection_, "SELECT group_concat(v, ' ') FROM (SELECT v FROM t FOR SYSTEM_TIME " +
                                      range + " ORDER BY v)");
  };
  EXPECT_EQ(history("FROM SNAPSHOT 'main@2' TO '" + third + "'"), "1");
  EXPECT_EQ(history("BETWEEN SNAPSHOT 'main@2' AND '" + third + "'"), "1 2");
  const std::string last = rows_text(connection_, "SELECT lsn_last FROM dosql_log WHERE version = 3");
  EXPECT_EQ(history("FROM LSN 1 TO LSN " + last), "1");
  EXPECT_EQ(history("FROM LSN 1 TO LSN " + std::to_string(std::stoull(last) + 1)), "1 2")
      << "inside of a commit's own LSNs it is the version that this commit made";
}

// Not the number of commits: what the history of a row costs are the versions of the pages on the way to it.
TEST_F(HistoryTableTest, CostFollowsThePagesOnTheWayToTheRow) {
  DOSQL_ASSERT_OK(
      connection_.exec("CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT); CREATE TABLE other(v);"
                       "INSERT INTO other VALUES (0)"));
  DOSQL_ASSERT_OK(
      connection_.exec("WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 5000) "
                       "INSERT INTO t SELECT i, hex(zeroblob(50)) FROM n"));
  const int commits = testing::scaled(20'000);
  for (int i = 0; i < commits; ++i) {
    DOSQL_ASSERT_OK(i % (commits / 50 + 1) == 0
                        ? connection_.run("UPDATE t SET v = ? WHERE id = 2500", std::to_string(i))
                        : connection_.run("UPDATE other SET v = ?", i));
  }
  const auto rebuilt = [&] { return DatabaseAccess::core(database_).store().status().rebuilt_pages; };
  const std::uint64_t before = rebuilt();
  const auto rows =
      connection_.query("SELECT v, _dosql_valid_from FROM t FOR SYSTEM_TIME ALL WHERE id = 2500");
  DOSQL_ASSERT_OK(rows);
  EXPECT_GT(rows->size(), 1u);
  // And a few of page 1, to find where the schema changed.
  EXPECT_LT(rebuilt() - before, 2 * rows->size() + 100);
}

}  // namespace
}  // namespace dosql::engine
