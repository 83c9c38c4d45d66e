// Several connections on one database: what they see of each other, and how they take turns at writing.

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "engine/engine_test_support.h"

namespace dosql::engine {
namespace {

int cache_misses(Connection& connection) {
  int current = 0;
  int highwater = 0;
  sqlite3_db_status(connection.sqlite_handle(), SQLITE_DBSTATUS_CACHE_MISS, &current, &highwater, 1);
  return current;
}

class TwoConnectionsTest : public ::testing::Test {
 protected:
  Database db = open_in_memory([] {
    Options options;
    options.busy_timeout_ms = 0;
    return options;
  }());
  Connection a = db.connect().value();
  Connection b = db.connect().value();

  void SetUp() override {
    DOSQL_ASSERT_OK(a.exec("CREATE TABLE t(id INTEGER PRIMARY KEY, n INT); INSERT INTO t VALUES (1, 0)"));
  }
  std::string n_in(Connection& connection) { return rows_text(connection, "SELECT n FROM t WHERE id = 1"); }
};

TEST_F(TwoConnectionsTest, CommitsAreSeenAndOpenTransactionsAreNot) {
  EXPECT_EQ(n_in(b), "0");
  DOSQL_ASSERT_OK(a.exec("UPDATE t SET n = 1"));
  EXPECT_EQ(n_in(b), "1");
  DOSQL_ASSERT_OK(a.exec("BEGIN; UPDATE t SET n = 2"));
  EXPECT_EQ(n_in(a), "2");
  EXPECT_EQ(n_in(b), "1");
  DOSQL_ASSERT_OK(a.exec("ROLLBACK"));
  EXPECT_EQ(n_in(a), "1");
  EXPECT_EQ(n_in(b), "1");
}

// A connection that loaded the schema before must notice what another did to it.
TEST_F(TwoConnectionsTest, SchemaChangesAreSeen) {
  EXPECT_EQ(rows_text(b, "SELECT * FROM t"), "1|0");
  DOSQL_ASSERT_OK(a.exec("ALTER TABLE t ADD COLUMN extra DEFAULT 'e'; CREATE TABLE u(x)"));
  EXPECT_EQ(rows_text(b, "SELECT * FROM t"), "1|0|e");
  EXPECT_EQ(rows_text(b, "SELECT count(*) FROM u"), "0");
}

// A read transaction is one version from its first to its last row, whatever others commit meanwhile.
TEST_F(TwoConnectionsTest, AReaderKeepsItsVersion) {
  DOSQL_ASSERT_OK(
      a.exec("WITH RECURSIVE s(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM s WHERE i < 2000)"
             " INSERT INTO t SELECT i, 0 FROM s"));
  DOSQL_ASSERT_OK(b.exec("PRAGMA cache_size = 5"));
  Statement all = b.prepare("SELECT id, n FROM t ORDER BY id").value();
  ASSERT_TRUE(all.step().value());
  for (int i = 0; i < 50; ++i)
    DOSQL_ASSERT_OK(a.exec("UPDATE t SET n = n + 1; DELETE FROM t WHERE id % 50 = " + std::to_string(i)));
  EXPECT_EQ(rows_text(a, "SELECT count(*) FROM t"), "0");
  std::int64_t count = 1;
  while (all.step().value()) {
    ++count;
    ASSERT_EQ(all.integer(0), count);
    ASSERT_EQ(all.integer(1), 0);
  }
  EXPECT_EQ(count, 2000);
  EXPECT_EQ(rows_text(b, "SELECT count(*) FROM t"), "0");
}

TEST_F(TwoConnectionsTest, ASecondWriterIsBusy) {
  DOSQL_ASSERT_OK(a.exec("BEGIN IMMEDIATE"));
  auto busy = b.exec("UPDATE t SET n = 5");
  ASSERT_FALSE(busy);
  EXPECT_EQ(busy.error().code(), ErrorCode::kBusy);
  EXPECT_EQ(busy.error().sqlite_code(), SQLITE_BUSY);
  DOSQL_EXPECT_ERROR(b.exec("BEGIN IMMEDIATE"), kBusy);
  EXPECT_FALSE(b.in_transaction());
  EXPECT_EQ(n_in(b), "0") << "reading goes on";
  DOSQL_ASSERT_OK(a.exec("COMMIT"));
  DOSQL_EXPECT_OK(b.exec("UPDATE t SET n = 5"));
}

// Otherwise b's update would be computed from what is no longer true.
TEST_F(TwoConnectionsTest, WritingOnAnOldSnapshotIsRefused) {
  DOSQL_ASSERT_OK(b.exec("BEGIN; SELECT * FROM t"));
  DOSQL_ASSERT_OK(a.exec("UPDATE t SET n = 1"));
  auto stale = b.exec("UPDATE t SET n = n + 10");
  ASSERT_FALSE(stale);
  EXPECT_EQ(stale.error().code(), ErrorCode::kBusySnapshot);
  EXPECT_EQ(stale.error().sqlite_code(), SQLITE_BUSY_SNAPSHOT);
  EXPECT_FALSE(stale.error().hint().empty());
  EXPECT_TRUE(b.in_transaction());
  EXPECT_EQ(n_in(b), "0") << "the snapshot stays readable";
  // The slot was left free.
  DOSQL_EXPECT_OK(a.exec("UPDATE t SET n = 2"));
  DOSQL_EXPECT_OK(b.exec("ROLLBACK; UPDATE t SET n = n + 10"));
  EXPECT_EQ(n_in(a), "12");
}

// Nothing was read yet, so nothing is old.
TEST_F(TwoConnectionsTest, ATransactionThatWritesFirstIsNeverStale) {
  DOSQL_ASSERT_OK(b.exec("BEGIN"));
  DOSQL_ASSERT_OK(a.exec("UPDATE t SET n = 1"));
  DOSQL_EXPECT_OK(b.exec("UPDATE t SET n = n + 10; COMMIT"));
  EXPECT_EQ(n_in(a), "11");
}

// A connection with a cursor open cannot move to the head to write.
TEST_F(TwoConnectionsTest, WritingBesideAnOldCursorIsRefused) {
  Statement cursor = b.prepare("SELECT * FROM t UNION ALL SELECT * FROM t").value();
  ASSERT_TRUE(cursor.step().value());
  DOSQL_ASSERT_OK(a.exec("UPDATE t SET n = 1"));
  DOSQL_EXPECT_ERROR(b.exec("UPDATE t SET n = 9"), kBusySnapshot);
  cursor.reset();
  DOSQL_EXPECT_OK(b.exec("UPDATE t SET n = 9"));
}

// A statement that reads on sees what its own connection committed meanwhile, and stays readable.
TEST_F(TwoConnectionsTest, ACursorSurvivesCommitsOfItsOwnConnection) {
  DOSQL_ASSERT_OK(a.exec("INSERT INTO t VALUES (2, 0), (3, 0), (4, 0)"));
  Statement cursor = a.prepare("SELECT id, n FROM t ORDER BY id").value();
  ASSERT_TRUE(cursor.step().value());
  DOSQL_ASSERT_OK(a.exec("UPDATE t SET n = 7; INSERT INTO t VALUES (5, 7)"));
  DOSQL_ASSERT_OK(a.exec("UPDATE t SET n = 8"));
  std::string rest;
  while (cursor.step().value())
    rest += std::to_string(cursor.integer(0)) + ":" + std::to_string(cursor.integer(1)) + " ";
  EXPECT_EQ(rest, "2:8 3:8 4:8 5:8 ");
  EXPECT_EQ(n_in(b), "8");
}

// The page cache is what makes SQLite fast: own commits must not throw it away (M2).
TEST_F(TwoConnectionsTest, OwnCommitsKeepTheCacheAndForeignOnesDropIt) {
  n_in(a);
  cache_misses(a);
  for (int i = 0; i < 20; ++i) {
    DOSQL_ASSERT_OK(a.exec("UPDATE t SET n = " + std::to_string(100 + i)));
    EXPECT_EQ(n_in(a), std::to_string(100 + i));
  }
  EXPECT_EQ(cache_misses(a), 0);
  for (int i = 0; i < 5; ++i) {
    DOSQL_ASSERT_OK(b.exec("UPDATE t SET n = " + std::to_string(200 + i)));
    EXPECT_EQ(n_in(a), std::to_string(200 + i));
    EXPECT_GT(cache_misses(a), 0);
  }
  for (int i = 0; i < 10; ++i) n_in(a);
  EXPECT_EQ(cache_misses(a), 0);
}

// M3: a transaction that spilled page 1 and rolled back left the pager with a counter that a commit of
// someone else must not be mistaken for.
TEST_F(TwoConnectionsTest, ARolledBackSpillIsNotMistakenForAForeignCommit) {
  DOSQL_ASSERT_OK(a.exec("PRAGMA cache_size = 3"));
  for (int round = 0; round < 20; ++round) {
    DOSQL_ASSERT_OK(a.exec("BEGIN; CREATE TABLE tmp" + std::to_string(round) +
                           "(x);"
                           "WITH RECURSIVE s(i) AS (SELECT 100 UNION ALL SELECT i + 1 FROM s WHERE i < 4000)"
                           " INSERT INTO t SELECT i, i FROM s; ROLLBACK"));
    DOSQL_ASSERT_OK(b.exec("UPDATE t SET n = " + std::to_string(round)));
    ASSERT_EQ(n_in(a), std::to_string(round));
    ASSERT_EQ(rows_text(a, "SELECT count(*) FROM t"), "1");
  }
}

// Two writers in a loop: nobody gets an error, nothing is lost, nobody starves.
TEST(CompetingWritersTest, AutocommitNeverFails) {
  for (const char* mode : {"FULL", "NORMAL", "OFF"}) {
    Database db = open_in_memory();
    {
      Connection setup = db.connect().value();
      DOSQL_ASSERT_OK(
          setup.exec("CREATE TABLE t(id INTEGER PRIMARY KEY, n INT); INSERT INTO t VALUES (1, 0)"));
    }
    constexpr int kThreads = 3;
    constexpr int kRounds = 400;
    std::vector<std::thread> threads;
    for (int i = 0; i < kThreads; ++i) {
      threads.emplace_back([&db, mode] {
        Connection own = db.connect().value();
        DOSQL_ASSERT_OK(own.exec(std::string("PRAGMA synchronous = ") + mode));
        Statement add = own.prepare("UPDATE t SET n = n + 1 WHERE id = 1").value();
        for (int round = 0; round < kRounds; ++round) {
          auto done = add.step();
          ASSERT_TRUE(done) << failure_text(done.error());
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    Connection reader = db.connect().value();
    EXPECT_EQ(rows_text(reader, "SELECT n FROM t"), std::to_string(kThreads * kRounds)) << mode;
    EXPECT_EQ(reader.version(), 2u + kThreads * kRounds);
  }
}

// BEGIN IMMEDIATE queues as autocommit does.
TEST(CompetingWritersTest, ImmediateTransactionsQueue) {
  Database db = open_in_memory();
  Connection setup = db.connect().value();
  DOSQL_ASSERT_OK(setup.exec("CREATE TABLE t(n INT); INSERT INTO t VALUES (0)"));
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&db] {
      Connection own = db.connect().value();
      for (int round = 0; round < 100; ++round) {
        DOSQL_ASSERT_OK(own.transaction([](Connection& tx) -> Status {
          DOSQL_ASSIGN_OR_RETURN(const std::optional<Row> row, tx.query_one("SELECT n FROM t"));
          return tx.run("UPDATE t SET n = ?", (*row)[0].integer() + 1).and_then(ignore_result);
        }));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(rows_text(setup, "SELECT n FROM t"), "300");
}

// Readers get whole versions while a writer runs: the two rows are always equal.
TEST(CompetingWritersTest, ReadersSeeOnlyWholeVersions) {
  Database db = open_in_memory();
  Connection writer = db.connect().value();
  DOSQL_ASSERT_OK(
      writer.exec("PRAGMA synchronous = OFF; CREATE TABLE t(id INTEGER PRIMARY KEY, n INT, pad);"
                  "INSERT INTO t VALUES (1, 0, zeroblob(5000)), (2, 0, zeroblob(5000))"));
  std::atomic<bool> stop = false;
  std::vector<std::thread> readers;
  for (int i = 0; i < 2; ++i) {
    readers.emplace_back([&db, &stop] {
      Connection own = db.connect().value();
      Statement sums = own.prepare("SELECT min(n), max(n), count(*) FROM t").value();
      std::int64_t last = 0;
      while (!stop) {
        auto row = sums.step();
        ASSERT_TRUE(row) << failure_text(row.error());
        ASSERT_EQ(sums.integer(0), sums.integer(1));
        ASSERT_EQ(sums.integer(2), 2);
        ASSERT_GE(sums.integer(0), last) << "time went backwards";
        last = sums.integer(0);
        sums.reset();
      }
    });
  }
  for (int round = 0; round < 1'000; ++round) DOSQL_ASSERT_OK(writer.exec("UPDATE t SET n = n + 1"));
  stop = true;
  for (std::thread& reader : readers) reader.join();
}

class WaitingTest : public ::testing::Test {
 protected:
  Database db = open_in_memory();
  Connection a = db.connect().value();
  Connection b = db.connect().value();
  void SetUp() override {
    DOSQL_ASSERT_OK(a.exec("CREATE TABLE t(n); BEGIN IMMEDIATE; INSERT INTO t VALUES (1)"));
  }
  void wait_until_b_queues() {
    while (DatabaseAccess::core(db).slots().of("main").waiting() == 0) std::this_thread::yield();
  }
};

TEST_F(WaitingTest, AWriterWaitsForTheOtherToCommit) {
  std::thread writer([&] { DOSQL_EXPECT_OK(b.exec("INSERT INTO t VALUES (2)")); });
  wait_until_b_queues();
  DOSQL_EXPECT_OK(a.exec("COMMIT"));
  writer.join();
  EXPECT_EQ(rows_text(a, "SELECT count(*) FROM t"), "2");
}

TEST_F(WaitingTest, AWriterWaitsForTheOtherToRollBack) {
  std::thread writer([&] { DOSQL_EXPECT_OK(b.exec("INSERT INTO t VALUES (2)")); });
  wait_until_b_queues();
  DOSQL_EXPECT_OK(a.exec("ROLLBACK"));
  writer.join();
  EXPECT_EQ(rows_text(a, "SELECT n FROM t"), "2");
}

TEST_F(WaitingTest, InterruptEndsTheWait) {
  std::thread writer([&] { DOSQL_EXPECT_ERROR(b.exec("INSERT INTO t VALUES (2)"), kInterrupted); });
  wait_until_b_queues();
  b.interrupt();
  writer.join();
  DOSQL_EXPECT_OK(a.exec("COMMIT"));
  DOSQL_EXPECT_OK(b.exec("INSERT INTO t VALUES (3)"));
}

// Where the schema has changed while it waited, SQLite compiles a statement and runs it again.
TEST_F(WaitingTest, TheTimeoutIsOneForAllTriesOfAStatement) {
  using std::chrono::milliseconds;
  DOSQL_ASSERT_OK(a.exec("CREATE TABLE other(n)"));
  Connection c = db.connect().value();
  DOSQL_ASSERT_OK(c.exec("PRAGMA busy_timeout = 0"));
  DOSQL_ASSERT_OK(b.exec("PRAGMA busy_timeout = 1000"));
  Statement insert = b.prepare("INSERT INTO t VALUES (2)").value();
  // Asked while b compiles again, and has given the slot back for that.
  sqlite3_set_authorizer(
      b.sqlite_handle(),
      [](void* self, int, const char*, const char*, const char*, const char*) {
        static_cast<Connection*>(self)->exec("BEGIN IMMEDIATE").ignore("until a has committed it cannot");
        return SQLITE_OK;
      },
      &c);
  const auto begin = std::chrono::steady_clock::now();
  std::thread committing([&] {
    std::this_thread::sleep_until(begin + milliseconds(800));
    DOSQL_EXPECT_OK(a.exec("COMMIT"));
  });
  DOSQL_EXPECT_ERROR(insert.run(), kBusy);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, milliseconds(1600));
  committing.join();
  sqlite3_set_authorizer(b.sqlite_handle(), nullptr, nullptr);
  EXPECT_TRUE(c.in_transaction()) << "else there was one try only";
  DOSQL_EXPECT_OK(c.exec("COMMIT"));
  DOSQL_EXPECT_OK(insert.run());
}

// One deadline for all waits of a statement.
TEST_F(WaitingTest, TheTimeoutIsTheConnections) {
  DOSQL_ASSERT_OK(b.exec("PRAGMA busy_timeout = 30"));
  const auto begin = std::chrono::steady_clock::now();
  auto busy = b.exec("INSERT INTO t VALUES (2)");
  ASSERT_FALSE(busy);
  EXPECT_EQ(busy.error().code(), ErrorCode::kBusy);
  EXPECT_NE(busy.error().message().find("30 ms"), std::string::npos) << busy.error().message();
  EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(30));
}

}  // namespace
}  // namespace dosql::engine
