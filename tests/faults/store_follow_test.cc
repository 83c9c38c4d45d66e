// Random work of writers that come, go and die, and stores that follow them: what a follower shows is at each
// look what the writer shows, every version of every branch byte for byte.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <list>

#include "testing/run_length.h"
#include "testing/simulated_disk.h"
#include "tests/faults/store_model.h"
#include "version/version_store.h"

namespace dosql::testing {
namespace {

using version::Reader;
using version::ReadPoint;
using version::StoreOptions;
using version::VersionStore;

// Everything follows from the seed.
class FollowedStore {
 public:
  explicit FollowedStore(std::uint64_t seed) : random_(seed), entropy_(seed), clock_(1'700'000'000'000'000) {
    size_.pages_max = 4 + random_() % 20;
    size_.large_one_in = 3 + random_() % 10;
    size_.large_writes = random_() % 3 == 0 ? 60 : 12;
    size_.full_page_one_in = 2 + random_() % 8;
    // So small that eviction, spills, rolls and checkpoints happen all the time.
    options_.pool_bytes = random_() % 2 == 0 ? 0 : std::size_t{64} << 20;
    options_.spill_bytes = (1 + random_() % 8) * kPageBytes;
    options_.history_cache_bytes = 16 * (random_() % 4) * kPageBytes;
    options_.close_checkpoint_bytes = (random_() % 3) << 14;
    options_.maintain_checkpoint_bytes = (1 + random_() % 4) << 14;
    open_writer();
  }

  void step() {
    clock_.set_us(clock_.now_us() + static_cast<TimestampUs>(random_() % 2000) - 500);
    const std::uint64_t kind = random_() % 100;
    if (kind < 55) {
      const std::string branch = random_() % 2 == 0 ? "main" : model_.any_branch(random_);
      change(model_.random_transaction(*writer_, random_, size_, random_durability(random_), branch));
    } else if (kind < 72) {
      change(model_.random_name_change(*writer_, random_, random_durability(random_)));
    } else if (kind < 76) {
      EXPECT_TRUE(writer_->maintain(1000));
    } else if (kind < 80) {
      const Status closed = writer_->close();
      EXPECT_TRUE(closed) << closed.error().message();
      replace_writer();
    } else if (kind < 84) {
      leave_spills();
      replace_writer();
    } else if (kind < 86) {
      fail_soon();
    } else if (kind < 92) {
      if (followers_.size() < 4) followers_.push_back(open_follower());
    } else if (kind < 94) {
      if (!followers_.empty()) followers_.erase(followers_.begin());
    } else {
      look();
    }
  }

  // All followers catch up and show what the model has.
  void look() {
    for (Follower& follower : followers_) {
      if (random_() % 4 == 0) continue;
      check_pinned(follower);
      const Status done = follower.store->catch_up();
      ASSERT_TRUE(done) << done.error().message();
      StoreState expected = model_.state();
      ASSERT_TRUE(verify_state(*follower.store, expected));
      check_pinned(follower);
      if (random_() % 2 == 0) pin(follower);
    }
  }

 private:
  struct Follower {
    std::unique_ptr<VersionStore> store;
    std::unique_ptr<Reader> reader;
    std::vector<Page> pinned;  // what it must read
  };

  void open_writer() {
    auto store = VersionStore::open(disk_.directory(), options_, clock_, entropy_);
    ASSERT_TRUE(store) << store.error().message();
    writer_ = *std::move(store);
    EXPECT_TRUE(model_.verify(*writer_, Loss::kNothing));
  }

  // The process ends without a word, the machine goes on.
  void replace_writer() {
    writer_.reset();
    if (random_() % 3 == 0) look();
    open_writer();
  }

  Follower open_follower() {
    StoreOptions options = options_;
    options.access = version::Access::kReadOnly;
    auto store = VersionStore::open(disk_.directory(), options, clock_, entropy_);
    EXPECT_TRUE(store) << (store ? "" : store.error().message());
    Follower follower{*std::move(store), nullptr, {}};
    pin(follower);
    return follower;
  }

  void pin(Follower& follower) {
    follower.reader = std::make_unique<Reader>(*follower.store);
    const auto branch = follower.store->find_branch(model_.any_branch(random_));
    const ReadPoint point = follower.reader->pin_head(branch ? branch->id : kMainBranch);
    follower.pinned.resize(point.page_count);
    for (std::uint32_t page = 1; page <= point.page_count; ++page) {
      ASSERT_TRUE(follower.reader->read(PageNo{page}, 0, follower.pinned[page - 1]));
    }
  }

  static void check_pinned(Follower& follower) {
    Page page;
    for (std::uint32_t number = 1; number <= follower.pinned.size(); ++number) {
      ASSERT_TRUE(follower.reader->read(PageNo{number}, 0, page));
      ASSERT_TRUE(page == follower.pinned[number - 1]) << "page " << number;
    }
  }

  // A transaction that its writer does not live to finish.
  void leave_spills() {
    if (random_() % 2 == 0) return;
    const auto branch = writer_->find_branch(model_.any_branch(random_));
    Reader reader(*writer_);
    const ReadPoint base = reader.pin_head(branch->id);
    version::WriteTransaction transaction(*writer_);
    ASSERT_TRUE(transaction.begin(base));
    for (std::uint32_t page = 1; page <= 30; ++page) {
      const Page image = changed_page(*empty_page(), random_, 2);
      ASSERT_TRUE(transaction.write(PageNo{page}, image));
    }
  }

  // An operation fails; then the writer is given up. What it did not acknowledge nobody has seen.
  void fail_soon() {
    disk_.fail_at(disk_.operation_count() + random_() % 6, SimulatedDisk::Fault::kFailedSync);
    for (int i = 0; i < 8; ++i) {
      const Status done =
          model_.random_transaction(*writer_, random_, size_, random_durability(random_), "main");
      if (done) continue;
      if (done.error().code() == ErrorCode::kOutcomeUnknown) model_.set_outcome_unknown();
      break;
    }
    if (!model_.outcome_unknown()) look();
    replace_writer();
  }

  void change(const Status& done) { EXPECT_TRUE(done) << done.error().message(); }

  Generator random_;
  SeededRandom entropy_;
  ManualClock clock_;
  WorkSize size_;
  StoreOptions options_;
  SimulatedDisk disk_;
  std::unique_ptr<VersionStore> writer_;
  std::list<Follower> followers_;
  StoreModel model_;
};

TEST(StoreFollowTest, AFollowerShowsWhatTheWriterShows) {
  const std::uint64_t seed = test_seed();
  std::mt19937_64 seeds(seed);
  const int stores = soak() ? scaled(400) : scaled(40);
  for (int i = 0; i < stores; ++i) {
    SCOPED_TRACE(fmt::format("DOSQL_SEED={} store_follow_test, store {}", seed, i));
    FollowedStore store(seeds());
    for (int step = 0; step < 120 && !::testing::Test::HasFailure(); ++step) store.step();
    if (!::testing::Test::HasFailure()) store.look();
    if (::testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace dosql::testing
