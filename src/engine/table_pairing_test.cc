#include "engine/table_pairing.h"

#include <gmock/gmock.h>

#include "engine/engine_test_support.h"

namespace dosql::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class TablePairingTest : public ::testing::Test {
 protected:
  version::ReadPoint run(const std::string& sql) {
    DOSQL_EXPECT_OK(connection_.exec(sql));
    return core_.store().head(branch_);
  }
  void checkout(const std::string& branch) {
    DOSQL_EXPECT_OK(connection_.exec("CHECKOUT " + branch));
    branch_ = core_.store().find_branch(branch)->id;
  }

  // "before>after", "-" where it is not.
  std::vector<std::string> pairs(const version::ReadPoint& before, const version::ReadPoint& after) {
    const TablePairs all = pair_tables(core_.store(), schemas_, before, after).value();
    std::vector<std::string> lines;
    for (const TablePair& pair : all.pairs) {
      lines.push_back((pair.before ? pair.before->name : "-") + ">" + (pair.after ? pair.after->name : "-"));
    }
    return lines;
  }

  Database database_ = open_in_memory();
  DatabaseCore& core_ = DatabaseAccess::core(database_);
  Connection connection_ = database_.connect().value();
  VersionSchemas schemas_{core_};
  BranchId branch_ = kMainBranch;
};

TEST_F(TablePairingTest, FollowsARenameBothWays) {
  const auto before = run("CREATE TABLE t(a); CREATE TABLE u(a)");
  const auto after = run("ALTER TABLE t RENAME TO x; INSERT INTO u VALUES (1); ALTER TABLE x RENAME TO z");
  EXPECT_THAT(pairs(before, after), ElementsAre("u>u", "t>z"));
  EXPECT_THAT(pairs(after, before), ElementsAre("z>t", "u>u"));
}

TEST_F(TablePairingTest, ANewTableUnderTheOldNameIsAnother) {
  const auto before = run("CREATE TABLE t(a)");
  const auto after = run("BEGIN; ALTER TABLE t RENAME TO old; CREATE TABLE t(a); COMMIT");
  EXPECT_THAT(pairs(before, after), ElementsAre("t>old", "->t"));
}

TEST_F(TablePairingTest, RenamedWithANewColumnInOneTransaction) {
  const auto before = run("CREATE TABLE t(a, b)");
  const auto more = run("BEGIN; ALTER TABLE t RENAME TO x; ALTER TABLE x ADD COLUMN c; COMMIT");
  const auto fewer = run("BEGIN; ALTER TABLE x RENAME TO y; ALTER TABLE y DROP COLUMN a; COMMIT");
  EXPECT_THAT(pairs(before, more), ElementsAre("t>x"));
  EXPECT_THAT(pairs(before, fewer), ElementsAre("t>y"));
}

TEST_F(TablePairingTest, DroppedAndAnotherMadeInItsPlace) {
  const auto before = run("CREATE TABLE t(a)");
  const auto after = run("BEGIN; DROP TABLE t; CREATE TABLE x(b); COMMIT");
  EXPECT_THAT(pairs(before, after), ElementsAre("t>-", "->x"));
}

TEST_F(TablePairingTest, VacuumNumbersTheSchemaAnew) {
  run("CREATE TABLE gone(a); CREATE TABLE b(a); CREATE TABLE c(a)");
  const auto before = run("DROP TABLE gone");
  const auto after = run("VACUUM; ALTER TABLE b RENAME TO d; VACUUM");
  EXPECT_THAT(pairs(before, after), ElementsAre("c>c", "b>d"));
}

TEST_F(TablePairingTest, TheWayInWhichSqliteSaysToChangeATable) {
  const auto before = run("CREATE TABLE t(a); CREATE TABLE other(a)");
  run("ALTER TABLE other RENAME TO another");
  const auto after =
      run("BEGIN; CREATE TABLE new_t(a, b); INSERT INTO new_t(a) SELECT a FROM t; DROP TABLE t;"
          "ALTER TABLE new_t RENAME TO t; COMMIT");
  EXPECT_THAT(pairs(before, after), ElementsAre("other>another", "t>t"));
}

TEST_F(TablePairingTest, AcrossBranches) {
  run("CREATE TABLE t(a); CREATE TABLE u(a); CREATE BRANCH side");
  const auto main = run("ALTER TABLE t RENAME TO mine; CREATE TABLE both(a)");
  checkout("side");
  const auto side = run("ALTER TABLE t RENAME TO theirs; DROP TABLE u; CREATE TABLE both(a)");
  EXPECT_THAT(pairs(main, side), ElementsAre("both>both", "mine>theirs", "u>-"));
}

// By index, "-" where it is gone.
std::string steps_text(const VersionSchema& before, const VersionSchema& after) {
  std::string text;
  const std::vector<std::size_t> next = follow_exchanges(before, after);
  for (std::size_t i = 0; i < next.size(); ++i) {
    text += before.tables[i].name + ">" + (next[i] == kNoTable ? "-" : after.tables[next[i]].name) + " ";
  }
  return text;
}

TEST_F(TablePairingTest, NamesThatTablesExchangeInOneStep) {
  const auto steps = [&](const std::string& sql) {
    const auto before = schemas_.of(core_.store().head(branch_)).value();
    return steps_text(*before, *schemas_.of(run(sql)).value());
  };
  run("CREATE TABLE gone(x); CREATE TABLE a(v); CREATE TABLE b(v); CREATE TABLE c(v); DROP TABLE gone");
  EXPECT_EQ(steps("BEGIN; ALTER TABLE a RENAME TO z; ALTER TABLE b RENAME TO a; ALTER TABLE z RENAME TO b;"
                  "COMMIT"),
            "a>b b>a c>c ");
  EXPECT_EQ(steps("VACUUM"), "b>b a>a c>c ");
  EXPECT_EQ(steps("BEGIN; ALTER TABLE b RENAME TO old; ALTER TABLE a RENAME TO b; COMMIT"), "b>old a>b c>c ");
  EXPECT_EQ(steps("BEGIN; DROP TABLE old; ALTER TABLE b RENAME TO old; COMMIT"), "old>- b>old c>c ");
  // The way in which SQLite says to change a table, for the last two at once.
  EXPECT_EQ(steps("BEGIN; DROP TABLE c; DROP TABLE old; CREATE TABLE c(v); CREATE TABLE old(v); COMMIT"),
            "old>old c>c ");
}

TEST_F(TablePairingTest, FindsWhatChangedTheSchemaAmongManyCommits) {
  const auto first = run("CREATE TABLE t(a)");
  for (int i = 0; i < 50; ++i) run("INSERT INTO t VALUES (1)");
  const auto index = run("CREATE INDEX i ON t(a)");
  for (int i = 0; i < 50; ++i) run("INSERT INTO t VALUES (1)");
  const auto drop = run("DROP INDEX i");
  const auto last = run("INSERT INTO t VALUES (1)");
  EXPECT_THAT(schema_changes(core_.store(), first, last).value(), ElementsAre(index, drop));
  EXPECT_THAT(schema_changes(core_.store(), drop, last).value(), IsEmpty());
  const version::ReadPoint empty = core_.store().branch_info(kMainBranch).fork;
  EXPECT_THAT(schema_changes(core_.store(), empty, first).value(), ElementsAre(first));
}

TEST_F(TablePairingTest, FindsByTheLaterNameFirst) {
  const auto before = run("CREATE TABLE t(a)");
  const auto after = run("ALTER TABLE t RENAME TO old; CREATE TABLE t(a)");
  const TablePairs all = pair_tables(core_.store(), schemas_, before, after).value();
  EXPECT_EQ(all.find("T")->before, nullptr);
  EXPECT_EQ(all.find("old")->before->name, "t");
  EXPECT_TRUE(all.find("old")->renamed());
  EXPECT_EQ(all.find("none"), nullptr);
}

}  // namespace
}  // namespace dosql::engine
