// What a commit says besides its pages: from the connection to dosql_log.

#include <gtest/gtest.h>

#include "engine/connection_state.h"
#include "engine/engine_test_support.h"

namespace dosql::engine {
namespace {

using version::CommitMarks;
using version::MergeKind;
using version::MergeMark;

class CommitMarksTest : public ::testing::Test {
 protected:
  void SetUp() override {
    DOSQL_ASSERT_OK(conn.exec("CREATE TABLE t(n); INSERT INTO t VALUES (1); CREATE BRANCH x"));
    DOSQL_ASSERT_OK(conn.exec("CHECKOUT x; INSERT INTO t VALUES (2); CHECKOUT main"));
  }
  void run(const char* sql) {
    ASSERT_EQ(sqlite3_exec(state->db(), sql, nullptr, nullptr, nullptr), SQLITE_OK);
  }
  MergeMark head_of(const char* name, MergeKind kind = MergeKind::kParent) {
    const auto head = core.store().find_branch(name)->head;
    return {kind, head.branch, head.version, head.lsn};
  }
  std::string log() {
    return rows_text(conn, "SELECT version, parent, merged, squashed, message FROM dosql_log LIMIT 1");
  }

  Database db = open_in_memory();
  DatabaseCore& core = DatabaseAccess::core(db);
  Connection conn = db.connect().value();
  std::shared_ptr<ConnectionState> state = ConnectionState::open(core).value();
};

TEST_F(CommitMarksTest, TheLogShowsBothParentsAndTheMessage) {
  run("BEGIN IMMEDIATE; INSERT INTO t VALUES (3)");
  state->file().add_marks({{head_of("x")}, "x is done"});
  run("COMMIT");
  EXPECT_EQ(log(), "3|main@2|x@3|NULL|x is done");
  run("INSERT INTO t VALUES (4)");
  EXPECT_EQ(log(), "4|main@3|NULL|NULL|NULL") << "marks are of one commit";
}

TEST_F(CommitMarksTest, SeveralMergesInOneTransaction) {
  DOSQL_ASSERT_OK(conn.exec("CREATE BRANCH y FROM x; CHECKOUT y; INSERT INTO t VALUES (3); CHECKOUT main"));
  run("BEGIN IMMEDIATE");
  state->file().add_marks({{head_of("x")}, "one"});
  state->file().add_marks({{head_of("y", MergeKind::kSquash)}, "two"});
  run("COMMIT");
  EXPECT_EQ(log(), "3|main@2|x@3|y@4|one\ntwo");
}

// Marks need no page that changed: what was merged may have been there already.
TEST_F(CommitMarksTest, MarksAloneMakeAVersion) {
  run("BEGIN IMMEDIATE; COMMIT");
  EXPECT_EQ(log(), "2|main@1|NULL|NULL|NULL");
  run("BEGIN IMMEDIATE");
  state->file().add_marks({{head_of("x", MergeKind::kSquash)}, ""});
  run("COMMIT");
  EXPECT_EQ(log(), "3|main@2|NULL|x@3|NULL");
  EXPECT_EQ(rows_text(conn, "SELECT count(*) FROM t"), "1");
}

TEST_F(CommitMarksTest, ARollbackForgetsThem) {
  run("BEGIN IMMEDIATE; INSERT INTO t VALUES (3)");
  state->file().add_marks({{head_of("x")}, "never"});
  run("ROLLBACK; INSERT INTO t VALUES (4)");
  EXPECT_EQ(log(), "3|main@2|NULL|NULL|NULL");
}

TEST_F(CommitMarksTest, AMergedBranchCountsAsMerged) {
  EXPECT_EQ(rows_text(conn, "SELECT unmerged FROM dosql_branches WHERE name = 'x'"), "1");
  DOSQL_EXPECT_ERROR(conn.exec("DROP BRANCH x"), kBranchNotMerged);
  run("BEGIN IMMEDIATE; INSERT INTO t VALUES (2)");
  state->file().add_marks({{head_of("x", MergeKind::kSquash)}, ""});
  run("COMMIT");
  EXPECT_EQ(rows_text(conn, "SELECT unmerged FROM dosql_branches WHERE name = 'x'"), "0");
  const BranchComparison compared = conn.compare_branches("x", "main").value();
  EXPECT_EQ(compared.ahead, 0u);
  EXPECT_EQ(compared.behind, 1u);
  EXPECT_EQ(compared.merge_base.to_string(), "x@3");
  DOSQL_EXPECT_OK(conn.exec("DROP BRANCH x"));
}

// main's line does not go through x's first commit after this: it cannot just become x.
TEST_F(CommitMarksTest, AParentThatIsNotOnTheLineIsNoFastForward) {
  EXPECT_TRUE(conn.compare_branches("x", "main")->can_fast_forward);
  run("INSERT INTO t VALUES (3)");
  DOSQL_ASSERT_OK(conn.exec("CHECKOUT x"));
  std::shared_ptr<ConnectionState> on_x = ConnectionState::open(core).value();
  ASSERT_TRUE(on_x->checkout("x"));
  ASSERT_EQ(sqlite3_exec(on_x->db(), "BEGIN IMMEDIATE", nullptr, nullptr, nullptr), SQLITE_OK);
  on_x->file().add_marks({{head_of("main")}, ""});
  ASSERT_EQ(sqlite3_exec(on_x->db(), "COMMIT", nullptr, nullptr, nullptr), SQLITE_OK);
  const BranchComparison compared = conn.compare_branches("x", "main").value();
  EXPECT_EQ(compared.behind, 0u);
  EXPECT_EQ(compared.ahead, 2u);
  EXPECT_FALSE(compared.diverged);
  EXPECT_FALSE(compared.can_fast_forward) << "main@3 would become another version";
}

}  // namespace
}  // namespace dosql::engine
