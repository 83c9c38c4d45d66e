#include "engine/version_merge.h"

#include "engine/engine_test_support.h"
#include "engine/marks_table.h"
#include "engine/merge_test_support.h"

namespace dosql::engine {
namespace {

using merge::ConflictKind;

class VersionMergeTest : public ::testing::Test {
 protected:
  version::ReadPoint head(const char* branch) {
    version::VersionStore& store = bench_.core().store();
    return store.head(store.find_branch(branch)->id);
  }
  MergeBench bench_{"CREATE TABLE t(id INTEGER PRIMARY KEY, a, b); INSERT INTO t VALUES(1, 1, 1), (2, 1, 1)"};
};

// A base that another one contains has nothing to say: what the newer one changed is no change of ours.
TEST_F(VersionMergeTest, TheBasesAreMergedFirst) {
  const version::ReadPoint older = head("main");
  bench_.begin_again("UPDATE t SET a = 2 WHERE id = 1");
  const version::ReadPoint newer = head("main");
  bench_.theirs("UPDATE t SET a = 3 WHERE id = 1; UPDATE t SET b = 7 WHERE id = 2");
  auto state = ConnectionState::open(bench_.core()).value();
  const auto merged = merge_versions(*state, {.theirs = head("x"), .bases = {newer, older}});
  DOSQL_ASSERT_OK(merged);
  EXPECT_TRUE(merged->conflicts.empty());
  EXPECT_EQ(bench_.rows("SELECT * FROM t"), "1|3|1\n2|1|7\n");
}

// A column that came since is no reason not to ask them.
TEST_F(VersionMergeTest, TheBasesAreMergedFirstWhereTheTableHasMoreColumnsSince) {
  const version::ReadPoint older = head("main");
  bench_.begin_again("UPDATE t SET a = 2 WHERE id = 1");
  const version::ReadPoint newer = head("main");
  bench_.theirs(
      "UPDATE t SET a = 3 WHERE id = 1; UPDATE t SET b = 7 WHERE id = 2; ALTER TABLE t ADD COLUMN c");
  auto state = ConnectionState::open(bench_.core()).value();
  const auto merged = merge_versions(*state, {.theirs = head("x"), .bases = {newer, older}});
  DOSQL_ASSERT_OK(merged);
  EXPECT_TRUE(merged->conflicts.empty());
  EXPECT_EQ(bench_.rows("SELECT * FROM t"), "1|3|1|NULL\n2|1|7|NULL\n");
}

// Where one of its columns is not declared the same they are not: what is a change from one is none from the
// other.
TEST_F(VersionMergeTest, WhatTwoBasesDisagreeAboutIsAConflict) {
  const version::ReadPoint older = head("main");
  bench_.begin_again("UPDATE t SET a = 2 WHERE id = 1");
  const version::ReadPoint newer = head("main");
  bench_.theirs(
      "UPDATE t SET a = 3 WHERE id = 1; UPDATE t SET b = 7 WHERE id = 2; "
      "BEGIN; CREATE TABLE s(id INTEGER PRIMARY KEY, a NUM, b, c); INSERT INTO s(id, a, b) SELECT * FROM t; "
      "DROP TABLE t; ALTER TABLE s RENAME TO t; COMMIT");
  auto state = ConnectionState::open(bench_.core()).value();
  VersionMerge what{.theirs = head("x"), .bases = {newer, older}};
  const auto merged = merge_versions(*state, what);
  DOSQL_ASSERT_OK(merged);
  ASSERT_EQ(merged->conflicts.size(), 1U);
  EXPECT_EQ(merged->conflicts[0].kind, ConflictKind::kBase);
  EXPECT_EQ(merged->conflicts[0].key, "1");
  EXPECT_EQ(bench_.rows("SELECT * FROM t"), "1|2|1\n2|1|1\n");
  what.preference = merge::Preference::kOurs;
  DOSQL_ASSERT_OK(merge_versions(*state, what));
  EXPECT_EQ(bench_.rows("SELECT * FROM t"), "1|2|1|NULL\n2|1|7|NULL\n");
}

TEST_F(VersionMergeTest, IsUndoneWhereverItIsInterrupted) {
  const version::ReadPoint older = head("main");
  bench_.begin_again("UPDATE t SET a = 2 WHERE id = 1");
  const version::ReadPoint newer = head("main");
  bench_.ours("UPDATE t SET b = 5 WHERE id = 2");
  bench_.theirs("UPDATE t SET a = 3 WHERE id = 1; ALTER TABLE t ADD COLUMN c; CREATE TABLE u(n)");
  const VersionMerge what{
      .theirs = head("x"), .bases = {newer, older}, .preference = merge::Preference::kTheirs};
  auto state = ConnectionState::open(bench_.core()).value();
  for (const bool in_transaction : {true, false}) {
    bool merged = false;
    for (int steps = 0; !merged; ++steps) {
      if (in_transaction) DOSQL_ASSERT_OK(run_own(*state, "BEGIN; UPDATE t SET b = 6 WHERE id = 2"));
      int left = steps;
      state->hooks().set_progress(state->db(), 7, [&left] { return left-- > 0; });
      const auto done = merge_versions(*state, what);
      state->hooks().set_progress(state->db(), 0, {});
      merged = done.has_value();
      ASSERT_TRUE(merged || done.error().code() == ErrorCode::kInterrupted) << done.error().message();
      // SQLite itself ends a transaction in which a write is interrupted.
      const bool still_open = sqlite3_get_autocommit(state->db()) == 0;
      ASSERT_TRUE(in_transaction || !still_open) << steps;
      if (still_open) {
        const std::string inside = merged ? "1|3|1|NULL\n2|1|6|NULL" : "1|2|1\n2|1|6";
        ASSERT_EQ(rows_text(state->db(), "SELECT * FROM t"), inside) << steps;
        DOSQL_ASSERT_OK(run_own(*state, "ROLLBACK"));
      }
      const bool kept = merged && !in_transaction;
      const std::string outside = kept ? "1|3|1|NULL\n2|1|5|NULL\n" : "1|2|1\n2|1|5\n";
      ASSERT_EQ(bench_.rows("SELECT * FROM t"), outside) << steps;
      bench_.ours("BEGIN IMMEDIATE; ROLLBACK");
    }
  }
}

TEST_F(VersionMergeTest, IsAPartOfTheTransactionThatIsOpen) {
  const version::ReadPoint base = head("main");
  bench_.theirs("UPDATE t SET a = 3 WHERE id = 1; UPDATE t SET b = 7 WHERE id = 2");
  auto state = ConnectionState::open(bench_.core()).value();
  VersionMerge what{.theirs = head("x"), .bases = {base}};
  what.marks.message = "three";
  DOSQL_ASSERT_OK(run_own(*state, "BEGIN; UPDATE t SET b = 9 WHERE id = 2"));
  // What the transaction did before counts as ours.
  auto merged = merge_versions(*state, what);
  DOSQL_ASSERT_OK(merged);
  EXPECT_EQ(merged->conflicts.size(), 1U);
  DOSQL_ASSERT_OK(run_own(*state, "UPDATE t SET b = 1 WHERE id = 2"));
  merged = merge_versions(*state, what);
  DOSQL_ASSERT_OK(merged);
  EXPECT_TRUE(merged->conflicts.empty());
  EXPECT_EQ(bench_.rows("SELECT * FROM t"), "1|1|1\n2|1|1\n");
  DOSQL_ASSERT_OK(run_own(*state, "COMMIT"));
  EXPECT_EQ(bench_.rows("SELECT * FROM t"), "1|3|1\n2|1|7\n");
}

TEST_F(VersionMergeTest, IsUndoneWithTheTransaction) {
  const version::ReadPoint base = head("main");
  bench_.theirs("UPDATE t SET a = 3");
  auto state = ConnectionState::open(bench_.core()).value();
  DOSQL_ASSERT_OK(run_own(*state, "BEGIN"));
  DOSQL_ASSERT_OK(merge_versions(*state, {.theirs = head("x"), .bases = {base}}));
  DOSQL_ASSERT_OK(run_own(*state, "ROLLBACK"));
  EXPECT_EQ(head("main"), base);
  DOSQL_ASSERT_OK(run_own(*state, "BEGIN; CREATE TABLE u(x)"));
  DOSQL_EXPECT_ERROR(merge_versions(*state, {.theirs = head("x"), .bases = {base}}), kInvalidArgument);
}

// What a savepoint takes back was not merged; what it keeps was.
TEST_F(VersionMergeTest, IsUndoneWithASavepoint) {
  bench_.theirs("UPDATE t SET a = 3 WHERE id = 1");
  Connection& ours = bench_.our_connection();
  DOSQL_ASSERT_OK(
      ours.exec("CREATE BRANCH y; CHECKOUT y; UPDATE t SET a = 4 WHERE id = 2; CHECKOUT main;"
                "UPDATE t SET b = 5"));
  const auto merged = [&](const char* sql) {
    DOSQL_EXPECT_OK(ours.exec(sql));
    return rows_text(ours, "SELECT name, unmerged FROM dosql_branches WHERE name IN ('x', 'y')") + "\n" +
           bench_.rows("SELECT a FROM t");
  };
  const char* const kNeither = "x|1\ny|1\n1\n1\n";
  EXPECT_EQ(merged("BEGIN; SAVEPOINT a; MERGE BRANCH x; ROLLBACK TO a; COMMIT"), kNeither);
  EXPECT_EQ(merged("SAVEPOINT a; MERGE BRANCH x; MERGE BRANCH y; ROLLBACK TO a; RELEASE a"), kNeither);
  EXPECT_EQ(merged("BEGIN; SAVEPOINT a; SAVEPOINT b; MERGE BRANCH x; RELEASE b; ROLLBACK TO a; COMMIT"),
            kNeither);
  EXPECT_EQ(merged("BEGIN; SAVEPOINT a; MERGE BRANCH x; RELEASE a; ROLLBACK"), kNeither);
  EXPECT_EQ(merged("BEGIN; SAVEPOINT a; MERGE BRANCH x; SAVEPOINT b; MERGE BRANCH y; ROLLBACK TO b;"
                   "RELEASE a; COMMIT"),
            "x|0\ny|1\n3\n1\n");
  EXPECT_EQ(
      merged("SAVEPOINT a; SAVEPOINT b; MERGE BRANCH y MESSAGE 'kept'; RELEASE b; SAVEPOINT c; ROLLBACK TO c;"
             "RELEASE a"),
      "x|0\ny|0\n3\n4\n");
  EXPECT_EQ(rows_text(ours, "SELECT message FROM dosql_log LIMIT 1"), "kept");
  DOSQL_EXPECT_ERROR(ours.exec("INSERT INTO dosql_marks VALUES(1)"), kSql);
}

TEST_F(VersionMergeTest, HasNoMoreMarksThanACommitMayHave) {
  bench_.theirs("UPDATE t SET a = 3");
  auto state = ConnectionState::open(bench_.core()).value();
  DOSQL_ASSERT_OK(run_own(*state, "BEGIN IMMEDIATE"));
  version::CommitMarks marks;
  marks.message.assign(version::CommitMarks::kMessageBytesMax, 'm');
  DOSQL_EXPECT_OK(add_marks(*state, marks));
  marks.message = "one more";
  DOSQL_EXPECT_ERROR(add_marks(*state, marks), kInvalidArgument);
  marks = {.merges = std::vector<version::MergeMark>(version::CommitMarks::kMergesMax + 1), .message = ""};
  DOSQL_EXPECT_ERROR(add_marks(*state, marks), kInvalidArgument);
}

TEST_F(VersionMergeTest, OnlyFindsOutWhatWouldHappen) {
  const version::ReadPoint base = head("main");
  bench_.theirs("UPDATE t SET a = 3; CREATE TABLE u(x); INSERT INTO u VALUES(1)");
  auto state = ConnectionState::open(bench_.core()).value();
  const auto found = merge_versions(*state, {.theirs = head("x"), .bases = {base}, .keep = false});
  DOSQL_ASSERT_OK(found);
  ASSERT_EQ(found->tables.size(), 2U);
  EXPECT_EQ(head("main"), base);
}

// Triggers and cascades did their work where the rows were changed; to do it again would do it twice.
TEST_F(VersionMergeTest, HasNoSideEffects) {
  bench_.begin_again(
      "CREATE TABLE log(x); CREATE TABLE c(id INTEGER PRIMARY KEY, t REFERENCES t ON DELETE CASCADE);"
      "INSERT INTO c VALUES(1, 1); CREATE TRIGGER tr AFTER UPDATE ON t BEGIN INSERT INTO log VALUES(1); END");
  const version::ReadPoint base = head("main");
  bench_.theirs("UPDATE t SET a = 3 WHERE id = 2; DELETE FROM t WHERE id = 1");
  bench_.ours("INSERT INTO t VALUES(5, 5, 5)");
  auto state = ConnectionState::open(bench_.core()).value();
  const auto merged = merge_versions(*state, {.theirs = head("x"), .bases = {base}});
  DOSQL_ASSERT_OK(merged);
  EXPECT_TRUE(merged->conflicts.empty());
  EXPECT_EQ(bench_.rows("SELECT count(*) FROM log"), "1\n");
  EXPECT_EQ(bench_.rows("SELECT count(*) FROM c"), "0\n");
}

// The commit itself as base, its parent as theirs.
TEST_F(VersionMergeTest, UndoingACommitTwiceIsNothing) {
  const version::ReadPoint before = head("main");
  bench_.ours(
      "BEGIN; UPDATE t SET a = 5 WHERE id = 1; DELETE FROM t WHERE id = 2; CREATE INDEX i ON t(b); COMMIT");
  const version::ReadPoint commit = head("main");
  bench_.ours("UPDATE t SET b = 6 WHERE id = 1");
  auto state = ConnectionState::open(bench_.core()).value();
  DOSQL_ASSERT_OK(merge_versions(*state, {.theirs = before, .bases = {commit}}));
  EXPECT_EQ(bench_.rows("SELECT * FROM t"), "1|1|6\n2|1|1\n");
  const version::ReadPoint undone = head("main");
  const version::ReadPoint parent =
      bench_.core().store().at_version(kMainBranch, Version{raw(undone.version) - 1}).value();
  DOSQL_ASSERT_OK(merge_versions(*state, {.theirs = parent, .bases = {undone}}));
  EXPECT_EQ(bench_.rows("SELECT * FROM t"), "1|5|6\n");
  EXPECT_EQ(bench_.rows("SELECT name FROM sqlite_schema WHERE type = 'index'"), "i\n");
}

}  // namespace
}  // namespace dosql::engine
