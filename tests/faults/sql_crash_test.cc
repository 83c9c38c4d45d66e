// The machine or the process stops under real SQL, on several branches. After each crash the database passes
// integrity_check, and each branch holds exactly what stock SQLite holds after the same transactions, of
// which only unsynced newest ones may be missing; so it is with branches and snapshots that were made or
// dropped.

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <algorithm>
#include <map>

#include "engine/engine_test_support.h"
#include "testing/run_length.h"
#include "testing/simulated_disk.h"
#include "tests/faults/crash_history.h"
#include "tests/faults/sql_names.h"
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
  }

  // Opens, works until a crash, loses what a crash loses.
  void live() {
    disk_->crash_at(random_() % 4 == 0 ? random_() % 20 : random_() % 120);
    while (!disk_->has_crashed() && !::testing::Test::HasFailure()) open_and_work();
    if (random_() % 4 == 0) {
      disk_ = disk_->after_process_kill();
    } else {
      disk_ = disk_->after_power_loss(entropy_);
      loss_ = Loss::kNotDurable;
    }
  }

  std::uint64_t lost_changes() const { return history_.lost(); }

 private:
  // Up to the crash or a clean close.
  void open_and_work() {
    auto core = DatabaseCore::open(disk_->directory(), "/nowhere/simulated", options_);
    if (disk_->has_crashed()) return;
    ASSERT_TRUE(core) << core.error().message();
    store_ = &(*core)->store();
    Database database = DatabaseAccess::make(*std::move(core));
    {
      auto connection = database.connect();
      ASSERT_TRUE(connection) << connection.error().message();
      if (!compare(database, *connection)) return;
      set_up(*connection);
      for (std::uint64_t steps = 1 + random_() % 60; steps > 0 && !disk_->has_crashed(); --steps) {
        step(database, *connection);
        if (::testing::Test::HasFailure()) return;
        history_.note_durable(store_->status().durable_lsn);
      }
    }
    const Status closed = database.close();
    EXPECT_TRUE(closed || disk_->has_crashed()) << closed.error().message();
    if (closed) history_.note_all_durable();
  }

  // Finds out which state survived, whether it may be that one, and whether each branch is what stock SQLite
  // has. Ends on main.
  bool compare(Database& database, Connection& connection) {
    const std::string wrong = history_.settle(store_->status().lsn, loss_);
    EXPECT_EQ(wrong, "");
    if (!wrong.empty()) return false;
    history_.newest().lsn = store_->status().lsn;
    // What recovery found it made durable.
    history_.note_all_durable();
    loss_ = Loss::kNothing;
    const SqlState& found = state();
    EXPECT_EQ(rows_text(connection, "SELECT name FROM dosql_branches"), names_text(found.branches));
    EXPECT_EQ(rows_text(connection, "SELECT name FROM dosql_snapshots"), names_text(found.snapshots));
    const std::uint64_t checked = random_() % found.branches.size();
    std::uint64_t branches = 0;
    for (const auto& [name, line] : found.branches) {
      if (name != "main") compare_branch(connection, name, branches++ == checked);
    }
    compare_branch(connection, "main", branches == checked);
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

  template <class Map>
  static std::string names_text(const Map& map) {
    std::string text;
    for (const auto& [name, line] : map) text += (text.empty() ? "" : "\n") + name;
    return text;
  }

  void compare_branch(Connection& connection, const std::string& name, bool integrity) {
    const Status done = connection.exec("CHECKOUT " + name);
    EXPECT_TRUE(done) << done.error().message();
    const auto newest = state().branches.at(name).rbegin();
    EXPECT_EQ(connection.version(), newest->first) << name;
    checked_out(name);
    EXPECT_EQ(content_text(connection), content_text(stock_.db())) << name << "@" << newest->first;
    if (integrity) {
      EXPECT_EQ(rows_text(connection, "PRAGMA integrity_check"), "ok") << name;
    }
  }

  void checked_out(const std::string& name) {
    branch_ = name;
    stock_.restore(state().branches.at(name).rbegin()->second);
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
    const std::uint64_t kind = random_() % 12;
    if (kind == 0) {
      const auto more = database.maintain(1000);
      EXPECT_TRUE(more || disk_->has_crashed());
    } else if (kind < 4) {
      change_names(connection);
    } else {
      change_rows(connection);
    }
  }

  void change_names(Connection& connection) {
    const NameStatement statement = random_name_statement(random_, state(), branch_);
    const Status done = connection.exec(statement.sql);
    if (!done && disk_->has_crashed()) {
      if (!statement.error && !statement.checkout) history_.set_unknown(statement.after);
      return;
    }
    if (statement.error) {
      ASSERT_FALSE(done) << statement.sql;
      EXPECT_EQ(done.error().code(), *statement.error) << statement.sql << ": " << done.error().message();
      return;
    }
    ASSERT_TRUE(done) << statement.sql << ": " << done.error().message();
    if (!statement.checkout) acknowledge(statement.after);
    if (!statement.checkout && !statement.merge) return;
    checked_out(statement.branch);
    EXPECT_EQ(content_text(connection), content_text(stock_.db())) << statement.sql;
  }

  void change_rows(Connection& connection) {
    const std::uint64_t version = state().branches.at(branch_).rbegin()->first;
    const SqlBlock block = workload_.next_block(stock_.names(SqlWorkload::tables_query()));
    stock_.count_from(counted_elsewhere());
    for (const std::string& sql : block) {
      const int wanted = stock_.run(sql);
      const Status done = connection.exec(sql);
      if (disk_->has_crashed()) {
        // The whole transaction happened, or nothing of it.
        if (&sql == &block.back()) history_.set_unknown(with_stock(version + 1));
        return;
      }
      const int got = done ? SQLITE_OK : done.error().sqlite_code();
      EXPECT_EQ(got, wanted) << sql << (done ? "" : ": " + done.error().message());
    }
    const std::uint64_t now = connection.version();
    EXPECT_LE(now, version + 1) << "a transaction is one version";
    if (now != version) acknowledge(with_stock(now));
  }

  // What AUTOINCREMENT must not give again on the present branch.
  StockModel::Numbers counted_elsewhere() {
    StockModel::Numbers highest;
    for (const auto& [name, line] : state().branches) {
      if (name == branch_) continue;
      const auto& newest = line.rbegin()->second;
      if (!counted_.contains(newest)) counted_[newest] = StockModel::counted(newest);
      for (const auto& [table, number] : counted_[newest]) highest[table] = std::max(highest[table], number);
    }
    return highest;
  }

  const SqlState& state() const { return history_.newest(); }

  // The state with stock SQLite's content as a new version of the present branch.
  SqlState with_stock(std::uint64_t version) {
    SqlState next = state();
    next.branches.at(branch_)[version] = stock_.snapshot();
    return next;
  }

  void acknowledge(SqlState next) {
    next.lsn = store_->status().lsn;
    EXPECT_GT(next.lsn, state().lsn);
    history_.acknowledge(std::move(next));
    if (durability_ == Durability::kFull) history_.note_all_durable();
  }

  std::mt19937_64 random_;
  SeededRandom entropy_;
  ManualClock clock_{1'700'000'000'000'000};
  Options options_;
  SqlWorkload workload_;
  std::unique_ptr<SimulatedDisk> disk_ = std::make_unique<SimulatedDisk>();
  version::VersionStore* store_ = nullptr;  // of the database that is open
  StockModel stock_;                        // the present branch
  std::string branch_ = "main";
  std::map<StockModel::Snapshot, StockModel::Numbers> counted_;
  CrashHistory<SqlState> history_;
  Loss loss_ = Loss::kNothing;  // the worst since the database was last open
  Durability durability_ = Durability::kFull;
};

TEST(SqlCrashTest, ContentIsThatOfStockSqlite) {
  const std::uint64_t seed = test_seed();
  const int points = soak() ? scaled(5'000) : scaled(400);
  int crashes = 0;
  std::uint64_t lost_changes = 0;
  for (std::uint64_t run = 0; crashes < points; ++run) {
    SCOPED_TRACE(fmt::format("DOSQL_SEED={} sql_crash_test", seed + run));
    CrashingDatabase database(seed + run);
    for (int life = 0; life < 20; ++life) {
      database.live();
      ++crashes;
      ASSERT_FALSE(HasFailure()) << "in life " << life;
    }
    lost_changes += database.lost_changes();
  }
  RecordProperty("crashes", crashes);
  EXPECT_GT(lost_changes, 0u);
}

}  // namespace
}  // namespace dosql::testing
