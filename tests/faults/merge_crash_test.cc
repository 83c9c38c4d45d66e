// The machine or the process stops at each write of merges, of waiting ones, of decisions and completions:
// after reopening each step has happened whole or not at all, and the rest of the life can be lived.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/engine_test_support.h"
#include "testing/run_length.h"
#include "testing/simulated_disk.h"

namespace dosql::testing {
namespace {

using engine::DatabaseAccess;
using engine::DatabaseCore;
using engine::rows_text;

// Branches that changed the same rows as main and others, and gave the same number to others of `log`.
constexpr std::string_view kBase = R"(
    CREATE TABLE t(id INTEGER PRIMARY KEY, a, b, u UNIQUE);
    CREATE TABLE log(id INTEGER PRIMARY KEY AUTOINCREMENT, what);
    INSERT INTO t VALUES(1, 'base', 0, 1), (2, 'base', 0, 2), (3, 'base', 0, 3), (4, 'base', 0, 4);
    CREATE BRANCH decided; CREATE BRANCH forgotten; CREATE BRANCH clean; CREATE BRANCH squashed;
    CREATE BRANCH part; CREATE BRANCH ahead;
    CHECKOUT decided;
    UPDATE t SET a = 'decided' WHERE id < 4; DELETE FROM t WHERE id = 4;
    INSERT INTO t VALUES(10, 'decided', 0, 10); INSERT INTO log VALUES(1, 'decided');
    CHECKOUT forgotten; UPDATE t SET a = 'forgotten';
    CHECKOUT clean; ALTER TABLE t ADD COLUMN c DEFAULT 'clean'; INSERT INTO t VALUES(20, 'clean', 0, 20, 'x');
    CHECKOUT squashed; INSERT INTO t VALUES(30, 'squashed', 0, 30);
    CHECKOUT part; INSERT INTO t VALUES(40, 'part', 0, 40); INSERT INTO log VALUES(1, 'part');
    CHECKOUT main; UPDATE t SET a = 'main', b = 1; INSERT INTO log VALUES(1, 'main'))";

// Each is one step: after a crash all of it is there or nothing.
constexpr std::array<std::string_view, 14> kLife{
    "MERGE BRANCH decided STRATEGY manual",
    "SELECT dosql_resolve_conflict(1, 'ours')",
    "SELECT dosql_resolve_conflict(id, 'theirs') FROM dosql_conflicts WHERE id > 1",
    "UPDATE t SET b = 2 WHERE id = 1",
    "COMPLETE MERGE MESSAGE 'decided'",
    "MERGE BRANCH clean MESSAGE 'clean'",
    "REVERT VERSION CURRENT - 1",
    "MERGE BRANCH forgotten STRATEGY manual",
    "SELECT dosql_resolve_conflict(1, '\"agreed\"')",
    "ABORT MERGE",
    "MERGE BRANCH squashed SQUASH",
    "BEGIN; UPDATE t SET b = 3 WHERE id = 2; MERGE BRANCH part MESSAGE 'part'; COMMIT",
    "MERGE BRANCH main",  // on branch ahead: a fast-forward
    "CREATE SNAPSHOT finished",
};
constexpr std::size_t kFastForward = 12;
// After these the database is closed and opened: what waits is read from a checkpoint.
constexpr std::array<std::size_t, 2> kReopened{1, 7};

class Life {
 public:
  explicit Life(std::unique_ptr<SimulatedDisk> disk, std::uint64_t seed)
      : disk_(std::move(disk)), entropy_(seed) {
    options_.clock = &clock_;
    options_.random = &entropy_;
  }

  SimulatedDisk& disk() { return *disk_; }

  // False: the crash came.
  bool open() {
    auto core = DatabaseCore::open(disk_->directory(), "/nowhere/simulated", options_);
    if (!core) {
      EXPECT_TRUE(disk_->has_crashed()) << core.error().message();
      return false;
    }
    database_.emplace(DatabaseAccess::make(*std::move(core)));
    auto connection = database_->connect();
    EXPECT_TRUE(connection || disk_->has_crashed()) << connection.error().message();
    if (connection) connection_.emplace(*std::move(connection));
    return connection.has_value();
  }
  bool close() {
    connection_.reset();
    const Status closed = database_->close();
    database_.reset();
    EXPECT_TRUE(closed || disk_->has_crashed()) << closed.error().message();
    return closed.has_value();
  }

  bool run(std::string_view sql) {
    const Status done = connection_->exec(sql);
    EXPECT_TRUE(done || disk_->has_crashed()) << sql << ": " << done.error().message();
    return done.has_value();
  }
  bool step(std::size_t step) {
    if (step == kFastForward && !run("CHECKOUT ahead")) return false;
    if (!run(kLife[step])) return false;
    if (step == kFastForward && !run("CHECKOUT main")) return false;
    if (std::ranges::find(kReopened, step) == kReopened.end()) return true;
    return close() && open();
  }

  // All that the steps change.
  std::string state() {
    std::string text = rows_text(*connection_, "SELECT * FROM t");
    for (const char* const query :
         {"SELECT what FROM log ORDER BY what", "SELECT * FROM dosql_conflicts",
          "SELECT version, merged, squashed, message FROM dosql_log",
          "SELECT name, version, unmerged FROM dosql_branches", "SELECT name FROM dosql_snapshots"})
      text += fmt::format("\n{}\n{}", query, rows_text(*connection_, query));
    return text;
  }
  void check_integrity() {
    EXPECT_EQ(rows_text(*connection_, "PRAGMA integrity_check"), "ok");
    const auto problems = database_->check();
    ASSERT_TRUE(problems) << problems.error().message();
    for (const auto& problem : *problems) ADD_FAILURE() << problem.file << ": " << problem.what;
  }

  // Loses what a crash loses.
  void die(bool power_loss) {
    connection_.reset();
    database_.reset();
    disk_ = power_loss ? disk_->after_power_loss(entropy_) : disk_->after_process_kill();
  }

 private:
  std::unique_ptr<SimulatedDisk> disk_;
  SeededRandom entropy_;
  ManualClock clock_{1'700'000'000'000'000};
  Options options_;
  std::optional<Database> database_;
  std::optional<Connection> connection_;
};

class MergeCrashTest : public ::testing::Test {
 protected:
  // Lives it once, and notes what there is before each step and after the last.
  void SetUp() override {
    Life life(std::make_unique<SimulatedDisk>(), 1);
    ASSERT_TRUE(life.open() && life.run(kBase) && life.close());
    base_ = life.disk().copy();
    Life again(base_->copy(), 2);
    const std::uint64_t begin = again.disk().operation_count();
    ASSERT_TRUE(again.open());
    states_.push_back(again.state());
    for (std::size_t step = 0; step < kLife.size(); ++step) {
      ASSERT_TRUE(again.step(step)) << kLife[step];
      states_.push_back(again.state());
      ASSERT_NE(states_[step], states_[step + 1]) << kLife[step];
    }
    operations_ = again.disk().operation_count() - begin;
  }

  void crash_at(std::uint64_t operation, bool power_loss, std::uint64_t seed) {
    Life life(base_->copy(), seed);
    life.disk().crash_at(life.disk().operation_count() + operation);
    std::size_t step = 0;
    if (life.open()) {
      while (step < kLife.size() && life.step(step)) ++step;
    }
    ASSERT_TRUE(life.disk().has_crashed());
    life.die(power_loss);
    ASSERT_TRUE(life.open());
    const std::string found = life.state();
    const bool happened = step < kLife.size() && found == states_[step + 1];
    ++(happened ? happened_ : undone_);
    if (!happened) {
      ASSERT_EQ(found, states_[step]) << (step < kLife.size() ? kLife[step] : "the end");
    }
    life.check_integrity();
    for (std::size_t rest = happened ? step + 1 : step; rest < kLife.size(); ++rest)
      ASSERT_TRUE(life.step(rest)) << kLife[rest];
    ASSERT_EQ(life.state(), states_.back());
    life.check_integrity();
  }

  std::unique_ptr<SimulatedDisk> base_;
  std::vector<std::string> states_;
  std::uint64_t operations_ = 0;
  // Crashes after which the step in which they came was there, or was not.
  int happened_ = 0;
  int undone_ = 0;
};

TEST_F(MergeCrashTest, EachStepHappensWholeOrNotAtAll) {
  const std::uint64_t seed = test_seed();
  const auto rounds = static_cast<std::uint64_t>(scaled(soak() ? 40 : 2));
  RecordProperty("operations", static_cast<int>(operations_));
  for (std::uint64_t operation = 0; operation < operations_; ++operation) {
    for (std::uint64_t round = 0; round < rounds; ++round) {
      SCOPED_TRACE(
          fmt::format("DOSQL_SEED={}: crash at operation {} of {}", seed + round, operation, operations_));
      crash_at(operation, round > 0 || operation % 3 != 0, seed + round);
      ASSERT_FALSE(HasFailure());
    }
  }
  EXPECT_GT(happened_, 0);
  EXPECT_GT(undone_, 0);
}

}  // namespace
}  // namespace dosql::testing
