// The machine or the process stops under real SQL. After each crash the database passes integrity_check and
// holds exactly what stock SQLite holds after the same transactions, of which only unsynced newest ones may
// be missing.

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <map>

#include "engine/engine_test_support.h"
#include "testing/run_length.h"
#include "testing/simulated_disk.h"
#include "tests/faults/sql_workload.h"
#include "tests/faults/stock_model.h"

namespace dosql::testing {
namespace {

using engine::content_text;
using engine::DatabaseAccess;
using engine::DatabaseCore;
using engine::rows_text;

enum class Durability { kOff, kNormal, kFull };

class CrashingDatabase {
 public:
  explicit CrashingDatabase(std::uint64_t seed) : random_(seed), entropy_(seed), workload_(random_) {
    options_.clock = &clock_;
    options_.random = &entropy_;
    options_.pool_bytes = random_() % 2 == 0 ? 0 : std::size_t{1} << 20;
    versions_[0] = stock_.snapshot();
  }

  // Opens, works until a crash, loses what a crash loses.
  void live() {
    disk_->crash_at(random_() % 4 == 0 ? random_() % 20 : random_() % 120);
    while (!disk_->has_crashed() && !::testing::Test::HasFailure()) open_and_work();
    if (random_() % 4 == 0) {
      disk_ = disk_->after_process_kill();
    } else {
      disk_ = disk_->after_power_loss(entropy_);
    }
  }

  std::uint64_t lost_versions() const { return lost_versions_; }

 private:
  // Up to the crash or a clean close.
  void open_and_work() {
    auto core = DatabaseCore::open(disk_->directory(), "/nowhere/simulated", options_);
    if (disk_->has_crashed()) return;
    ASSERT_TRUE(core) << core.error().message();
    Database database = DatabaseAccess::make(*std::move(core));
    {
      auto connection = database.connect();
      ASSERT_TRUE(connection) << connection.error().message();
      if (!compare(database, *connection)) return;
      set_up(*connection);
      for (std::uint64_t steps = 1 + random_() % 60; steps > 0 && !disk_->has_crashed(); --steps) {
        step(database, *connection);
        if (::testing::Test::HasFailure()) return;
      }
    }
    const Status closed = database.close();
    EXPECT_TRUE(closed || disk_->has_crashed()) << closed.error().message();
    if (closed) durable_version_ = version_;
  }

  // Finds out which version survived, whether it may be that one, and whether it is what stock SQLite has.
  bool compare(Database& database, Connection& connection) {
    const std::uint64_t found = connection.version();
    EXPECT_GE(found, durable_version_);
    EXPECT_LE(found, unknown_ ? unknown_->first : version_);
    if (unknown_ && found > version_) versions_[found] = unknown_->second;
    unknown_.reset();
    const auto snapshot = versions_.find(found);
    EXPECT_NE(snapshot, versions_.end());
    if (::testing::Test::HasFailure()) return false;
    lost_versions_ += version_ > found ? version_ - found : 0;
    version_ = durable_version_ = found;
    versions_.erase(std::next(snapshot), versions_.end());
    stock_.restore(snapshot->second);
    EXPECT_EQ(rows_text(connection, "PRAGMA integrity_check"), "ok");
    EXPECT_EQ(content_text(connection), content_text(stock_.db())) << "version " << found;
    if (random_() % 4 == 0) {
      const auto problems = database.check();
      EXPECT_TRUE(problems) << problems.error().message();
      if (problems) {
        for (const auto& problem : *problems)
          ADD_FAILURE() << problem.file << " at " << problem.offset << ": " << problem.what;
      }
    }
    return !::testing::Test::HasFailure();
  }

  void set_up(Connection& connection) {
    durability_ = static_cast<Durability>(random_() % 3);
    constexpr const char* kNames[] = {"OFF", "NORMAL", "FULL"};
    const auto set =
        connection.exec(fmt::format("PRAGMA synchronous = {}; PRAGMA cache_size = {}",
                                    kNames[static_cast<int>(durability_)], random_() % 2 == 0 ? 10 : 500));
    EXPECT_TRUE(set || disk_->has_crashed());
  }

  void step(Database& database, Connection& connection) {
    if (random_() % 12 == 0) {
      const auto more = database.maintain(1000);
      EXPECT_TRUE(more || disk_->has_crashed());
      return;
    }
    const SqlBlock block = workload_.next_block(stock_.names(SqlWorkload::tables_query()));
    for (const std::string& sql : block) {
      const int wanted = stock_.run(sql);
      const Status done = connection.exec(sql);
      if (disk_->has_crashed()) {
        // The whole transaction happened, or nothing of it.
        if (&sql == &block.back()) unknown_ = {version_ + kVersionsOfABlock, stock_.snapshot()};
        return;
      }
      const int got = done ? SQLITE_OK : done.error().sqlite_code();
      EXPECT_EQ(got, wanted) << sql << (done ? "" : ": " + done.error().message());
    }
    const std::uint64_t now = connection.version();
    EXPECT_LE(now, version_ + kVersionsOfABlock);
    if (now == version_) return;
    versions_[now] = stock_.snapshot();
    version_ = now;
    if (durability_ == Durability::kFull) durable_version_ = now;
  }

  static constexpr std::uint64_t kVersionsOfABlock = 1;

  std::mt19937_64 random_;
  SeededRandom entropy_;
  ManualClock clock_{1'700'000'000'000'000};
  Options options_;
  SqlWorkload workload_;
  std::unique_ptr<SimulatedDisk> disk_ = std::make_unique<SimulatedDisk>();
  StockModel stock_;
  std::map<std::uint64_t, StockModel::Snapshot> versions_;
  std::uint64_t version_ = 0;
  std::uint64_t durable_version_ = 0;
  std::uint64_t lost_versions_ = 0;
  Durability durability_ = Durability::kFull;
  // A transaction that was under way: the highest version it may have made, and what is in it.
  std::optional<std::pair<std::uint64_t, StockModel::Snapshot>> unknown_;
};

TEST(SqlCrashTest, ContentIsThatOfStockSqlite) {
  const std::uint64_t seed = test_seed();
  const int points = soak() ? scaled(5'000) : scaled(400);
  int crashes = 0;
  std::uint64_t lost_versions = 0;
  for (std::uint64_t run = 0; crashes < points; ++run) {
    SCOPED_TRACE(fmt::format("DOSQL_SEED={} sql_crash_test", seed + run));
    CrashingDatabase database(seed + run);
    for (int life = 0; life < 20; ++life) {
      database.live();
      ++crashes;
      ASSERT_FALSE(HasFailure()) << "in life " << life;
    }
    lost_versions += database.lost_versions();
  }
  RecordProperty("crashes", crashes);
  EXPECT_GT(lost_versions, 0u);
}

}  // namespace
}  // namespace dosql::testing
