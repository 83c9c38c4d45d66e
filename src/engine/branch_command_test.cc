// Branches and snapshots in SQL: what they show, what they keep apart, and what they refuse.

#include <gtest/gtest.h>

#include "engine/engine_test_support.h"

namespace dosql::engine {
namespace {

class BranchCommandTest : public ::testing::Test {
 protected:
  Database db = open_in_memory();
  Connection conn = db.connect().value();

  void SetUp() override {
    DOSQL_ASSERT_OK(conn.exec("CREATE TABLE t(id INTEGER PRIMARY KEY, n INT); INSERT INTO t VALUES (1, 10)"));
  }
  std::string rows(const std::string& sql) { return rows_text(conn, sql); }
  void expect_refused(const std::string& sql, ErrorCode code, const std::string& message,
                      std::size_t offset) {
    const Status done = conn.exec(sql);
    ASSERT_FALSE(done) << sql;
    EXPECT_EQ(done.error().code(), code) << sql;
    EXPECT_EQ(done.error().message(), message) << sql;
    EXPECT_EQ(done.error().sql_offset(), offset) << sql;
  }
};

TEST_F(BranchCommandTest, ChangesOnABranchStayThere) {
  DOSQL_ASSERT_OK(conn.exec("CREATE BRANCH x; CHECKOUT x; UPDATE t SET n = 20"));
  EXPECT_EQ(conn.current_branch(), "x");
  EXPECT_EQ(conn.version(), 3u);
  EXPECT_EQ(rows("SELECT n FROM t"), "20");
  DOSQL_ASSERT_OK(conn.exec("CHECKOUT main"));
  EXPECT_EQ(rows("SELECT n FROM t"), "10");
  Connection other = db.connect().value();
  EXPECT_EQ(other.current_branch(), "main") << "CHECKOUT moves one connection only";
}

// Both branches made one schema change each, so both have the same schema cookie: what one shows must never
// be read with the other's schema.
TEST_F(BranchCommandTest, EqualSchemaCookiesAreNotMixedUp) {
  DOSQL_ASSERT_OK(conn.exec("CREATE TEMP TABLE kept(x); INSERT INTO kept VALUES (7)"));
  DOSQL_ASSERT_OK(conn.exec("CREATE BRANCH a; CREATE BRANCH b"));
  DOSQL_ASSERT_OK(conn.exec("CHECKOUT a; CREATE TABLE u(p TEXT); INSERT INTO u VALUES ('of a')"));
  DOSQL_ASSERT_OK(conn.exec("CHECKOUT b; CREATE TABLE u(q INT, r INT); INSERT INTO u VALUES (1, 2)"));
  EXPECT_EQ(rows("PRAGMA schema_version"), [&] {
    conn.exec("CHECKOUT a").ignore("the comparison shows it");
    return rows("PRAGMA schema_version");
  }());
  Statement all = conn.prepare("SELECT * FROM u").value();
  for (int turn = 0; turn < 20; ++turn) {
    DOSQL_ASSERT_OK(conn.exec("CHECKOUT a"));
    EXPECT_EQ(rows("SELECT p FROM u"), "of a");
    ASSERT_TRUE(all.step().value());
    EXPECT_EQ(all.column_count(), 1);
    all.reset();
    DOSQL_ASSERT_OK(conn.exec("CHECKOUT b"));
    EXPECT_EQ(rows("SELECT q + r FROM u"), "3");
    ASSERT_TRUE(all.step().value());
    EXPECT_EQ(all.column_count(), 2);
    all.reset();
    EXPECT_EQ(rows("SELECT x FROM kept"), "7") << "temporary tables stay";
    DOSQL_ASSERT_OK(conn.exec("CHECKOUT main"));
    EXPECT_FALSE(conn.query("SELECT * FROM u"));
  }
}

TEST_F(BranchCommandTest, BeginsWithTheVersionNamed) {
  DOSQL_ASSERT_OK(conn.exec("UPDATE t SET n = 11; UPDATE t SET n = 12; CREATE SNAPSHOT 'twelve'"));
  const std::string lsn = rows("SELECT lsn_last FROM dosql_log WHERE version = 3");
  const std::string time = rows("SELECT timestamp FROM dosql_log WHERE version = 4");
  DOSQL_ASSERT_OK(conn.exec("UPDATE t SET n = 13"));
  const std::pair<std::string, std::string> points[] = {
      {"main@3", "11"},          {"VERSION CURRENT - 2", "11"},      {"SNAPSHOT 'twelve'", "12"},
      {"LSN " + lsn, "11"},      {"TIMESTAMP '" + time + "'", "12"}, {"BRANCH main", "13"},
      {"VERSION CURRENT", "13"},
  };
  for (const auto& [point, n] : points) {
    DOSQL_ASSERT_OK(conn.exec("CREATE BRANCH b FROM " + point + "; CHECKOUT b"));
    EXPECT_EQ(rows("SELECT n FROM t"), n) << point;
    DOSQL_ASSERT_OK(conn.exec("UPDATE t SET n = n + 100"));
    EXPECT_EQ(rows("SELECT n FROM t"), "1" + n) << point;
    DOSQL_ASSERT_OK(conn.exec("CHECKOUT main; DROP BRANCH b FORCE"));
  }
}

TEST_F(BranchCommandTest, NamesSurviveReopening) {
  const TemporaryDirectory directory;
  {
    Database database = Database::open(directory.file("d")).value();
    Connection connection = database.connect().value();
    DOSQL_ASSERT_OK(
        connection.exec("CREATE TABLE t(x); CREATE BRANCH x; CREATE SNAPSHOT 'begin';"
                        "CHECKOUT x; INSERT INTO t VALUES (5); CREATE BRANCH gone; DROP BRANCH gone"));
  }
  Database database = Database::open(directory.file("d")).value();
  Connection connection = database.connect().value();
  EXPECT_EQ(rows_text(connection, "SELECT name, version, parent, fork_version, current FROM dosql_branches"),
            "main|1|NULL|NULL|1\nx|2|main|1|0");
  EXPECT_EQ(rows_text(connection, "SELECT name, branch, version FROM dosql_snapshots"), "begin|main|1");
  DOSQL_ASSERT_OK(connection.exec("CHECKOUT x"));
  EXPECT_EQ(rows_text(connection, "SELECT x FROM t"), "5");
  EXPECT_EQ(rows_text(connection, "SELECT version, branch FROM dosql_log"), "2|x\n1|main");
}

TEST_F(BranchCommandTest, RefusalsSayWhereAndWhy) {
  DOSQL_ASSERT_OK(conn.exec("CREATE BRANCH x; CHECKOUT x; UPDATE t SET n = 1; CHECKOUT main"));
  expect_refused("CHECKOUT y", ErrorCode::kBranchNotFound, "branch 'y' does not exist", 9);
  expect_refused("CREATE BRANCH x", ErrorCode::kAlreadyExists, "branch 'x' exists already", 14);
  expect_refused("DROP BRANCH main", ErrorCode::kInvalidArgument, "branch 'main' cannot be dropped", 12);
  expect_refused("CREATE BRANCH 'a/../b'", ErrorCode::kInvalidArgument,
                 "a branch name cannot contain '..': 'a/../b'", 14);
  expect_refused("CREATE BRANCH z FROM LSN -1", ErrorCode::kInvalidArgument,
                 "an LSN is a whole number from 0 up, not -1", 21);
  expect_refused("CREATE BRANCH z FROM SNAPSHOT 'nothing'", ErrorCode::kNotFound,
                 "snapshot 'nothing' does not exist", 21);
  expect_refused("CREATE BRANCH z FROM TIMESTAMP 'nonsense'", ErrorCode::kInvalidArgument,
                 "'nonsense' is not a date or time", 21);
  expect_refused("MERGE BRANCH main", ErrorCode::kInvalidArgument,
                 "branch 'main' cannot be merged into itself", 13);
  expect_refused("MERGE BRANCH y", ErrorCode::kBranchNotFound, "branch 'y' does not exist", 13);
  expect_refused("COMPLETE MERGE", ErrorCode::kNotFound, "no merge is waiting for decisions", 0);
  DOSQL_ASSERT_OK(conn.exec("BEGIN"));
  expect_refused("CHECKOUT x", ErrorCode::kInvalidArgument, "CHECKOUT inside a transaction is not possible",
                 9);
  expect_refused("CREATE BRANCH z", ErrorCode::kInvalidArgument,
                 "CREATE BRANCH inside a transaction is not possible: a rollback would not undo it", 0);
  DOSQL_ASSERT_OK(conn.exec("ROLLBACK"));
  Statement running = conn.prepare("SELECT * FROM t").value();
  ASSERT_TRUE(running.step().value());
  DOSQL_EXPECT_ERROR(conn.exec("CHECKOUT x"), kInvalidArgument);
  running.reset();
  DOSQL_EXPECT_OK(conn.exec("CHECKOUT x"));
}

TEST_F(BranchCommandTest, ABranchInUseOrUnmergedIsNotDropped) {
  DOSQL_ASSERT_OK(conn.exec("CREATE BRANCH x; CHECKOUT x; UPDATE t SET n = 1"));
  expect_refused("DROP BRANCH x FORCE", ErrorCode::kInvalidArgument,
                 "branch 'x' cannot be dropped: this connection is on it", 12);
  {
    Connection other = db.connect().value();
    const Status done = other.exec("DROP BRANCH x FORCE");
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().message(), "branch 'x' cannot be dropped: 1 other connection is on it");
  }
  DOSQL_ASSERT_OK(conn.exec("CHECKOUT main"));
  const Status unmerged = conn.exec("DROP BRANCH x");
  ASSERT_FALSE(unmerged);
  EXPECT_EQ(unmerged.error().code(), ErrorCode::kBranchNotMerged);
  EXPECT_EQ(unmerged.error().message().substr(0, 71),
            "branch 'x' has a commit that no other branch contains (newest: x@3, 202");
  EXPECT_EQ(unmerged.error().hint(), "DROP BRANCH x FORCE drops it all the same");
  DOSQL_EXPECT_OK(conn.exec("DROP BRANCH x FORCE; DROP BRANCH IF EXISTS x"));
  EXPECT_EQ(rows("SELECT name FROM dosql_branches"), "main");
}

TEST_F(BranchCommandTest, NamesAndPointsMayBeParameters) {
  DOSQL_ASSERT_OK(conn.exec("UPDATE t SET n = 11"));
  DOSQL_ASSERT_OK(conn.run("CREATE BRANCH ? FROM VERSION CURRENT - ?", "x", 1));
  DOSQL_ASSERT_OK(conn.run("CREATE BRANCH :name FROM :point", {{":name", "y"}, {":point", "main@1"}}));
  EXPECT_EQ(rows("SELECT name, version FROM dosql_branches"), "main|3\nx|2\ny|1");
  DOSQL_EXPECT_ERROR(conn.run("CREATE BRANCH ?", 5), kInvalidArgument);
  DOSQL_EXPECT_ERROR(conn.run("CREATE BRANCH ?", "a b"), kInvalidArgument);
  DOSQL_EXPECT_OK(conn.run("CREATE BRANCH back FROM VERSION CURRENT - ?", 1));
  EXPECT_EQ(rows("SELECT fork_version FROM dosql_branches WHERE name = 'back'"), "2");
  for (const Value& value : {Value("x"), Value("1"), Value(), Value(0.5)}) {
    DOSQL_EXPECT_ERROR(conn.run("CREATE BRANCH no FROM VERSION CURRENT - ?", value), kInvalidArgument);
  }
}

}  // namespace
}  // namespace dosql::engine
