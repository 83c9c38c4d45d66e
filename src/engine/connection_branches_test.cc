// Branches, snapshots and fixed connections, as a program uses them.

#include <gtest/gtest.h>

#include <thread>

#include "engine/engine_test_support.h"

namespace dosql::engine {
namespace {

class ConnectionBranchesTest : public ::testing::Test {
 protected:
  Database db = open_in_memory();
  Connection conn = db.connect().value();

  void SetUp() override {
    DOSQL_ASSERT_OK(conn.exec("CREATE TABLE t(n INT)"));
    commit(2);
  }
  // Makes the next version of the current branch.
  void commit(int n) { DOSQL_ASSERT_OK(conn.run("INSERT INTO t VALUES (?)", n)); }
  std::string seen(Connection& connection) { return rows_text(connection, "SELECT max(n) FROM t"); }
};

TEST_F(ConnectionBranchesTest, ABranchIsMadeMovedToAndDeleted) {
  commit(3);
  DOSQL_ASSERT_OK(conn.branch("x"));
  DOSQL_ASSERT_OK(conn.branch("old", {.from = relative(-1)}));
  EXPECT_EQ(conn.current_branch(), "main") << "making a branch moves nobody";
  DOSQL_ASSERT_OK(conn.checkout("old"));
  EXPECT_EQ(conn.current_branch(), "old");
  EXPECT_EQ(seen(conn), "2");
  commit(100);
  DOSQL_ASSERT_OK(conn.checkout("main"));
  EXPECT_EQ(seen(conn), "3");
  DOSQL_EXPECT_OK(conn.delete_branch("x"));
  DOSQL_EXPECT_ERROR(conn.delete_branch("old"), kBranchNotMerged);
  DOSQL_EXPECT_OK(conn.delete_branch("old", {.force = true}));
  DOSQL_EXPECT_ERROR(conn.checkout("old"), kBranchNotFound);
}

// A connection on a branch that goes by the schema of another reads and writes other tables than it says.
TEST_F(ConnectionBranchesTest, ACheckoutIsNotInterruptedHalfway) {
  DOSQL_ASSERT_OK(
      conn.exec("CREATE BRANCH x; CREATE TABLE secret(id INTEGER PRIMARY KEY, v TEXT); CHECKOUT x;"
                "CREATE TABLE other(id INTEGER PRIMARY KEY, w TEXT); INSERT INTO other VALUES (1, 'of x');"
                "CHECKOUT main"));
  EXPECT_EQ(rows_text(conn, "SELECT * FROM secret"), "");
  conn.set_progress(1, [] { return false; });
  DOSQL_EXPECT_OK(conn.checkout("x"));
  conn.set_progress(0, {});
  EXPECT_EQ(conn.current_branch(), "x");
  EXPECT_EQ(rows_text(conn, "SELECT * FROM secret"), "error: no such table: secret");
  EXPECT_EQ(rows_text(conn, "SELECT * FROM other"), "1|of x");
}

// The two faces go through the same code: what one refuses, so does the other, in the same words.
TEST_F(ConnectionBranchesTest, RefusalsAreThoseOfTheStatements) {
  DOSQL_ASSERT_OK(conn.branch("x"));
  const auto expect_same = [&](const Status& called, std::string_view sql) {
    const Status said = conn.exec(sql);
    ASSERT_FALSE(called) << sql;
    ASSERT_FALSE(said) << sql;
    EXPECT_EQ(called.error().code(), said.error().code()) << sql;
    EXPECT_EQ(called.error().message(), said.error().message()) << sql;
    EXPECT_EQ(called.error().hint(), said.error().hint()) << sql;
    EXPECT_FALSE(called.error().sql_offset()) << "there is no SQL to point at";
  };
  expect_same(conn.branch("x"), "CREATE BRANCH x");
  expect_same(conn.branch("a b"), "CREATE BRANCH 'a b'");
  expect_same(conn.branch("y", {.from = lsn(1'000'000'000)}), "CREATE BRANCH y FROM LSN 1000000000");
  expect_same(conn.checkout("y"), "CHECKOUT y");
  expect_same(conn.delete_branch("y"), "DROP BRANCH y");
  expect_same(conn.delete_branch("main"), "DROP BRANCH main");
  expect_same(conn.drop_snapshot("s"), "DROP SNAPSHOT s");
  expect_same(conn.create_snapshot(""), "CREATE SNAPSHOT ''");
  DOSQL_ASSERT_OK(conn.exec("BEGIN"));
  expect_same(conn.branch("y"), "CREATE BRANCH y");
  expect_same(conn.checkout("x"), "CHECKOUT x");
  expect_same(conn.delete_branch("x"), "DROP BRANCH x");
  expect_same(conn.create_snapshot("s"), "CREATE SNAPSHOT s");
  expect_same(conn.drop_snapshot("s"), "DROP SNAPSHOT s");
}

TEST_F(ConnectionBranchesTest, ListsTellWhatThereIs) {
  DOSQL_ASSERT_OK(conn.create_snapshot("first", {.at = snapshot("main@1")}));
  DOSQL_ASSERT_OK(conn.branch("x", {.from = snapshot("first")}));
  DOSQL_ASSERT_OK(conn.checkout("x"));
  commit(7);
  const std::vector<BranchInfo> branches = conn.list_branches();
  ASSERT_EQ(branches.size(), 2u);
  EXPECT_EQ(branches[0].name, "main");
  EXPECT_EQ(branches[0].head.to_string(), "main@2");
  EXPECT_FALSE(branches[0].fork || branches[0].created || branches[0].current);
  EXPECT_EQ(branches[1].head.to_string(), "x@2");
  EXPECT_EQ(branches[1].fork->to_string(), "main@1");
  EXPECT_TRUE(branches[1].created && branches[1].current);
  const std::vector<SnapshotInfo> snapshots = conn.list_snapshots();
  ASSERT_EQ(snapshots.size(), 1u);
  EXPECT_EQ(snapshots[0].name, "first");
  EXPECT_EQ(snapshots[0].version, conn.resolve(snapshot("main@1")).value());
  EXPECT_LE(snapshots[0].created, *branches[1].created);
  DOSQL_EXPECT_OK(conn.drop_snapshot("first"));
  EXPECT_TRUE(conn.list_snapshots().empty());
}

TEST_F(ConnectionBranchesTest, ComparesBranches) {
  DOSQL_ASSERT_OK(conn.branch("x"));
  const auto compare = [&](std::string_view source, std::string_view target) {
    const BranchComparison c = conn.compare_branches(source, target).value();
    return std::to_string(c.ahead) + " ahead, " + std::to_string(c.behind) + " behind" +
           (c.diverged ? ", diverged" : "") + (c.can_fast_forward ? ", fast-forward" : "") + ", from " +
           c.merge_base.to_string();
  };
  EXPECT_EQ(compare("x", "main"), "0 ahead, 0 behind, from main@2");
  DOSQL_ASSERT_OK(conn.checkout("x"));
  commit(3);
  commit(4);
  EXPECT_EQ(compare("x", "main"), "2 ahead, 0 behind, fast-forward, from main@2");
  EXPECT_EQ(compare("main", "x"), "0 ahead, 2 behind, from main@2");
  DOSQL_ASSERT_OK(conn.checkout("main"));
  commit(5);
  EXPECT_EQ(compare("x", "main"), "2 ahead, 1 behind, diverged, from main@2");
  EXPECT_EQ(compare("main", "main"), "0 ahead, 0 behind, from main@3");
  DOSQL_EXPECT_ERROR(conn.compare_branches("x", "y"), kBranchNotFound);
}

TEST_F(ConnectionBranchesTest, DistanceIsCountedAlongOneLine) {
  commit(3);
  DOSQL_ASSERT_OK(conn.branch("x", {.from = snapshot("main@2")}));
  DOSQL_ASSERT_OK(conn.checkout("x"));
  commit(103);
  commit(104);
  EXPECT_EQ(conn.distance(snapshot("main@1"), snapshot("main@3")).value(), 2);
  EXPECT_EQ(conn.distance(snapshot("main@3"), snapshot("main@1")).value(), -2);
  EXPECT_EQ(conn.distance(snapshot("main@1"), branch("x")).value(), 3) << "through the fork";
  EXPECT_EQ(conn.distance(relative(-2), current()).value(), 2);
  EXPECT_EQ(conn.distance(current(), current()).value(), 0);
  const auto apart = conn.distance(snapshot("main@3"), branch("x"));
  DOSQL_EXPECT_ERROR(apart, kInvalidArgument);
  EXPECT_EQ(apart.error().message(), "main@3 and x@4 are on different lines: neither goes back to the other");
  DOSQL_EXPECT_ERROR(conn.distance(snapshot("main@3"), snapshot("x@3")), kInvalidArgument);
  Database fresh = open_in_memory();
  EXPECT_EQ(fresh.connect().value().distance(current(), current()).value(), 0);
}

TEST_F(ConnectionBranchesTest, AFixedConnectionStaysAtItsVersion) {
  Connection past = conn.as_of(current()).value();
  EXPECT_TRUE(past.fixed());
  EXPECT_FALSE(conn.fixed());
  for (int n = 3; n < 50; ++n) {
    commit(n);
    EXPECT_EQ(seen(past), "2");
  }
  DOSQL_ASSERT_OK(conn.exec("ALTER TABLE t ADD COLUMN m; DROP TABLE t; CREATE TABLE t(other); VACUUM"));
  EXPECT_EQ(seen(past), "2");
  EXPECT_EQ(rows_text(past, "SELECT sql FROM sqlite_schema"), "CREATE TABLE t(n INT)");
  EXPECT_EQ(rows_text(past, "SELECT max(version), count(*) FROM dosql_log"), "2|2") << "its own history";
  EXPECT_EQ(past.current_branch(), "main");
  EXPECT_EQ(past.version(), 2u);
  EXPECT_EQ(past.resolve(relative(-1)).value().to_string(), "main@1") << "counted from where it is";
  Connection before = past.as_of(relative(-1)).value();
  EXPECT_EQ(seen(before), "NULL");
}

TEST_F(ConnectionBranchesTest, AFixedConnectionCannotWriteThePast) {
  commit(3);
  Connection past = db.as_of(snapshot("main@2")).value();
  for (const std::string sql : {"INSERT INTO t VALUES (9)", "CREATE TABLE u(x)", "DELETE FROM t"}) {
    const Status done = past.exec(sql);
    DOSQL_EXPECT_ERROR(done, kReadOnly);
    EXPECT_EQ(done.error().message(), "the past cannot be written: this is main@2");
    EXPECT_EQ(done.error().hint(), "CREATE BRANCH x FROM 'main@2' makes a branch that begins with it");
    EXPECT_FALSE(past.in_transaction());
  }
  DOSQL_EXPECT_ERROR(past.transaction([](Connection& tx) { return tx.exec("DELETE FROM t"); }), kReadOnly);
  DOSQL_EXPECT_OK(past.exec("CREATE TEMP TABLE mine(x); INSERT INTO mine SELECT n FROM t"));
  DOSQL_EXPECT_ERROR(past.checkout("main"), kInvalidArgument);
  DOSQL_EXPECT_OK(past.exec("CREATE BRANCH x FROM 'main@2'"));
  DOSQL_EXPECT_OK(past.branch("y"));
  EXPECT_EQ(conn.resolve(branch("y")).value().to_string(), "y@2") << "from where the connection is";
  EXPECT_EQ(seen(conn), "3");
}

TEST_F(ConnectionBranchesTest, AFixedConnectionOutlivesItsBranchAndItsConnection) {
  DOSQL_ASSERT_OK(conn.branch("x"));
  DOSQL_ASSERT_OK(conn.checkout("x"));
  commit(3);
  std::optional<Connection> past(conn.as_of(current()).value());
  commit(4);
  DOSQL_ASSERT_OK(conn.checkout("main"));
  DOSQL_ASSERT_OK(past->delete_branch("x", {.force = true}));
  EXPECT_EQ(seen(*past), "3") << "it is not on the branch, and keeps what it reads";
  DOSQL_ASSERT_OK(conn.branch("x"));
  EXPECT_EQ(seen(*past), "3");
  EXPECT_EQ(rows_text(*past, "SELECT version, branch FROM dosql_log"), "3|x\n2|main\n1|main");
  { const Connection gone = std::move(conn); }
  std::thread elsewhere([&] { EXPECT_EQ(seen(*past), "3"); });
  elsewhere.join();
  DOSQL_EXPECT_ERROR(db.close(), kInvalidArgument);
  past.reset();
  DOSQL_EXPECT_OK(db.close());
}

TEST_F(ConnectionBranchesTest, ADatabaseOpensFixedConnectionsOnAnyBranch) {
  DOSQL_ASSERT_OK(conn.branch("x"));
  commit(3);
  DOSQL_ASSERT_OK(conn.checkout("x"));
  commit(103);
  commit(104);
  Connection of_main = db.as_of(relative(-1)).value();
  EXPECT_EQ(seen(of_main), "2");
  Connection of_x = db.as_of(relative(-1), {.branch = "x"}).value();
  EXPECT_EQ(seen(of_x), "103");
  Connection fork = db.as_of(relative(-2), {.branch = "x"}).value();
  EXPECT_EQ(fork.current_branch(), "main");
  DOSQL_EXPECT_ERROR(db.as_of(timestamp("2000-01-01")), kVersionNotFound);
  DOSQL_EXPECT_ERROR(db.as_of(current(), {.branch = "y"}), kBranchNotFound);
  Database fresh = open_in_memory();
  Connection nothing = fresh.as_of(current()).value();
  DOSQL_ASSERT_OK(fresh.connect().value().exec("CREATE TABLE t(x)"));
  EXPECT_EQ(rows_text(nothing, "SELECT count(*) FROM sqlite_schema"), "0") << "the empty database stays so";
}

TEST_F(ConnectionBranchesTest, APinIsHeldWhileTheConnectionLives) {
  const auto pins = [&] {
    return conn.query_one("SELECT value FROM dosql_status WHERE name = 'readers'").value()->values()[0];
  };
  const Value before = pins();
  {
    const Connection past = conn.as_of(current()).value();
    EXPECT_EQ(pins(), Value(before.integer() + 1));
  }
  EXPECT_EQ(pins(), before);
}

}  // namespace
}  // namespace dosql::engine
