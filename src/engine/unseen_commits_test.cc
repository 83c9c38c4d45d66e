// A writer stands on the newest commit in the log, which may not be visible yet, because it waits for its
// sync: what its statements, and those who ask for the schema or the log, make of that.

#include <gtest/gtest.h>

#include <thread>

#include "engine/engine_test_support.h"
#include "testing/simulated_disk.h"

namespace dosql::engine {
namespace {

class UnseenCommitsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    DOSQL_ASSERT_OK(conn.exec("CREATE TABLE t(id INTEGER PRIMARY KEY, n INT); INSERT INTO t VALUES (1, 0)"));
  }

  // A commit of another writer that is in the log and waits for its sync: page 1 with another number at
  // `offset`.
  version::OrderedCommit commit_unseen(std::uint32_t offset, std::uint32_t add) {
    version::VersionStore& store = DatabaseAccess::core(db).store();
    version::Reader reader(store);
    version::WriteTransaction write(store);
    EXPECT_TRUE(write.begin(reader.pin_ordered_head(kMainBranch)));
    std::array<std::byte, kPageBytes> page;
    EXPECT_TRUE(reader.read(PageNo{1}, 0, page));
    store_big32(page.data() + offset, load_big32(page.data() + offset) + add);
    EXPECT_TRUE(write.write(PageNo{1}, page));
    return write.order(version::Durability::kFull).value();
  }
  static constexpr std::uint32_t kSchemaCookie = 40;
  static constexpr std::uint32_t kUserVersion = 60;

  testing::SimulatedDisk disk;
  Database db = open_on(disk.directory()).value();
  Connection conn = db.connect().value();
};

TEST_F(UnseenCommitsTest, TheLogIsShownUpToWhatTheTransactionStandsOn) {
  commit_unseen(kUserVersion, 7);
  DOSQL_ASSERT_OK(conn.exec("BEGIN IMMEDIATE"));
  EXPECT_EQ(rows_text(conn, "SELECT max(version), count(*) FROM dosql_log"), "3|3");
  DOSQL_ASSERT_OK(conn.exec("COMMIT"));
  DOSQL_EXPECT_OK(conn.exec("INSERT INTO t SELECT 100 + max(version), 0 FROM dosql_log"));
}

TEST_F(UnseenCommitsTest, WhatReadsVersionsWaitsForThem) {
  DOSQL_ASSERT_OK(
      conn.exec("CREATE BRANCH b; CHECKOUT b; INSERT INTO t VALUES (2, 0); CHECKOUT main; "
                "INSERT INTO t VALUES (3, 0)"));
  commit_unseen(kUserVersion, 1);
  EXPECT_EQ(rows_text(conn, "MERGE BRANCH b").substr(0, 13), "merged|main@5");
  commit_unseen(kUserVersion, 1);
  DOSQL_EXPECT_OK(conn.exec("REVERT VERSION CURRENT - 1"));
  for (const char* const query :
       {"SELECT count(*) FROM dosql_changes(0)", "SELECT count(*) FROM dosql_diff('t', 'main@1', 'current')",
        "SELECT count(*) FROM dosql_diff_summary('current-1', 'current')",
        "SELECT count(*) FROM t FOR SYSTEM_TIME ALL"}) {
    commit_unseen(kUserVersion, 1);
    DOSQL_ASSERT_OK(conn.exec("BEGIN IMMEDIATE"));
    EXPECT_NE(rows_text(conn, query).substr(0, 5), "error") << query;
    DOSQL_ASSERT_OK(conn.exec("ROLLBACK"));
  }
}

// SQLite compiles for the schema that is visible; one that is not yet it would ask for again and again.
TEST_F(UnseenCommitsTest, AWriteWaitsForASchemaThatIsNotVisible) {
  DOSQL_ASSERT_OK(conn.exec("UPDATE t SET n = 1"));
  commit_unseen(kSchemaCookie, 1);
  DOSQL_EXPECT_OK(conn.exec("UPDATE t SET n = 2"));
  commit_unseen(kSchemaCookie, 1);
  DOSQL_EXPECT_OK(conn.exec("BEGIN IMMEDIATE; UPDATE t SET n = n + 1; COMMIT"));
  EXPECT_EQ(rows_text(conn, "SELECT n FROM t"), "3");
}

TEST_F(UnseenCommitsTest, DefinitionsBesideWriters) {
  constexpr int kRounds = 40;
  std::atomic<bool> over = false;
  std::vector<std::thread> writers;
  for (int i = 0; i < 3; ++i) {
    writers.emplace_back([this, &over] {
      Connection writer = db.connect().value();
      while (!over) DOSQL_EXPECT_OK(writer.exec("INSERT INTO t(n) VALUES (1)"));
    });
  }
  for (int i = 0; i < kRounds; ++i) DOSQL_EXPECT_OK(conn.exec("CREATE TABLE u" + std::to_string(i) + "(x)"));
  over = true;
  for (std::thread& writer : writers) writer.join();
  EXPECT_EQ(rows_text(conn, "SELECT count(*) FROM sqlite_schema WHERE name LIKE 'u%'"),
            std::to_string(kRounds));
}

TEST_F(UnseenCommitsTest, AFailedSyncIsToldToWhoWaitsForItsTurn) {
  DOSQL_ASSERT_OK(conn.exec("BEGIN IMMEDIATE; UPDATE t SET n = 1"));
  Status waited;
  std::thread waiter([this, &waited] {
    Connection other = db.connect().value();
    waited = other.exec("UPDATE t SET n = 2");
  });
  WriterSlot& slot = DatabaseAccess::core(db).slots().of(version::kMainName);
  while (slot.waiting() == 0) std::this_thread::yield();
  disk.fail_at(disk.operation_count() + 1, testing::SimulatedDisk::Fault::kFailedSync);
  const Status committed = conn.exec("COMMIT");
  waiter.join();
  // The operation behind the commit's write is its sync, or, where the waiter is quicker, the waiter's write.
  ASSERT_FALSE(waited);
  if (waited.error().code() == ErrorCode::kIo) {
    DOSQL_EXPECT_OK(committed);
  } else {
    EXPECT_EQ(waited.error().code(), ErrorCode::kPoisoned) << failure_text(waited.error());
    DOSQL_EXPECT_ERROR(committed, kOutcomeUnknown);
  }
}

// --- After the end -----------------------------------------------------------------------------------------

class AfterTheEndTest : public UnseenCommitsTest {
 protected:
  // A statement of the raw handle, which keeps it when its Connection goes.
  sqlite3_stmt* statement_of(Connection& connection, const char* sql = "INSERT INTO t(n) VALUES (5)") {
    sqlite3_stmt* statement = nullptr;
    sqlite3_prepare_v2(connection.sqlite_handle(), sql, -1, &statement, nullptr);
    return statement;
  }
};

TEST_F(AfterTheEndTest, NobodyWritesToABranchThatWasDropped) {
  DOSQL_ASSERT_OK(conn.branch("b"));
  sqlite3_stmt* left = nullptr;
  {
    Connection on_b = db.connect().value();
    DOSQL_ASSERT_OK(on_b.checkout("b"));
    left = statement_of(on_b);
  }
  DOSQL_ASSERT_OK(conn.delete_branch("b", {.force = true}));
  EXPECT_NE(sqlite3_step(left), SQLITE_DONE);
  sqlite3_finalize(left);
  DOSQL_EXPECT_OK(conn.exec("INSERT INTO t(n) VALUES (6)"));
}

TEST_F(AfterTheEndTest, NobodyWritesToADatabaseThatWasClosed) {
  sqlite3_stmt* left = nullptr;
  {
    Connection gone = std::move(conn);
    left = statement_of(gone);
  }
  DOSQL_ASSERT_OK(db.close());
  EXPECT_NE(sqlite3_step(left), SQLITE_DONE);
  sqlite3_finalize(left);
  Database again = open_on(disk.directory()).value();
  Connection reader = again.connect().value();
  EXPECT_EQ(rows_text(reader, "SELECT count(*) FROM t"), "1");
}

TEST_F(AfterTheEndTest, ATransactionThatIsLeftKeepsItOpen) {
  sqlite3_stmt* begin = nullptr;
  sqlite3_stmt* commit = nullptr;
  {
    Connection gone = std::move(conn);
    begin = statement_of(gone, "BEGIN IMMEDIATE");
    commit = statement_of(gone, "COMMIT");
  }
  ASSERT_EQ(sqlite3_step(begin), SQLITE_DONE);
  DOSQL_EXPECT_ERROR(db.close(), kBusy);
  ASSERT_EQ(sqlite3_step(commit), SQLITE_DONE);
  sqlite3_finalize(begin);
  sqlite3_finalize(commit);
  DOSQL_EXPECT_OK(db.close());
}

TEST_F(AfterTheEndTest, ConnectingAndClosingAtTheSameTime) {
  for (int round = 0; round < 20; ++round) {
    testing::SimulatedDisk other;
    Database shared = open_on(other.directory()).value();
    std::thread closer([&shared] { shared.close().ignore("it may be in use"); });
    if (auto connection = shared.connect()) {
      EXPECT_TRUE(connection->exec("CREATE TABLE t(x)")) << "connected, and closed all the same";
    } else {
      EXPECT_EQ(connection.error().code(), ErrorCode::kInvalidArgument);
    }
    closer.join();
  }
}

}  // namespace
}  // namespace dosql::engine
