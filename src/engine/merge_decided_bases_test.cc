// Branches that merge older versions of each other, and give rows other numbers in that, some of them inside
// transactions that do other things, too: whatever is decided about their conflicts, a row that both sides
// have is there once afterwards, and what only one side did is lost by no more than a decision against it.

#include <map>
#include <random>
#include <set>
#include <string>

#include <fmt/format.h>

#include "engine/engine_test_support.h"
#include "testing/random_rounds.h"

namespace dosql::engine {
namespace {

// Each row has a name, and a cell that no two changes give the same value.
class Decided {
 public:
  explicit Decided(std::mt19937_64& random)
      : random_(random),
        deletes_(random() % 2 == 0),
        database_(open_in_memory()),
        connection_(database_.connect().value()) {
    run(
        fmt::format("PRAGMA synchronous = OFF; CREATE TABLE t(id INTEGER PRIMARY KEY{}, who, v); "
                    "CREATE TABLE other(v)",
                    pick(2) == 0 ? "" : " AUTOINCREMENT"));
    run("CREATE BRANCH x");
  }

  void change(const std::string& branch) {
    checkout(branch);
    change();
  }

  // Each side merges what the other one was before, unless it cannot.
  void cross() {
    const std::string main_then = fmt::format("main{}", ++copies_);
    const std::string x_then = fmt::format("x{}", copies_);
    run(fmt::format("CREATE BRANCH {} FROM main; CREATE BRANCH {} FROM x", main_then, x_then));
    seen_[main_then] = seen_["main"];
    seen_[x_then] = seen_["x"];
    merge(x_then, "main");
    merge(main_then, "x");
  }

  // At times beside others in a transaction that is rolled back, or not.
  void merge(const std::string& source, const std::string& target) {
    checkout(target);
    in_transaction_ = pick(3) == 0;
    const std::map<std::string, std::set<int>> seen_before = seen_[target];
    if (in_transaction_) {
      run("BEGIN");
      for (std::size_t steps = pick(3); steps > 0; --steps) change();
      if (pick(3) == 0) run("INSERT INTO other VALUES(1)");
      if (pick(4) == 0) {
        merge_here(fmt::format("{}{}", source.substr(0, source[0] == 'x' ? 1 : 4), 1 + pick(3)));
      }
    }
    // A row that it changes behind a merge cannot be traced (docs/merge.md).
    merge_here(source);
    if (!in_transaction_) return;
    in_transaction_ = false;
    if (pick(4) != 0) return run("COMMIT");
    run("ROLLBACK");
    seen_[target] = seen_before;
  }

 private:
  using Rows = std::map<std::string, int>;
  using Seen = std::map<std::string, std::set<int>>;  // the values that a row had on a branch

  std::size_t pick(std::size_t count) { return random_() % count; }

  void change() {
    const std::size_t id = 1 + pick(6);
    switch (pick(5)) {
      case 1:
        if (deletes_) {
          run(fmt::format("DELETE FROM t WHERE id = {}", id));
          break;
        }
        [[fallthrough]];
      case 0: run(fmt::format("UPDATE t SET v = {} WHERE id = {}", ++tokens_, id)); break;
      default: run(fmt::format("INSERT OR IGNORE INTO t VALUES({}, 'w{}', 0)", id, ++tokens_));
    }
    rows("");
  }

  void merge_here(const std::string& source) {
    if (!seen_.contains(source)) return;
    const Rows there = rows(source);
    const Rows here = rows("");
    std::string strategy = pick(3) == 0 ? "ours" : pick(2) == 0 ? "theirs" : "manual";
    // What waits is no part of a transaction.
    if (pick(4) == 0 || (strategy == "manual" && in_transaction_)) strategy = "auto";
    bool merged_it = run_merge(fmt::format("MERGE BRANCH {} RENUMBER STRATEGY {}", source, strategy));
    if (strategy == "manual" && !connection_.conflicts()) strategy = "auto";
    if (strategy == "manual") merged_it = decide();
    const Rows merged = rows("");
    for (const auto& [who, v] : here) {
      EXPECT_TRUE(merged.contains(who) || !there.contains(who)) << who << " is lost\n" << done_;
    }
    if (!merged_it) return;
    const Seen there_seen = seen_[source];
    check_rows(strategy, here, there, merged, there_seen);
    for (const auto& [who, values] : there_seen) seen_[at_][who].insert(values.begin(), values.end());
  }

  // What `here` has for all that the other branch knows.
  static std::set<std::string> news(const Rows& here, const Seen& there) {
    std::set<std::string> rows;
    for (const auto& [who, v] : here) {
      const auto known = there.find(who);
      if (known == there.end() || !known->second.contains(v)) rows.insert(who);
    }
    return rows;
  }

  void check_rows(const std::string& strategy, const Rows& here, const Rows& there, const Rows& merged,
                  const Seen& there_seen) {
    if (strategy == "manual" || deletes_) return;
    const std::set<std::string> of_ours = news(here, there_seen);
    const std::set<std::string> of_theirs = news(there, seen_[at_]);
    const auto keeps = [&](const std::string& who, const Rows& side) {
      const auto found = merged.find(who);
      EXPECT_TRUE(found != merged.end() && found->second == side.at(who))
          << who << " should have " << side.at(who) << "\n"
          << done_;
    };
    for (const std::string& who : of_ours) {
      const bool only_ours = !of_theirs.contains(who) && there.contains(who);
      if (strategy == "ours" || (strategy == "auto" && only_ours)) keeps(who, here);
    }
    for (const std::string& who : of_theirs) {
      const bool only_theirs = !of_ours.contains(who) && here.contains(who);
      if (strategy == "theirs" || (strategy == "auto" && only_theirs)) keeps(who, there);
    }
  }

  bool decide() {
    for (int round = 0; round < 4; ++round) {
      const auto waiting = connection_.conflicts();
      if (!waiting) return false;
      for (const MergeConflict& conflict : *waiting)
        run(fmt::format("SELECT dosql_resolve_conflict({}, '{}')", conflict.id,
                        pick(2) == 0 ? "ours" : "theirs"));
      if (run_merge("COMPLETE MERGE")) return true;
    }
    if (connection_.conflicts()) run("ABORT MERGE");
    return false;
  }

  // It may meet conflicts that no strategy decides.
  bool run_merge(const std::string& sql) {
    done_ += sql + ";\n";
    const auto ran = connection_.exec(sql);
    if (ran) return true;
    const bool is_conflict = ran.error().code() == ErrorCode::kMergeConflict;
    const bool is_refused = failure_text(ran.error()).find("cannot be decided") != std::string::npos;
    EXPECT_TRUE(is_conflict || is_refused) << done_ << failure_text(ran.error());
    done_ += "-- it could not\n";
    return false;
  }

  void run(const std::string& sql) {
    done_ += sql + ";\n";
    const auto ran = connection_.exec(sql);
    EXPECT_TRUE(ran.has_value()) << done_ << failure_text(ran.error());
  }

  void checkout(const std::string& branch) {
    run("CHECKOUT " + branch);
    at_ = branch;
    rows("");
  }

  // "": the branch that the connection is at, which has seen them then.
  Rows rows(const std::string& branch) {
    const std::string where = branch.empty() ? "" : fmt::format(" FOR SYSTEM_TIME AS OF BRANCH '{}'", branch);
    Rows all;
    const auto found = connection_.query("SELECT who, v FROM t" + where);
    DOSQL_EXPECT_OK(found);
    if (!found) return all;
    for (const Row& row : *found) {
      const std::string who = value_text(row[0]);
      const bool is_new = all.emplace(who, static_cast<int>(row[1].integer())).second;
      EXPECT_TRUE(is_new) << who << " is there twice\n" << done_;
      if (branch.empty()) seen_[at_][who].insert(all[who]);
    }
    return all;
  }

  std::mt19937_64& random_;
  // A row that is given the number of one that was deleted counts as that (docs/merge.md).
  const bool deletes_;
  Database database_;
  Connection connection_;
  std::string at_ = "main";
  bool in_transaction_ = false;
  std::map<std::string, Seen> seen_ = {{"main", {}}, {"x", {}}};
  int tokens_ = 0;
  int copies_ = 0;
  std::string done_;
};

// Rows 1 and 2 have each other's numbers on the two branches, and each side changed one of them.
constexpr const char* kExchanged =
    "CREATE TABLE t(id INTEGER PRIMARY KEY, who, v); CREATE TABLE other(v); CREATE BRANCH x; "
    "INSERT INTO t VALUES(1, 'm', 0); CREATE BRANCH m_old; CHECKOUT x; INSERT INTO t VALUES(1, 'x', 0); "
    "CREATE BRANCH x_old; CHECKOUT main; MERGE BRANCH x_old RENUMBER; UPDATE t SET v = 3 WHERE who = 'm'; "
    "CHECKOUT x; MERGE BRANCH m_old RENUMBER; UPDATE t SET v = 2 WHERE who = 'x'; CHECKOUT main";

// What it has changed itself is in no version, so that it cannot be told which rows belong together.
TEST(MergeDecidedBasesTest, NoStrategyDecidesAboutRowsThatTheTransactionHasChanged) {
  Database database = open_in_memory();
  Connection connection = database.connect().value();
  DOSQL_ASSERT_OK(connection.exec(kExchanged));
  for (const char* const change : {"UPDATE t SET v = 9 WHERE id = 1", "DELETE FROM t WHERE id = 2",
                                   "DELETE FROM t WHERE id = 1; INSERT INTO t VALUES(1, 'own', 0)"}) {
    for (const char* const side : {"ours", "theirs"}) {
      DOSQL_ASSERT_OK(connection.exec(fmt::format("BEGIN; {}", change)));
      const auto merged = connection.exec(fmt::format("MERGE BRANCH x STRATEGY {}", side));
      ASSERT_FALSE(merged.has_value()) << change << side;
      EXPECT_EQ(merged.error().code(), ErrorCode::kMergeConflict) << failure_text(merged.error());
      DOSQL_ASSERT_OK(connection.exec("ROLLBACK"));
    }
  }
}

// Changes of other rows, and of other tables, do not matter.
TEST(MergeDecidedBasesTest, AStrategyDecidesInATransactionThatHasChangedOtherRows) {
  for (const char* const change : {"INSERT INTO other VALUES(1)", "INSERT INTO t VALUES(20, 'own', 0)"}) {
    for (const char* const side : {"ours", "theirs"}) {
      Database database = open_in_memory();
      Connection connection = database.connect().value();
      DOSQL_ASSERT_OK(connection.exec(kExchanged));
      DOSQL_ASSERT_OK(
          connection.exec(fmt::format("BEGIN; {}; MERGE BRANCH x STRATEGY {}; COMMIT", change, side)));
      EXPECT_EQ(rows_text(connection, "SELECT id, who, v FROM t WHERE id < 20"),
                std::string_view(side) == "ours" ? "1|m|3\n2|x|0" : "1|x|2\n2|m|0")
          << change << side;
    }
  }
}

TEST(MergeDecidedBasesTest, ARowThatBothSidesHaveIsThereOnce) {
  testing::for_random_rounds(300, 20'000, [](std::mt19937_64& random) {
    Decided both(random);
    for (std::size_t steps = 6 + random() % 14; steps > 0 && !::testing::Test::HasFailure(); --steps) {
      switch (random() % 8) {
        case 0: both.merge("x", "main"); break;
        case 1: both.merge("main", "x"); break;
        case 2:
        case 3: both.cross(); break;
        default: both.change(random() % 2 == 0 ? "main" : "x");
      }
    }
    both.merge("x", "main");
  });
}

}  // namespace
}  // namespace dosql::engine
