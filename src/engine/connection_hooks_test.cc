// Streaming, savepoints, and being told while statements run.

#include <gtest/gtest.h>

#include "engine/engine_test_support.h"

namespace dosql::engine {
namespace {

class ConnectionHooksTest : public ::testing::Test {
 protected:
  Database db = open_in_memory();
  Connection conn = db.connect().value();

  void SetUp() override {
    DOSQL_ASSERT_OK(conn.exec("CREATE TABLE t(n INT); INSERT INTO t VALUES (1), (2), (3)"));
  }
  std::string rows(const std::string& sql) { return rows_text(conn, sql); }
};

constexpr std::string_view kEndless =
    "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c) SELECT i FROM c WHERE i > ?";

TEST_F(ConnectionHooksTest, EachStreamsWithoutHoldingRows) {
  std::int64_t last = 0;
  DOSQL_ASSERT_OK(conn.each(
      kEndless,
      [&](const Row& row) {
        last = row.get<std::int64_t>("i");
        return last < 100'000;
      },
      5));
  EXPECT_EQ(last, 100'000) << "false stops an endless query";
  std::string seen;
  DOSQL_ASSERT_OK(conn.each("SELECT n FROM t WHERE n < :most",
                            [&](const Row& row) { seen += value_text(row[0]); }, {{":most", 3}}));
  EXPECT_EQ(seen, "12");
}

TEST_F(ConnectionHooksTest, EachReportsFailuresOfTheStatementAndOfTheCaller) {
  DOSQL_EXPECT_ERROR(conn.each("SELECT nope FROM t", [](const Row&) {}), kSql);
  int calls = 0;
  DOSQL_EXPECT_ERROR(conn.each("SELECT abs(CASE n WHEN 2 THEN -9223372036854775808 ELSE n END) FROM t",
                               [&](const Row&) { ++calls; }),
                     kSql);
  EXPECT_EQ(calls, 1) << "rows before the failure were given";
  const Status refused = conn.each("SELECT n FROM t", [](const Row& row) -> Status {
    if (row[0].integer() < 2) return {};
    return Error(ErrorCode::kNotFound, "enough");
  });
  DOSQL_EXPECT_ERROR(refused, kNotFound);
  DOSQL_EXPECT_OK(conn.exec("DROP TABLE t"));  // no statement is left running
}

TEST_F(ConnectionHooksTest, EachMayUseItsConnection) {
  DOSQL_ASSERT_OK(conn.transaction([](Connection& tx) {
    return tx.each("SELECT n FROM t ORDER BY n", [&](const Row& row) {
      return tx.run("UPDATE t SET n = n * 10 WHERE n = ?", row[0]).and_then(ignore_result);
    });
  }));
  EXPECT_EQ(rows("SELECT n FROM t ORDER BY n"), "10\n20\n30");
}

TEST_F(ConnectionHooksTest, ASavepointIsUndoneUnlessReleased) {
  DOSQL_ASSERT_OK(conn.exec("BEGIN; DELETE FROM t WHERE n = 1"));
  {
    const Savepoint undone = conn.savepoint().value();
    DOSQL_ASSERT_OK(conn.exec("DELETE FROM t WHERE n = 2"));
  }
  Savepoint outer = conn.savepoint().value();
  Savepoint inner = conn.savepoint().value();
  DOSQL_ASSERT_OK(conn.exec("DELETE FROM t WHERE n = 3"));
  DOSQL_ASSERT_OK(inner.rollback());
  DOSQL_EXPECT_ERROR(inner.release(), kInvalidArgument);
  DOSQL_ASSERT_OK(outer.release());
  EXPECT_TRUE(conn.in_transaction());
  DOSQL_ASSERT_OK(conn.exec("COMMIT"));
  EXPECT_EQ(rows("SELECT n FROM t"), "2\n3");
}

TEST_F(ConnectionHooksTest, ASavepointOutsideATransactionIsOne) {
  {
    Savepoint all = conn.savepoint().value();
    DOSQL_ASSERT_OK(conn.exec("DELETE FROM t"));
    EXPECT_TRUE(conn.in_transaction());
    DOSQL_ASSERT_OK(all.release());
  }
  EXPECT_FALSE(conn.in_transaction());
  EXPECT_EQ(conn.version(), 3u);
  EXPECT_EQ(rows("SELECT count(*) FROM t"), "0");
}

TEST_F(ConnectionHooksTest, ASavepointMayOutliveItsTransactionAndItsConnection) {
  Savepoint one = conn.savepoint().value();
  DOSQL_ASSERT_OK(conn.exec("ROLLBACK"));
  DOSQL_EXPECT_ERROR(one.release(), kSql);
  Savepoint two = conn.savepoint().value();
  DOSQL_ASSERT_OK(conn.exec("DELETE FROM t"));
  { const Connection gone = std::move(conn); }
  DOSQL_EXPECT_ERROR(two.rollback(), kInvalidArgument);
  Connection other = db.connect().value();
  EXPECT_EQ(rows_text(other, "SELECT count(*) FROM t"), "3");
}

// A transaction that stays open keeps all other writers out.
TEST_F(ConnectionHooksTest, WhatUndoesIsNotInterrupted) {
  const Error mine(ErrorCode::kInvalidArgument, "mine");
  bool goes_on = true;
  conn.set_progress(1, [&] { return goes_on; });
  const auto insert_and_stop = [&](Connection& connection) -> Status {
    DOSQL_EXPECT_OK(connection.exec("INSERT INTO t VALUES (4)"));
    goes_on = false;
    return mine;
  };
  DOSQL_EXPECT_ERROR(conn.transaction(insert_and_stop), kInvalidArgument);
  goes_on = true;
  EXPECT_FALSE(conn.in_transaction());
  {
    const Savepoint outermost = conn.savepoint().value();
    insert_and_stop(conn).ignore("it is no part of a transaction()");
  }
  goes_on = true;
  EXPECT_FALSE(conn.in_transaction());
  DOSQL_ASSERT_OK(conn.exec("BEGIN"));
  DOSQL_EXPECT_ERROR(conn.transaction(insert_and_stop), kInvalidArgument);
  goes_on = true;
  Savepoint inner = conn.savepoint().value();
  insert_and_stop(conn).ignore("as above");
  DOSQL_EXPECT_OK(inner.rollback());
  goes_on = true;
  EXPECT_TRUE(conn.in_transaction());
  DOSQL_EXPECT_OK(conn.exec("COMMIT"));
  EXPECT_EQ(rows("SELECT count(*) FROM t"), "3");
}

TEST_F(ConnectionHooksTest, AnInterruptDuringARollbackStillStopsWhatRuns) {
  const auto failing = [](Connection& inside) -> Status {
    DOSQL_EXPECT_OK(inside.exec("INSERT INTO t VALUES (4)"));
    inside.interrupt();
    return Error(ErrorCode::kInvalidArgument, "mine");
  };
  const Status read = conn.each("SELECT n FROM t", [&](const Row&) {
    DOSQL_EXPECT_ERROR(conn.transaction(failing), kInvalidArgument);
    EXPECT_FALSE(conn.in_transaction());
  });
  DOSQL_EXPECT_ERROR(read, kInterrupted);
  EXPECT_EQ(rows("SELECT count(*) FROM t"), "3");
}

TEST_F(ConnectionHooksTest, ProgressCanStopAStatement) {
  int asked = 0;
  conn.set_progress(1'000, [&] { return ++asked < 5; });
  DOSQL_EXPECT_ERROR(conn.query(kEndless, 1), kInterrupted);
  EXPECT_EQ(asked, 5);
  conn.set_progress(0, {});
  EXPECT_EQ(rows("SELECT sum(n) FROM t"), "6");
  EXPECT_EQ(asked, 5);
}

TEST_F(ConnectionHooksTest, ATraceTellsWhatRan) {
  std::vector<StatementTrace> traces;
  conn.set_trace([&](const StatementTrace& trace) { traces.push_back(trace); });
  DOSQL_ASSERT_OK(conn.query("SELECT n FROM t WHERE n > ?", 1));
  DOSQL_ASSERT_OK(
      conn.exec("CREATE TRIGGER r AFTER INSERT ON t BEGIN DELETE FROM t WHERE n = 1; END;"
                "INSERT INTO t VALUES (9)"));
  DOSQL_ASSERT_OK(conn.exec("CREATE BRANCH x; CHECKOUT x"));
  DOSQL_EXPECT_ERROR(conn.resolve(timestamp("yesterday")), kInvalidArgument);
  DOSQL_EXPECT_ERROR(conn.query("SELECT abs(-9223372036854775808)"), kSql);
  std::string text;
  for (const StatementTrace& trace : traces) {
    text += trace.sql.substr(0, 32) + " " + std::to_string(trace.rows) + "\n";
    EXPECT_GE(trace.duration.count(), 0);
  }
  EXPECT_EQ(text,
            "SELECT n FROM t WHERE n > 1 2\n"
            "CREATE TRIGGER r AFTER INSERT ON 0\n"
            "INSERT INTO t VALUES (9) 0\n"
            "CREATE BRANCH x; 0\n CHECKOUT x 0\n"
            "SELECT abs(-9223372036854775808) 0\n");
  conn.set_trace({});
  EXPECT_EQ(rows("SELECT count(*) FROM t"), "3");
  EXPECT_EQ(traces.size(), 6u);
}

// Versions are attached, schemas read, points evaluated: none of it is the user's.
TEST_F(ConnectionHooksTest, AReadOfThePastIsTracedAsItWasWritten) {
  std::string traced;
  conn.set_trace([&](const StatementTrace& trace) { traced += trace.sql + "\n"; });
  const std::string version = std::to_string(conn.version());
  DOSQL_ASSERT_OK(conn.query("SELECT n FROM t FOR SYSTEM_TIME AS OF SNAPSHOT ?", "main@" + version));
  Statement stopped = conn.prepare("SELECT n FROM t FOR SYSTEM_TIME AS OF VERSION CURRENT").value();
  ASSERT_TRUE(stopped.step().value());
  stopped.reset();
  EXPECT_EQ(traced, "SELECT n FROM t FOR SYSTEM_TIME AS OF SNAPSHOT 'main@" + version +
                        "'\nSELECT n FROM t FOR SYSTEM_TIME AS OF VERSION CURRENT\n");
}

TEST_F(ConnectionHooksTest, HooksGoWithTheConnection) {
  sqlite3_stmt* kept = nullptr;
  ASSERT_EQ(sqlite3_prepare_v2(conn.sqlite_handle(), "SELECT 1", -1, &kept, nullptr), SQLITE_OK);
  conn.set_trace([](const StatementTrace&) { FAIL() << "nobody is there to be told"; });
  conn.set_progress(1, [] { return false; });
  { const Connection gone = std::move(conn); }
  EXPECT_EQ(sqlite3_step(kept), SQLITE_ROW);
  sqlite3_finalize(kept);
}

}  // namespace
}  // namespace dosql::engine
