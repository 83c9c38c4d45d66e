// MERGE BRANCH where the target has no commits of its own: who sees what, and what goes on from there.

#include <gtest/gtest.h>

#include <thread>

#include "engine/engine_test_support.h"
#include "version/store_test_support.h"

namespace dosql::engine {
namespace {

class FastForwardTest : public ::testing::Test {
 protected:
  void SetUp() override {
    DOSQL_ASSERT_OK(conn.exec("CREATE TABLE t(id INTEGER PRIMARY KEY, n INT); INSERT INTO t VALUES (1, 10)"));
    work_on("x", 3);
  }
  // Makes a branch of the connection's, commits there, and comes back.
  void work_on(const std::string& name, int commits) {
    const std::string home(conn.current_branch());
    DOSQL_ASSERT_OK(conn.exec("CREATE BRANCH " + name + "; CHECKOUT " + name));
    for (int i = 0; i < commits; ++i) DOSQL_ASSERT_OK(conn.exec("INSERT INTO t(n) VALUES (20)"));
    DOSQL_ASSERT_OK(conn.checkout(home));
  }
  std::string rows(const std::string& sql) { return rows_text(conn, sql); }
  std::string count(Connection& connection) { return rows_text(connection, "SELECT count(*) FROM t"); }
  void reopen() {
    conn = open_in_memory().connect().value();
    db = open_in_memory();
    db = open_on(std::make_unique<version::SharedDirectory>(*disk)).value();
    conn = db.connect().value();
  }

  std::unique_ptr<io::Directory> disk = io::make_memory_directory();
  Database db = open_on(std::make_unique<version::SharedDirectory>(*disk)).value();
  Connection conn = db.connect().value();
};

TEST_F(FastForwardTest, TheTargetBecomesTheSource) {
  const std::string log = rows("SELECT version, lsn_last, timestamp FROM dosql_log");
  DOSQL_ASSERT_OK(conn.checkout("x"));
  const std::string log_of_x = rows("SELECT version, lsn_first, lsn_last, timestamp, parent FROM dosql_log");
  DOSQL_ASSERT_OK(conn.checkout("main"));
  EXPECT_EQ(rows("MERGE BRANCH x"), "fast-forward|main@5|NULL|NULL|NULL|NULL|NULL|NULL");
  EXPECT_EQ(conn.current_branch(), "main");
  EXPECT_EQ(conn.version(), 5u);
  EXPECT_EQ(count(conn), "4");
  EXPECT_EQ(rows("SELECT version, lsn_first, lsn_last, timestamp, parent FROM dosql_log"), log_of_x);
  EXPECT_EQ(rows("SELECT version, lsn_last, timestamp FROM dosql_log WHERE version <= 2"), log);
  EXPECT_EQ(rows("SELECT count(*) FROM t FOR SYSTEM_TIME AS OF SNAPSHOT 'main@2'"), "1");
  EXPECT_EQ(rows("SELECT count(*) FROM t FOR SYSTEM_TIME AS OF SNAPSHOT 'main@4'"), "3");
  EXPECT_EQ(rows("SELECT count(*) FROM t FOR SYSTEM_TIME AS OF VERSION CURRENT - 3"), "1");
}

TEST_F(FastForwardTest, BothGoOnByThemselves) {
  DOSQL_ASSERT_OK(conn.exec("MERGE BRANCH x; INSERT INTO t(n) VALUES (30); INSERT INTO t(n) VALUES (31)"));
  EXPECT_EQ(conn.version(), 7u);
  DOSQL_ASSERT_OK(conn.exec("CHECKOUT x; DELETE FROM t"));
  EXPECT_EQ(count(conn), "0");
  DOSQL_ASSERT_OK(conn.checkout("main"));
  EXPECT_EQ(count(conn), "6");
  const BranchComparison compared = conn.compare_branches("x", "main").value();
  EXPECT_EQ(compared.ahead, 1u);
  EXPECT_EQ(compared.behind, 2u);
  EXPECT_EQ(compared.merge_base.to_string(), "x@5");
  EXPECT_EQ(rows("PRAGMA integrity_check"), "ok");
}

TEST_F(FastForwardTest, NamesShowWhatTheyShowed) {
  const std::string before =
      rows("SELECT parent, fork_version, created FROM dosql_branches WHERE name = 'main'");
  DOSQL_ASSERT_OK(conn.exec("MERGE BRANCH x"));
  EXPECT_EQ(before, rows("SELECT parent, fork_version, created FROM dosql_branches WHERE name = 'main'"));
  EXPECT_EQ(rows("SELECT name, version, unmerged, current FROM dosql_branches"), "main|5|NULL|1\nx|5|0|0");
  DOSQL_EXPECT_OK(conn.exec("DROP BRANCH x"));
  EXPECT_EQ(count(conn), "4");
  DOSQL_EXPECT_ERROR(conn.exec("CREATE BRANCH y; CHECKOUT y; DROP BRANCH main"), kInvalidArgument);
}

TEST_F(FastForwardTest, OthersSeeItAtTheirNextStatement) {
  Connection other = db.connect().value();
  Statement prepared = other.prepare("SELECT count(*) FROM t").value();
  ASSERT_TRUE(prepared.step().value());
  EXPECT_EQ(prepared.value(0).integer(), 1);
  prepared.reset();
  DOSQL_ASSERT_OK(conn.exec("MERGE BRANCH x"));
  ASSERT_TRUE(prepared.step().value());
  EXPECT_EQ(prepared.value(0).integer(), 4);
  prepared.reset();
  EXPECT_EQ(other.version(), 5u);
  DOSQL_EXPECT_OK(other.exec("INSERT INTO t(n) VALUES (40)"));
  EXPECT_EQ(count(conn), "5");
}

// Before it runs a statement of its own.
TEST_F(FastForwardTest, OthersCountFromWhereTheBranchIsNow) {
  Connection other = db.connect().value();
  const std::string lsn = [&] {
    DOSQL_EXPECT_OK(conn.exec("MERGE BRANCH x; CREATE SNAPSHOT s AS OF VERSION CURRENT"));
    return rows("SELECT lsn_last FROM dosql_log WHERE version = 4");
  }();
  EXPECT_EQ(other.resolve(relative(-1)).value().version, 4u);
  EXPECT_EQ(other.resolve(dosql::lsn(std::stoull(lsn))).value().version, 4u);
  Connection third = db.connect().value();
  EXPECT_EQ(rows_text(third, "SELECT name, current FROM dosql_branches"), "main|1\nx|0");
  EXPECT_EQ(rows_text(other, "SELECT name, current FROM dosql_branches"), "main|1\nx|0");
}

TEST_F(FastForwardTest, ATransactionKeepsItsVersionAndCannotWriteOnIt) {
  Connection reader = db.connect().value();
  DOSQL_ASSERT_OK(reader.exec("BEGIN"));
  EXPECT_EQ(count(reader), "1");
  DOSQL_ASSERT_OK(conn.exec("MERGE BRANCH x"));
  EXPECT_EQ(count(reader), "1");
  EXPECT_EQ(rows_text(reader, "SELECT max(version) FROM dosql_log"), "2");
  DOSQL_EXPECT_ERROR(reader.exec("INSERT INTO t(n) VALUES (50)"), kBusySnapshot);
  DOSQL_ASSERT_OK(reader.exec("ROLLBACK; INSERT INTO t(n) VALUES (50)"));
  EXPECT_EQ(count(conn), "5");
}

// Whoever waits for the branch writes to what it has become.
TEST_F(FastForwardTest, WritersThatWaitEndUpOnTheNewLine) {
  Connection writer = db.connect().value();
  DOSQL_ASSERT_OK(writer.exec("BEGIN IMMEDIATE"));
  std::vector<std::thread> waiting;
  for (int i = 0; i < 3; ++i) {
    waiting.emplace_back([this] {
      Connection mine = db.connect().value();
      DOSQL_EXPECT_OK(mine.exec("PRAGMA busy_timeout = 60000; INSERT INTO t(n) VALUES (60)"));
    });
  }
  std::thread merging([this] {
    Connection mine = db.connect().value();
    DOSQL_EXPECT_OK(mine.exec("PRAGMA busy_timeout = 60000"));
    // In front of the inserts it is a fast-forward, behind them it is none.
    mine.merge("x").and_then(ignore_result).ignore("either will do");
  });
  WriterSlot& slot = DatabaseAccess::core(db).slots().of("main");
  while (slot.waiting() < 4) std::this_thread::yield();
  DOSQL_EXPECT_OK(writer.exec("ROLLBACK"));
  merging.join();
  for (std::thread& thread : waiting) thread.join();
  EXPECT_EQ(rows("SELECT count(*) FROM t WHERE n = 60"), "3");
  EXPECT_EQ(conn.version(), 2 + 3 + (count(conn) == "7" ? 3u : 0u));
}

TEST_F(FastForwardTest, ManyOfThemAndEveryVersionStays) {
  for (int round = 0; round < 40; ++round) {
    const std::string name = "b" + std::to_string(round);
    work_on(name, 2);
    DOSQL_ASSERT_OK(conn.exec("MERGE BRANCH " + name));
    if (round % 3 == 0) DOSQL_ASSERT_OK(conn.exec("DROP BRANCH " + name));
    if (round % 10 == 9) reopen();
  }
  EXPECT_EQ(conn.version(), 82u);
  for (int version = 2; version <= 82; ++version) {
    ASSERT_EQ(
        rows("SELECT count(*) FROM t FOR SYSTEM_TIME AS OF SNAPSHOT 'main@" + std::to_string(version) + "'"),
        std::to_string(version - 1));
  }
  EXPECT_EQ(rows("SELECT count(*), count(DISTINCT lsn_last) FROM dosql_log"), "82|82");
  EXPECT_TRUE(db.check().value().empty());
}

TEST_F(FastForwardTest, ABranchOtherThanMain) {
  DOSQL_ASSERT_OK(conn.exec("CREATE BRANCH y; CHECKOUT y"));
  work_on("z", 2);
  const std::string before =
      rows("SELECT parent, fork_version, created FROM dosql_branches WHERE name = 'y'");
  EXPECT_EQ(rows("MERGE BRANCH z"), "fast-forward|y@4|NULL|NULL|NULL|NULL|NULL|NULL");
  EXPECT_EQ(before, rows("SELECT parent, fork_version, created FROM dosql_branches WHERE name = 'y'"));
  DOSQL_ASSERT_OK(conn.exec("INSERT INTO t(n) VALUES (70)"));
  for (int opens = 0; opens < 2; ++opens) {
    reopen();
    DOSQL_ASSERT_OK(conn.checkout("y"));
    EXPECT_EQ(conn.version(), 5u);
    EXPECT_EQ(count(conn), "4");
    DOSQL_ASSERT_OK(conn.checkout("main"));
    EXPECT_EQ(count(conn), "1");
  }
  // The name can be dropped and given again.
  DOSQL_ASSERT_OK(conn.exec("DROP BRANCH z; DROP BRANCH y FORCE; CREATE BRANCH y"));
  reopen();
  EXPECT_EQ(rows("SELECT name, version FROM dosql_branches"), "main|2\nx|5\ny|2");
}

TEST_F(FastForwardTest, AnEmptyMain) {
  Database empty = open_in_memory();
  Connection mine = empty.connect().value();
  DOSQL_ASSERT_OK(mine.exec("CREATE BRANCH x; CHECKOUT x; CREATE TABLE t(n); CHECKOUT main; MERGE BRANCH x"));
  EXPECT_EQ(mine.version(), 1u);
  DOSQL_EXPECT_OK(mine.exec("INSERT INTO t VALUES (1)"));
  EXPECT_EQ(rows_text(mine, "SELECT * FROM t"), "1");
}

TEST_F(FastForwardTest, WhatIsMergedAlready) {
  EXPECT_EQ(rows("CREATE BRANCH y"), "");
  EXPECT_EQ(rows("MERGE BRANCH y"), "already merged|main@2|NULL|NULL|NULL|NULL|NULL|NULL");
  DOSQL_ASSERT_OK(conn.exec("MERGE BRANCH x"));
  EXPECT_EQ(rows("MERGE BRANCH x"), "already merged|main@5|NULL|NULL|NULL|NULL|NULL|NULL");
  EXPECT_EQ(conn.version(), 5u);
}

TEST_F(FastForwardTest, ADryRunChangesNothing) {
  EXPECT_EQ(rows("MERGE BRANCH x DRY RUN"),
            "would fast-forward|main@5|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL");
  EXPECT_EQ(conn.version(), 2u);
  EXPECT_TRUE(conn.compare_branches("x", "main")->can_fast_forward);
}

TEST_F(FastForwardTest, TheApiTellsTheSame) {
  MergeOptions options;
  options.dry_run = true;
  MergeResult result = conn.merge("x", options).value();
  EXPECT_TRUE(result.fast_forward);
  EXPECT_EQ(result.version.to_string(), "main@5");
  result = conn.merge("x").value();
  EXPECT_TRUE(result.fast_forward);
  EXPECT_FALSE(result.already_merged);
  EXPECT_EQ(result.version.to_string(), "main@5");
  EXPECT_EQ(conn.resolve(snapshot("main@5")).value().lsn, result.version.lsn);
  EXPECT_TRUE(conn.merge("x")->already_merged);
}

TEST_F(FastForwardTest, Parameters) {
  Statement merge = conn.prepare("MERGE BRANCH :b STRATEGY :s MESSAGE :m").value();
  EXPECT_EQ(merge.column_count(), 8);
  EXPECT_EQ(merge.column_name(0), "outcome");
  DOSQL_ASSERT_OK(merge.bind(":b", "x"));
  DOSQL_ASSERT_OK(merge.bind(":s", "best"));
  DOSQL_ASSERT_OK(merge.bind(":m", "hello"));
  DOSQL_EXPECT_ERROR(merge.step(), kInvalidArgument);
  DOSQL_ASSERT_OK(merge.bind(":s", "theirs"));
  ASSERT_TRUE(merge.step().value());
  EXPECT_EQ(merge.value(0).text(), "fast-forward");
  EXPECT_EQ(merge.text(1), "main@5");
  EXPECT_FALSE(merge.step().value());
  ASSERT_TRUE(merge.step().value()) << "it runs again";
  EXPECT_EQ(merge.text(0), "already merged");
}

// Options stand in any order, and parameters count as they are written.
TEST_F(FastForwardTest, ParametersCountInTheOrderOfTheText) {
  DOSQL_EXPECT_ERROR(conn.run("MERGE BRANCH ? MESSAGE ? STRATEGY ?", "x", "ours", "hello"), kInvalidArgument);
  DOSQL_EXPECT_OK(conn.run("MERGE BRANCH ? MESSAGE ? STRATEGY ?", "x", "hello", "ours"));
  EXPECT_EQ(conn.version(), 5u);
}

TEST_F(FastForwardTest, Refusals) {
  DOSQL_EXPECT_ERROR(conn.exec("MERGE BRANCH y"), kBranchNotFound);
  DOSQL_EXPECT_ERROR(conn.exec("MERGE BRANCH main"), kInvalidArgument);
  DOSQL_EXPECT_ERROR(conn.exec("MERGE BRANCH 'a b'"), kInvalidArgument);
  DOSQL_EXPECT_ERROR(conn.merge("x", {.message = std::string(65'537, 'm')}), kInvalidArgument);
  Connection fixed = conn.as_of(current()).value();
  DOSQL_EXPECT_ERROR(fixed.exec("MERGE BRANCH x"), kInvalidArgument);
  // In a transaction it is a commit of its own instead, which can be rolled back.
  const std::uint64_t version = conn.version();
  DOSQL_ASSERT_OK(conn.exec("BEGIN; MERGE BRANCH x; ROLLBACK"));
  EXPECT_EQ(conn.version(), version);
  Statement running = conn.prepare("SELECT * FROM t").value();
  ASSERT_TRUE(running.step().value());
  DOSQL_EXPECT_ERROR(conn.exec("MERGE BRANCH x"), kInvalidArgument);
  running.reset();
  Connection writer = db.connect().value();
  DOSQL_ASSERT_OK(writer.exec("BEGIN IMMEDIATE"));
  DOSQL_ASSERT_OK(conn.exec("PRAGMA busy_timeout = 1"));
  DOSQL_EXPECT_ERROR(conn.exec("MERGE BRANCH x"), kBusy);
  DOSQL_ASSERT_OK(writer.exec("ROLLBACK"));
  EXPECT_EQ(conn.version(), 2u);
  DOSQL_ASSERT_OK(conn.exec("MERGE BRANCH x"));
}

TEST_F(FastForwardTest, FollowersGoOnThereToo) {
  Options options;
  options.mode = OpenMode::kReadOnly;
  Database following = open_on(std::make_unique<version::SharedDirectory>(*disk), options).value();
  Connection follower = following.connect().value();
  Connection in_transaction = following.connect().value();
  DOSQL_ASSERT_OK(in_transaction.exec("BEGIN"));
  EXPECT_EQ(count(in_transaction), "1");
  EXPECT_EQ(count(follower), "1");
  DOSQL_ASSERT_OK(conn.exec("MERGE BRANCH x"));
  EXPECT_EQ(count(follower), "4");
  EXPECT_EQ(follower.version(), 5u);
  EXPECT_EQ(count(in_transaction), "1");
  DOSQL_ASSERT_OK(conn.exec("INSERT INTO t(n) VALUES (80); DROP BRANCH x"));
  EXPECT_EQ(count(follower), "5");
  EXPECT_EQ(rows_text(follower, "SELECT name, version, current FROM dosql_branches"), "main|6|1");
  DOSQL_ASSERT_OK(in_transaction.exec("COMMIT"));
  EXPECT_EQ(count(in_transaction), "5");
}

TEST_F(FastForwardTest, WhatMainIsElsewhere) {
  DOSQL_ASSERT_OK(conn.exec("MERGE BRANCH x; INSERT INTO t(n) VALUES (90)"));
  EXPECT_EQ(rows("SELECT value FROM dosql_status WHERE name IN ('branch', 'version') ORDER BY name"),
            "main\n6");
  DOSQL_EXPECT_ERROR(db.import_sqlite("/nowhere.db"), kInvalidArgument);
  TemporaryDirectory out;
  DOSQL_ASSERT_OK(db.export_sqlite(out.file("main.db")));
  Stock stock(out.file("main.db"));
  EXPECT_EQ(stock.rows_text("SELECT count(*) FROM t"), "5");
}

}  // namespace
}  // namespace dosql::engine
