#include "engine/pragma.h"

#include <gtest/gtest.h>

#include "engine/engine_test_support.h"

namespace dosql::engine {
namespace {

class PragmaTest : public ::testing::Test {
 protected:
  Database db = open_in_memory();
  Connection conn = db.connect().value();

  std::uint64_t syncs() { return DatabaseAccess::core(db).store().status().syncs; }
};

TEST_F(PragmaTest, TheJournalModeIsMemoryWhateverIsAsked) {
  EXPECT_EQ(rows_text(conn, "PRAGMA journal_mode"), "memory");
  for (const char* mode : {"WAL", "DELETE", "OFF", "nonsense"}) {
    EXPECT_EQ(rows_text(conn, std::string("PRAGMA journal_mode = ") + mode), "memory");
  }
  DOSQL_ASSERT_OK(conn.exec("CREATE TABLE t(x); BEGIN; INSERT INTO t VALUES (1); ROLLBACK"));
  EXPECT_EQ(rows_text(conn, "SELECT count(*) FROM t"), "0")
      << "journal_mode=OFF would have lost the rollback";
  EXPECT_EQ(rows_text(conn, "PRAGMA wal_checkpoint"), "0|-1|-1");
}

TEST_F(PragmaTest, SynchronousIsPerConnection) {
  EXPECT_EQ(rows_text(conn, "PRAGMA synchronous"), "2");
  const std::pair<const char*, const char*> levels[] = {
      {"OFF", "0"}, {"NORMAL", "1"}, {"FULL", "2"},  {"EXTRA", "3"}, {"0", "0"},   {"1", "1"},
      {"2", "2"},   {"3", "3"},      {"false", "0"}, {"on", "1"},    {"full", "2"}};
  for (const auto& [name, level] : levels) {
    EXPECT_EQ(rows_text(conn, std::string("PRAGMA synchronous = ") + name), "");
    EXPECT_EQ(rows_text(conn, "PRAGMA synchronous"), level) << name;
  }
  DOSQL_ASSERT_OK(conn.exec("PRAGMA main.synchronous = OFF"));
  Connection other = db.connect().value();
  EXPECT_EQ(rows_text(other, "PRAGMA synchronous"), "2");
}

// FULL means that the commit is on disk when it returns; NORMAL and OFF do not wait for that.
TEST_F(PragmaTest, SynchronousDecidesWhetherACommitSyncs) {
  DOSQL_ASSERT_OK(conn.exec("CREATE TABLE t(x); INSERT INTO t VALUES (0)"));
  for (const auto& [mode, expected] : {std::pair{"FULL", 10}, {"EXTRA", 10}, {"NORMAL", 0}, {"OFF", 0}}) {
    DOSQL_ASSERT_OK(conn.exec(std::string("PRAGMA synchronous = ") + mode));
    const std::uint64_t before = syncs();
    for (int i = 0; i < 10; ++i) DOSQL_ASSERT_OK(conn.exec("UPDATE t SET x = x + 1"));
    EXPECT_EQ(syncs() - before, static_cast<std::uint64_t>(expected)) << mode;
  }
}

TEST_F(PragmaTest, SynchronousStaysInsideATransaction) {
  DOSQL_ASSERT_OK(conn.exec("BEGIN"));
  auto refused = conn.exec("PRAGMA synchronous = OFF");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message(), "Safety level may not be changed inside a transaction");
  EXPECT_EQ(rows_text(conn, "PRAGMA synchronous"), "2");
}

// As SQLite shows it: an integer in a column of the PRAGMA's name.
TEST_F(PragmaTest, AnswersLookLikeSqlites) {
  for (const auto& [name, integer] : {std::pair{"synchronous", true},
                                      {"journal_mode", false},
                                      {"busy_timeout", true},
                                      {"locking_mode", false}}) {
    Statement pragma = conn.prepare(std::string("PRAGMA ") + name).value();
    EXPECT_EQ(pragma.column_name(0), name);
    ASSERT_TRUE(pragma.step().value());
    EXPECT_EQ(pragma.type(0) == Value::Type::kInteger, integer) << name;
    EXPECT_EQ(pragma.value(0).type(), pragma.type(0));
  }
}

// What SQLite does not know it passes over; of ours that would hide a mistake.
TEST_F(PragmaTest, OursMustExist) {
  DOSQL_EXPECT_OK(conn.exec("PRAGMA no_such_thing = 1"));
  const auto refused = conn.exec("PRAGMA dosql_no_such_thing = 1");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message(), "there is no PRAGMA dosql_no_such_thing");
}

TEST_F(PragmaTest, ThePageSizeStays) {
  EXPECT_EQ(rows_text(conn, "PRAGMA page_size"), "4096");
  DOSQL_EXPECT_OK(conn.exec("PRAGMA page_size = 4096"));
  auto refused = conn.exec("PRAGMA page_size = 8192");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message(), "the page size is always 4096");
  DOSQL_ASSERT_OK(conn.exec("CREATE TABLE t(x); INSERT INTO t VALUES (1)"));
  DOSQL_EXPECT_ERROR(conn.exec("PRAGMA page_size = 1024; VACUUM"), kSql);
  EXPECT_EQ(rows_text(conn, "PRAGMA integrity_check"), "ok");
}

TEST_F(PragmaTest, BusyTimeoutIsOurs) {
  EXPECT_EQ(rows_text(conn, "PRAGMA busy_timeout"), "5000");
  EXPECT_EQ(rows_text(conn, "PRAGMA busy_timeout = 77"), "77");
  EXPECT_EQ(rows_text(conn, "PRAGMA busy_timeout"), "77");
  EXPECT_EQ(rows_text(conn, "PRAGMA busy_timeout = -1"), "0");
}

// In exclusive mode the pager would keep its version and the writer slot for ever.
TEST_F(PragmaTest, TheLockingModeStaysNormal) {
  EXPECT_EQ(rows_text(conn, "PRAGMA locking_mode = EXCLUSIVE"), "normal");
  DOSQL_ASSERT_OK(conn.exec("CREATE TABLE t(x)"));
  Connection other = db.connect().value();
  DOSQL_EXPECT_OK(other.exec("INSERT INTO t VALUES (1)"));
  EXPECT_EQ(rows_text(conn, "SELECT * FROM t"), "1");
  EXPECT_EQ(rows_text(conn, "PRAGMA mmap_size = 1000000"), "0");
}

// One variable of the whole process: a database must not move everybody's temporary files.
TEST_F(PragmaTest, TheTemporaryDirectoryIsNotSet) {
  DOSQL_EXPECT_ERROR(conn.exec("PRAGMA temp_store_directory = '/'"), kSql);
  EXPECT_EQ(sqlite3_temp_directory, nullptr);
}

TEST_F(PragmaTest, TheOthersAreSqlites) {
  DOSQL_ASSERT_OK(conn.exec("PRAGMA user_version = 7; PRAGMA application_id = 9; PRAGMA foreign_keys = OFF"));
  EXPECT_EQ(rows_text(conn, "SELECT * FROM pragma_user_version, pragma_application_id, pragma_foreign_keys"),
            "7|9|0");
  EXPECT_EQ(rows_text(conn, "PRAGMA encoding"), "UTF-8");
}

// Every run of a kept PRAGMA answers with what is true then.
TEST_F(PragmaTest, AKeptPragmaIsNotStale) {
  Statement ask = conn.prepare("PRAGMA synchronous").value();
  ASSERT_TRUE(ask.step().value());
  EXPECT_EQ(ask.integer(0), 2);
  ask.reset();
  DOSQL_ASSERT_OK(conn.exec("PRAGMA synchronous = OFF"));
  ASSERT_TRUE(ask.step().value());
  EXPECT_EQ(ask.integer(0), 0);
}

}  // namespace
}  // namespace dosql::engine
