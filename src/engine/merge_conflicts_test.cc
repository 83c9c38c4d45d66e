// A merge with very many conflicts is as usable as one with few.

#include <algorithm>
#include <map>
#include <ranges>

#include <fmt/format.h>

#include "engine/engine_test_support.h"
#include "testing/run_length.h"
#include "version/store_test_support.h"

namespace dosql::engine {
namespace {

class ManyConflicts : public ::testing::Test {
 protected:
  // `count` rows that both sides changed, `count` more with a value that may be there once, and as many
  // children of a parent that the other side removed.
  void SetUp() override {
    run("PRAGMA foreign_keys = ON");
    run("CREATE TABLE t(id INTEGER PRIMARY KEY, a, b);"
        "CREATE TABLE once(id INTEGER PRIMARY KEY, u UNIQUE);"
        "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE c(id INTEGER PRIMARY KEY, p REFERENCES p);"
        "INSERT INTO p VALUES(1)");
    insert("t SELECT i, 'base', 0");
    insert("once SELECT i, i");
    run("CREATE BRANCH x; CHECKOUT x; UPDATE t SET a = 'branch'; DELETE FROM p");
    run("UPDATE once SET u = -u WHERE id % 2 = 0");
    run("CHECKOUT main; UPDATE t SET a = 'main', b = id");
    run("UPDATE once SET u = -u - 1 WHERE id % 2 = 1");
    insert("c SELECT i, 1");
  }

  void run(const std::string& sql) { DOSQL_EXPECT_OK(connection_.exec(sql)); }
  void insert(const std::string& what) {
    run(fmt::format(
        "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {}) INSERT INTO {} FROM n", count_,
        what));
  }
  Result<MergeResult> merge() {
    MergeOptions options;
    options.strategy = MergeStrategy::kManual;
    return connection_.merge("x", options);
  }
  std::string rows(const std::string& sql) { return rows_text(connection_, sql); }

  const int count_ = std::max(1, testing::scaled(5'000)) * 2;
  Database database_ = open_in_memory();
  Connection connection_ = database_.connect().value();
};

TEST_F(ManyConflicts, AreShownAndDecidedByOneStatement) {
  const auto merged = merge();
  DOSQL_ASSERT_OK(merged);
  EXPECT_EQ(rows("SELECT \"table\", kind, count(*) FROM dosql_conflicts GROUP BY 1, 2 ORDER BY 1"),
            fmt::format("c|foreign_key|{0}\nonce|unique|{1}\nt|update_update|{0}", count_, count_ / 2));
  const std::size_t all = merged->conflicts.size();
  EXPECT_EQ(rows("SELECT count(*) FROM dosql_conflicts WHERE \"table\" = 'once'"),
            std::to_string(count_ / 2));
  const std::string last = rows("SELECT max(id) FROM dosql_conflicts");
  EXPECT_EQ(last, std::to_string(all));
  EXPECT_EQ(rows("SELECT kind, key FROM dosql_conflicts WHERE id = 1"), "unique|2");
  EXPECT_EQ(rows("SELECT count(*) FROM dosql_conflicts WHERE id IN (1, 2, " + last + ")"), "3");
  EXPECT_EQ(rows("SELECT id FROM dosql_conflicts WHERE id = 1 OR id = 2"), "1\n2");
  EXPECT_EQ(rows("SELECT id FROM dosql_conflicts WHERE id = '1' OR id = 1.5 OR id = 2.0"), "1\n2");
  EXPECT_EQ(rows("SELECT count(*) FROM dosql_conflicts WHERE \"table\" = 7"), "0");
  // One statement is one decision: where it fails, nothing is decided.
  EXPECT_EQ(rows("SELECT dosql_resolve_conflict(iif(id = 3, 99999999, id), 'ours') FROM dosql_conflicts"),
            "error: there is no conflict 99999999");
  EXPECT_EQ(rows("SELECT count(resolution) FROM dosql_conflicts"), "0");
  EXPECT_EQ(rows("SELECT count(dosql_resolve_conflict(id, CASE kind WHEN 'update_update' THEN "
                 "json_object('a', id) WHEN 'unique' THEN 'theirs' ELSE 'delete' END)) FROM dosql_conflicts"),
            last);
  EXPECT_EQ(rows("SELECT count(*) FROM dosql_conflicts WHERE resolution IS NULL"), "0");
  const auto completed = connection_.complete_merge();
  DOSQL_ASSERT_OK(completed);
  ASSERT_TRUE(completed->conflicts.empty()) << completed->conflicts[0].kind << completed->conflicts[0].key;
  // The conflicts of t come behind those of `once`.
  const std::int64_t sum = std::int64_t{count_} * (count_ + 1) / 2;
  EXPECT_EQ(rows("SELECT count(*), sum(a), sum(b) FROM t"),
            fmt::format("{0}|{2}|{1}", count_, sum, sum + std::int64_t{count_} * (count_ / 2)));
  EXPECT_EQ(rows("SELECT count(*) FROM c"), "0");
  EXPECT_EQ(rows("SELECT count(*), sum(u < 0) FROM once"), fmt::format("{0}|{0}", count_ - count_ / 2));
  EXPECT_EQ(rows("PRAGMA integrity_check"), "ok");
}

// Decisions made while they are completed only in part are kept.
TEST_F(ManyConflicts, KeepWhatWasDecided) {
  DOSQL_ASSERT_OK(merge());
  run("SELECT dosql_resolve_conflict(id, 'ours') FROM dosql_conflicts WHERE \"table\" = 't' AND key <> '1'");
  const auto completed = connection_.complete_merge();
  DOSQL_ASSERT_OK(completed);
  EXPECT_EQ(completed->conflicts.size(), static_cast<std::size_t>(1 + count_ / 2 + count_));
  EXPECT_EQ(rows("SELECT count(resolution), sum(\"table\" = 't') FROM dosql_conflicts"),
            fmt::format("{}|{}", count_ - 1, count_));
  // Whoever decides about what is left goes by these ids.
  std::map<std::int64_t, std::string> left;
  for (const MergeConflict& one : completed->conflicts)
    left[one.id] = fmt::format("{}|{}|{}|{}", one.id, one.table, one.key, one.kind);
  EXPECT_EQ(
      fmt::format("{}", fmt::join(std::views::values(left), "\n")),
      rows("SELECT id, \"table\", key, kind FROM dosql_conflicts WHERE resolution IS NULL ORDER BY id"));
}

TEST(WaitingMerge, IsNotThePastsToDecide) {
  Database database = open_in_memory();
  Connection connection = database.connect().value();
  DOSQL_ASSERT_OK(
      connection.exec("CREATE TABLE t(id INTEGER PRIMARY KEY, a); INSERT INTO t VALUES(1, 1);"
                      "CREATE BRANCH x; UPDATE t SET a = 2; CHECKOUT x; UPDATE t SET a = 3; CHECKOUT main;"
                      "MERGE BRANCH x STRATEGY manual"));
  Connection past = database.as_of(snapshot("main@2")).value();
  EXPECT_EQ(rows_text(past, "SELECT id FROM dosql_conflicts"), "1");
  for (const char* sql :
       {"SELECT dosql_resolve_conflict(1, 'ours')", "BEGIN; SELECT dosql_resolve_conflict(1, 'ours')",
        "ROLLBACK; ABORT MERGE", "COMPLETE MERGE"}) {
    SCOPED_TRACE(sql);
    DOSQL_EXPECT_ERROR(past.exec(sql), kReadOnly);
  }
  DOSQL_EXPECT_ERROR(past.resolve_conflict(1, {}), kReadOnly);
  DOSQL_EXPECT_ERROR(past.abort_merge(), kReadOnly);
  EXPECT_EQ(rows_text(connection, "SELECT id, resolution FROM dosql_conflicts"), "1|NULL");
}

TEST(CherryPick, MeetsTheConflictsOfAMerge) {
  Database database = open_in_memory();
  Connection connection = database.connect().value();
  DOSQL_ASSERT_OK(connection.exec(
      "CREATE TABLE t(id INTEGER PRIMARY KEY, a); INSERT INTO t VALUES(1, 'base'), (2, 'base');"
      "CREATE BRANCH x; CHECKOUT x; UPDATE t SET a = 'picked' WHERE id = 1; CREATE SNAPSHOT first;"
      "UPDATE t SET a = 'picked' WHERE id = 2; CREATE SNAPSHOT second; CHECKOUT main;"
      "UPDATE t SET a = 'main' WHERE id = 2"));
  const auto pick = [&](const char* point) {
    const std::uint64_t lsn = connection.resolve(snapshot(point)).value().lsn;
    return connection.exec(fmt::format("CHERRY PICK LSN {}", lsn));
  };
  DOSQL_EXPECT_OK(pick("first"));
  const Status second = pick("second");
  DOSQL_EXPECT_ERROR(second, kMergeConflict);
  EXPECT_EQ(second.error().message(), "nothing was picked: there is a conflict: update_update in t, key 2");
  EXPECT_EQ(rows_text(connection, "SELECT * FROM t"), "1|picked\n2|main");
}

class Picks : public ::testing::Test {
 protected:
  void SetUp() override {
    open();
    DOSQL_ASSERT_OK(conn().exec(
        "CREATE TABLE t(id INTEGER PRIMARY KEY, a); INSERT INTO t VALUES(1, 'base'), (2, 'base');"
        "CREATE BRANCH x; CHECKOUT x; UPDATE t SET a = 'picked'; CREATE SNAPSHOT picked; CHECKOUT main"));
  }
  void open() {
    conn_.reset();
    db_.reset();
    db_ = open_on(std::make_unique<version::SharedDirectory>(*disk_)).value();
    conn_ = db_->connect().value();
  }
  Connection& conn() { return *conn_; }
  Connection conn_of_same() { return db_->connect().value(); }
  std::uint64_t lsn_of(const char* point) { return conn().resolve(snapshot(point)).value().lsn; }
  std::string rows(const std::string& sql) { return rows_text(conn(), sql); }

 private:
  const std::unique_ptr<io::Directory> disk_ = io::make_memory_directory();
  std::optional<Database> db_;
  std::optional<Connection> conn_;
};

TEST_F(Picks, MakeNoCommitWhereTheBranchHasAllOfIt) {
  const std::uint64_t lsn = lsn_of("picked");
  const std::string pick = fmt::format("CHERRY PICK LSN {}", lsn);
  EXPECT_EQ(rows(pick + " DRY RUN"), "would pick|NULL|t|NULL|0|2|0|0|NULL|NULL|NULL|NULL|NULL");
  EXPECT_EQ(rows(pick + " MESSAGE 'once'"), "picked|main@3|t|NULL|0|2|0|0");
  EXPECT_EQ(rows(pick), "already picked|main@3|NULL|NULL|NULL|NULL|NULL|NULL");
  EXPECT_EQ(rows(pick + " DRY RUN"),
            "already picked|main@3|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL");
  const auto again = conn().cherry_pick(lsn, {.strategy = MergeStrategy::kAuto, .message = "twice"});
  DOSQL_ASSERT_OK(again);
  EXPECT_TRUE(again->already_merged);
  EXPECT_EQ(again->version.version, 3u);
  EXPECT_EQ(rows("SELECT message FROM dosql_log ORDER BY version DESC LIMIT 1"), "once");
  DOSQL_ASSERT_OK(conn().checkout("x"));
  EXPECT_EQ(rows(pick), "already picked|x@3|NULL|NULL|NULL|NULL|NULL|NULL");
  // What was undone can be picked again.
  EXPECT_EQ(rows("REVERT VERSION CURRENT"), "reverted|x@4|t|NULL|0|2|0|0");
  EXPECT_EQ(rows(pick), "picked|x@5|t|NULL|0|2|0|0");
}

// The version that is picked need not be on any branch by then.
TEST_F(Picks, WaitForDecisionsOverARestart) {
  DOSQL_ASSERT_OK(conn().exec("UPDATE t SET a = 'main' WHERE id = 2"));
  const std::uint64_t lsn = lsn_of("picked");
  const auto waits = conn().cherry_pick(lsn, {.strategy = MergeStrategy::kManual, .message = "agreed"});
  DOSQL_ASSERT_OK(waits);
  EXPECT_EQ(waits->conflicts.size(), 1u);
  DOSQL_ASSERT_OK(conn().exec("DROP BRANCH x FORCE"));
  open();
  EXPECT_EQ(rows("SELECT id, key, kind, base, main, branch FROM dosql_conflicts"),
            R"(1|2|update_update|{"a":"base"}|{"a":"main"}|{"a":"picked"})");
  DOSQL_EXPECT_ERROR(conn().exec("COMPLETE MERGE"), kMergeConflict);
  DOSQL_ASSERT_OK(conn().resolve_conflict(1, {.take = ConflictResolution::Take::kBranch, .value = ""}));
  open();
  EXPECT_EQ(rows("COMPLETE MERGE"), "picked|main@4|t|NULL|0|2|0|0");
  EXPECT_EQ(rows("SELECT a FROM t"), "picked\npicked");
  EXPECT_EQ(rows("SELECT message, merged FROM dosql_log ORDER BY version DESC LIMIT 1"), "agreed|NULL");
  EXPECT_EQ(rows("SELECT name FROM dosql_branches"), "main");
}

TEST_F(Picks, AreTriedWhereTheDatabaseIsReadOnlyOrHeldByAWriter) {
  const std::string pick = fmt::format("CHERRY PICK LSN {}", lsn_of("picked"));
  auto past = conn().as_of(relative(0)).value();
  DOSQL_EXPECT_ERROR(past.exec(pick + " DRY RUN"), kInvalidArgument);
  Connection writer = conn_of_same();
  DOSQL_ASSERT_OK(writer.exec("BEGIN IMMEDIATE"));
  DOSQL_ASSERT_OK(conn().exec("PRAGMA busy_timeout = 0"));
  EXPECT_EQ(rows(pick + " DRY RUN"), "would pick|NULL|t|NULL|0|2|0|0|NULL|NULL|NULL|NULL|NULL");
  DOSQL_EXPECT_ERROR(conn().exec(pick), kBusy);
}

}  // namespace
}  // namespace dosql::engine
