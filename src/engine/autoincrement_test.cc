// AUTOINCREMENT over branches: which numbers are given, and that SQLite's programs begin as we think they do.

#include "engine/autoincrement.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include "engine/engine_test_support.h"
#include "engine/sqlite_running.h"
#include "version/store_test_support.h"

namespace dosql::engine {
namespace {

constexpr const char* kTable = "CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT, v);";

class AutoincrementTest : public ::testing::Test {
 protected:
  // `main` stays on main, and `other` on a branch x of it that begins with three rows.
  void SetUp() override {
    exec(main, kTable);
    exec(main, "INSERT INTO t(v) VALUES('a'), ('b'), ('c'); CREATE BRANCH x");
    exec(other, "CHECKOUT x");
  }
  static void exec(Connection& connection, const std::string& sql) { DOSQL_ASSERT_OK(connection.exec(sql)); }
  // The number that one more row gets.
  static std::string insert(Connection& connection, const std::string& table = "t") {
    return rows_text(connection, fmt::format("INSERT INTO {} DEFAULT VALUES RETURNING id", table));
  }
  static std::string sequence(Connection& connection, const std::string& table = "t") {
    return rows_text(connection, fmt::format("SELECT seq FROM sqlite_sequence WHERE name = '{}'", table));
  }
  void reopen() {
    main = open_in_memory().connect().value();
    other = open_in_memory().connect().value();
    db = open_in_memory();
    db = open_on(std::make_unique<version::SharedDirectory>(*disk)).value();
    main = db.connect().value();
    other = db.connect().value();
    exec(other, "CHECKOUT x");
  }

  std::unique_ptr<io::Directory> disk = io::make_memory_directory();
  Database db = open_on(std::make_unique<version::SharedDirectory>(*disk)).value();
  Connection main = db.connect().value();
  Connection other = db.connect().value();
};

// --- SQLite's programs ---

// When this fails another SQLite has come: compare sqlite3AutoincrementBegin(), autoIncrementEnd() and
// OP_NewRowid with what sqlite_internals.c says of them.
TEST(AutoincrementProgram, BeginsWithTheListThatItIsChangedIn) {
  Stock stock(":memory:");
  stock.exec(kTable);
  sqlite3_stmt* explain = nullptr;
  sqlite3_prepare_v2(stock.db(), "EXPLAIN INSERT INTO t(v) VALUES(1)", -1, &explain, nullptr);
  std::vector<std::string> ops;
  int at = 0;  // where the list begins
  int r = 0;   // its register
  while (sqlite3_step(explain) == SQLITE_ROW) {
    const std::string name = reinterpret_cast<const char*>(sqlite3_column_text(explain, 1));
    const auto p = [&](int index) { return sqlite3_column_int(explain, 1 + index); };
    if (name == "Null" && p(3) == p(2) + 2) {
      at = static_cast<int>(ops.size());
      r = p(2);
    }
    ops.push_back(fmt::format("{} {} {} {}", name, p(1), p(2), p(3)));
  }
  sqlite3_finalize(explain);
  ASSERT_GE(at, 2) << fmt::format("{}", fmt::join(ops, "\n"));
  ASSERT_GE(ops.size(), static_cast<std::size_t>(at) + 12);
  const std::vector<std::string> list(ops.begin() + at - 2, ops.begin() + at + 12);
  EXPECT_THAT(list, ::testing::ElementsAre(
                        ::testing::MatchesRegex("OpenRead 0 [0-9]+ 0"),
                        ::testing::MatchesRegex(fmt::format("String8 [0-9]+ {} 0", r - 1)),
                        fmt::format("Null 0 {} {}", r, r + 2), fmt::format("Rewind 0 {} 0", at + 10),
                        fmt::format("Column 0 0 {}", r), fmt::format("Ne {} {} {}", r - 1, at + 9, r),
                        fmt::format("Rowid 0 {} 0", r + 1), fmt::format("Column 0 1 {}", r),
                        fmt::format("AddImm {} 0 0", r), fmt::format("Copy {} {} 0", r, r + 2),
                        fmt::format("Goto 0 {} 0", at + 11), fmt::format("Next 0 {} 0", at + 2),
                        fmt::format("Integer 0 {} 0", r), "Close 0 0 0"));
}

TEST(AutoincrementProgram, IsChangedAndPutBack) {
  Stock stock(":memory:");
  stock.exec(kTable);
  stock.exec(
      "CREATE TABLE log(id INTEGER PRIMARY KEY AUTOINCREMENT, v); CREATE TABLE plain(id INTEGER PRIMARY KEY);"
      "CREATE TRIGGER tr AFTER INSERT ON t BEGIN INSERT INTO log(v) VALUES(new.id); END");
  const auto prepared = [&](const char* sql) {
    sqlite3_stmt* statement = nullptr;
    EXPECT_EQ(sqlite3_prepare_v2(stock.db(), sql, -1, &statement, nullptr), SQLITE_OK);
    return statement;
  };
  sqlite3_stmt* const insert = prepared("INSERT INTO t(v) VALUES(1)");
  const auto count_from = [&](long long floor) {
    int tables = 0;
    for (dosql_counter counter{}; dosql_next_counter(insert, &counter) != 0; ++tables) {
      const std::string name(static_cast<const char*>(counter.table), counter.table_bytes);
      EXPECT_TRUE(name == "t" || name == "log") << name;
      dosql_count_from(insert, &counter, floor);
    }
    EXPECT_EQ(tables, 2);
  };
  const auto run = [&] {
    EXPECT_EQ(sqlite3_step(insert), SQLITE_DONE) << sqlite3_errmsg(stock.db());
    const std::int64_t id = sqlite3_last_insert_rowid(stock.db());
    for (dosql_counter counter{}; dosql_next_counter(insert, &counter) != 0;)
      EXPECT_EQ(dosql_counted_to(insert, &counter), id);
    sqlite3_reset(insert);
    return stock.rows_text("SELECT max(t.id), max(log.id), max(seq), min(seq) FROM t, log, sqlite_sequence");
  };
  EXPECT_EQ(run(), "1|1|1|1");
  for (const long long floor : {7LL, 7LL, 3LL, 0LL}) {
    count_from(floor);
    run();
  }
  EXPECT_EQ(stock.rows_text("SELECT group_concat(id) FROM t"), "1,8,9,10,11");
  EXPECT_EQ(stock.rows_text("SELECT group_concat(id) FROM log"), "1,8,9,10,11");
  constexpr long long kHigh = 0x1234'5678'9abc'def0;
  count_from(kHigh);
  EXPECT_EQ(run(), fmt::format("{0}|{0}|{0}|{0}", kHigh + 1));
  count_from(std::numeric_limits<long long>::max());
  EXPECT_EQ(sqlite3_step(insert), SQLITE_FULL);
  sqlite3_reset(insert);
  count_from(-1);
  EXPECT_EQ(run(), fmt::format("{0}|{0}|{0}|{0}", kHigh + 2));
  sqlite3_finalize(insert);

  for (const char* const sql : {"INSERT INTO plain VALUES(1)", "SELECT * FROM t", "DELETE FROM t",
                                "EXPLAIN INSERT INTO t(v) VALUES(1)"}) {
    sqlite3_stmt* const statement = prepared(sql);
    dosql_counter counter{};
    EXPECT_EQ(dosql_next_counter(statement, &counter), 0) << sql;
    sqlite3_finalize(statement);
  }
}

// --- Which numbers are given ---

TEST_F(AutoincrementTest, WhatAnotherBranchGaveIsNotGivenAgain) {
  EXPECT_EQ(insert(main), "4");
  EXPECT_EQ(insert(main), "5") << "on one branch they rise by one";
  EXPECT_EQ(insert(other), "6");
  EXPECT_EQ(insert(other), "7");
  EXPECT_EQ(insert(main), "8");
  EXPECT_EQ(sequence(main), "8");
  EXPECT_EQ(sequence(other), "7");
  exec(main, "MERGE BRANCH x");
  EXPECT_EQ(rows_text(main, "SELECT group_concat(id) FROM t"), "1,2,3,4,5,6,7,8");
  EXPECT_EQ(insert(other), "9");
}

TEST_F(AutoincrementTest, AStatementThatIsPreparedFollowsItsConnection) {
  Statement statement = main.prepare("INSERT INTO t(v) VALUES(?1) RETURNING id").value();
  const auto run = [&] {
    EXPECT_TRUE(statement.step().value());
    const std::int64_t id = statement.integer(0);
    EXPECT_FALSE(statement.step().value());
    return id;
  };
  EXPECT_EQ(run(), 4);
  exec(main, "CHECKOUT x");
  EXPECT_EQ(run(), 5);
  EXPECT_EQ(run(), 6);
  exec(main, "CHECKOUT main; BEGIN");
  EXPECT_EQ(run(), 7);
  exec(main, "COMMIT; CHECKOUT x; BEGIN IMMEDIATE");
  EXPECT_EQ(run(), 8);
  exec(main, "COMMIT; CHECKOUT main");
  exec(other, "INSERT INTO t(v) VALUES('x'); ALTER TABLE t ADD COLUMN w");
  exec(main, "CHECKOUT x");
  EXPECT_EQ(run(), 10);
  // Another connection changes the schema, so that SQLite compiles it again in the middle of the call.
  exec(other, "ALTER TABLE t ADD COLUMN u");
  Connection third = db.connect().value();
  exec(third, "INSERT INTO t(v) VALUES('main'), ('main')");
  EXPECT_EQ(run(), 13);
}

TEST_F(AutoincrementTest, AnOpenTransactionCountsUntilItIsRolledBack) {
  exec(main, "BEGIN; INSERT INTO t(v) VALUES(1), (2)");
  EXPECT_EQ(insert(other), "6");
  EXPECT_EQ(insert(main), "7");
  exec(main, "ROLLBACK");
  EXPECT_EQ(insert(other), "7") << "nobody has it any more";
  exec(other, "BEGIN; INSERT INTO t(v) VALUES(1); ROLLBACK");
  EXPECT_EQ(insert(other), "8") << "as SQLite counts after a rollback";
  EXPECT_EQ(insert(main), "9");
  exec(main, "BEGIN; INSERT INTO t(v) VALUES(1); SAVEPOINT s; INSERT INTO t(v) VALUES(2); ROLLBACK TO s");
  EXPECT_EQ(insert(main), "11");
  EXPECT_EQ(insert(other), "12");
  exec(main, "COMMIT");
  EXPECT_EQ(insert(other), "13");
}

// Each begins where the other is by then.
TEST_F(AutoincrementTest, TransactionsThatAreOpenAtOnceDoNotMeet) {
  exec(main, "BEGIN");
  exec(other, "BEGIN");
  int id = 3;
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(insert(main), std::to_string(++id));
    EXPECT_EQ(insert(other), std::to_string(++id));
  }
  exec(main, "COMMIT");
  exec(other, "COMMIT");
  exec(main, "MERGE BRANCH x");
  EXPECT_EQ(rows_text(main, "SELECT count(*), max(id) FROM t"), "13|13");
}

// What it was told by others is no number of its own.
TEST_F(AutoincrementTest, ATransactionThatInsertsNothingGivesNothing) {
  exec(main,
       "CREATE TABLE p(v); CREATE TRIGGER tr AFTER UPDATE ON p BEGIN INSERT INTO t(v) VALUES(new.v); END");
  exec(other, "BEGIN; INSERT INTO t(v) VALUES('x'), ('x')");
  exec(main, "BEGIN; UPDATE p SET v = 1");
  exec(other, "ROLLBACK");
  EXPECT_EQ(insert(other), "4");
  EXPECT_EQ(insert(main), "5");
}

TEST_F(AutoincrementTest, AStatementInTheMiddleOfItsRowsHasGivenThem) {
  Statement rows = main.prepare("INSERT INTO t(v) VALUES(1), (2), (3) RETURNING id").value();
  ASSERT_TRUE(rows.step().value());
  EXPECT_EQ(insert(other), "7");
}

TEST_F(AutoincrementTest, ItFollowsFromTheBranchesAlone) {
  EXPECT_EQ(insert(main), "4");
  reopen();
  EXPECT_EQ(insert(other), "5");
  reopen();
  EXPECT_EQ(insert(other), "6");
  EXPECT_EQ(insert(main), "7");
}

TEST_F(AutoincrementTest, ABranchThatIsDroppedIsForgotten) {
  exec(other, "INSERT INTO t VALUES(1000, 'x')");
  Statement statement = main.prepare("INSERT INTO t(v) VALUES(1) RETURNING id").value();
  exec(other, "CHECKOUT main; DROP BRANCH x FORCE");
  ASSERT_TRUE(statement.step().value());
  EXPECT_EQ(statement.integer(0), 4);
  statement.reset();
  exec(other, "CREATE BRANCH x; CHECKOUT x; INSERT INTO t VALUES(50, 'x')");
  ASSERT_TRUE(statement.step().value());
  EXPECT_EQ(statement.integer(0), 51);
  statement.reset();
  exec(other, "CHECKOUT main; DROP BRANCH x FORCE; DELETE FROM t; DELETE FROM sqlite_sequence");
  ASSERT_TRUE(statement.step().value());
  EXPECT_EQ(statement.integer(0), 1) << "what it was told is taken back";
}

TEST_F(AutoincrementTest, ABranchThatIsFastForwardedIsTheSameBranch) {
  exec(other, "INSERT INTO t(v) VALUES('x'), ('x')");
  exec(main, "MERGE BRANCH x");
  EXPECT_EQ(insert(main), "6");
  EXPECT_EQ(insert(main), "7");
  EXPECT_EQ(insert(other), "8");
}

TEST_F(AutoincrementTest, EveryWayToInsert) {
  exec(main, "CREATE TABLE u(k UNIQUE, n INTEGER PRIMARY KEY AUTOINCREMENT); MERGE BRANCH x");
  exec(other, "MERGE BRANCH main; INSERT INTO u(k) VALUES('x'); INSERT INTO t(v) VALUES('x')");
  EXPECT_EQ(insert(main), "5");
  exec(other, "INSERT INTO t SELECT NULL, v FROM t WHERE v < 'b'");
  EXPECT_EQ(rows_text(other, "SELECT max(id) FROM t"), "6");
  exec(main, "INSERT INTO t SELECT * FROM t FOR SYSTEM_TIME AS OF BRANCH 'x' WHERE id = 6");
  exec(main, "INSERT INTO t(v) SELECT v FROM t FOR SYSTEM_TIME AS OF BRANCH 'x' WHERE id < 3");
  EXPECT_EQ(rows_text(main, "SELECT group_concat(id) FROM t WHERE id > 5"), "6,7,8");
  exec(other, "REPLACE INTO t VALUES(NULL, 'x')");
  EXPECT_EQ(rows_text(other, "SELECT max(id) FROM t"), "9");
  exec(main, "INSERT INTO u(k) VALUES('m') ON CONFLICT DO UPDATE SET k = 'n'");
  exec(main, "INSERT INTO u(k) VALUES('m') ON CONFLICT DO UPDATE SET k = 'n'");
  exec(main, "REPLACE INTO u(k) VALUES('n')");
  EXPECT_EQ(rows_text(main, "SELECT k, n FROM u"), "n|4") << "one number went with what was updated instead";
  exec(other, "INSERT OR IGNORE INTO u(k) VALUES('x'), ('y')");
  EXPECT_EQ(rows_text(other, "SELECT k, n FROM u"), "x|1\ny|6") << "... or ignored";
}

TEST_F(AutoincrementTest, TriggersInsertToo) {
  exec(main,
       "CREATE TABLE log(id INTEGER PRIMARY KEY AUTOINCREMENT, v); CREATE TABLE p(v);"
       "CREATE TRIGGER tr AFTER INSERT ON p BEGIN INSERT INTO log(v) VALUES(new.v); END");
  exec(other, "MERGE BRANCH main; INSERT INTO p VALUES('x'), ('x')");
  exec(main, "INSERT INTO p VALUES('m'); BEGIN; INSERT INTO p VALUES('m')");
  EXPECT_EQ(rows_text(main, "SELECT group_concat(id) FROM log"), "3,4");
  exec(other,
       "INSERT INTO p VALUES('x');"
       "CREATE TEMP TRIGGER tt AFTER INSERT ON main.p BEGIN INSERT INTO t(v) VALUES(new.v); END;"
       "INSERT INTO p VALUES('y')");
  EXPECT_EQ(rows_text(other, "SELECT group_concat(id) FROM log"), "1,2,5,6");
  exec(main, "COMMIT");
  EXPECT_EQ(insert(main), "5");
}

// Those that the user has chosen are counted, as SQLite does.
TEST_F(AutoincrementTest, GivenNumbers) {
  exec(other, "INSERT INTO t VALUES(10, 'x')");
  exec(main, "INSERT INTO t VALUES(7, 'm')");
  EXPECT_EQ(sequence(main), "10") << "what SQLite would write is 7, and it was told 10";
  EXPECT_EQ(insert(main), "11");
  exec(other, "INSERT INTO t VALUES(4, 'x'); INSERT INTO t(id, v) VALUES(NULL, 'x'), (20, 'x'), (NULL, 'x')");
  EXPECT_EQ(rows_text(other, "SELECT group_concat(id) FROM t WHERE v = 'x'"), "4,10,12,20,21");
  exec(main, "DELETE FROM t WHERE id = 7; INSERT INTO t VALUES(8, 'm'); DELETE FROM t WHERE id = 8");
  exec(other, "CHECKOUT main; DROP BRANCH x FORCE");
  EXPECT_EQ(insert(main), "22") << "8 was given with 21 at hand";
}

TEST_F(AutoincrementTest, WhoInsertsNothingChangesNothing) {
  exec(main,
       "CREATE TABLE p(v); CREATE UNIQUE INDEX i ON t(v);"
       "CREATE TRIGGER tr AFTER UPDATE ON p BEGIN INSERT INTO t(v) VALUES(new.v); END");
  exec(other, "INSERT INTO t(v) VALUES('x'), ('y')");
  const std::uint64_t version = main.version();
  exec(main, "UPDATE p SET v = 1; INSERT INTO t(v) SELECT v FROM t WHERE 0");
  DOSQL_EXPECT_ERROR(main.exec("INSERT INTO t(v) VALUES('a')"), kConstraint);
  EXPECT_EQ(main.version(), version);
  EXPECT_EQ(sequence(main), "3");
  EXPECT_EQ(insert(main), "6");
}

// Nobody is left without numbers because somebody else has none left.
TEST_F(AutoincrementTest, ACounterThatIsAtItsEnd) {
  constexpr std::int64_t kLast = std::numeric_limits<std::int64_t>::max();
  exec(other, fmt::format("INSERT INTO t VALUES({}, 'last')", kLast));
  DOSQL_EXPECT_ERROR(other.exec("INSERT INTO t(v) VALUES('x')"), kDiskFull);
  EXPECT_EQ(insert(main), "4");
}

// ... or few, be it in a transaction that is open.
TEST_F(AutoincrementTest, ACounterThatIsNearItsEnd) {
  constexpr std::int64_t kLast = std::numeric_limits<std::int64_t>::max();
  exec(other, fmt::format("INSERT INTO t VALUES({}, 'near')", kLast - 3));
  EXPECT_EQ(insert(other), std::to_string(kLast - 2));
  EXPECT_EQ(insert(main), "4");
  exec(other, "BEGIN; INSERT INTO t(v) VALUES('x')");
  EXPECT_EQ(insert(main), "5");
  exec(other, "COMMIT; CREATE BRANCH y FROM main");
  Connection third = db.connect().value();
  exec(third, "CHECKOUT y");
  EXPECT_EQ(insert(third), "6") << "what main gave counts, be there a higher number elsewhere";
  constexpr std::int64_t kHighest = kLast - (std::int64_t{1} << 40);
  exec(third, fmt::format("INSERT INTO t VALUES({}, 'far')", kHighest));
  EXPECT_EQ(insert(main), std::to_string(kHighest + 1));
}

TEST_F(AutoincrementTest, WhatUsersWriteIntoSqliteSequence) {
  exec(other, "UPDATE sqlite_sequence SET seq = 100");
  EXPECT_EQ(insert(main), "101");
  exec(other, "DELETE FROM sqlite_sequence");
  EXPECT_EQ(insert(other), "102");
  exec(other,
       "UPDATE sqlite_sequence SET seq = 110.0; INSERT INTO sqlite_sequence VALUES('T', 111), (NULL, 999)");
  EXPECT_EQ(insert(main), "112");
  exec(other, "UPDATE sqlite_sequence SET seq = 'text'; INSERT INTO sqlite_sequence VALUES('t', -5)");
  EXPECT_EQ(insert(main), "113");
  // As SQLite reads it on the branch itself.
  exec(other,
       "DELETE FROM t; DELETE FROM sqlite_sequence; INSERT INTO sqlite_sequence VALUES('t', ' +120.5')");
  EXPECT_EQ(insert(main), "121");
  exec(other, "UPDATE sqlite_sequence SET seq = CAST('130' AS BLOB)");
  EXPECT_EQ(insert(main), "131");
  exec(other, "UPDATE sqlite_sequence SET seq = '-9223372036854775809'");
  EXPECT_EQ(insert(main), "132");
  exec(other, "UPDATE sqlite_sequence SET seq = NULL");
  EXPECT_EQ(insert(main), "133");
  exec(main, "UPDATE sqlite_sequence SET seq = -7; DELETE FROM t");
  EXPECT_EQ(insert(main), "1") << "no other branch has counted: as SQLite";
}

// The schema says where the numbers are, and a user may make it look like the one before: then another table
// is where they were.
TEST(Autoincrement, ASchemaVersionThatIsSetBack) {
  Database db = open_in_memory();
  Connection main = db.connect().value();
  Connection other = db.connect().value();
  DOSQL_ASSERT_OK(main.exec(fmt::format("CREATE TABLE dropped(a); {} CREATE BRANCH x", kTable)));
  DOSQL_ASSERT_OK(other.exec("CHECKOUT x; INSERT INTO t(v) VALUES('x')"));
  const char* const insert = "INSERT INTO t DEFAULT VALUES RETURNING id";
  EXPECT_EQ(rows_text(main, insert), "2");
  const char* const place = "SELECT rootpage FROM sqlite_schema WHERE name = 'sqlite_sequence'";
  const std::string before = rows_text(other, place);
  const std::string schema_version = rows_text(other, "PRAGMA schema_version");
  DOSQL_ASSERT_OK(
      other.exec("DROP TABLE dropped; CREATE TABLE decoy(name, seq); INSERT INTO decoy VALUES('t', 5000);"
                 "PRAGMA schema_version = " +
                 schema_version));
  ASSERT_NE(rows_text(other, place), before);
  ASSERT_EQ(rows_text(other, "SELECT rootpage FROM sqlite_schema WHERE name = 'decoy'"), before);
  EXPECT_EQ(rows_text(main, insert), "3");
}

TEST_F(AutoincrementTest, TablesAreKnownByTheirNames) {
  exec(other, "INSERT INTO t VALUES(40, 'x')");
  exec(main, "ALTER TABLE t RENAME TO u");
  EXPECT_EQ(insert(main, "u"), "4") << "nobody else has a table u";
  exec(main, "CREATE TABLE T(id INTEGER PRIMARY KEY AUTOINCREMENT)");
  EXPECT_EQ(insert(main), "41");
  exec(main, "DROP TABLE u; DROP TABLE t");
  EXPECT_EQ(insert(other), "41");
  exec(main, kTable);
  EXPECT_EQ(insert(main), "42");
  EXPECT_EQ(insert(other), "43");
}

TEST_F(AutoincrementTest, TablesElsewhereAreLeftAlone) {
  TemporaryDirectory directory;
  Options options;
  options.allow_files = true;
  Database files = open_in_memory(options);
  Connection connection = files.connect().value();
  exec(connection, kTable);
  exec(connection, "CREATE BRANCH x; CHECKOUT x; INSERT INTO t VALUES(40, 'x'); CHECKOUT main");
  exec(connection,
       fmt::format("ATTACH '{}' AS plain; CREATE TABLE plain.t(id INTEGER PRIMARY KEY AUTOINCREMENT);"
                   "CREATE TEMP TABLE s(id INTEGER PRIMARY KEY AUTOINCREMENT)",
                   directory.file("plain.db")));
  EXPECT_EQ(insert(connection, "plain.t"), "1");
  EXPECT_EQ(insert(connection, "plain.t"), "2");
  EXPECT_EQ(insert(connection, "s"), "1");
  exec(connection, "CREATE TEMP TRIGGER tr AFTER INSERT ON s BEGIN INSERT INTO main.t(v) VALUES('s'); END");
  EXPECT_EQ(insert(connection, "s"), "2");
  EXPECT_EQ(rows_text(connection, "SELECT id FROM main.t"), "41");
}

TEST_F(AutoincrementTest, ASchemaThatItsTransactionChanges) {
  Statement statement = main.prepare("INSERT INTO t(v) VALUES(1) RETURNING id").value();
  exec(other,
       "INSERT INTO t VALUES(40, 'x'); CREATE TABLE log(id INTEGER PRIMARY KEY AUTOINCREMENT);"
       "INSERT INTO log VALUES(60)");
  exec(main,
       "BEGIN; CREATE TABLE log(id INTEGER PRIMARY KEY AUTOINCREMENT);"
       "CREATE TRIGGER tr AFTER INSERT ON t BEGIN INSERT INTO log VALUES(NULL); END");
  ASSERT_TRUE(statement.step().value());
  EXPECT_EQ(statement.integer(0), 41);
  ASSERT_FALSE(statement.step().value());
  EXPECT_EQ(rows_text(main, "SELECT id FROM log"), "61");
  exec(main, "ALTER TABLE t ADD COLUMN w");
  ASSERT_TRUE(statement.step().value());
  EXPECT_EQ(statement.integer(0), 42);
  statement.reset();
  exec(main, "ROLLBACK");
  exec(other, "VACUUM; INSERT INTO t(v) VALUES('x')");
  EXPECT_EQ(insert(main), "42");
}

TEST(Autoincrement, NamesInTheEncodingsOfADatabase) {
  for (const char* const encoding : {"UTF-8", "UTF-16le", "UTF-16be"}) {
    Database db = open_in_memory();
    Connection main = db.connect().value();
    DOSQL_ASSERT_OK(main.exec(fmt::format(
        "PRAGMA encoding = '{}'; CREATE TABLE \"tä\"(id INTEGER PRIMARY KEY AUTOINCREMENT); CREATE BRANCH x",
        encoding)));
    Connection other = db.connect().value();
    DOSQL_ASSERT_OK(other.exec("CHECKOUT x"));
    Statement on_main = main.prepare("INSERT INTO \"Tä\" DEFAULT VALUES").value();
    Statement on_x = other.prepare("INSERT INTO \"tä\" DEFAULT VALUES").value();
    for (int i = 0; i < 3; ++i) {
      DOSQL_ASSERT_OK(on_main.run());
      DOSQL_ASSERT_OK(on_x.run());
    }
    EXPECT_EQ(rows_text(main, "SELECT group_concat(id) FROM \"tä\""), "1,3,5") << encoding;
  }
}

// What a merge moves gets a number that no branch has given, a third one included.
TEST_F(AutoincrementTest, AMergeMovesBehindAllBranches) {
  exec(main, "INSERT INTO t VALUES(10, 'main'); CREATE BRANCH y");
  exec(other, "INSERT INTO t VALUES(10, 'x')");
  Connection third = db.connect().value();
  exec(third, "CHECKOUT y; INSERT INTO t VALUES(30, 'y')");
  exec(main, "MERGE BRANCH x");
  EXPECT_EQ(rows_text(main, "SELECT id FROM t WHERE v = 'x'"), "31");
  exec(main, "MERGE BRANCH y");
  EXPECT_EQ(rows_text(main, "SELECT group_concat(id) FROM t WHERE id > 3"), "10,30,31");
}

}  // namespace
}  // namespace dosql::engine
