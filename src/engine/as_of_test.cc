// FOR SYSTEM_TIME AS OF in queries: which version is read, what happens to statements that do not ask for
// one, and what an error says.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "engine/engine_test_support.h"

namespace dosql::engine {
namespace {

class AsOfTest : public ::testing::Test {
 protected:
  ManualClock clock{1'700'000'000'000'000};
  Options options = [this] {
    Options with_clock;
    with_clock.clock = &clock;
    return with_clock;
  }();
  Database db = open_in_memory(options);
  Connection conn = db.connect().value();

  void exec(const std::string& sql) { DOSQL_ASSERT_OK(conn.exec(sql)); }
  std::string rows(const std::string& sql) { return rows_text(conn, sql); }

  // main@1 has an empty t, main@2 row 1 'a', main@3 row 1 'b', main@4 also row 2 'c'.
  void make_history() {
    exec("CREATE TABLE t(id INTEGER PRIMARY KEY, v)");
    exec("INSERT INTO t VALUES (1, 'a')");
    clock.set_us(1'700'000'100'000'000);
    exec("UPDATE t SET v = 'b'");
    exec("INSERT INTO t VALUES (2, 'c')");
  }

  // "message @ what stands at the offset"
  std::string error_of(const std::string& sql) {
    const Status done = conn.exec(sql);
    if (done) return "no error";
    std::string text = done.error().message();
    if (done.error().sql_offset()) text += " @ " + sql.substr(*done.error().sql_offset());
    return text;
  }
};

TEST_F(AsOfTest, EveryKindOfPoint) {
  make_history();
  EXPECT_EQ(rows("SELECT v FROM t FOR SYSTEM_TIME AS OF SNAPSHOT 'main@2'"), "a");
  EXPECT_EQ(rows("SELECT v FROM t FOR SYSTEM_TIME AS OF VERSION CURRENT - 2"), "a");
  EXPECT_EQ(rows("SELECT * FROM t FOR SYSTEM_TIME AS OF VERSION CURRENT"), "1|b\n2|c");
  EXPECT_EQ(rows("SELECT * FROM t FOR SYSTEM_TIME AS OF BRANCH 'main'"), "1|b\n2|c");
  EXPECT_EQ(rows("SELECT count(*) FROM t FOR SYSTEM_TIME AS OF SNAPSHOT 'main@1'"), "0");
  const std::string lsn = rows("SELECT lsn_last FROM dosql_log WHERE version = 3");
  EXPECT_EQ(rows("SELECT v FROM t FOR SYSTEM_TIME AS OF LSN " + lsn), "b");
  EXPECT_EQ(rows("SELECT v FROM t FOR SYSTEM_TIME AS OF LSN (" + lsn + " - 1)"), "b")
      << "inside of its range";
}

TEST_F(AsOfTest, TimestampsAreWhatSqliteReads) {
  make_history();  // versions 1 and 2 at 22:13:20, 3 and 4 at 22:15:00 of 2023-11-14
  const auto count_at = [&](const std::string& point) {
    return rows("SELECT count(*), max(v) FROM t FOR SYSTEM_TIME AS OF " + point);
  };
  for (const char* point :
       {"TIMESTAMP '2023-11-14 22:14:00'", "'2023-11-14 22:14'", "TIMESTAMP '2023-11-14T23:14:00+01:00'",
        "TIMESTAMP 1700000040", "TIMESTAMP datetime(1700000000, 'unixepoch', '+40 seconds')",
        "TIMESTAMP 2460263.42639"}) {
    EXPECT_EQ(count_at(point), "1|a") << point;
  }
  EXPECT_EQ(count_at("TIMESTAMP '2023-11-14 22:13:20.000001'"), "1|a") << "a microsecond each";
  EXPECT_EQ(count_at("TIMESTAMP '2023-11-14 22:13:20.000000'"), "0|NULL");
  EXPECT_EQ(count_at("'2023-11-14 22:15:00'"), "1|b");
  EXPECT_EQ(count_at("TIMESTAMP '2023-11-14 22:15:00.000001'"), "2|c") << "ahead of the clock, yet there";
  EXPECT_EQ(error_of("SELECT * FROM t FOR SYSTEM_TIME AS OF '2023-11-14 22:15:01'"),
            "2023-11-14 22:15:01.000000 is in the future: it is 2023-11-14 22:15:00.000000 now @ "
            "'2023-11-14 22:15:01'");
  EXPECT_EQ(
      error_of("SELECT * FROM t FOR SYSTEM_TIME AS OF TIMESTAMP '2023-11-14'"),
      "2023-11-14 00:00:00.000000 is before the beginning: version 1 is of 2023-11-14 22:13:20.000000 @ "
      "'2023-11-14'");
  const Status done = conn.exec("SELECT * FROM t FOR SYSTEM_TIME AS OF 'main@2'");
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().hint(), "did you mean SNAPSHOT 'main@2'?");
}

// What a point meant is remembered between executions; this is all that can change it.
TEST_F(AsOfTest, APreparedPointFollowsWhatItDependsOn) {
  make_history();
  exec("CREATE SNAPSHOT here AS OF SNAPSHOT 'main@2'; CREATE BRANCH side");
  Statement back = conn.prepare("SELECT count(*) FROM t FOR SYSTEM_TIME AS OF VERSION CURRENT - 1").value();
  Statement named = conn.prepare("SELECT count(*) FROM t FOR SYSTEM_TIME AS OF SNAPSHOT 'here'").value();
  Statement side = conn.prepare("SELECT count(*) FROM t FOR SYSTEM_TIME AS OF BRANCH 'side'").value();
  const auto count = [](Statement& statement) {
    EXPECT_TRUE(statement.step().value());
    const std::int64_t number = statement.integer(0);
    statement.reset();
    return number;
  };
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(count(back), 1);
    EXPECT_EQ(count(named), 1);
    EXPECT_EQ(count(side), 2);
  }
  exec("DROP SNAPSHOT here; CREATE SNAPSHOT here AS OF SNAPSHOT 'main@1'");
  EXPECT_EQ(count(named), 0);
  Connection other = db.connect().value();
  DOSQL_ASSERT_OK(other.exec("INSERT INTO t VALUES (3, 'd'); CHECKOUT side; DELETE FROM t"));
  EXPECT_EQ(count(back), 2);
  EXPECT_EQ(count(side), 0);
  exec("CHECKOUT side");
  EXPECT_EQ(count(back), 2);
  exec("CHECKOUT main");
  DOSQL_ASSERT_OK(other.exec("CHECKOUT main; DROP BRANCH side FORCE"));
  auto gone = side.step();
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().message(), "branch 'side' does not exist");
}

TEST_F(AsOfTest, TheTextWithValuesIsTheUsersOwn) {
  make_history();
  Statement statement =
      conn.prepare("SELECT ?2, :a FROM t FOR SYSTEM_TIME AS OF SNAPSHOT ?1 WHERE v <> ?4").value();
  DOSQL_ASSERT_OK((statement.bind_all(std::vector<Value>{"main@2", 2.5, Blob{std::byte{10}}, "it's"})));
  const std::string expanded =
      "SELECT 2.5, x'0a' FROM t FOR SYSTEM_TIME AS OF SNAPSHOT 'main@2' WHERE v <> 'it''s'";
  EXPECT_EQ(statement.expanded_sql(), expanded);
  ASSERT_TRUE(statement.step().value());
  EXPECT_EQ(statement.expanded_sql(), expanded);
}

TEST_F(AsOfTest, PastAndPresentInOneStatement) {
  make_history();
  EXPECT_EQ(rows("SELECT t.v, old.v FROM t JOIN t FOR SYSTEM_TIME AS OF SNAPSHOT 'main@2' AS old USING (id)"),
            "b|a");
  EXPECT_EQ(rows("SELECT a.v, b.v FROM t FOR SYSTEM_TIME AS OF SNAPSHOT 'main@2' a,"
                 " t FOR SYSTEM_TIME AS OF SNAPSHOT 'main@3' b"),
            "a|b");
  EXPECT_EQ(
      rows("SELECT v FROM t WHERE id NOT IN (SELECT id FROM t FOR SYSTEM_TIME AS OF SNAPSHOT 'main@3')"),
      "c");
  EXPECT_EQ(rows("WITH old AS (SELECT * FROM t FOR SYSTEM_TIME AS OF SNAPSHOT 'main@2')"
                 " SELECT t.v, old.v FROM t LEFT JOIN old USING (id) ORDER BY id"),
            "b|a\nc|NULL");
  EXPECT_EQ(rows("SELECT value, v FROM json_each('[7]'), t FOR SYSTEM_TIME AS OF SNAPSHOT 'main@2'"), "7|a");
}

TEST_F(AsOfTest, WritesFromThePast) {
  make_history();
  exec("UPDATE t SET v = old.v FROM t FOR SYSTEM_TIME AS OF SNAPSHOT 'main@2' AS old WHERE old.id = t.id");
  EXPECT_EQ(rows("SELECT * FROM t"), "1|a\n2|c");
  exec("DELETE FROM t");
  exec("INSERT INTO t SELECT * FROM t FOR SYSTEM_TIME AS OF SNAPSHOT 'main@4'");
  EXPECT_EQ(rows("SELECT * FROM t"), "1|b\n2|c");
  exec("CREATE TABLE copy AS SELECT * FROM t FOR SYSTEM_TIME AS OF SNAPSHOT 'main@2'");
  EXPECT_EQ(rows("SELECT * FROM copy"), "1|a");
  exec("DELETE FROM t WHERE id IN (SELECT id FROM t FOR SYSTEM_TIME AS OF SNAPSHOT 'main@2')");
  EXPECT_EQ(rows("SELECT * FROM t"), "2|c");
}

// An old version has the schema it had.
TEST_F(AsOfTest, TheSchemaOfItsTime) {
  make_history();
  exec("ALTER TABLE t ADD COLUMN extra DEFAULT 'e'");
  exec("ALTER TABLE t RENAME COLUMN v TO w");
  exec("CREATE VIEW pairs AS SELECT id, w FROM t");
  exec("DROP VIEW pairs; DROP TABLE t; CREATE TABLE t(other, columns); INSERT INTO t VALUES ('x', 'y')");
  EXPECT_EQ(rows("SELECT * FROM t FOR SYSTEM_TIME AS OF SNAPSHOT 'main@2'"), "1|a");
  EXPECT_EQ(rows("SELECT * FROM t FOR SYSTEM_TIME AS OF SNAPSHOT 'main@5'"), "1|b|e\n2|c|e");
  EXPECT_EQ(rows("SELECT w FROM t FOR SYSTEM_TIME AS OF SNAPSHOT 'main@6' WHERE id = 1"), "b");
  EXPECT_EQ(rows("SELECT * FROM pairs FOR SYSTEM_TIME AS OF SNAPSHOT 'main@7'"), "1|b\n2|c");
  EXPECT_EQ(rows("SELECT * FROM t"), "x|y");
  EXPECT_EQ(error_of("SELECT v FROM t FOR SYSTEM_TIME AS OF SNAPSHOT 'main@6'"),
            "no such column: v @ v FROM t FOR SYSTEM_TIME AS OF SNAPSHOT 'main@6'");
}

TEST_F(AsOfTest, SameSchemaCookieAndAnotherSchema) {
  exec("CREATE TABLE a(x); INSERT INTO a VALUES ('old')");                         // main@2
  exec("PRAGMA schema_version = 77");                                              // main@3
  exec("DROP TABLE a; CREATE TABLE a(y, z); INSERT INTO a VALUES ('new', 'er')");  // main@6
  exec("PRAGMA schema_version = 77");                                              // main@7
  // One statement moves one attachment, or every one is used in turn.
  Statement statement = conn.prepare("SELECT * FROM a FOR SYSTEM_TIME AS OF SNAPSHOT ?").value();
  for (int i = 0; i < 100; ++i) {
    const bool old = i % 3 == 0;
    DOSQL_ASSERT_OK(statement.bind(1, old ? "main@3" : "main@7"));
    ASSERT_TRUE(statement.step().value());
    EXPECT_EQ(statement.column_count(), old ? 1 : 2);
    EXPECT_EQ(statement.text(0), old ? "old" : "new");
    EXPECT_EQ(statement.column_name(0), old ? "x" : "y");
    EXPECT_EQ(statement.row().values().size(), old ? 1 : 2);
    EXPECT_FALSE(statement.step().value());
  }
}

// More points than there can be attachments, in an order that brings back some that are gone.
// An attachment that moves on must not show a cookie that its version before had of its own.
TEST_F(AsOfTest, EachVersionHasItsSchemaHoweverManyThereAre) {
  constexpr int kVersions = 130;
  exec("CREATE TABLE t(c1)");
  for (int i = 2; i <= kVersions; ++i) exec(fmt::format("ALTER TABLE t ADD COLUMN c{}", i));
  for (int i = 1; i <= kVersions; ++i) {
    const Statement select =
        conn.prepare(fmt::format("SELECT * FROM t FOR SYSTEM_TIME AS OF SNAPSHOT 'main@{}'", i)).value();
    ASSERT_EQ(select.column_count(), i);
  }
}

TEST_F(AsOfTest, HundredsOfPointsInOneConnection) {
  exec("CREATE TABLE t(n); INSERT INTO t VALUES (0)");
  for (int i = 1; i <= 300; ++i) {
    exec(fmt::format("UPDATE t SET n = {}", i));
    if (i % 50 == 0) exec(fmt::format("ALTER TABLE t ADD COLUMN c{}", i));
  }
  std::vector<int> versions;
  for (int n = 0; n <= 300; ++n) versions.push_back(2 + n + (n == 0 ? 0 : (n - 1) / 50));
  Statement by_parameter = conn.prepare("SELECT n FROM t FOR SYSTEM_TIME AS OF SNAPSHOT :s").value();
  for (int i = 0; i < 900; ++i) {
    const int n = i * 37 % 301;
    const std::string snapshot = fmt::format("main@{}", versions[n]);
    DOSQL_ASSERT_OK(by_parameter.bind(":s", snapshot));
    ASSERT_TRUE(by_parameter.step().value());
    EXPECT_EQ(by_parameter.integer(0), n);
    EXPECT_FALSE(by_parameter.step().value());
    if (i % 7 == 0) {
      EXPECT_EQ(rows(fmt::format("SELECT n FROM t FOR SYSTEM_TIME AS OF SNAPSHOT '{}'", snapshot)),
                std::to_string(n));
    }
  }
}

std::string union_of(int first, int count) {
  std::string sql;
  for (int i = 0; i < count; ++i) {
    sql += fmt::format("{}SELECT n FROM t FOR SYSTEM_TIME AS OF SNAPSHOT 'main@{}'",
                       i == 0 ? "" : " UNION ALL ", first + i);
  }
  return "SELECT sum(n) FROM (" + sql + ")";
}

TEST_F(AsOfTest, AHundredPointsInOneStatementAndNoMore) {
  exec("CREATE TABLE t(n); INSERT INTO t VALUES (0)");
  for (int i = 1; i <= 120; ++i) exec(fmt::format("UPDATE t SET n = {}", i));
  EXPECT_EQ(rows(union_of(3, 100)), "5050");
  EXPECT_EQ(rows(union_of(13, 100)), "6050");
  EXPECT_EQ(error_of(union_of(3, 101)),
            "one statement can read at most 100 points in time @ FOR SYSTEM_TIME AS OF SNAPSHOT 'main@103')");
  // A transaction keeps what it has read.
  exec("BEGIN");
  EXPECT_EQ(rows(union_of(3, 100)), "5050");
  EXPECT_EQ(rows(union_of(3, 100)), "5050");
  EXPECT_EQ(rows(union_of(10, 10)), "125");
  EXPECT_TRUE(
      error_of(union_of(110, 1)).starts_with("the open transaction and running statements read 100 points"));
  exec("COMMIT");
  EXPECT_EQ(rows(union_of(110, 1)), "108");
}

TEST_F(AsOfTest, ParametersInsideAndOutsideOfPoints) {
  make_history();
  auto statement = conn.prepare(
      "SELECT ?, v, :x FROM t FOR SYSTEM_TIME AS OF VERSION CURRENT - (? + 1) WHERE id = ? AND :x = @y");
  DOSQL_ASSERT_OK(statement);
  EXPECT_EQ(statement->parameter_count(), 5);
  EXPECT_EQ(statement->parameter_name(2), ":x");
  EXPECT_EQ(statement->parameter_name(3), "");
  EXPECT_TRUE(statement->read_only());
  DOSQL_ASSERT_OK(statement->bind_all(std::vector<Value>{"first", "x", 1, 1, "x"}));
  ASSERT_TRUE(statement->step().value());
  EXPECT_EQ(statement->text(0), "first");
  EXPECT_EQ(statement->text(1), "a");
  EXPECT_EQ(statement->text(2), "x");
  // Binding ends the execution, and the values that stay are those of the next.
  DOSQL_ASSERT_OK(statement->bind(3, 0));
  ASSERT_TRUE(statement->step().value());
  EXPECT_EQ(statement->text(0), "first");
  EXPECT_EQ(statement->text(1), "b");
  DOSQL_EXPECT_ERROR(statement->bind(6, 1), kInvalidArgument);
  DOSQL_EXPECT_ERROR(statement->bind(":z", 1), kInvalidArgument);
  statement->clear_bindings();
  EXPECT_FALSE(statement->step().value_or(true));
}

// A point that is counted from the present is counted anew each time; a cached statement too.
TEST_F(AsOfTest, PointsAreEvaluatedPerExecution) {
  make_history();
  Statement statement =
      conn.prepare("SELECT count(*) FROM t FOR SYSTEM_TIME AS OF VERSION CURRENT - 1").value();
  for (int n = 1; n < 50; ++n) {
    ASSERT_TRUE(statement.step().value());
    EXPECT_EQ(statement.integer(0), n);
    EXPECT_EQ(rows("SELECT count(*) FROM t FOR SYSTEM_TIME AS OF VERSION CURRENT - 1"), std::to_string(n));
    statement.reset();
    exec("INSERT INTO t(v) VALUES ('more')");
  }
}

TEST_F(AsOfTest, InATransactionCurrentIsWhatTheTransactionSees) {
  make_history();
  Connection other = db.connect().value();
  exec("BEGIN");
  EXPECT_EQ(rows("SELECT count(*) FROM t FOR SYSTEM_TIME AS OF VERSION CURRENT"), "2");
  DOSQL_ASSERT_OK(other.exec("INSERT INTO t VALUES (3, 'd')"));
  EXPECT_EQ(rows("SELECT count(*) FROM t FOR SYSTEM_TIME AS OF VERSION CURRENT"), "2");
  EXPECT_EQ(rows("SELECT count(*) FROM t"), "2");
  exec("COMMIT");
  EXPECT_EQ(rows("SELECT count(*) FROM t FOR SYSTEM_TIME AS OF VERSION CURRENT"), "3");
  // What the transaction wrote is no version yet.
  exec("BEGIN IMMEDIATE; DELETE FROM t");
  EXPECT_EQ(rows("SELECT (SELECT count(*) FROM t), count(*) FROM t FOR SYSTEM_TIME AS OF VERSION CURRENT"),
            "0|3");
  EXPECT_EQ(rows("SELECT count(*) FROM t FOR SYSTEM_TIME AS OF VERSION CURRENT - 1"), "2");
  exec("ROLLBACK");
}

// A table that is only in an old version is none for whoever does not ask for that version.
TEST_F(AsOfTest, NamesNeverMeanThePast) {
  make_history();
  exec(
      "CREATE TABLE gone(x); INSERT INTO gone VALUES ('ghost'); CREATE INDEX gone_x ON gone(x); DROP TABLE "
      "gone");
  const std::string past = "SELECT x FROM gone FOR SYSTEM_TIME AS OF SNAPSHOT 'main@6'";
  const auto look = [&] { EXPECT_EQ(rows(past), "ghost"); };
  for (const char* sql :
       {"SELECT * FROM gone", "INSERT INTO gone VALUES (1)", "UPDATE gone SET x = 1", "DELETE FROM gone",
        "DROP TABLE gone", "ALTER TABLE gone ADD COLUMN y", "CREATE INDEX i ON gone(x)",
        "SELECT * FROM t, gone", "SELECT (SELECT count(*) FROM gone)", "SELECT nope FROM gone"}) {
    look();
    EXPECT_TRUE(error_of(sql).starts_with("no such table: ")) << sql << ": " << error_of(sql);
    look();
    exec("BEGIN");
    look();
    EXPECT_NE(error_of(sql), "no error") << sql;
    exec("ROLLBACK");
  }
  look();
  EXPECT_EQ(error_of("DROP INDEX gone_x"), "no such index: gone_x");
  look();
  exec("DROP TABLE IF EXISTS gone");
  // In a statement that reads the past, the names of the present are those of the present.
  EXPECT_EQ(error_of("SELECT * FROM gone, gone FOR SYSTEM_TIME AS OF SNAPSHOT 'main@6' old"),
            "no such table: gone @ gone, gone FOR SYSTEM_TIME AS OF SNAPSHOT 'main@6' old");
  EXPECT_EQ(error_of("INSERT INTO gone SELECT * FROM gone FOR SYSTEM_TIME AS OF SNAPSHOT 'main@6'"),
            "no such table: gone @ gone SELECT * FROM gone FOR SYSTEM_TIME AS OF SNAPSHOT 'main@6'");
  EXPECT_EQ(
      error_of("SELECT * FROM dosql_past_0.gone, t FOR SYSTEM_TIME AS OF SNAPSHOT 'main@6' old"),
      "no such table: dosql_past_0.gone @ dosql_past_0.gone, t FOR SYSTEM_TIME AS OF SNAPSHOT 'main@6' old");
  look();
  EXPECT_NE(error_of("SELECT * FROM dosql_past_0.gone"), "no error");
}

// Compiled when the table was there; SQLite compiles them again by itself.
TEST_F(AsOfTest, AStatementWhoseTableGoesIntoThePast) {
  make_history();
  exec("CREATE TABLE gone(x); INSERT INTO gone VALUES ('ghost')");
  Statement plain = conn.prepare("SELECT x FROM gone").value();
  Statement mixed =
      conn.prepare("SELECT gone.x, old.v FROM gone, t FOR SYSTEM_TIME AS OF SNAPSHOT 'main@6' old").value();
  ASSERT_TRUE(plain.step().value());
  ASSERT_TRUE(mixed.step().value());
  plain.reset();
  mixed.reset();
  exec("DROP TABLE gone");
  EXPECT_EQ(rows("SELECT x FROM gone FOR SYSTEM_TIME AS OF SNAPSHOT 'main@6'"), "ghost");
  auto step = plain.step();
  ASSERT_FALSE(step);
  EXPECT_EQ(step.error().message(), "no such table: gone");
  step = mixed.step();
  ASSERT_FALSE(step);
  EXPECT_EQ(step.error().message(), "no such table: gone");
  exec("CREATE TEMP TABLE gone AS SELECT 'temporary' AS x");
  ASSERT_TRUE(mixed.step().value());
  EXPECT_EQ(mixed.text(0), "temporary");
}

TEST_F(AsOfTest, AKeptStatementNoticesATemporaryTable) {
  make_history();
  exec("CREATE TABLE u(a); INSERT INTO u VALUES ('main')");
  const std::string sql = "SELECT u.a, old.v FROM u, t FOR SYSTEM_TIME AS OF SNAPSHOT 'main@2' old";
  Statement kept = conn.prepare(sql).value();
  ASSERT_TRUE(kept.step().value());
  EXPECT_EQ(kept.text(0), "main");
  kept.reset();
  EXPECT_EQ(rows(sql), "main|a") << "and into the cache";
  exec("CREATE TEMP TABLE u(a); INSERT INTO temp.u VALUES ('temp')");
  ASSERT_TRUE(kept.step().value());
  EXPECT_EQ(kept.text(0), "temp");
  kept.reset();
  EXPECT_EQ(rows(sql), "temp|a");
  exec("DROP TABLE temp.u");
  EXPECT_EQ(rows(sql), "main|a");
}

TEST_F(AsOfTest, AttachmentsDoNotShow) {
  make_history();
  const std::string past = "SELECT v FROM t FOR SYSTEM_TIME AS OF SNAPSHOT 'main@2'";
  EXPECT_EQ(rows(past), "a");
  EXPECT_EQ(rows("SELECT count(*) FROM dosql_log"), "4");
  EXPECT_EQ(rows("PRAGMA database_list"), "0|main|/nowhere/test/main");
  EXPECT_EQ(rows(past), "a");
  exec("ANALYZE; REINDEX");
  EXPECT_EQ(rows(past), "a");
  EXPECT_EQ(rows("PRAGMA integrity_check"), "ok");
  EXPECT_EQ(rows(past), "a");
  exec("VACUUM");
  EXPECT_EQ(error_of("ATTACH ':memory:' AS Dosql_Past_7"),
            "a name that begins with dosql_past_ is for versions of the past");
  EXPECT_NE(error_of("ATTACH '/nowhere/test/main@2' AS x"), "no error");
}

// Where the text does not say the name, it is known only once the database is attached.
TEST_F(AsOfTest, NoAttachedDatabaseGetsAReservedName) {
  make_history();
  const std::string past = "SELECT v FROM t FOR SYSTEM_TIME AS OF SNAPSHOT 'main@2'";
  const auto attach = [&](const std::string& name) {
    Statement statement = conn.prepare("ATTACH ':memory:' AS ?").value();
    DOSQL_EXPECT_OK(statement.bind(1, name));
    const auto done = statement.step();
    return done ? std::string("attached") : done.error().message();
  };
  for (const char* begin : {"SAVEPOINT s; RELEASE s", "BEGIN"}) {
    exec(begin);
    EXPECT_EQ(rows(past), "a");
    EXPECT_EQ(attach("dosql_past_0"), "a name that begins with dosql_past_ is for versions of the past");
    EXPECT_EQ(attach("DOSQL_past_x"), "a name that begins with dosql_past_ is for versions of the past");
    EXPECT_EQ(rows(past), "a");
    EXPECT_EQ(rows("SELECT count(*) FROM pragma_database_list WHERE name LIKE 'dosql%'"), "0");
  }
  EXPECT_EQ(attach("mine"), "attached");
  exec("COMMIT");
  EXPECT_EQ(rows(past), "a");
}

// With a transaction or a running statement keeping the past attached, all of it is as if it were not there.
TEST_F(AsOfTest, ThePastIsHiddenInATransactionToo) {
  exec("CREATE TABLE t(id INTEGER PRIMARY KEY, v); CREATE TABLE gone(x); INSERT INTO gone VALUES ('past')");
  exec("CREATE TABLE x(a); CREATE VIEW one AS SELECT 1 AS a; CREATE SNAPSHOT s");
  exec("DROP TABLE gone; DROP VIEW one; DROP TABLE x; CREATE VIEW x AS SELECT 'present' AS a");
  const std::string past = "SELECT count(*) FROM gone FOR SYSTEM_TIME AS OF SNAPSHOT s";
  for (const std::string begin : {"BEGIN", "BEGIN IMMEDIATE", "SAVEPOINT a"}) {
    EXPECT_EQ(rows(past), "1");
    exec(begin);
    EXPECT_EQ(rows(past), "1");
    EXPECT_EQ(rows("SELECT count(*) FROM one"), "error: no such table: one");
    EXPECT_EQ(rows("SELECT EXISTS (SELECT 1 FROM gone)"), "error: no such table: gone");
    EXPECT_EQ(rows("SELECT nope FROM gone"), "error: no such table: gone");
    EXPECT_EQ(rows("SELECT count(*) FROM x"), "1");
    EXPECT_EQ(rows("WITH gone AS (SELECT 5 AS a) SELECT count(*) FROM gone"), "1");
    EXPECT_EQ(rows("SELECT count(*) FROM pragma_table_info('gone')"), "0");
    EXPECT_EQ(rows("SELECT name FROM pragma_database_list WHERE name <> 'temp'"), "main");
    EXPECT_EQ(rows("PRAGMA table_info(gone)"), "");
    exec("DROP TABLE IF EXISTS gone; DROP INDEX IF EXISTS gone_x; DROP TRIGGER IF EXISTS gone_t; ANALYZE");
    EXPECT_EQ(error_of("ALTER TABLE gone RENAME TO y"), "no such table: gone");
    exec("CREATE TABLE gone(x); INSERT INTO gone VALUES ('present')");
    EXPECT_EQ(rows("SELECT x FROM gone"), "present");
    EXPECT_EQ(rows("SELECT g.x, p.x FROM gone g, gone FOR SYSTEM_TIME AS OF SNAPSHOT s p"), "present|past");
    exec("DROP TABLE gone");
    exec(begin == "SAVEPOINT a" ? "RELEASE a" : "COMMIT");
  }
}

TEST_F(AsOfTest, TemporaryViewsAndTriggersSeeThePresent) {
  exec("CREATE TABLE t(id INTEGER PRIMARY KEY, v); CREATE TABLE gone(x); INSERT INTO gone VALUES ('past')");
  exec("CREATE SNAPSHOT s; DROP TABLE gone");
  exec("CREATE TEMP VIEW tv AS SELECT * FROM gone; CREATE TEMP TABLE seen(n)");
  exec("CREATE TEMP TRIGGER tt AFTER INSERT ON t BEGIN INSERT INTO seen SELECT count(*) FROM gone; END");
  EXPECT_EQ(rows("SELECT tv.x FROM tv, t FOR SYSTEM_TIME AS OF SNAPSHOT s"), "error: no such table: gone");
  EXPECT_EQ(rows("SELECT count(*) FROM tv, t FOR SYSTEM_TIME AS OF SNAPSHOT s"),
            "error: no such table: gone");
  EXPECT_EQ(rows("INSERT INTO t SELECT 1, x FROM gone FOR SYSTEM_TIME AS OF SNAPSHOT s"),
            "error: no such table: gone");
  exec("CREATE TABLE gone(x)");
  exec("INSERT INTO t SELECT 1, x FROM gone FOR SYSTEM_TIME AS OF SNAPSHOT s");
  EXPECT_EQ(rows("SELECT v, n FROM t, seen"), "past|0");
}

// A user's databases come and go while the past is locked: SQLite's list of databases stays whole.
TEST_F(AsOfTest, AttachAndDetachBesideThePast) {
  options.allow_files = true;
  Database files = open_in_memory(options);
  Connection c = files.connect().value();
  const auto text = [&](const std::string& sql) { return rows_text(c, sql); };
  DOSQL_ASSERT_OK(
      c.exec("CREATE TABLE t(v); INSERT INTO t VALUES ('past'); CREATE SNAPSHOT s; UPDATE t SET v = 'now'"));
  Statement reading = c.prepare("SELECT v FROM t FOR SYSTEM_TIME AS OF SNAPSHOT s").value();
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(reading.step().value());
    DOSQL_ASSERT_OK(c.exec("ATTACH ':memory:' AS m; CREATE TABLE m.t(v); CREATE TABLE m.u(v)"));
    DOSQL_ASSERT_OK(c.exec("ATTACH ':memory:' AS n; INSERT INTO m.u VALUES ('mine')"));
    EXPECT_EQ(text("SELECT u.v, p.v FROM u, t FOR SYSTEM_TIME AS OF SNAPSHOT s p"), "mine|past");
    EXPECT_EQ(text("SELECT p.v, q.v FROM t FOR SYSTEM_TIME AS OF VERSION CURRENT - 1 p, t q"), "past|now");
    EXPECT_EQ(text("SELECT group_concat(name) FROM pragma_database_list WHERE name <> 'temp'"), "main,m,n");
    EXPECT_FALSE(reading.step().value());
    DOSQL_ASSERT_OK(c.exec("DETACH m"));
    EXPECT_EQ(text("SELECT v FROM t FOR SYSTEM_TIME AS OF SNAPSHOT s"), "past");
    DOSQL_ASSERT_OK(c.exec("DETACH n"));
  }
  DOSQL_ASSERT_OK(c.exec("VACUUM"));
  EXPECT_EQ(text("SELECT p.v, q.v FROM t FOR SYSTEM_TIME AS OF SNAPSHOT s p, t q"), "past|now");
}

// An attached database more is one point less that stays ready, not an error.
TEST_F(AsOfTest, ManyAttachedDatabasesLeaveRoomForThePast) {
  make_history();
  for (int i = 0; i < 90; ++i) exec(fmt::format("INSERT INTO t VALUES ({}, 'x')", i + 10));
  for (int i = 0; i < 120; ++i) exec(fmt::format("ATTACH ':memory:' AS m{}", i));
  for (int version = 4; version <= 94; ++version) {
    EXPECT_EQ(rows(fmt::format("SELECT count(*) FROM t FOR SYSTEM_TIME AS OF SNAPSHOT 'main@{}'", version)),
              std::to_string(version - 2));
  }
}

// The points that others have ready do not count.
TEST_F(AsOfTest, ATransactionReadsAHundredPointsOfItsOwn) {
  make_history();
  for (int i = 0; i < 140; ++i) exec(fmt::format("INSERT INTO t VALUES ({}, 'x')", i + 10));
  const auto count_at = [&](int version) {
    return rows(fmt::format("SELECT count(*) FROM t FOR SYSTEM_TIME AS OF SNAPSHOT 'main@{}'", version));
  };
  for (int version = 4; version < 40; ++version) EXPECT_EQ(count_at(version), std::to_string(version - 2));
  exec("BEGIN IMMEDIATE");
  for (int version = 40; version < 140; ++version) EXPECT_EQ(count_at(version), std::to_string(version - 2));
  EXPECT_NE(count_at(140), "138");
  exec("COMMIT");
  EXPECT_EQ(count_at(140), "138");
}

TEST_F(AsOfTest, ThePastIsNotWrittenTo) {
  make_history();
  Statement reading = conn.prepare("SELECT id FROM t FOR SYSTEM_TIME AS OF SNAPSHOT 'main@4'").value();
  ASSERT_TRUE(reading.step().value());  // so that it stays attached
  for (const char* sql :
       {"UPDATE dosql_past_0.t SET v = 1", "DELETE FROM dosql_past_0.t", "DROP TABLE dosql_past_0.t",
        "CREATE TABLE dosql_past_0.u(x)", "INSERT INTO dosql_past_0.t VALUES (9, 9)"}) {
    EXPECT_NE(error_of(sql), "no error") << sql;
  }
  EXPECT_EQ(error_of("UPDATE t FOR SYSTEM_TIME AS OF LSN 1 SET v = 1"),
            "the past cannot be written to @ FOR SYSTEM_TIME AS OF LSN 1 SET v = 1");
  ASSERT_TRUE(reading.step().value());
  EXPECT_EQ(reading.integer(0), 2);
}

TEST_F(AsOfTest, WhatAnErrorSays) {
  make_history();
  exec("CREATE TABLE late(x)");
  EXPECT_EQ(error_of("SELECT * FROM late FOR SYSTEM_TIME AS OF SNAPSHOT 'main@2'"),
            "no such table: late at main@2 @ late FOR SYSTEM_TIME AS OF SNAPSHOT 'main@2'");
  EXPECT_EQ(error_of("SELECT 1; SELECT * FROM late FOR SYSTEM_TIME AS OF SNAPSHOT 'main@2'"),
            "no such table: late at main@2 @ late FOR SYSTEM_TIME AS OF SNAPSHOT 'main@2'");
  EXPECT_TRUE(error_of("SELECT * FROM t FOR SYSTEM_TIME AS OF LSN 99999999;").ends_with(" @ 99999999;"));
  EXPECT_TRUE(error_of("SELECT * FROM t FOR SYSTEM_TIME AS OF VERSION CURRENT - 99").ends_with(" @ - 99"));
  EXPECT_EQ(error_of("SELECT nope FROM t FOR SYSTEM_TIME AS OF SNAPSHOT 'main@2' WHERE nope = 1"),
            "no such column: nope @ nope FROM t FOR SYSTEM_TIME AS OF SNAPSHOT 'main@2' WHERE nope = 1");
  EXPECT_EQ(error_of("SELECT 1 FROM t FOR SYSTEM_TIME AS OF SNAPSHOT 'main@2' WHERE nope = 1"),
            "no such column: nope @ nope = 1");
  EXPECT_EQ(error_of("SELECT * FROM temp.t FOR SYSTEM_TIME AS OF SNAPSHOT 'main@2'"),
            "only tables of main have a past, not those of 'temp' @ temp.t FOR SYSTEM_TIME AS OF SNAPSHOT "
            "'main@2'");
  EXPECT_EQ(rows("SELECT v FROM main.t FOR SYSTEM_TIME AS OF SNAPSHOT 'main@2'"), "a");
}

// A version whose schema SQLite cannot read fails its own queries and no others.
TEST_F(AsOfTest, AVersionWithADamagedSchema) {
  make_history();
  exec(
      "PRAGMA writable_schema = ON; INSERT INTO sqlite_schema VALUES ('table', 'bad', 'bad', 2, 'CREATE "
      "TABLE bad(');"
      "DELETE FROM sqlite_schema WHERE name = 'bad'; PRAGMA writable_schema = RESET");
  for (int i = 0; i < 100; ++i) {
    EXPECT_NE(error_of("SELECT * FROM t FOR SYSTEM_TIME AS OF SNAPSHOT 'main@5'"), "no error");
    exec(fmt::format("INSERT INTO t(v) VALUES ({})", i));
    EXPECT_EQ(rows("SELECT max(v = 'c') FROM t FOR SYSTEM_TIME AS OF VERSION CURRENT - 1"), "1");
  }
  exec("BEGIN");
  EXPECT_NE(error_of("SELECT * FROM t FOR SYSTEM_TIME AS OF SNAPSHOT 'main@5'"), "no error");
  EXPECT_EQ(rows("SELECT count(*) FROM t"), "102");
  exec("COMMIT");
}

// FTS5 keeps its index in tables of its own, which it reads with statements of its own.
TEST_F(AsOfTest, VirtualTables) {
  exec("CREATE VIRTUAL TABLE f USING fts5(body)");
  exec("INSERT INTO f VALUES ('the old text')");
  exec("UPDATE f SET body = 'a new text'");
  EXPECT_EQ(rows("SELECT body FROM f FOR SYSTEM_TIME AS OF SNAPSHOT 'main@2' WHERE f MATCH 'text'"),
            "the old text");
  EXPECT_EQ(rows("SELECT body FROM f WHERE f MATCH 'text'"), "a new text");
  Statement statement =
      conn.prepare("SELECT body FROM f FOR SYSTEM_TIME AS OF SNAPSHOT ? AS old WHERE body MATCH 'text'")
          .value();
  for (int i = 0; i < 80; ++i) {
    exec(fmt::format("UPDATE f SET body = 'text {}'", i));
    DOSQL_ASSERT_OK(statement.bind(1, fmt::format("main@{}", 4 + i)));
    ASSERT_TRUE(statement.step().value());
    EXPECT_EQ(statement.text(0), fmt::format("text {}", i));
  }
}

// The names of its result columns; those that are stored must not be of a text that only SQLite sees.
TEST_F(AsOfTest, ColumnsHaveTheNamesTheirTextGivesThem) {
  make_history();
  const auto names = [&](const std::string& sql) {
    std::string text;
    const auto statement = conn.prepare(sql);
    if (!statement) return statement.error().message();
    for (int i = 0; i < statement->column_count(); ++i) text += std::string(statement->column_name(i)) + "|";
    return text;
  };
  const std::string past = "FOR SYSTEM_TIME AS OF SNAPSHOT 'main@2'";
  const std::string count = "(SELECT count(*) FROM t " + past + ")";
  EXPECT_EQ(names("SELECT " + count + ", 1 + 1 FROM t"), count + "|1 + 1|");
  EXPECT_EQ(names("SELECT " + count + " a, " + count + " AS b, " + count + " 'c'"), "a|b|c|");
  EXPECT_EQ(names("SELECT EXISTS (SELECT 1 FROM t " + past + ")UNION SELECT 2"),
            "EXISTS (SELECT 1 FROM t " + past + ")|");
  exec("CREATE TABLE single(id); CREATE SNAPSHOT singles");
  EXPECT_EQ(names("SELECT DISTINCT 1 IN single FOR SYSTEM_TIME AS OF SNAPSHOT singles, 2 FROM t"),
            "1 IN single FOR SYSTEM_TIME AS OF SNAPSHOT singles|2|");
  EXPECT_EQ(names("SELECT *, 5 IN (SELECT id FROM t) FROM t " + past), "id|v|5 IN (SELECT id FROM t)|");
  EXPECT_EQ(names("SELECT * FROM (SELECT " + count + " /*c*/ FROM t)"), count + " /*c*/|");
  EXPECT_EQ(names("WITH c AS (SELECT " + count + "), d(x) AS (SELECT " + count + ") SELECT * FROM c, d"),
            count + "|x|");
  EXPECT_EQ(names("DELETE FROM t RETURNING " + count + ", id"), count + "|id|");
  EXPECT_EQ(names("SELECT \"v\" || " + count + " -- end\n FROM t"), "\"v\" || " + count + " -- end|");

  exec("CREATE TABLE k AS SELECT " + count + " FROM t");
  EXPECT_EQ(rows("SELECT name FROM pragma_table_info('k')"), count);

  Statement variables =
      conn.prepare("SELECT a.id, ?, ? + 1 FROM t FOR SYSTEM_TIME AS OF SNAPSHOT ? AS a").value();
  DOSQL_ASSERT_OK((variables.bind_all(
      std::vector<Value>{Value(std::int64_t{7}), Value(std::int64_t{8}), Value("main@2")})));
  EXPECT_EQ(variables.step().value(), true);
  EXPECT_EQ(variables.column_name(1), "?");
  Statement behind =
      conn.prepare("SELECT (SELECT count(*) FROM t FOR SYSTEM_TIME AS OF SNAPSHOT ?), ?").value();
  DOSQL_ASSERT_OK((behind.bind_all(std::vector<Value>{Value("main@2"), Value(std::int64_t{8})})));
  EXPECT_EQ(behind.step().value(), true);
  EXPECT_EQ(behind.column_name(1), "?");
}

// NULL is no number of versions, wherever it comes from: it must not read the present.
TEST_F(AsOfTest, NoVersionIsNullBack) {
  make_history();
  const std::string refused = "VERSION CURRENT counts in whole numbers, not NULL @ ";
  EXPECT_EQ(error_of("SELECT * FROM t FOR SYSTEM_TIME AS OF VERSION CURRENT - NULL"), refused + "- NULL");
  EXPECT_EQ(error_of("SELECT * FROM t FOR SYSTEM_TIME AS OF VERSION CURRENT - ?"), refused + "- ?");
  Statement bound = conn.prepare("SELECT count(*) FROM t FOR SYSTEM_TIME AS OF VERSION CURRENT - ?").value();
  for (const Value& value : {Value("x"), Value("1"), Value(0.5), Value(Blob{})}) {
    DOSQL_EXPECT_OK(bound.bind(1, value));
    const auto step = bound.step();
    ASSERT_FALSE(step);
    EXPECT_TRUE(step.error().message().starts_with("VERSION CURRENT counts in whole numbers, not "));
    DOSQL_EXPECT_OK(bound.bind(1, 0));
    EXPECT_TRUE(bound.step().value());
  }
  EXPECT_EQ(error_of("SELECT * FROM t FOR SYSTEM_TIME AS OF VERSION CURRENT - 'x'"),
            "VERSION CURRENT counts in whole numbers @ 'x'");
  EXPECT_EQ(error_of("CREATE SNAPSHOT 's' AS OF VERSION CURRENT - NULL").substr(0, 48),
            refused.substr(0, 48));
  exec("CREATE SNAPSHOT 's' AS OF VERSION CURRENT");
}

TEST_F(AsOfTest, ThePointThatFailsIsShown) {
  make_history();
  const std::string overflow = "abs(-9223372036854775807-1)";
  EXPECT_EQ(
      error_of("SELECT * FROM t FOR SYSTEM_TIME AS OF LSN 1+1, t b FOR SYSTEM_TIME AS OF LSN " + overflow),
      "integer overflow @ " + overflow);
}

// Only what SQLite could not compile again is worth another attempt.
TEST_F(AsOfTest, AnErrorOfRunningIsNotRunAgain) {
  make_history();
  exec("CREATE VIRTUAL TABLE docs USING fts5(body)");
  Statement statement =
      conn.prepare("SELECT * FROM t FOR SYSTEM_TIME AS OF SNAPSHOT 'main@2', docs WHERE docs MATCH ?")
          .value();
  int runs = 0;
  // FTS5 reads tables of its own with statements of its own.
  conn.set_trace([&](const StatementTrace& trace) { runs += trace.sql.contains("FOR SYSTEM_TIME"); });
  DOSQL_ASSERT_OK((statement.bind_all(std::vector<Value>{Value("nowhere : word")})));
  const auto row = statement.step();
  ASSERT_FALSE(row);
  EXPECT_EQ(row.error().message(), "no such column: nowhere");
  statement.reset();
  conn.set_trace({});
  EXPECT_EQ(runs, 1);
}

}  // namespace
}  // namespace dosql::engine
