// Branches that merge older versions of each other, and give rows other numbers in that: whatever is decided
// about their conflicts, a row that both sides have is there once afterwards.

#include <map>
#include <random>
#include <string>

#include <fmt/format.h>

#include "engine/engine_test_support.h"
#include "testing/random_rounds.h"

namespace dosql::engine {
namespace {

class Decided {
 public:
  explicit Decided(std::mt19937_64& random)
      : random_(random), database_(open_in_memory()), connection_(database_.connect().value()) {
    run(fmt::format("PRAGMA synchronous = OFF; CREATE TABLE t(id INTEGER PRIMARY KEY{}, who, v)",
                    pick(2) == 0 ? "" : " AUTOINCREMENT"));
    run("CREATE BRANCH x");
  }

  void change(const std::string& branch) {
    run("CHECKOUT " + branch);
    const std::size_t id = 1 + pick(6);
    switch (pick(5)) {
      case 0: return run(fmt::format("UPDATE t SET v = {} WHERE id = {}", ++tokens_, id));
      case 1: return run(fmt::format("DELETE FROM t WHERE id = {}", id));
      default: return run(fmt::format("INSERT OR IGNORE INTO t VALUES({}, 'w{}', 0)", id, ++tokens_));
    }
  }

  // Each side merges what the other one was before, unless it cannot.
  void cross() {
    const std::string main_then = fmt::format("main{}", ++copies_);
    const std::string x_then = fmt::format("x{}", copies_);
    run(fmt::format("CREATE BRANCH {} FROM main; CREATE BRANCH {} FROM x", main_then, x_then));
    merge(x_then, "main");
    merge(main_then, "x");
  }

  void merge(const std::string& source, const std::string& target) {
    const std::map<std::string, int> there = rows(source);
    const std::map<std::string, int> here = rows(target);
    const std::string strategy = pick(3) == 0 ? "ours" : pick(2) == 0 ? "theirs" : "manual";
    run_merge(fmt::format("MERGE BRANCH {} RENUMBER STRATEGY {}", source, strategy));
    if (strategy == "manual") decide();
    const std::map<std::string, int> merged = rows(target);
    for (const auto& [who, count] : merged) EXPECT_EQ(count, 1) << who << " is there twice\n" << done_;
    for (const auto& [who, count] : here) {
      EXPECT_TRUE(merged.contains(who) || !there.contains(who)) << who << " is lost\n" << done_;
    }
  }

 private:
  std::size_t pick(std::size_t count) { return random_() % count; }

  void decide() {
    for (int round = 0; round < 4; ++round) {
      const auto waiting = connection_.conflicts();
      if (!waiting) return;
      for (const MergeConflict& conflict : *waiting)
        run(fmt::format("SELECT dosql_resolve_conflict({}, '{}')", conflict.id,
                        pick(2) == 0 ? "ours" : "theirs"));
      run_merge("COMPLETE MERGE");
    }
    if (connection_.conflicts()) run("ABORT MERGE");
  }

  // It may meet conflicts that no strategy decides.
  void run_merge(const std::string& sql) {
    done_ += sql + ";\n";
    const auto ran = connection_.exec(sql);
    EXPECT_TRUE(ran || ran.error().code() == ErrorCode::kMergeConflict) << done_ << failure_text(ran.error());
  }

  void run(const std::string& sql) {
    done_ += sql + ";\n";
    const auto ran = connection_.exec(sql);
    EXPECT_TRUE(ran.has_value()) << done_ << failure_text(ran.error());
  }

  // How often each row is there.
  std::map<std::string, int> rows(const std::string& branch) {
    run("CHECKOUT " + branch);
    std::map<std::string, int> all;
    const auto found = connection_.query("SELECT who FROM t");
    DOSQL_EXPECT_OK(found);
    if (!found) return all;
    for (const Row& row : *found) ++all[value_text(row[0])];
    return all;
  }

  std::mt19937_64& random_;
  Database database_;
  Connection connection_;
  int tokens_ = 0;
  int copies_ = 0;
  std::string done_;
};

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
