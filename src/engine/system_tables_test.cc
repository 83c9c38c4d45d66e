#include "engine/system_tables.h"

#include <gtest/gtest.h>

#include "base/time_text.h"
#include "engine/engine_test_support.h"

namespace dosql::engine {
namespace {

class LogTableTest : public ::testing::Test {
 protected:
  ManualClock clock{1'795'000'000'123'456};
  Options options = [this] {
    Options with_clock;
    with_clock.clock = &clock;
    return with_clock;
  }();
  Database db = open_in_memory(options);
  Connection conn = db.connect().value();

  std::string touched_by(const std::string& sql) {
    if (Status done = conn.exec(sql); !done) return failure_text(done.error());
    return rows_text(conn, "SELECT tables FROM dosql_log LIMIT 1");
  }
};

TEST_F(LogTableTest, OneRowPerCommitNewestFirst) {
  EXPECT_EQ(rows_text(conn, "SELECT * FROM dosql_log"), "");
  DOSQL_ASSERT_OK(conn.exec("CREATE TABLE t(x)"));
  clock.set_us(1'795'000'001'000'000);
  DOSQL_ASSERT_OK(conn.exec("INSERT INTO t VALUES (1)"));
  EXPECT_EQ(rows_text(conn, "SELECT version, branch, timestamp, tables, db_pages FROM dosql_log"),
            "2|main|2026-11-18 11:06:41.000000|t|3\n1|main|2026-11-18 11:06:40.123456|sqlite_schema,t|3");
  // LSN ranges follow each other without overlap.
  EXPECT_EQ(rows_text(conn,
                      "SELECT a.lsn_last < b.lsn_first, a.lsn_first <= a.lsn_last, b.lsn_first <= b.lsn_last"
                      " FROM dosql_log a, dosql_log b WHERE a.version = 1 AND b.version = 2"),
            "1|1|1");
  EXPECT_EQ(rows_text(conn, "SELECT count(*) FROM dosql_log WHERE bytes > 0 AND pages > 0"), "2");
}

// Every condition on the version gives the rows that SQLite would find by looking at all of them.
TEST_F(LogTableTest, ConditionsOnTheVersion) {
  DOSQL_ASSERT_OK(conn.exec("CREATE TABLE t(x)"));
  for (int i = 0; i < 9; ++i) DOSQL_ASSERT_OK(conn.exec("INSERT INTO t VALUES (1)"));
  DOSQL_ASSERT_OK(conn.exec("CREATE TEMP TABLE plain AS SELECT version FROM dosql_log"));
  for (const char* condition : {"version = 3",
                                "version = 3.0",
                                "version = 3.5",
                                "version = '4'",
                                "version = 'x'",
                                "version IS NULL",
                                "version = NULL",
                                "version > 8",
                                "version >= 8.5",
                                "version < 2.5",
                                "version <= 0",
                                "version > -1",
                                "version BETWEEN 3 AND 5",
                                "version > 9223372036854775807",
                                "version IN (2, 4, 99)",
                                "version > 3 AND version < 3",
                                "version < 1e300",
                                "version != 4",
                                "NOT version = 4",
                                "version > 4 OR version = 1"}) {
    for (const char* order :
         {"", " ORDER BY version", " ORDER BY version DESC", " ORDER BY version DESC LIMIT 2"}) {
      const std::string with = condition + std::string(order);
      const std::string all = *order ? "" : " ORDER BY version DESC";
      EXPECT_EQ(rows_text(conn, "SELECT version FROM dosql_log WHERE " + with + all),
                rows_text(conn, "SELECT version FROM plain WHERE " + with + all))
          << with;
    }
  }
}

// LIMIT must not cost a walk of all history: the order comes from the table.
TEST_F(LogTableTest, NewestFirstNeedsNoSorting) {
  const std::string plan =
      rows_text(conn, "EXPLAIN QUERY PLAN SELECT * FROM dosql_log ORDER BY version DESC LIMIT 1");
  EXPECT_EQ(plan.find("TEMP B-TREE"), std::string::npos) << plan;
}

TEST_F(LogTableTest, TablesOfACommit) {
  EXPECT_EQ(touched_by("CREATE TABLE a(x)"), "a,sqlite_schema");
  EXPECT_EQ(touched_by("CREATE TABLE b(x, y UNIQUE)"), "b,sqlite_schema");
  EXPECT_EQ(touched_by("INSERT INTO a VALUES (1)"), "a");
  EXPECT_EQ(touched_by("BEGIN; INSERT INTO a VALUES (2); INSERT INTO b VALUES (1, 1); COMMIT"), "a,b");
  // Deep trees, overflow chains and pages of indexes lead to their table.
  EXPECT_EQ(touched_by("WITH RECURSIVE s(i) AS (SELECT 10 UNION ALL SELECT i + 1 FROM s WHERE i < 3000)"
                       " INSERT INTO b SELECT i, printf('%.300c%d', 'k', i) FROM s"),
            "b");
  EXPECT_EQ(touched_by("INSERT INTO a VALUES (zeroblob(100000))"), "a");
  EXPECT_EQ(touched_by("UPDATE a SET x = CAST(printf('%.100000c', 'y') AS BLOB) WHERE length(x) = 100000"),
            "a");
  EXPECT_EQ(touched_by("ALTER TABLE a RENAME TO c"), "sqlite_schema");
  EXPECT_EQ(touched_by("UPDATE c SET x = 0 WHERE rowid = 1"), "c");
  EXPECT_EQ(touched_by("DROP TABLE b"), "sqlite_schema");
  // Earlier versions keep the names they had.
  EXPECT_EQ(rows_text(conn, "SELECT tables FROM dosql_log WHERE version = 4"), "a,b");
}

// With a garbled schema SQLite runs nothing unless told to; then the log shows which version was sound last.
TEST_F(LogTableTest, AGarbledSchemaDoesNotHideTheLog) {
  DOSQL_ASSERT_OK(
      conn.exec("CREATE TABLE t(x); INSERT INTO t VALUES (1); PRAGMA writable_schema = ON;"
                "UPDATE sqlite_schema SET sql = 'CREATE TABLE t('"));
  Connection other = db.connect().value();
  DOSQL_ASSERT_OK(other.exec("PRAGMA writable_schema = ON"));
  EXPECT_EQ(rows_text(other, "SELECT version, tables FROM dosql_log"),
            "3|sqlite_schema\n2|t\n1|sqlite_schema,t");
}

// A table's own root page may be all that changes, far away in the file.
TEST_F(LogTableTest, ManyTables) {
  for (int i = 0; i < 200; ++i) DOSQL_ASSERT_OK(conn.exec("CREATE TABLE t" + std::to_string(i) + "(x)"));
  for (const int i : {0, 57, 199}) {
    EXPECT_EQ(touched_by("INSERT INTO t" + std::to_string(i) + " VALUES (1)"), "t" + std::to_string(i));
  }
}

TEST_F(LogTableTest, WithoutPointerMapTablesAreUnknown) {
  TemporaryDirectory directory;
  {
    Stock stock(directory.file("s"));
    stock.exec("PRAGMA auto_vacuum = NONE; CREATE TABLE t(x)");
  }
  Database imported = open_in_memory();
  DOSQL_ASSERT_OK(imported.import_sqlite(directory.file("s")));
  Connection reader = imported.connect().value();
  DOSQL_ASSERT_OK(reader.exec("INSERT INTO t VALUES (1)"));
  EXPECT_EQ(rows_text(reader, "SELECT version, tables FROM dosql_log"), "2|NULL\n1|NULL");
}

// The log ends where the connection's own view ends.
TEST_F(LogTableTest, AReadTransactionSeesItsOwnPast) {
  DOSQL_ASSERT_OK(conn.exec("CREATE TABLE t(x)"));
  Connection reader = db.connect().value();
  DOSQL_ASSERT_OK(reader.exec("BEGIN; SELECT * FROM t"));
  DOSQL_ASSERT_OK(conn.exec("INSERT INTO t VALUES (1)"));
  EXPECT_EQ(rows_text(reader, "SELECT count(*), max(version) FROM dosql_log"), "1|1");
  EXPECT_EQ(rows_text(reader, "SELECT value FROM dosql_status WHERE name = 'version'"), "1");
  DOSQL_ASSERT_OK(reader.exec("COMMIT"));
  EXPECT_EQ(rows_text(reader, "SELECT count(*), max(version) FROM dosql_log"), "2|2");
}

// An exported schema must not depend on them.
TEST_F(LogTableTest, NotInViewsAndTriggers) {
  DOSQL_ASSERT_OK(conn.exec("CREATE VIEW v AS SELECT * FROM dosql_log"));
  DOSQL_EXPECT_ERROR(conn.query("SELECT * FROM v"), kSql);
  DOSQL_EXPECT_ERROR(conn.exec("INSERT INTO dosql_log VALUES (1)"), kSql);
}

TEST(StatusTableTest, SaysWhatIsOpen) {
  Database db = open_in_memory();
  Connection conn = db.connect().value();
  DOSQL_ASSERT_OK(conn.exec("CREATE TABLE t(x); INSERT INTO t VALUES (1)"));
  const auto value = [&](const std::string& name) {
    return rows_text(conn, "SELECT value FROM dosql_status WHERE name = '" + name + "'");
  };
  EXPECT_EQ(value("path"), "/nowhere/test");
  EXPECT_EQ(value("version"), "2");
  EXPECT_EQ(value("commits"), "2");
  EXPECT_EQ(value("branch"), "main");
  EXPECT_EQ(value("connections"), "1");
  EXPECT_EQ(value("poisoned"), "0");
  EXPECT_EQ(value("read_only"), "0");
  EXPECT_EQ(value("synchronous"), "2");
  EXPECT_EQ(value("db_pages"), "3");
  EXPECT_EQ(value("sqlite_version"), sqlite3_libversion());
  EXPECT_EQ(value("durable_lsn"), value("lsn"));
}

TEST(TimeTextTest, UtcWithMicroseconds) {
  EXPECT_EQ(time_text(0), "1970-01-01 00:00:00.000000");
  EXPECT_EQ(time_text(1'795'000'000'123'456), "2026-11-18 11:06:40.123456");
  EXPECT_EQ(time_text(951'782'400'000'000), "2000-02-29 00:00:00.000000");
  EXPECT_EQ(time_text(-1), "1969-12-31 23:59:59.999999");
}

}  // namespace
}  // namespace dosql::engine
