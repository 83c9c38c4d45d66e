// Rows that come to a branch by CHERRY PICK or REVERT, and from the branch that has them by a merge, too:
// none of them is there twice, and none gets lost (docs/merge.md, decision 040).

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "engine/merge_brought_test_support.h"
#include "testing/random_rounds.h"

namespace dosql::engine {
namespace {

class MergeBrought : public ::testing::TestWithParam<std::tuple<Kind, bool>> {
 protected:
  static constexpr const char* kAll = "SELECT u, a FROM t ORDER BY u";

  MergeBrought() : session_(fmt::format("CREATE TABLE t({}); CREATE BRANCH f", kind().columns)) {
    // Where main has a row under the number already, the one that is picked gets another.
    session_.run("CHECKOUT f; INSERT INTO t(u, a) VALUES('r', 0)");
    lsn_ = session_.newest_lsn();
    session_.run("CHECKOUT main");
    if (taken()) {
      const bool counts = std::string(kind().name) == "AutoIncrement";
      session_.run(counts ? "INSERT INTO t(id, u) VALUES(1, 'm')"
                          : fmt::format("INSERT INTO t({}, u) VALUES({}, 'm')", kind().number,
                                        std::string(kind().name) == "Hidden" ? 1 : 7));
    } else {
      session_.run(fmt::format("INSERT INTO t({}, u) VALUES(7, 'm')", kind().number));
    }
  }

  static const Kind& kind() { return std::get<0>(GetParam()); }
  static bool is_hidden() { return std::string(kind().name) == "Hidden"; }
  static bool taken() { return std::get<1>(GetParam()); }
  void pick() { DOSQL_ASSERT_OK(session_.connection().cherry_pick(lsn_)); }
  std::string merge(const std::string& more = "") {
    return fmt::format("MERGE BRANCH f{}{}", kind().merge, more);
  }
  void change_there() { session_.run("CHECKOUT f; UPDATE t SET a = 'f' WHERE u = 'r'; CHECKOUT main"); }

  void expect_collision() {
    const auto found = session_.conflicts_of(merge());
    ASSERT_EQ(found.size(), 1u);
    EXPECT_EQ(found[0].kind, "key_collision");
    EXPECT_NE(found[0].main.find("\"r\""), std::string::npos) << found[0].main;
    EXPECT_NE(found[0].branch.find("\"r\""), std::string::npos) << found[0].branch;
    EXPECT_EQ(session_.hint.find("RENUMBER keeps"), std::string::npos) << session_.hint;
  }

  BranchSession session_;
  std::uint64_t lsn_ = 0;
};

TEST_P(MergeBrought, WhatIsPickedAndNotChangedIsThereOnce) {
  pick();
  session_.run(merge());
  EXPECT_EQ(session_.rows(kAll), "m|NULL\nr|0");
}

TEST_P(MergeBrought, WhatIsPickedAndThenChangedThereIsAConflict) {
  pick();
  change_there();
  session_.reopen();
  expect_collision();
  EXPECT_EQ(session_.rows(kAll), "m|NULL\nr|0");
  session_.run(merge(" STRATEGY theirs"));
  EXPECT_EQ(session_.rows(kAll), "m|NULL\nr|f");
  session_.run("CHECKOUT f; MERGE BRANCH main");
  EXPECT_EQ(session_.rows(kAll), "m|NULL\nr|f");
}

TEST_P(MergeBrought, WhatIsPickedAndThenChangedHereIsAConflict) {
  pick();
  session_.run("UPDATE t SET a = 'main' WHERE u = 'r'");
  expect_collision();
  session_.run(merge(" STRATEGY ours"));
  EXPECT_EQ(session_.rows(kAll), "m|NULL\nr|main");
  // Rows without a key are counted by what is in them behind a merge.
  if (taken() || is_hidden()) return;
  // Once it is decided it is one row.
  session_.run("UPDATE t SET a = 'more' WHERE u = 'r'; CHECKOUT f; UPDATE t SET u = 'R'; CHECKOUT main");
  session_.run(merge());
  EXPECT_EQ(session_.rows(kAll), "R|more\nm|NULL");
}

TEST_P(MergeBrought, TheBranchMeetsItselfOnMain) {
  pick();
  change_there();
  session_.run("CHECKOUT f");
  const std::string into_f = fmt::format("MERGE BRANCH main{}", kind().merge);
  const auto found = session_.conflicts_of(into_f);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].kind, "key_collision");
  session_.run(into_f + " STRATEGY ours");
  EXPECT_EQ(session_.rows(kAll), "m|NULL\nr|f");
}

TEST_P(MergeBrought, ItIsSoInsideOneTransactionToo) {
  change_there();
  session_.run("BEGIN");
  pick();
  expect_collision();
  session_.run(merge(" STRATEGY theirs") + "; COMMIT");
  EXPECT_EQ(session_.rows(kAll), "m|NULL\nr|f");
}

TEST_P(MergeBrought, ItComesToMainByWayOfAThirdBranch) {
  session_.run("CREATE BRANCH g; CHECKOUT g");
  pick();
  session_.run("CHECKOUT main; INSERT INTO t(u, a) VALUES('n', 1)");
  change_there();
  session_.run(fmt::format("MERGE BRANCH g{}", kind().merge));
  if (taken() && is_hidden()) {
    // The merge gave it another number once more: only that there is one can be told.
    const auto found = session_.conflicts_of(merge());
    ASSERT_EQ(found.size(), 1u);
    EXPECT_EQ(found[0].kind, "key_collision");
  } else {
    expect_collision();
  }
  session_.run(merge(" STRATEGY ours"));
  EXPECT_EQ(session_.rows(kAll), "m|NULL\nn|1\nr|0");
}

TEST_P(MergeBrought, WhatCannotBePickedSaysSo) {
  session_.run("UPDATE t SET a = 1; CHECKOUT f; UPDATE t SET a = 2");
  const std::uint64_t changed = session_.newest_lsn();
  session_.run("CHECKOUT main");
  const Status done = session_.connection().exec(fmt::format("CHERRY PICK LSN {}", changed));
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().message().substr(0, 41), "nothing was picked: there is a conflict: ");
}

// Under its number main may have another row, which is none of its business.
TEST_P(MergeBrought, AChangeIsPickedIntoItsOwnRowOnly) {
  change_there();
  session_.run("CHECKOUT f");
  const std::uint64_t changed = session_.newest_lsn();
  session_.run("CHECKOUT main; UPDATE t SET a = 0");
  pick();
  const auto picked = session_.connection().cherry_pick(changed);
  DOSQL_ASSERT_OK(picked);
  EXPECT_EQ(session_.rows(kAll), picked->conflicts.empty() ? "m|0\nr|f" : "m|0\nr|0");
  EXPECT_TRUE(taken() || picked->conflicts.empty());
}

// Who has nothing to do with what was picked is not in the way.
TEST_P(MergeBrought, RowsOfOthersStillGetNumbers) {
  if (taken()) return;
  session_.run("CREATE BRANCH w; CHECKOUT w");
  session_.run(fmt::format("INSERT INTO t({0}, u) VALUES(1, 'w1')", kind().number));
  session_.run("CHECKOUT main");
  pick();
  session_.run(fmt::format("MERGE BRANCH w{}", kind().merge));
  EXPECT_EQ(session_.rows(kAll), "m|NULL\nr|0\nw1|NULL");
  // Also once f is forgotten.
  session_.run("CREATE BRANCH v FROM 'main@2'; CHECKOUT v");
  session_.run(fmt::format("INSERT INTO t({0}, u) VALUES(1, 'v1')", kind().number));
  session_.run("CHECKOUT main; DROP BRANCH f FORCE");
  session_.reopen();
  session_.reopen();
  session_.run(fmt::format("MERGE BRANCH v{}", kind().merge));
  EXPECT_EQ(session_.rows(kAll), "m|NULL\nr|0\nv1|NULL\nw1|NULL");
}

std::string name_of(const ::testing::TestParamInfo<std::tuple<Kind, bool>>& info) {
  return fmt::format("{}{}", std::get<0>(info.param).name, std::get<1>(info.param) ? "Taken" : "Free");
}
INSTANTIATE_TEST_SUITE_P(Kinds, MergeBrought,
                         ::testing::Combine(::testing::ValuesIn(kKinds), ::testing::Bool()), name_of);

// A merge counted the rows by what is in them, so that no commit says which rowid the row has on main. Its
// rowid on f is another row's there, or nobody's.
class MergeBroughtCounted : public ::testing::TestWithParam<bool> {
 protected:
  MergeBroughtCounted() {
    session_.run("INSERT INTO t VALUES('a', 0); CREATE BRANCH f; CHECKOUT f; INSERT INTO t VALUES('r', 0)");
    session_.run("CHECKOUT main; INSERT INTO t VALUES('m', 0); MERGE BRANCH f; CHECKOUT f");
    session_.run("UPDATE t SET a = 1 WHERE u = 'r'; INSERT INTO t VALUES('s', 0)");
    session_.run("CHECKOUT main; MERGE BRANCH f; CHECKOUT f; UPDATE t SET a = 7 WHERE u = 's'");
    session_.run("MERGE BRANCH main; CHECKOUT main");
    if (!GetParam()) session_.run("DELETE FROM t WHERE u = 'm'");
    EXPECT_EQ(session_.rows("SELECT rowid FROM t WHERE u = 'r'"), "4");
  }
  void pick_from_f(const std::string& what) {
    session_.run("CHECKOUT f; " + what);
    const std::uint64_t lsn = session_.newest_lsn();
    session_.run("CHECKOUT main");
    const auto picked = session_.connection().cherry_pick(lsn);
    DOSQL_ASSERT_OK(picked);
    EXPECT_FALSE(picked->already_merged);
    EXPECT_TRUE(picked->conflicts.empty());
  }
  std::string rest() const { return GetParam() ? "m|0\n" : ""; }

  BranchSession session_{"CREATE TABLE t(u, a)"};
};

TEST_P(MergeBroughtCounted, ItsDeletionIsPicked) {
  pick_from_f("DELETE FROM t WHERE u = 'r'");
  EXPECT_EQ(session_.rows("SELECT * FROM t ORDER BY u"), "a|0\n" + rest() + "s|0");
}

TEST_P(MergeBroughtCounted, ItsChangeIsPicked) {
  pick_from_f("UPDATE t SET a = 2 WHERE u = 'r'");
  EXPECT_EQ(session_.rows("SELECT * FROM t ORDER BY u"), "a|0\n" + rest() + "r|2\ns|0");
}

INSTANTIATE_TEST_SUITE_P(Taken, MergeBroughtCounted, ::testing::Bool());

// Their children follow to the number that the row has.
TEST(MergeBroughtChildren, ReferToTheRowThatWasPicked) {
  BranchSession session(
      "CREATE TABLE p(id INTEGER PRIMARY KEY AUTOINCREMENT, n); "
      "CREATE TABLE c(id INTEGER PRIMARY KEY AUTOINCREMENT, p REFERENCES p(id), means); CREATE BRANCH f; "
      "INSERT INTO p VALUES(1, 'main'); CHECKOUT f; INSERT INTO p VALUES(1, 'f')");
  const std::uint64_t lsn = session.newest_lsn();
  session.run("CHECKOUT main");
  DOSQL_ASSERT_OK(session.connection().cherry_pick(lsn));
  session.run("CHECKOUT f; INSERT INTO c(p, means) VALUES(1, 'f'); CHECKOUT main; MERGE BRANCH f");
  EXPECT_EQ(session.rows("SELECT n, means FROM p JOIN c ON c.p = p.id"), "f|f");
  EXPECT_EQ(session.rows("SELECT n FROM p ORDER BY id"), "main\nf");
}

TEST(MergeBroughtChildren, ArePickedToTheirOwnParentOnly) {
  BranchSession session(
      "CREATE TABLE p(id INTEGER PRIMARY KEY AUTOINCREMENT, n); "
      "CREATE TABLE c(id INTEGER PRIMARY KEY AUTOINCREMENT, p REFERENCES p(id), means); CREATE BRANCH f; "
      "INSERT INTO p VALUES(1, 'main'); CHECKOUT f; INSERT INTO p VALUES(1, 'f')");
  const std::uint64_t parent = session.newest_lsn();
  session.run("INSERT INTO c(p, means) VALUES(1, 'f')");
  const std::uint64_t child = session.newest_lsn();
  session.run("CHECKOUT main");
  DOSQL_ASSERT_OK(session.connection().cherry_pick(parent));
  session.run(fmt::format("CHERRY PICK LSN {} STRATEGY manual", child));
  EXPECT_EQ(session.rows("SELECT count(*) FROM c"), "0");
  EXPECT_EQ(session.rows("SELECT kind FROM dosql_conflicts"), "foreign_key");
  session.run("SELECT dosql_resolve_conflict(id, '{\"p\": 2}') FROM dosql_conflicts; COMPLETE MERGE");
  EXPECT_EQ(session.rows("SELECT n, means FROM p JOIN c ON c.p = p.id"), "f|f");
}

// --- Another row under the number ---

// A commit that does something to r, and a branch x where its table, and what it is known by, has another
// name, and the number another row.
class MergeBroughtRenamed : public ::testing::Test {
 protected:
  MergeBroughtRenamed()
      : session_(
            "CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT, u, a); "
            "CREATE TABLE c(id INTEGER PRIMARY KEY, t REFERENCES t(id)); CREATE BRANCH x; "
            "INSERT INTO t VALUES(2, 'r', 0)") {
    inserts_ = session_.newest_lsn();
    updates_ = commit("UPDATE t SET a = 1");
    refers_ = commit("INSERT INTO c VALUES(1, 2)");
    session_.run("DELETE FROM c");
    deletes_ = commit("DELETE FROM t");
    session_.run("CHECKOUT x; ALTER TABLE t RENAME TO n; ALTER TABLE n RENAME COLUMN id TO number");
    session_.run("INSERT INTO n VALUES(2, 's', 7)");
  }
  std::uint64_t commit(const std::string& sql) {
    session_.run(sql);
    return session_.newest_lsn();
  }
  static std::string pick(std::uint64_t lsn) { return fmt::format("CHERRY PICK LSN {}", lsn); }
  void expect_conflict(const std::string& sql, const std::string& kind) {
    const auto found = session_.conflicts_of(sql);
    ASSERT_EQ(found.size(), 1u) << sql;
    EXPECT_EQ(found[0].kind, kind);
    EXPECT_EQ(session_.rows("SELECT * FROM n"), "2|s|7");
  }

  BranchSession session_;
  std::uint64_t inserts_ = 0;
  std::uint64_t updates_ = 0;
  std::uint64_t refers_ = 0;
  std::uint64_t deletes_ = 0;
};

TEST_F(MergeBroughtRenamed, IsLeftAlone) {
  for (const char* const strategy : {"", " STRATEGY theirs"}) {
    expect_conflict(pick(updates_) + strategy, "key_collision");
    expect_conflict(pick(deletes_) + strategy, "update_delete");
    expect_conflict(pick(refers_) + strategy, "foreign_key");
  }
}

TEST_F(MergeBroughtRenamed, WhatIsDecidedAboutItIsDone) {
  session_.run(pick(updates_) + " STRATEGY manual");
  session_.run("SELECT dosql_resolve_conflict(id, 'theirs') FROM dosql_conflicts; COMPLETE MERGE");
  EXPECT_EQ(session_.rows("SELECT * FROM n"), "2|r|1");
}

TEST_F(MergeBroughtRenamed, TheRowIsFoundOnceItIsThere) {
  session_.run("DROP TABLE c; " + pick(inserts_) + "; " + pick(updates_));
  EXPECT_EQ(session_.rows("SELECT * FROM n"), "2|s|7\n3|r|1");
  session_.run(pick(deletes_));
  EXPECT_EQ(session_.rows("SELECT * FROM n"), "2|s|7");
}

// Names may go from table to table.
TEST(MergeBroughtExchanged, TablesKeepTheirRows) {
  BranchSession session(
      "CREATE TABLE p(id INTEGER PRIMARY KEY AUTOINCREMENT, u, a); "
      "CREATE TABLE q(id INTEGER PRIMARY KEY AUTOINCREMENT, u, a); INSERT INTO q VALUES(2, 'q', 0); "
      "CREATE BRANCH x; INSERT INTO p VALUES(2, 'p', 0); UPDATE p SET a = 1");
  const std::uint64_t lsn = session.newest_lsn();
  session.run(
      "CHECKOUT x; ALTER TABLE p RENAME TO z; ALTER TABLE q RENAME TO p; ALTER TABLE z RENAME TO q; "
      "INSERT INTO q VALUES(2, 'other', 0)");
  const std::string pick = fmt::format("CHERRY PICK LSN {}", lsn);
  for (const char* const strategy : {"", " STRATEGY theirs"}) {
    const auto found = session.conflicts_of(pick + strategy);
    ASSERT_EQ(found.size(), 1u);
    EXPECT_EQ(found[0].kind, "key_collision");
    EXPECT_EQ(found[0].table, "q");
  }
  EXPECT_EQ(session.rows("SELECT u, a FROM p UNION ALL SELECT u, a FROM q ORDER BY u"), "other|0\nq|0");
}

// What both branches made under one name had no row when they parted.
TEST(MergeBroughtExchanged, TablesMadeOnBothBranchesHaveRowsOfTheirOwn) {
  const std::string makes = "CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT, u, a); ";
  BranchSession session("CREATE BRANCH x; " + makes + "INSERT INTO t VALUES(1, 's', 0); CHECKOUT x; " +
                        makes + "INSERT INTO t VALUES(1, 'r', 0); UPDATE t SET a = 1");
  const std::uint64_t lsn = session.newest_lsn();
  session.run("CHECKOUT main");
  for (const char* const strategy : {"", " STRATEGY theirs"}) {
    const auto found = session.conflicts_of(fmt::format("CHERRY PICK LSN {}{}", lsn, strategy));
    ASSERT_EQ(found.size(), 1u);
    EXPECT_EQ(found[0].kind, "key_collision");
  }
}

// main has s under the number of r, a row of f, and what it merges is not committed yet.
class MergeBroughtInTransaction : public ::testing::Test {
 protected:
  MergeBroughtInTransaction()
      : session_(
            "CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT, u, a); CREATE BRANCH f; "
            "INSERT INTO t VALUES(1, 's', 0), (5, 'm', 0); UPDATE t SET a = 1 WHERE u = 'm'") {
    ours_ = session_.newest_lsn();
    session_.run(
        "CHECKOUT f; INSERT INTO t VALUES(1, 'r', 0), (5, 'n', 0); UPDATE t SET a = 2 WHERE u = 'r'");
    theirs_ = session_.newest_lsn();
    session_.run("UPDATE t SET a = 3 WHERE u = 'r'; CHECKOUT main; BEGIN");
  }
  static std::string pick(std::uint64_t lsn) { return fmt::format("CHERRY PICK LSN {}", lsn); }
  std::string rows() { return session_.rows("SELECT u, a FROM t ORDER BY u"); }

  BranchSession session_;
  std::uint64_t ours_ = 0;
  std::uint64_t theirs_ = 0;
};

TEST_F(MergeBroughtInTransaction, TheRowIsFoundUnderItsNewNumber) {
  session_.run("MERGE BRANCH f; " + pick(theirs_) + " STRATEGY theirs; COMMIT");
  EXPECT_EQ(rows(), "m|1\nn|0\nr|2\ns|0");
}

TEST_F(MergeBroughtInTransaction, WhereItIsGoneNoOtherTakesItsPlace) {
  session_.run("MERGE BRANCH f; DELETE FROM t WHERE u = 'r'");
  for (const char* const strategy : {"", " STRATEGY theirs"}) {
    const auto found = session_.conflicts_of(pick(theirs_) + strategy);
    ASSERT_EQ(found.size(), 1u);
    EXPECT_EQ(found[0].kind, "key_collision");
  }
  EXPECT_EQ(rows(), "m|1\nn|0\ns|0");
}

TEST_F(MergeBroughtInTransaction, WhatCameInThePlaceOfAnotherRowIsNotThat) {
  session_.run("DELETE FROM t WHERE u = 'm'; MERGE BRANCH f");
  for (const char* const strategy : {"", " STRATEGY theirs"}) {
    const auto found = session_.conflicts_of(pick(ours_) + strategy);
    ASSERT_EQ(found.size(), 1u);
    EXPECT_EQ(found[0].kind, "key_collision");
  }
  EXPECT_EQ(rows(), "n|0\nr|3\ns|0");
}

TEST_F(MergeBroughtInTransaction, NorIsWhatItInserted) {
  session_.run("INSERT INTO t VALUES(9, 'new', 0); COMMIT; CHECKOUT f; INSERT INTO t VALUES(8, 'o', 0)");
  session_.run("UPDATE t SET a = 4 WHERE u = 'o'");
  const std::uint64_t lsn = session_.newest_lsn();
  session_.run("CHECKOUT main; BEGIN; INSERT INTO t VALUES(8, 'newer', 0)");
  const auto found = session_.conflicts_of(pick(lsn) + " STRATEGY theirs");
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].kind, "key_collision");
}

// --- Random histories ---

// Rows have numbers of their own on all branches, so that no merge has to give any others: each number is one
// row, which says in `u` which it is. Rows without a key are counted by what is in them behind a merge, and
// may be there twice then (docs/merge.md), but are not lost.
class History {
 public:
  History(std::mt19937_64& random, const Kind& kind)
      : random_(random), kind_(kind), session_(fmt::format("CREATE TABLE t({}, b)", kind.columns)) {
    for (int i = 0; i < 3; ++i) insert();
    for (const char* const name : {"x", "y", "z"}) {
      session_.run(fmt::format("CREATE BRANCH {} FROM main", name));
      branches_.push_back(name);
    }
  }

  void step() {
    switch (random_() % 12) {
      case 0:
      case 1: insert(); break;
      case 2:
      case 3: change("UPDATE t SET {} = {} WHERE u = {}"); break;
      case 4:
      case 5: change("DELETE FROM t WHERE u = {2}"); break;
      case 6: revert(); break;
      case 7: pick(); break;
      case 8: check_out(); break;
      case 9:
        if (one_in(4)) session_.reopen(), branch_ = "main";
        break;
      default: merge();
    }
    if (has_no_key()) return;
    EXPECT_EQ(session_.rows("SELECT u, count(*) FROM t GROUP BY u HAVING count(*) > 1"), "") << log_;
    EXPECT_EQ(session_.rows(fmt::format("SELECT {0}, u FROM t WHERE {0} <> u", kind_.number)), "") << log_;
  }

  int merged = 0;

 private:
  bool has_no_key() const { return std::string(kind_.name) == "Hidden"; }
  bool one_in(unsigned n) { return random_() % n == 0; }
  const std::string& some_branch() { return branches_[random_() % branches_.size()]; }
  void run(const std::string& sql) {
    log_ += sql + "; ";
    session_.run(sql);
  }
  // Where there are conflicts nothing happens.
  bool attempt(const std::string& what, const Status& done) {
    if (done) log_ += what + "; ";
    if (done) return true;
    EXPECT_EQ(done.error().code(), ErrorCode::kMergeConflict) << what << ": " << failure_text(done.error());
    return false;
  }
  void check_out() {
    branch_ = some_branch();
    run("CHECKOUT " + branch_);
  }
  std::set<std::int64_t> all() {
    std::set<std::int64_t> found;
    for (const Row& row : session_.connection().query("SELECT u FROM t").value())
      found.insert(row[0].integer());
    return found;
  }
  void insert() {
    ++last_;
    // A merge gives rows without a key the next ones.
    const std::int64_t number = has_no_key() ? last_ * 1'000 : last_;
    run(fmt::format("INSERT INTO t({}, u, a) VALUES({}, {}, 0)", kind_.number, number, last_));
  }
  void change(const char* sql) {
    const std::set<std::int64_t> rows = all();
    if (rows.empty()) return;
    const std::int64_t row = *std::next(rows.begin(), static_cast<std::ptrdiff_t>(random_() % rows.size()));
    run(fmt::format(fmt::runtime(sql), one_in(2) ? "a" : "b", ++values_, row));
  }
  std::string strategy() {
    if (!one_in(3)) return "";
    return one_in(2) ? " STRATEGY ours" : " STRATEGY theirs";
  }
  void revert() {
    const std::string newest = session_.rows("SELECT max(version) FROM dosql_log");
    const std::uint64_t back = random_() % std::min<std::uint64_t>(std::stoull(newest) - 1, 6);
    const std::string sql = fmt::format("REVERT VERSION CURRENT - {}{}", back, strategy());
    attempt(sql, session_.connection().exec(sql));
  }
  void pick() {
    const std::string from = some_branch();
    session_.run("CHECKOUT " + from);
    const auto commits = session_.connection().query("SELECT lsn_last FROM dosql_log LIMIT 6").value();
    const std::int64_t lsn = commits[random_() % commits.size()][0].integer();
    session_.run("CHECKOUT " + branch_);
    const std::string sql = fmt::format("CHERRY PICK LSN {}{}", lsn, strategy());
    const Status done = session_.connection().exec(sql);
    // The commit that made the table.
    attempt(fmt::format("{} of {}", sql, from), done);
  }
  void merge() {
    const std::string from = some_branch();
    if (from == branch_) return;
    const std::set<std::int64_t> ours = all();
    session_.run("CHECKOUT " + from);
    const std::set<std::int64_t> theirs = all();
    session_.run("CHECKOUT " + branch_);
    const std::string sql = fmt::format("MERGE BRANCH {}{}{}", from, kind_.merge, strategy());
    if (!attempt(sql, session_.connection().exec(sql))) return;
    ++merged;
    const std::set<std::int64_t> now = all();
    for (const std::int64_t row : ours) {
      EXPECT_TRUE(!theirs.contains(row) || now.contains(row)) << row << " is lost\n" << log_;
    }
    for (const std::int64_t row : now)
      EXPECT_TRUE(ours.contains(row) || theirs.contains(row)) << row << " came from nowhere\n" << log_;
  }

  std::mt19937_64& random_;
  const Kind& kind_;
  BranchSession session_;
  std::string branch_ = "main";
  std::vector<std::string> branches_{"main"};
  std::string log_;
  std::int64_t last_ = 0;
  int values_ = 0;
};

void check_histories(std::size_t first_kind, std::size_t kinds) {
  int merged = 0;
  testing::for_random_rounds(30, 20'000, [&](std::mt19937_64& random) {
    History history(random, kKinds[first_kind + random() % kinds]);
    for (std::size_t steps = 20 + random() % 40; steps > 0 && !::testing::Test::HasFailure(); --steps)
      history.step();
    merged += history.merged;
  });
  if (::testing::Test::HasFailure()) return;
  EXPECT_GT(merged, 0);
}

TEST(MergeBroughtRandom, NoRowIsThereTwiceOrLost) { check_histories(0, 2); }
TEST(MergeBroughtRandom, NoRowWithoutAKeyIsLost) { check_histories(2, 1); }

}  // namespace
}  // namespace dosql::engine
