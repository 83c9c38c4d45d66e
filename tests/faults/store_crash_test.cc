// The store loses its power, or its process, at every kind of moment, also while it recovers from that. What
// it acknowledged must be there afterwards, and nothing that is half done.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "testing/run_length.h"
#include "testing/simulated_disk.h"
#include "tests/faults/scripted_life.h"
#include "tests/faults/store_model.h"

namespace dosql::testing {
namespace {

using version::StoreOptions;
using version::VersionStore;

// A database with branches that lives through many crashes. Everything follows from the seed.
class CrashingStore {
 public:
  explicit CrashingStore(std::uint64_t seed) : random_(seed), entropy_(seed), clock_(kStartUs) {
    size_.pages_max = 4 + random_() % 20;
    size_.large_one_in = 3 + random_() % 10;
    size_.large_writes = random_() % 3 == 0 ? 60 : 12;
    size_.full_page_one_in = 2 + random_() % 8;
    // So small that eviction, spills, rolls and checkpoints happen all the time.
    options_.pool_bytes = 0;
    options_.spill_bytes = (1 + random_() % 8) * kPageBytes;
    options_.history_cache_bytes = 16 * (random_() % 4) * kPageBytes;
    options_.close_checkpoint_bytes = (random_() % 3) << 14;
    options_.maintain_checkpoint_bytes = (1 + random_() % 4) << 14;
  }

  // Opens the store (crashing in between as it happens), works until a crash, loses what a crash loses.
  // Returns the number of crashes.
  int live() {
    int crashes = 0;
    std::unique_ptr<VersionStore> store;
    while (!store) {
      // Mostly long lives, but many that end while they begin.
      disk_->crash_at(random_() % 3 == 0 ? random_() % 12 : random_() % 150);
      store = open();
      if (::testing::Test::HasFailure()) return crashes;
      if (!store) {
        lose();
        ++crashes;
      }
    }
    while (!disk_->has_crashed() && !::testing::Test::HasFailure()) step(store);
    store.reset();
    lose();
    return crashes + 1;
  }

  std::size_t versions() const { return model_.versions(); }
  std::uint64_t lost_changes() const { return model_.lost_changes(); }

 private:
  static constexpr TimestampUs kStartUs = 1'700'000'000'000'000;

  // Null after a crash.
  std::unique_ptr<VersionStore> open() {
    auto store = VersionStore::open(disk_->directory(), options_, clock_, entropy_);
    if (!store) {
      EXPECT_TRUE(disk_->has_crashed()) << "a healthy store was refused: " << store.error().message();
      return nullptr;
    }
    if (disk_->has_crashed()) return nullptr;
    EXPECT_TRUE(model_.verify(**store, loss_));
    // What recovery found it made durable.
    model_.note_all_durable();
    loss_ = Loss::kNothing;
    return *std::move(store);
  }

  void step(std::unique_ptr<VersionStore>& store) {
    clock_.set_us(clock_.now_us() + static_cast<TimestampUs>(random_() % 2000) - 500);
    const std::uint64_t kind = random_() % 100;
    if (kind < 60) {
      commit(*store);
    } else if (kind < 80) {
      change(model_.random_name_change(*store, random_, random_durability(random_)));
    } else if (kind < 85) {
      // Also in the middle of it, some versions must read as they were committed.
      EXPECT_TRUE(model_.verify_any_version(*store, random_));
    } else if (kind < 90) {
      const auto more = store->maintain(1000);
      expect_or_crash(more ? Status() : Status(more.error()));
    } else if (kind < 97) {
      reopen_cleanly(store);
    } else {
      // The process ends without a word, the machine goes on.
      store.reset();
      store = open();
    }
    if (store) model_.note_durable(*store);
  }

  void commit(VersionStore& store) {
    if (random_() % 4 == 0) return change(model_.random_group(store, random_, size_));
    const std::string branch = random_() % 2 == 0 ? "main" : model_.any_branch(random_);
    change(model_.random_transaction(store, random_, size_, random_durability(random_), branch));
  }

  void change(const Status& done) {
    if (!done && disk_->has_crashed()) model_.set_outcome_unknown();
    expect_or_crash(done);
  }

  void reopen_cleanly(std::unique_ptr<VersionStore>& store) {
    const Status closed = store->close();
    expect_or_crash(closed);
    if (closed) model_.note_all_durable();
    store.reset();
    if (disk_->has_crashed()) return;
    store = open();
    EXPECT_TRUE(!store || store->status().opened_clean);
  }

  void expect_or_crash(const Status& status) {
    EXPECT_TRUE(status || disk_->has_crashed()) << status.error().message();
  }

  void lose() {
    if (random_() % 4 == 0) {
      disk_ = disk_->after_process_kill();
    } else {
      disk_ = disk_->after_power_loss(entropy_);
      loss_ = Loss::kNotDurable;
    }
  }

  Generator random_;
  SeededRandom entropy_;
  ManualClock clock_;
  WorkSize size_;
  StoreOptions options_;
  std::unique_ptr<SimulatedDisk> disk_ = std::make_unique<SimulatedDisk>();
  StoreModel model_;
  Loss loss_ = Loss::kNothing;  // the worst since the store was last open
};

// Lives one after another on the same database until its history gets long, then a new one.
TEST(StoreCrashTest, NothingAcknowledgedIsLost) {
  constexpr std::size_t kVersionsMax = 60;
  const std::uint64_t seed = test_seed();
  const int points = soak() ? scaled(20'000) : scaled(2'000);
  int crashes = 0;
  std::uint64_t lost_changes = 0;
  for (std::uint64_t run = 0; crashes < points; ++run) {
    SCOPED_TRACE(
        fmt::format("DOSQL_SEED={} store_crash_test --gtest_filter=*NothingAcknowledgedIsLost", seed + run));
    CrashingStore store(seed + run);
    for (int life = 0; life < 30 && store.versions() < kVersionsMax; ++life) {
      crashes += store.live();
      ASSERT_FALSE(HasFailure()) << "in life " << life;
    }
    lost_changes += store.lost_changes();
  }
  RecordProperty("crashes", crashes);
  // A disk that never loses anything would make this test worthless.
  EXPECT_GT(lost_changes, 0u);
}

// A crash at each operation, and what is left of the disk in several ways; the recovery from one of them
// crashes at each of its own operations in turn.
TEST(StoreCrashTest, ACrashAtEachOperation) {
  SimulatedDisk whole;
  ScriptedLife(whole).run();
  const std::uint64_t operations = whole.operation_count();
  ASSERT_GT(operations, 100u);
  const int losses = soak() ? 40 : 4;
  const std::uint64_t stride = std::max<std::uint64_t>(1, 100 / static_cast<std::uint64_t>(scaled(100)));
  SeededRandom chance(test_seed());
  int crashes = 0;
  for (std::uint64_t index = 0; index < operations; index += stride) {
    SimulatedDisk disk;
    disk.crash_at(index);
    ScriptedLife life(disk);
    life.run();
    ASSERT_TRUE(disk.has_crashed());
    SCOPED_TRACE("crash at " + SimulatedDisk::describe(index, disk.operations().back()));
    life.expect_survival(*disk.after_process_kill(), Loss::kNothing);
    for (int loss = 0; loss < losses && !HasFailure(); ++loss) {
      life.expect_survival(*disk.after_power_loss(chance), Loss::kNotDurable);
    }
    crashes += 1 + losses;
    const auto left = index % 2 == 0 ? disk.after_power_loss(chance) : disk.after_process_kill();
    for (std::uint64_t inner = 0;; ++inner) {
      const auto recovering = left->copy();
      recovering->crash_at(inner);
      auto store = life.open(*recovering);
      if (!recovering->has_crashed()) break;
      store = Error(ErrorCode::kIo, "");
      SCOPED_TRACE("and in recovery at " + SimulatedDisk::describe(inner, recovering->operations().back()));
      life.expect_survival(*recovering->after_power_loss(chance), Loss::kNotDurable);
      ++crashes;
    }
    ASSERT_FALSE(HasFailure());
  }
  RecordProperty("crashes", crashes);
}

}  // namespace
}  // namespace dosql::testing
