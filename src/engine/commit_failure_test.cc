// A disk that fails under a commit: the statement says so in the store's words, the old value stands, the
// connection is usable, and the next commit works unless a failed sync made that unsafe.

#include <gtest/gtest.h>

#include "engine/engine_test_support.h"
#include "testing/simulated_disk.h"

namespace dosql::engine {
namespace {

using testing::SimulatedDisk;
using Fault = SimulatedDisk::Fault;
using Kind = SimulatedDisk::OperationKind;

class CommitFailureTest : public ::testing::Test {
 protected:
  void SetUp() override {
    DOSQL_ASSERT_OK(conn.exec("CREATE TABLE t(id INTEGER PRIMARY KEY, n INT); INSERT INTO t VALUES (1, 0)"));
  }

  // Lets the n-th operation from now on fail.
  void fail_next(Fault fault, std::uint64_t n = 0) { disk.fail_at(disk.operation_count() + n, fault); }
  // Of a FULL commit: write, then sync.
  static constexpr std::uint64_t kWrite = 0;
  static constexpr std::uint64_t kSync = 1;

  void expect_old_state() {
    EXPECT_FALSE(conn.in_transaction());
    EXPECT_EQ(rows_text(conn, "SELECT n FROM t"), "0");
    EXPECT_EQ(rows_text(conn, "PRAGMA integrity_check"), "ok");
    EXPECT_EQ(rows_text(other, "SELECT n FROM t"), "0");
  }

  SimulatedDisk disk;
  Database db = open_on(disk.directory()).value();
  Connection conn = db.connect().value();
  Connection other = db.connect().value();
};

TEST_F(CommitFailureTest, AFailedWriteLosesOnlyTheCommit) {
  fail_next(Fault::kIoError, kWrite);
  auto failed = conn.exec("UPDATE t SET n = 1");
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code(), ErrorCode::kIo);
  EXPECT_EQ(failed.error().sqlite_code() & 0xff, SQLITE_IOERR);
  EXPECT_NE(failed.error().message(), "disk I/O error") << "the store's own words are lost";
  expect_old_state();
  DOSQL_EXPECT_OK(conn.exec("UPDATE t SET n = 2"));
  EXPECT_EQ(rows_text(other, "SELECT n FROM t"), "2");
}

TEST_F(CommitFailureTest, AFullDisk) {
  fail_next(Fault::kDiskFull, kWrite);
  auto failed = conn.exec("UPDATE t SET n = 1");
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code(), ErrorCode::kDiskFull);
  EXPECT_EQ(failed.error().sqlite_code(), SQLITE_FULL);
  expect_old_state();
  DOSQL_EXPECT_OK(other.exec("UPDATE t SET n = 2"));
  EXPECT_EQ(rows_text(conn, "SELECT n FROM t"), "2");
}

// The commit may be on disk or not: nobody may write until the database was reopened.
TEST_F(CommitFailureTest, AFailedSyncPoisons) {
  fail_next(Fault::kFailedSync, kSync);
  auto failed = conn.exec("UPDATE t SET n = 1");
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code(), ErrorCode::kOutcomeUnknown);
  EXPECT_EQ(failed.error().sqlite_code(), SQLITE_IOERR_FSYNC);
  expect_old_state();
  DOSQL_EXPECT_ERROR(conn.exec("UPDATE t SET n = 2"), kPoisoned);
  DOSQL_EXPECT_ERROR(other.exec("BEGIN IMMEDIATE"), kPoisoned);
  EXPECT_FALSE(other.in_transaction());
  expect_old_state();
}

TEST_F(CommitFailureTest, CommitOfATransaction) {
  DOSQL_ASSERT_OK(conn.exec("BEGIN; UPDATE t SET n = 1; INSERT INTO t VALUES (2, 2)"));
  fail_next(Fault::kIoError, kWrite);
  DOSQL_EXPECT_ERROR(conn.exec("COMMIT"), kIo);
  expect_old_state();
  DOSQL_EXPECT_OK(conn.exec("BEGIN; UPDATE t SET n = 3; COMMIT"));
}

TEST_F(CommitFailureTest, TransactionReportsWhatTheCommitDid) {
  fail_next(Fault::kDiskFull, kWrite);
  DOSQL_EXPECT_ERROR(conn.transaction([](Connection& tx) { return tx.exec("UPDATE t SET n = 1"); }),
                     kDiskFull);
  expect_old_state();
}

// A statement that was reading when its connection's commit failed ends with an error, not with wrong rows.
TEST_F(CommitFailureTest, WithAnOpenCursor) {
  DOSQL_ASSERT_OK(conn.exec("INSERT INTO t VALUES (2, 0), (3, 0)"));
  Statement cursor = conn.prepare("SELECT n FROM t").value();
  ASSERT_TRUE(cursor.step().value());
  fail_next(Fault::kIoError, kWrite);
  DOSQL_EXPECT_ERROR(conn.exec("UPDATE t SET n = 1"), kIo);
  while (true) {
    auto row = cursor.step();
    if (!row || !*row) break;
    EXPECT_EQ(cursor.integer(0), 0);
  }
  EXPECT_EQ(rows_text(conn, "SELECT DISTINCT n FROM t"), "0");
  DOSQL_EXPECT_OK(conn.exec("UPDATE t SET n = 2"));
  EXPECT_EQ(rows_text(conn, "SELECT DISTINCT n FROM t"), "2");
}

// RETURNING's commit comes after its last row.
TEST_F(CommitFailureTest, QueryOneOfReturningReportsIt) {
  fail_next(Fault::kIoError, kWrite);
  DOSQL_EXPECT_ERROR(conn.query_one("UPDATE t SET n = 1 RETURNING n"), kIo);
  expect_old_state();
}

// Every operation of a transaction that spills to the log fails once: it fails as a whole or succeeds as a
// whole.
TEST_F(CommitFailureTest, EveryOperationOfAHugeTransaction) {
  const std::string sql =
      "WITH RECURSIVE s(i) AS (SELECT 10 UNION ALL SELECT i + 1 FROM s WHERE i < 2400)"
      " INSERT INTO t SELECT i, zeroblob(3500) FROM s";
  DOSQL_ASSERT_OK(conn.exec("PRAGMA cache_size = 10"));
  const auto before = disk.copy();
  const std::uint64_t begin = disk.operation_count();
  DOSQL_ASSERT_OK(conn.exec(sql));
  const std::uint64_t count = disk.operation_count() - begin;
  ASSERT_GT(count, 3u) << "nothing was spilled";

  for (std::uint64_t n = 0; n < count; ++n) {
    for (const Fault fault : {Fault::kIoError, Fault::kDiskFull, Fault::kShortWrite}) {
      const auto copy = before->copy();
      auto reopened = open_on(copy->directory());
      DOSQL_ASSERT_OK(reopened);
      Connection writer = reopened->connect().value();
      DOSQL_ASSERT_OK(writer.exec("PRAGMA cache_size = 10"));
      copy->fail_at(copy->operation_count() + n, fault);
      const Status done = writer.exec(sql);
      EXPECT_FALSE(writer.in_transaction());
      EXPECT_EQ(rows_text(writer, "SELECT count(*) FROM t"), done ? "2392" : "1") << n;
      EXPECT_EQ(rows_text(writer, "PRAGMA integrity_check"), "ok") << n;
      if (done || done.error().code() == ErrorCode::kOutcomeUnknown) continue;
      const Status again = writer.exec(sql);
      EXPECT_TRUE(again || again.error().code() == ErrorCode::kPoisoned) << failure_text(again.error());
    }
  }
}

// Reading fails: the statement fails, and the next one works.
TEST_F(CommitFailureTest, AFailedRead) {
  DOSQL_ASSERT_OK(
      conn.exec("WITH RECURSIVE s(i) AS (SELECT 10 UNION ALL SELECT i + 1 FROM s WHERE i < 9000)"
                " INSERT INTO t SELECT i, zeroblob(1000) FROM s"));
  Options small;
  small.pool_bytes = 1 << 16;
  const auto copy = disk.copy();
  Database cold = open_on(copy->directory(), small).value();
  Connection reader = cold.connect().value();
  ASSERT_EQ(rows_text(reader, "SELECT n FROM t WHERE id = 1"), "0");
  copy->fail_read_at(copy->read_count() + 3);
  auto failed = reader.query("SELECT sum(length(n)) FROM t");
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code(), ErrorCode::kIo);
  EXPECT_EQ(rows_text(reader, "SELECT count(*), sum(length(n)) FROM t"), "8992|8991001");
}

}  // namespace
}  // namespace dosql::engine
