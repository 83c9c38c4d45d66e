// Every way to take something back, beside stock SQLite, with a page cache so small that dirty pages spill
// into the write transaction all the time: what the journal file answers must be what was there.

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>

#include "engine/connection_state.h"
#include "engine/engine_test_support.h"
#include "testing/run_length.h"

namespace dosql::engine {
namespace {

std::string format(const char* text, auto... values) {
  const std::unique_ptr<char, decltype(&sqlite3_free)> result(sqlite3_mprintf(text, values...), sqlite3_free);
  return result.get();
}

// Statements that change, break and undo things; the same for the same seed. They name what may not exist and
// violate constraints: failing alike is part of being alike.
class ScriptGenerator {
 public:
  explicit ScriptGenerator(std::uint64_t seed) : random_(seed) {}

  std::string next() {
    switch (below(24)) {
      case 0:
      case 1: return "BEGIN";
      case 2: return "COMMIT";
      case 3: return "ROLLBACK";
      case 4:
      case 5: return format("SAVEPOINT s%d", below(3));
      case 6:
      case 7: return format("ROLLBACK TO s%d", below(3));
      case 8: return format("RELEASE s%d", below(3));
      case 9: return format("CREATE TABLE x%d(a, b UNIQUE)", below(3));
      case 10: return format("DROP TABLE IF EXISTS x%d", below(3));
      case 11: return format("CREATE INDEX IF NOT EXISTS i%d ON t(n, k)", below(2));
      case 12: return format("DROP INDEX IF EXISTS i%d", below(2));
      case 13: return format("PRAGMA incremental_vacuum(%d)", below(30));
      case 14: return below(4) ? "SELECT 1" : "VACUUM";
      case 15: return format("INSERT INTO x%d SELECT id, k FROM t WHERE id %% 5 = %d", below(3), below(5));
      default: return change();
    }
  }

 private:
  int below(int end) { return static_cast<int>(random_() % end); }

  std::string change() {
    const char* clauses[] = {"", "OR ROLLBACK", "OR ABORT", "OR FAIL", "OR IGNORE", "OR REPLACE"};
    const char* clause = clauses[below(6)];
    const int from = below(400);
    switch (below(5)) {
      case 0:
        return format(
            "WITH RECURSIVE s(i) AS (SELECT %d UNION ALL SELECT i + 1 FROM s WHERE i < %d)"
            " INSERT %s INTO t SELECT i, %d, i + %d, zeroblob(i * %d %% 7000) FROM s",
            from, from + 1 + below(120), clause, below(1000), below(30), 1 + below(99));
      case 1: return format("DELETE FROM t WHERE id BETWEEN %d AND %d", from, from + below(150));
      // Runs into the UNIQUE column in the middle.
      case 2: return format("UPDATE %s t SET k = k + %d WHERE id >= %d", clause, 1 + below(3), from);
      case 3:
        return format("UPDATE t SET data = zeroblob(%d), n = n + 1 WHERE id %% %d = 0", below(9000),
                      1 + below(6));
      default:
        return format("UPDATE t SET n = %d WHERE id BETWEEN %d AND %d", below(1000), from, from + below(60));
    }
  }

  std::mt19937_64 random_;
};

enum class Pager {
  kConfigured,  // as connections are
  kDefault,     // as they are when the schema cannot be read: a journal opened anew for every transaction
};

class RollbackTest : public ::testing::TestWithParam<Pager> {
 protected:
  void SetUp() override {
    if (GetParam() == Pager::kConfigured) {
      connection = db.connect().value();
      ours = connection->sqlite_handle();
    } else {
      DatabaseCore& core = DatabaseAccess::core(db);
      session = core.new_session();
      DOSQL_ASSERT_OK(core.vfs().open(session));
      ours = session->db;
      ASSERT_EQ(exec(ours, "PRAGMA auto_vacuum = INCREMENTAL"), SQLITE_OK);
    }
    stock.exec("PRAGMA auto_vacuum = INCREMENTAL");
    both("PRAGMA cache_size = 10");
    both("CREATE TABLE t(id INTEGER PRIMARY KEY, n INT, k INT UNIQUE, data BLOB)");
  }

  void TearDown() override {
    if (session) {
      EXPECT_EQ(sqlite3_close(session->db), SQLITE_OK);
    }
  }

  static int exec(sqlite3* handle, const std::string& sql) {
    return sqlite3_exec(handle, sql.c_str(), nullptr, nullptr, nullptr);
  }

  void both(const std::string& sql) {
    const int expected = stock.try_exec(sql);
    const int found = exec(ours, sql);
    ASSERT_EQ(found & 0xff, expected & 0xff)
        << sql << ": " << sqlite3_errmsg(ours) << " / " << sqlite3_errmsg(stock.db());
    ASSERT_EQ(sqlite3_get_autocommit(ours), sqlite3_get_autocommit(stock.db())) << sql;
  }

  void expect_equal() { ASSERT_TRUE(content_text(ours) == content_text(stock)) << "the contents differ"; }

  TemporaryDirectory directory;
  Database db = open_in_memory();
  std::optional<Connection> connection;
  std::shared_ptr<Session> session;
  sqlite3* ours = nullptr;
  Stock stock{directory.file("stock")};
};

TEST_P(RollbackTest, RandomScriptsLikeStock) {
  const std::uint64_t seed = test_seed();
  SCOPED_TRACE("DOSQL_SEED=" + std::to_string(seed));
  ScriptGenerator script(seed);
  for (int step = 0; step < testing::scaled(1'000); ++step) {
    const std::string sql = script.next();
    SCOPED_TRACE(sql);
    both(sql);
    if (HasFatalFailure()) return;
    if (step % 10 == 0) {
      expect_equal();
    }
    if (HasFatalFailure()) return;
    if (step % 100 == 0) {
      ASSERT_EQ(rows_text(ours, "PRAGMA integrity_check"), "ok");
    }
  }
  if (sqlite3_get_autocommit(ours) == 0) {
    both("ROLLBACK");
  }
  expect_equal();
  EXPECT_EQ(rows_text(ours, "PRAGMA integrity_check"), "ok");
}

// More than the cache, more than the write transaction keeps in memory: the rollback reads from the log and
// the base.
TEST_P(RollbackTest, AHugeTransaction) {
  both(
      "WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 5000)"
      " INSERT INTO t SELECT i, i, i, zeroblob(4000) FROM s");
  both("BEGIN");
  both("UPDATE t SET n = n + 1, data = CAST(printf('%.4000c', 'x') AS BLOB)");
  both("SAVEPOINT middle");
  both("DELETE FROM t WHERE id % 3 = 0");
  both("UPDATE t SET data = NULL WHERE id < 4000");
  both("ROLLBACK TO middle");
  EXPECT_EQ(rows_text(ours, "SELECT count(*), sum(n), sum(length(data)) FROM t"),
            stock.rows_text("SELECT count(*), sum(n), sum(length(data)) FROM t"));
  both("ROLLBACK");
  expect_equal();
  EXPECT_EQ(rows_text(ours, "PRAGMA integrity_check"), "ok");
}

// The first transaction of a database: before it there is not even a page.
TEST_P(RollbackTest, TheVeryFirstTransaction) {
  Database empty = open_in_memory();
  Connection conn = empty.connect().value();
  DOSQL_ASSERT_OK(
      conn.exec("PRAGMA cache_size = 5; BEGIN; CREATE TABLE a(x);"
                "WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 3000)"
                " INSERT INTO a SELECT printf('%.200c', 'x') FROM s; ROLLBACK"));
  EXPECT_EQ(conn.version(), 0u);
  EXPECT_EQ(rows_text(conn, "SELECT count(*) FROM sqlite_schema"), "0");
  DOSQL_ASSERT_OK(conn.exec("CREATE TABLE b(x)"));
  EXPECT_EQ(conn.version(), 1u);
  EXPECT_EQ(rows_text(conn, "PRAGMA integrity_check"), "ok");
}

// Reading statements live on over a ROLLBACK of their connection.
TEST_P(RollbackTest, WithOpenCursors) {
  both(
      "WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 500)"
      " INSERT INTO t SELECT i, i, i, zeroblob(500) FROM s");
  std::string texts[2];
  for (int side = 0; side < 2; ++side) {
    sqlite3* handle = side == 0 ? ours : stock.db();
    std::string& text = texts[side];
    sqlite3_stmt* cursor = nullptr;
    ASSERT_EQ(sqlite3_prepare_v2(handle, "SELECT id, n FROM t ORDER BY id", -1, &cursor, nullptr), SQLITE_OK);
    for (int i = 0; i < 100; ++i) ASSERT_EQ(sqlite3_step(cursor), SQLITE_ROW);
    text += std::to_string(exec(handle, "BEGIN"));
    text += std::to_string(exec(handle, "UPDATE t SET n = -n, data = zeroblob(3000)"));
    for (int i = 0; i < 50 && sqlite3_step(cursor) == SQLITE_ROW; ++i) text += row_text(cursor) + " ";
    text += std::to_string(exec(handle, "ROLLBACK"));
    int rc = SQLITE_ROW;
    while ((rc = sqlite3_step(cursor)) == SQLITE_ROW) text += row_text(cursor) + " ";
    text += std::to_string(rc) + std::to_string(sqlite3_finalize(cursor));
  }
  EXPECT_EQ(texts[0], texts[1]);
  EXPECT_NE(texts[0].find("500|500"), std::string::npos) << "the cursor did not live to see the end";
  expect_equal();
}

// The statement fails in the middle: only it is undone, what the transaction did before stays.
TEST_P(RollbackTest, AStatementThatFailsInTheMiddle) {
  both(
      "WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 800)"
      " INSERT INTO t SELECT i, i, i, zeroblob(900) FROM s");
  both("BEGIN");
  both("UPDATE t SET n = 1, data = zeroblob(1200)");
  both("UPDATE t SET k = CASE WHEN id = 700 THEN 10002 ELSE k + 10000 END, data = NULL");
  EXPECT_EQ(rows_text(ours, "SELECT count(*), sum(n), sum(k), sum(length(data)) FROM t"),
            "800|800|320400|960000");
  both("COMMIT");
  expect_equal();
}

INSTANTIATE_TEST_SUITE_P(Pagers, RollbackTest, ::testing::Values(Pager::kConfigured, Pager::kDefault),
                         [](const auto& of) {
                           return of.param == Pager::kConfigured ? "Configured" : "Default";
                         });

}  // namespace
}  // namespace dosql::engine
