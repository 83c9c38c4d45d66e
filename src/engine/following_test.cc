// A database that is open for reading beside one that is open for writing, on one directory.

#include <unistd.h>

#include <chrono>
#include <thread>

#include "engine/engine_test_support.h"
#include "version/store_test_support.h"

namespace dosql::engine {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;

class EngineFollowingTest : public ::testing::Test {
 protected:
  Database open(OpenMode mode) {
    Options options;
    options.mode = mode;
    return open_on(std::make_unique<version::SharedDirectory>(*disk_), options).value();
  }

  const std::unique_ptr<io::Directory> disk_ = io::make_memory_directory();
  Database writer_ = open(OpenMode::kCreateIfMissing);
  Connection write_ = writer_.connect().value();
  Database follower_ = open(OpenMode::kReadOnly);
  Connection read_ = follower_.connect().value();
};

TEST_F(EngineFollowingTest, TheNextStatementSeesTheCommit) {
  DOSQL_ASSERT_OK(write_.exec("CREATE TABLE t(x); INSERT INTO t VALUES(1)"));
  EXPECT_EQ(rows_text(read_, "SELECT x FROM t"), "1");
  auto kept = read_.prepare("SELECT count(*) FROM t").value();
  for (int count = 2; count < 20; ++count) {
    DOSQL_ASSERT_OK(write_.exec("INSERT INTO t VALUES(2)"));
    ASSERT_TRUE(kept.step().value());
    EXPECT_EQ(kept.integer(0), count);
    kept.reset();
  }
  EXPECT_EQ(read_.version(), write_.version());
  EXPECT_EQ(rows_text(read_, "PRAGMA integrity_check"), "ok");
}

TEST_F(EngineFollowingTest, ATransactionKeepsItsVersion) {
  DOSQL_ASSERT_OK(write_.exec("CREATE TABLE t(x); INSERT INTO t VALUES(1)"));
  DOSQL_ASSERT_OK(read_.exec("BEGIN"));
  EXPECT_EQ(rows_text(read_, "SELECT count(*) FROM t"), "1");
  DOSQL_ASSERT_OK(write_.exec("INSERT INTO t VALUES(2); CREATE TABLE u(y)"));
  EXPECT_EQ(rows_text(read_, "SELECT count(*) FROM t"), "1");
  EXPECT_EQ(rows_text(read_, "SELECT count(*) FROM sqlite_schema"), "1");
  DOSQL_ASSERT_OK(read_.exec("COMMIT"));
  EXPECT_EQ(rows_text(read_, "SELECT count(*) FROM t"), "2");
  EXPECT_EQ(rows_text(read_, "SELECT count(*) FROM u"), "0");
}

TEST_F(EngineFollowingTest, SchemasChange) {
  DOSQL_ASSERT_OK(write_.exec("CREATE TABLE t(x)"));
  EXPECT_EQ(rows_text(read_, "SELECT * FROM t"), "");
  DOSQL_ASSERT_OK(
      write_.exec("ALTER TABLE t ADD COLUMN y DEFAULT 7; INSERT INTO t(x) VALUES(1);"
                  "CREATE INDEX i ON t(x); CREATE VIEW v AS SELECT x + y AS sum FROM t"));
  EXPECT_EQ(rows_text(read_, "SELECT * FROM t"), "1|7");
  EXPECT_EQ(rows_text(read_, "SELECT sum FROM v"), "8");
  DOSQL_ASSERT_OK(write_.exec("DROP VIEW v; DROP TABLE t; VACUUM"));
  EXPECT_EQ(rows_text(read_, "SELECT * FROM t"), "error: no such table: t");
}

TEST_F(EngineFollowingTest, VersionsBranchesAndSnapshots) {
  DOSQL_ASSERT_OK(
      write_.exec("CREATE TABLE t(x); INSERT INTO t VALUES(1); CREATE BRANCH side;"
                  "CREATE SNAPSHOT 'label'; INSERT INTO t VALUES(2)"));
  EXPECT_EQ(rows_text(read_, "SELECT name, version FROM dosql_branches"), "main|3\nside|2");
  EXPECT_EQ(rows_text(read_, "SELECT name, version FROM dosql_snapshots"), "label|2");
  EXPECT_EQ(rows_text(read_, "SELECT count(*) FROM dosql_log"), "3");
  EXPECT_EQ(rows_text(read_, "SELECT count(*) FROM t FOR SYSTEM_TIME AS OF SNAPSHOT 'label'"), "1");
  DOSQL_ASSERT_OK(write_.exec("CHECKOUT side; INSERT INTO t VALUES(3), (4)"));
  EXPECT_EQ(rows_text(read_, "SELECT count(*) FROM t FOR SYSTEM_TIME AS OF BRANCH 'side'"), "3");
  DOSQL_ASSERT_OK(read_.exec("CHECKOUT side"));
  EXPECT_EQ(rows_text(read_, "SELECT count(*) FROM t"), "3");
  DOSQL_ASSERT_OK(write_.exec("INSERT INTO t VALUES(5)"));
  EXPECT_EQ(rows_text(read_, "SELECT count(*) FROM t"), "4");
  EXPECT_EQ(rows_text(read_, "SELECT count(*) FROM t FOR SYSTEM_TIME AS OF VERSION CURRENT - 1"), "3");
  EXPECT_EQ(read_.list_branches().size(), 2u);
  DOSQL_ASSERT_OK(
      write_.exec("CHECKOUT main; CREATE BRANCH third; DROP SNAPSHOT 'label'; DROP BRANCH side FORCE"));
  EXPECT_EQ(rows_text(read_, "SELECT name FROM dosql_branches"), "main\nthird");
  EXPECT_EQ(rows_text(read_, "SELECT name FROM dosql_snapshots"), "");
  EXPECT_EQ(rows_text(read_, "SELECT count(*) FROM t"), "4") << "it stays on its branch";
  DOSQL_ASSERT_OK(read_.exec("CHECKOUT third"));
  EXPECT_EQ(rows_text(read_, "SELECT count(*) FROM t"), "2");
  auto past = follower_.as_of(snapshot("main@2"));
  DOSQL_ASSERT_OK(past);
  EXPECT_EQ(rows_text(*past, "SELECT count(*) FROM t"), "1");
}

TEST_F(EngineFollowingTest, ItCannotWrite) {
  DOSQL_ASSERT_OK(write_.exec("CREATE TABLE t(x)"));
  DOSQL_EXPECT_ERROR(read_.exec("INSERT INTO t VALUES(1)"), kReadOnly);
  DOSQL_EXPECT_ERROR(read_.exec("CREATE BRANCH b"), kReadOnly);
  EXPECT_EQ(rows_text(read_, "SELECT count(*) FROM t"), "0");
}

TEST_F(EngineFollowingTest, StatusTellsWhoWrites) {
  const char* const kFacts =
      "SELECT value FROM dosql_status WHERE name IN ('role', 'followers') ORDER BY name DESC";
  EXPECT_EQ(rows_text(write_, kFacts), "writer\n1");
  EXPECT_EQ(rows_text(read_, kFacts), "follower\n1");
  const std::string pid = std::to_string(::getpid());
  EXPECT_EQ(rows_text(read_, "SELECT value FROM dosql_status WHERE name = 'writer_pid'"), pid);
}

TEST_F(EngineFollowingTest, AWriterGoesAndAnotherComes) {
  DOSQL_ASSERT_OK(write_.exec("CREATE TABLE t(x); INSERT INTO t VALUES(1)"));
  write_ = follower_.connect().value();
  DOSQL_ASSERT_OK(writer_.close());
  EXPECT_EQ(rows_text(read_, "SELECT count(*) FROM t"), "1");
  EXPECT_EQ(rows_text(read_, "SELECT value FROM dosql_status WHERE name = 'writer_pid'"), "NULL");
  Database next = open(OpenMode::kReadWrite);
  Connection write = next.connect().value();
  DOSQL_ASSERT_OK(write.exec("INSERT INTO t VALUES(2)"));
  EXPECT_EQ(rows_text(read_, "SELECT count(*) FROM t"), "2");
}

TEST_F(EngineFollowingTest, CommitsCanBeWaitedFor) {
  DOSQL_ASSERT_OK(write_.exec("CREATE TABLE t(x)"));
  for (Database* const database : {&follower_, &writer_}) {
    Connection connection = database->connect().value();
    const std::uint64_t seen = database->wait_for_commit(0, minutes(5)).value();
    EXPECT_EQ(database->wait_for_commit(seen, milliseconds(0)).value(), seen);
    const std::string before = rows_text(connection, "SELECT count(*) FROM t");
    std::thread thread([this] { DOSQL_EXPECT_OK(write_.exec("INSERT INTO t VALUES(1)")); });
    const auto next = database->wait_for_commit(seen, minutes(5));
    thread.join();
    DOSQL_ASSERT_OK(next);
    EXPECT_GT(*next, seen);
    EXPECT_NE(rows_text(connection, "SELECT count(*) FROM t"), before);
  }
}

TEST_F(EngineFollowingTest, CloseEndsTheWait) {
  Database other = open(OpenMode::kReadOnly);
  const std::uint64_t seen = other.wait_for_commit(0, milliseconds(0)).value();
  std::thread thread([&] {
    const auto waited = other.wait_for_commit(seen, std::chrono::milliseconds::max());
    EXPECT_FALSE(waited);
  });
  DOSQL_EXPECT_OK(other.close());
  thread.join();
  DOSQL_EXPECT_ERROR(other.wait_for_commit(0, milliseconds(0)), kInvalidArgument);
}

}  // namespace
}  // namespace dosql::engine
