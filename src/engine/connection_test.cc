// The public API over a database in memory: connections, statements, rows, errors.

#include <dosql/dosql.h>
#include <gtest/gtest.h>

#include <array>

#include "engine/engine_test_support.h"
#include "engine/prepare.h"

namespace dosql::engine {
namespace {

class ConnectionTest : public ::testing::Test {
 protected:
  Database db = open_in_memory();
  Connection conn = db.connect().value();

  void SetUp() override {
    DOSQL_ASSERT_OK(conn.exec("CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT UNIQUE, data)"));
  }
};

TEST_F(ConnectionTest, RunTellsWhatChanged) {
  auto first = conn.run("INSERT INTO t(name) VALUES (?)", "Ann");
  DOSQL_ASSERT_OK(first);
  EXPECT_EQ(first->changes, 1);
  EXPECT_EQ(first->last_insert_id, 1);
  EXPECT_EQ(conn.run("INSERT INTO t(name) VALUES ('B'), ('C')")->changes, 2);
  EXPECT_EQ(conn.run("UPDATE t SET data = 1")->changes, 3);
  // sqlite3_changes would still say 3.
  EXPECT_EQ(conn.run("CREATE TABLE u(x)")->changes, 0);
  EXPECT_EQ(conn.run("SELECT 1")->changes, 0);
  EXPECT_EQ(conn.run("UPDATE t SET data = 2 WHERE id > 99")->changes, 0);
}

TEST_F(ConnectionTest, AStatementRunsAsOftenAsItIsTold) {
  Statement insert = conn.prepare("INSERT INTO t(name) VALUES (?) RETURNING id, name").value();
  for (const char* name : {"Ann", "Bo"}) {
    DOSQL_ASSERT_OK(insert.bind(1, name));
    auto done = insert.run();
    DOSQL_ASSERT_OK(done);
    EXPECT_EQ(done->changes, 1);
  }
  auto again = insert.run();
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code(), ErrorCode::kConstraint);
  EXPECT_EQ(conn.prepare("SELECT id FROM t").value().run()->last_insert_id, 2);
  EXPECT_FALSE(Statement().run());
}

TEST_F(ConnectionTest, EveryTypeGoesInAndComesOut) {
  const std::vector<Value> values = {Value(),
                                     std::int64_t{-5},
                                     0.5,
                                     "text\n'\"",
                                     std::string("a\0b", 3),
                                     Blob{std::byte{0}, std::byte{255}},
                                     Blob{},
                                     true,
                                     "",
                                     1u};
  for (const Value& value : values) {
    auto row = conn.query_one_list("SELECT ?", std::span(&value, 1));
    DOSQL_ASSERT_OK(row);
    ASSERT_TRUE(*row);
    EXPECT_EQ((**row)[0], value) << value_text(value);
  }
}

TEST_F(ConnectionTest, ParametersByName) {
  DOSQL_ASSERT_OK(conn.run("INSERT INTO t(id, name) VALUES (:id, $name)", {{":id", 7}, {"$name", "x"}}));
  auto rows = conn.query("SELECT name FROM t WHERE id = @id", {{"@id", 7}});
  DOSQL_ASSERT_OK(rows);
  ASSERT_EQ(rows->size(), 1u);
  EXPECT_EQ(rows->front().get<std::string>("name"), "x");
  DOSQL_EXPECT_ERROR(conn.query("SELECT :a", {{":b", 1}}), kInvalidArgument);
}

// A missing value would silently be NULL.
TEST_F(ConnectionTest, TheNumberOfValuesMustFit) {
  DOSQL_EXPECT_ERROR(conn.run("INSERT INTO t(name) VALUES (?)"), kInvalidArgument);
  DOSQL_EXPECT_ERROR(conn.query("SELECT ?, ?", 1), kInvalidArgument);
  DOSQL_EXPECT_ERROR(conn.query("SELECT 1", 1), kInvalidArgument);
}

TEST_F(ConnectionTest, RowsByNameAndType) {
  auto row = conn.query_one("SELECT 1 AS i, 1.5 AS r, 'x' AS s, NULL AS n, x'00' AS b").value().value();
  EXPECT_EQ(row.get<std::int64_t>("i"), 1);
  EXPECT_EQ(row.get<double>("i"), 1.0);
  EXPECT_EQ(row.get<double>("r"), 1.5);
  EXPECT_EQ(row.get<std::string_view>("s"), "x");
  EXPECT_EQ(row.get<std::optional<std::string>>("n"), std::nullopt);
  EXPECT_EQ(row.get<std::optional<std::int64_t>>("i"), 1);
  EXPECT_EQ(row.get<Value>("b").type(), Value::Type::kBlob);
  EXPECT_EQ(row.find("zzz"), nullptr);
  EXPECT_THROW(row.get<std::int64_t>("zzz"), Exception);
  EXPECT_THROW(row.get<std::int64_t>("s"), Exception);
  EXPECT_THROW(row.get<std::string>("n"), Exception);
}

TEST_F(ConnectionTest, QueryOneWithoutRowIsEmpty) {
  EXPECT_FALSE(conn.query_one("SELECT * FROM t")->has_value());
}

// Stopping after the first row must not leave the INSERT uncommitted.
TEST_F(ConnectionTest, QueryOneOfReturningCommits) {
  auto row = conn.query_one("INSERT INTO t(name) VALUES ('a'), ('b') RETURNING id");
  DOSQL_ASSERT_OK(row);
  EXPECT_EQ((**row)[0], Value(1));
  Connection other = db.connect().value();
  EXPECT_EQ(rows_text(other, "SELECT count(*) FROM t"), "2");
}

TEST_F(ConnectionTest, ErrorsCarryCodeMessageAndPlace) {
  auto syntax = conn.query("SELECT 1 FRM t");
  ASSERT_FALSE(syntax);
  EXPECT_EQ(syntax.error().code(), ErrorCode::kSql);
  EXPECT_EQ(syntax.error().message(), "near \"t\": syntax error");
  EXPECT_EQ(syntax.error().sql_offset(), 13u);
  DOSQL_ASSERT_OK(conn.run("INSERT INTO t(name) VALUES ('a')"));
  auto unique = conn.run("INSERT INTO t(name) VALUES ('a')");
  ASSERT_FALSE(unique);
  EXPECT_EQ(unique.error().code(), ErrorCode::kConstraint);
  EXPECT_EQ(unique.error().message(), "UNIQUE constraint failed: t.name");
  EXPECT_EQ(unique.error().sqlite_code(), SQLITE_CONSTRAINT_UNIQUE);
  // The place counts from the beginning of the whole text, also in its third statement.
  auto third = conn.exec("SELECT 1; SELECT 2;\n SELECT nope");
  ASSERT_FALSE(third);
  EXPECT_EQ(third.error().sql_offset(), 28u);
}

TEST_F(ConnectionTest, ExecStopsAtTheFirstFailure) {
  DOSQL_EXPECT_ERROR(conn.exec("INSERT INTO t(id) VALUES (1); INSERT INTO t(id) VALUES (1); DELETE FROM t"),
                     kConstraint);
  EXPECT_EQ(rows_text(conn, "SELECT count(*) FROM t"), "1");
  DOSQL_EXPECT_OK(conn.exec(" ;; -- nothing\n /* at all */ "));
}

// SQLite takes a zero byte for the end: the rest of a WHERE clause would be ignored.
TEST_F(ConnectionTest, AZeroByteInTheTextRunsNothing) {
  using namespace std::string_view_literals;
  DOSQL_ASSERT_OK(conn.exec("INSERT INTO t(id) VALUES (1)"));
  const auto sql = "DELETE FROM t \0WHERE id = 7"sv;
  auto refused = conn.exec(sql);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(refused.error().message(), "the SQL text contains a zero byte");
  EXPECT_EQ(refused.error().sql_offset(), 14u);
  DOSQL_EXPECT_ERROR(conn.run(sql), kInvalidArgument);
  std::string_view tail;
  DOSQL_EXPECT_ERROR(conn.prepare(sql, tail), kInvalidArgument);
  DOSQL_EXPECT_ERROR(conn.prepare("\0"sv, tail), kInvalidArgument);
  EXPECT_EQ(rows_text(conn, "SELECT count(*) FROM t"), "1");
}

TEST_F(ConnectionTest, PrepareTakesOneStatement) {
  DOSQL_EXPECT_OK(conn.prepare("SELECT 1; -- done\n;"));
  auto two = conn.prepare("SELECT 1; SELECT 2");
  ASSERT_FALSE(two);
  EXPECT_EQ(two.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(two.error().sql_offset(), 10u);
  EXPECT_TRUE(conn.prepare(" -- only a comment")->empty());
  EXPECT_TRUE(conn.prepare("")->empty());
  std::string_view tail;
  EXPECT_FALSE(conn.prepare("SELECT 1; SELECT 2", tail)->empty());
  EXPECT_EQ(tail, " SELECT 2");
}

TEST_F(ConnectionTest, AnEmptyStatementDoesNothing) {
  Statement empty;
  EXPECT_TRUE(empty.read_only());
  EXPECT_EQ(empty.column_count(), 0);
  EXPECT_TRUE(empty.column_names()->empty());
  DOSQL_EXPECT_ERROR(empty.step(), kInvalidArgument);
  DOSQL_EXPECT_ERROR(empty.bind(1, 1), kInvalidArgument);
}

TEST_F(ConnectionTest, StatementsSayWhatTheyAre) {
  Statement insert = conn.prepare("INSERT INTO t(id, name) VALUES (?1, :name)").value();
  EXPECT_FALSE(insert.read_only());
  EXPECT_EQ(insert.parameter_count(), 2);
  EXPECT_EQ(insert.parameter_name(2), ":name");
  EXPECT_EQ(insert.explain_mode(), 0);
  EXPECT_EQ(conn.prepare("EXPLAIN QUERY PLAN SELECT 1")->explain_mode(), 2);
  DOSQL_ASSERT_OK(insert.bind(1, 5));
  DOSQL_ASSERT_OK(insert.bind(":name", "it's"));
  EXPECT_EQ(insert.expanded_sql(), "INSERT INTO t(id, name) VALUES (5, 'it''s')");
  DOSQL_EXPECT_ERROR(insert.bind(3, 1), kInvalidArgument);
  DOSQL_EXPECT_ERROR(insert.bind(0, 1), kInvalidArgument);
  DOSQL_EXPECT_ERROR(insert.bind(":nobody", 1), kInvalidArgument);
}

TEST_F(ConnectionTest, SteppingGivesTypedViews) {
  Statement select = conn.prepare("SELECT 42, 1.5, 'text', x'0102', NULL").value();
  ASSERT_TRUE(select.step().value());
  EXPECT_EQ(select.integer(0), 42);
  EXPECT_EQ(select.real(1), 1.5);
  EXPECT_EQ(select.text(2), "text");
  EXPECT_EQ(select.text(0), "42");
  EXPECT_EQ(select.blob(3).size(), 2u);
  EXPECT_EQ(select.type(4), Value::Type::kNull);
  EXPECT_EQ(select.row().size(), 5u);
  EXPECT_FALSE(select.step().value());
  // Done is reset: it can run again, with new parameters.
  EXPECT_TRUE(select.step().value());
}

TEST_F(ConnectionTest, BindingInTheMiddleBeginsAnew) {
  Statement select = conn.prepare("SELECT ? UNION ALL SELECT 2").value();
  DOSQL_ASSERT_OK(select.bind(1, 1));
  ASSERT_TRUE(select.step().value());
  DOSQL_ASSERT_OK(select.bind(1, 10));
  ASSERT_TRUE(select.step().value());
  EXPECT_EQ(select.integer(0), 10);
}

// The cache must not carry bindings or positions over.
TEST_F(ConnectionTest, ACachedStatementIsAsNew) {
  DOSQL_ASSERT_OK(conn.exec("INSERT INTO t(id) VALUES (1), (2), (3)"));
  const char* sql = "SELECT id, :x FROM t ORDER BY id";
  sqlite3_stmt* handle = nullptr;
  {
    Statement first = conn.prepare(sql).value();
    DOSQL_ASSERT_OK(first.bind(1, 5));
    ASSERT_TRUE(first.step().value());
    ASSERT_TRUE(first.step().value());
    handle = sqlite3_next_stmt(conn.sqlite_handle(), nullptr);
  }
  Statement second = conn.prepare(sql).value();
  EXPECT_EQ(sqlite3_next_stmt(conn.sqlite_handle(), nullptr), handle) << "it was compiled again";
  ASSERT_TRUE(second.step().value());
  EXPECT_EQ(second.integer(0), 1);
  EXPECT_EQ(second.type(1), Value::Type::kNull);
}

// Two users of one text at the same time each have their own.
// What stood for a statement that is gone stands for the next one.
TEST_F(ConnectionTest, NothingIsLeftOfTheStatementBefore) {
  const auto described = [](const Statement& statement) {
    std::string text(statement.sql());
    for (const std::string& name : *statement.column_names()) text += "|" + name;
    return text + "|" + std::to_string(statement.parameter_count());
  };
  for (const auto& [sql, wanted] : std::to_array<std::pair<std::string_view, std::string_view>>(
           {{"SELECT id, ? FROM t", "SELECT id, ? FROM t|id|?|1"},
            {"SELECT name FROM t", "SELECT name FROM t|name|0"},
            {"PRAGMA synchronous", "PRAGMA synchronous|synchronous|0"},
            {"INSERT INTO t(name) VALUES (?)", "INSERT INTO t(name) VALUES (?)|1"},
            {"CHECKOUT main", "CHECKOUT main|0"},
            {"SELECT data FROM t FOR SYSTEM_TIME AS OF VERSION CURRENT",
             "SELECT data FROM t FOR SYSTEM_TIME AS OF VERSION CURRENT|data|0"},
            {"SELECT 1 AS one", "SELECT 1 AS one|one|0"}})) {
    std::string_view tail;
    Statement statement = conn.prepare(sql, tail).value();
    EXPECT_EQ(described(statement), wanted);
    EXPECT_EQ(statement.read_only(), sql[0] != 'I' && sql[0] != 'C') << sql;
    Statement other = conn.prepare("SELECT 2 AS two", tail).value();
    EXPECT_EQ(described(other), "SELECT 2 AS two|two|0");
    other = std::move(statement);
    EXPECT_EQ(described(other), wanted);
    EXPECT_TRUE(statement.empty());
  }
}

TEST_F(ConnectionTest, TheSameTextTwiceAtOnce) {
  DOSQL_ASSERT_OK(conn.exec("INSERT INTO t(id) VALUES (1), (2)"));
  Statement a = conn.prepare("SELECT id FROM t ORDER BY id").value();
  Statement b = conn.prepare("SELECT id FROM t ORDER BY id").value();
  ASSERT_TRUE(a.step().value());
  ASSERT_TRUE(a.step().value());
  ASSERT_TRUE(b.step().value());
  EXPECT_EQ(a.integer(0), 2);
  EXPECT_EQ(b.integer(0), 1);
}

TEST_F(ConnectionTest, TheCacheIsBounded) {
  for (int i = 0; i < 100; ++i) DOSQL_ASSERT_OK(conn.query("SELECT " + std::to_string(i)));
  std::size_t count = 0;
  for (sqlite3_stmt* s = nullptr; (s = sqlite3_next_stmt(conn.sqlite_handle(), s)) != nullptr;) ++count;
  EXPECT_LE(count, StatementCache::kCapacity);
}

// SQLite compiles again when the schema changed; the names of columns must follow.
TEST_F(ConnectionTest, ColumnNamesFollowTheSchema) {
  Statement all = conn.prepare("SELECT * FROM t").value();
  EXPECT_EQ(all.column_names()->size(), 3u);
  DOSQL_ASSERT_OK(conn.exec("ALTER TABLE t ADD COLUMN extra; INSERT INTO t(id) VALUES (1)"));
  ASSERT_TRUE(all.step().value());
  EXPECT_EQ(all.row().columns().back(), "extra");
  EXPECT_EQ(all.row().size(), 4u);
}

TEST_F(ConnectionTest, TransactionsCommitOrRollBack) {
  DOSQL_EXPECT_OK(conn.transaction([](Connection& tx) -> Status {
    EXPECT_TRUE(tx.in_transaction());
    return tx.exec("INSERT INTO t(id) VALUES (1)");
  }));
  DOSQL_EXPECT_ERROR(conn.transaction([](Connection& tx) -> Status {
    DOSQL_RETURN_IF_ERROR(tx.exec("INSERT INTO t(id) VALUES (2)"));
    return Error(ErrorCode::kInvalidArgument, "changed my mind");
  }),
                     kInvalidArgument);
  EXPECT_FALSE(conn.in_transaction());
  EXPECT_EQ(rows_text(conn, "SELECT id FROM t"), "1");
}

TEST_F(ConnectionTest, ANestedTransactionUndoesOnlyItself) {
  DOSQL_EXPECT_OK(conn.transaction([](Connection& outer) -> Status {
    DOSQL_RETURN_IF_ERROR(outer.exec("INSERT INTO t(id) VALUES (1)"));
    const Status inner = outer.transaction([](Connection& tx) -> Status {
      DOSQL_RETURN_IF_ERROR(tx.exec("INSERT INTO t(id) VALUES (2)"));
      return Error(ErrorCode::kInvalidArgument, "no");
    });
    EXPECT_FALSE(inner);
    return outer.transaction([](Connection& tx) { return tx.exec("INSERT INTO t(id) VALUES (3)"); });
  }));
  EXPECT_EQ(rows_text(conn, "SELECT id FROM t"), "1\n3");
}

TEST_F(ConnectionTest, AConnectionThatGoesRollsBack) {
  {
    Connection other = db.connect().value();
    DOSQL_ASSERT_OK(other.exec("BEGIN; INSERT INTO t(id) VALUES (1)"));
  }
  EXPECT_EQ(rows_text(conn, "SELECT count(*) FROM t"), "0");
  // ... and has given the writer slot back.
  DOSQL_EXPECT_OK(conn.exec("INSERT INTO t(id) VALUES (2)"));
}

// A statement in use keeps what it needs; afterwards everything can close.
TEST_F(ConnectionTest, AStatementMayOutliveItsConnection) {
  std::optional<Connection> other(db.connect().value());
  DOSQL_ASSERT_OK(other->exec("INSERT INTO t(id) VALUES (1), (2)"));
  Statement select = other->prepare("SELECT id FROM t ORDER BY id").value();
  ASSERT_TRUE(select.step().value());
  other.reset();
  ASSERT_TRUE(select.step().value());
  EXPECT_EQ(select.integer(0), 2);
}

TEST_F(ConnectionTest, InterruptStopsAStatement) {
  sqlite3_progress_handler(
      conn.sqlite_handle(), 1'000,
      [](void* self) {
        static_cast<Connection*>(self)->interrupt();
        return 0;
      },
      &conn);
  DOSQL_EXPECT_ERROR(
      conn.query("WITH RECURSIVE s(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM s) SELECT count(*) FROM s"),
      kInterrupted);
  sqlite3_progress_handler(conn.sqlite_handle(), 0, nullptr, nullptr);
  EXPECT_EQ(rows_text(conn, "SELECT 1"), "1");
}

TEST_F(ConnectionTest, AnInterruptIsForgottenWhileRowsAreLeft) {
  DOSQL_ASSERT_OK(conn.exec("INSERT INTO t(id) VALUES (1), (2), (3)"));
  Statement select = conn.prepare("SELECT id FROM t ORDER BY id").value();
  ASSERT_TRUE(select.step().value());
  conn.interrupt();
  DOSQL_EXPECT_ERROR(conn.query("SELECT count(*) FROM t"), kInterrupted);
  conn.forget_interrupt();
  EXPECT_EQ(rows_text(conn, "SELECT count(*) FROM t"), "3");
  ASSERT_TRUE(select.step().value());
  EXPECT_EQ(select.integer(0), 2);
}

TEST_F(ConnectionTest, AHeldTransactionIsNotEndedBySql) {
  DOSQL_ASSERT_OK(conn.exec("BEGIN; INSERT INTO t(id) VALUES (1)"));
  Statement prepared = conn.prepare("COMMIT").value();
  conn.hold_transaction(true);
  DOSQL_EXPECT_ERROR(prepared.step(), kInvalidArgument);
  for (const char* const sql :
       {"COMMIT", "/* x */ end TRANSACTION", "ROLLBACK", "rollback transaction", "SELECT 1; COMMIT; BEGIN"}) {
    DOSQL_EXPECT_ERROR(conn.exec(sql), kInvalidArgument);
  }
  DOSQL_EXPECT_OK(
      conn.exec("SAVEPOINT a; INSERT INTO t(id) VALUES (2); ROLLBACK TO a; "
                "ROLLBACK TRANSACTION TO SAVEPOINT a; INSERT INTO t(id) VALUES (3); RELEASE a"));
  EXPECT_TRUE(conn.in_transaction());
  conn.hold_transaction(false);
  DOSQL_EXPECT_OK(conn.exec("COMMIT"));
  EXPECT_EQ(rows_text(conn, "SELECT id FROM t ORDER BY id"), "1\n3");
}

TEST_F(ConnectionTest, VersionsCountCommitsOnly) {
  const std::uint64_t before = conn.version();
  DOSQL_ASSERT_OK(conn.exec("INSERT INTO t(id) VALUES (1)"));
  EXPECT_EQ(conn.version(), before + 1);
  DOSQL_ASSERT_OK(conn.exec("BEGIN IMMEDIATE; COMMIT; BEGIN; SELECT * FROM t; COMMIT; UPDATE t SET id = id"));
  DOSQL_ASSERT_OK(conn.exec("BEGIN; INSERT INTO t(id) VALUES (2); ROLLBACK"));
  EXPECT_EQ(conn.version(), before + 1) << "nothing was changed";
  DOSQL_ASSERT_OK(conn.exec("BEGIN; INSERT INTO t(id) VALUES (2); INSERT INTO t(id) VALUES (3); COMMIT"));
  EXPECT_EQ(conn.version(), before + 2);
}

TEST(PrepareTest, BlankPrefix) {
  EXPECT_EQ(blank_prefix_bytes(""), 0u);
  EXPECT_EQ(blank_prefix_bytes(" \t\n;;x"), 5u);
  EXPECT_EQ(blank_prefix_bytes("-- c\nSELECT"), 5u);
  EXPECT_EQ(blank_prefix_bytes("-- to the end"), 13u);
  EXPECT_EQ(blank_prefix_bytes("/* a * / */ x"), 12u);
  EXPECT_EQ(blank_prefix_bytes("/* open"), 7u);
  EXPECT_EQ(blank_prefix_bytes("/*/ x */y"), 8u);
  EXPECT_EQ(blank_prefix_bytes("-1"), 0u);
  EXPECT_EQ(blank_prefix_bytes("/ 2"), 0u);
}

}  // namespace
}  // namespace dosql::engine
