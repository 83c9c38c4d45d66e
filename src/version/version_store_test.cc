// The store against a simple model: full copies of every version.

#include "version/version_store.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <random>

#include "io/memory_storage.h"
#include "io/posix_storage.h"
#include "log/format.h"
#include "version/sqlite_header.h"
#include "version/store_test_support.h"

namespace dosql::version {
namespace {

class VersionStoreTest : public ::testing::Test {
 protected:
  std::unique_ptr<VersionStore> open(StoreOptions options = {}) {
    auto store = VersionStore::open(std::make_unique<SharedDirectory>(*disk_), options, clock_, random_);
    EXPECT_TRUE(store) << (store ? "" : store.error().message());
    return store ? *std::move(store) : nullptr;
  }

  // Changes some pages of the newest image, commits, and remembers the version.
  void random_commit(VersionStore& store, std::mt19937_64& random, Durability durability) {
    Image next = versions_.empty() ? Image() : versions_.back();
    Reader reader(store);
    reader.pin_head(kMainBranch);
    WriteTransaction transaction(store);
    ASSERT_TRUE(transaction.begin(reader.point()));
    if (random() % 10 == 0 && next.size() > 3) {
      next.resize(1 + random() % next.size());
      transaction.truncate(static_cast<std::uint32_t>(next.size()));
    }
    const std::size_t writes = random() % 20 == 0 ? 40 : 1 + random() % 4;
    for (std::size_t i = 0; i < writes; ++i) {
      const std::size_t number = random() % (next.size() + 3);
      if (number >= next.size()) next.resize(number + 1, Page{});
      change_page(next[number], random);
      ASSERT_TRUE(transaction.write(PageNo{static_cast<std::uint32_t>(number + 1)}, next[number]));
    }
    set_change_counter(next[0].data(), kStoredChangeCounter);
    const Image before = versions_.empty() ? Image() : versions_.back();
    if (versions_.empty() || next != before) {
      ASSERT_TRUE(transaction.write(kHeaderPage, next[0]));
      auto committed = transaction.commit(durability);
      ASSERT_TRUE(committed) << committed.error().message();
      versions_.push_back(next);
      ASSERT_EQ(raw(committed->version), versions_.size());
      points_.push_back(*committed);
    }
  }

  // Through a reader of its own, and through `ahead`, which was at other versions before and reads ahead.
  void expect_version(VersionStore& store, std::size_t version, Reader& ahead) {
    const auto point = store.at_version(kMainBranch, Version{version});
    ASSERT_TRUE(point) << point.error().message();
    EXPECT_EQ(*point, points_[version - 1]);
    const Image& image = versions_[version - 1];
    ASSERT_EQ(point->page_count, image.size());
    Reader reader(store);
    reader.pin(*point);
    ahead.pin(*point);
    for (std::uint32_t number = 1; number <= image.size() + 2; ++number) {
      for (Reader* const one : {&reader, &ahead}) {
        Page page;
        const Status read =
            one->read(PageNo{number}, 0, page, one == &ahead ? CacheUse::kBypass : CacheUse::kKeep);
        ASSERT_TRUE(read) << read.error().message();
        ASSERT_TRUE(page == (number <= image.size() ? image[number - 1] : Page{}))
            << "page " << number << " of version " << version << (one == &ahead ? ", read ahead" : "");
      }
    }
  }

  void expect_all(VersionStore& store) {
    ASSERT_EQ(raw(store.head(kMainBranch).version), versions_.size());
    Reader ahead(store);
    for (std::size_t version = 1; version <= versions_.size(); ++version)
      expect_version(store, version, ahead);
  }

  std::unique_ptr<io::Directory> disk_ = io::make_memory_directory();
  ManualClock clock_{1'700'000'000'000'000};
  SeededRandom random_{7};
  std::vector<Image> versions_;
  std::vector<ReadPoint> points_;
};

// Every version must read as it was committed: live, after a crash, after a clean close, with a pool and
// spill limit so small that eviction and spills happen all the time.
TEST_F(VersionStoreTest, EveryVersionStaysReadable) {
  const std::uint64_t seed = test_seed();
  SCOPED_TRACE("DOSQL_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  StoreOptions options;
  options.pool_bytes = 0;
  options.spill_bytes = 16 * kPageBytes;
  options.history_cache_bytes = 16 * 4 * kPageBytes;
  for (int life = 0; life < 6; ++life) {
    auto store = open(options);
    ASSERT_TRUE(store);
    expect_all(*store);
    Reader ahead(*store);
    for (int i = 0; i < 60; ++i) {
      random_commit(*store, random, random() % 2 ? Durability::kFull : Durability::kNormal);
      if (HasFatalFailure()) return;
      if (i % 10 == 0) expect_version(*store, 1 + random() % versions_.size(), ahead);
    }
    expect_all(*store);
    const auto problems = store->check({});
    ASSERT_TRUE(problems) << problems.error().message();
    EXPECT_TRUE(problems->empty()) << problems->front().what;
    if (life % 2 == 0) {
      ASSERT_TRUE(store->close());
    }
  }
}

// After a clean close nothing is replayed and LSNs go on where they were; after a crash they jump ahead,
// because lost commits may have had the next ones.
TEST_F(VersionStoreTest, LsnsAreNeverReused) {
  std::mt19937_64 random(1);
  {
    auto store = open();
    random_commit(*store, random, Durability::kFull);
    ASSERT_TRUE(store->close());
  }
  const Lsn before = points_.back().lsn;
  {
    auto store = open();
    EXPECT_TRUE(store->status().opened_clean);
    random_commit(*store, random, Durability::kFull);
    EXPECT_LT(raw(points_.back().lsn) - raw(before), 1'000'000u);
  }
  const Lsn at_crash = points_.back().lsn;
  auto store = open();
  EXPECT_FALSE(store->status().opened_clean);
  random_commit(*store, random, Durability::kFull);
  EXPECT_GT(raw(points_.back().lsn) - raw(at_crash), 1'000'000u);
  expect_all(*store);
}

// A transaction that changes nothing must make no version.
TEST_F(VersionStoreTest, NoChangeNoVersion) {
  std::mt19937_64 random(1);
  auto store = open();
  random_commit(*store, random, Durability::kFull);
  Reader reader(*store);
  reader.pin_head(kMainBranch);
  WriteTransaction transaction(*store);
  ASSERT_TRUE(transaction.begin(reader.point()));
  ASSERT_TRUE(transaction.write(kHeaderPage, versions_.back()[0]));
  const auto committed = transaction.commit(Durability::kFull);
  ASSERT_TRUE(committed);
  EXPECT_EQ(*committed, reader.point());
}

// V1, V2: a pinned reader keeps its version while others commit; a second writer and a stale one are refused.
TEST_F(VersionStoreTest, PinsAndTheWriterSlot) {
  std::mt19937_64 random(2);
  auto store = open();
  random_commit(*store, random, Durability::kNormal);
  Reader reader(*store);
  reader.pin_head(kMainBranch);
  const Image pinned = versions_.back();
  for (int i = 0; i < 50; ++i) random_commit(*store, random, Durability::kNormal);
  Page page;
  for (std::uint32_t number = 1; number <= pinned.size(); ++number) {
    ASSERT_TRUE(reader.read(PageNo{number}, 0, page));
    ASSERT_TRUE(page == pinned[number - 1]);
  }
  WriteTransaction stale(*store);
  EXPECT_EQ(stale.begin(reader.point()).error().code(), ErrorCode::kBusySnapshot);
  reader.pin_head(kMainBranch);
  WriteTransaction first(*store);
  WriteTransaction second(*store);
  ASSERT_TRUE(first.begin(reader.point()));
  EXPECT_EQ(second.begin(reader.point()).error().code(), ErrorCode::kBusy);
  first.rollback();
  EXPECT_TRUE(second.begin(reader.point()));
}

TEST_F(VersionStoreTest, PointsInTime) {
  std::mt19937_64 random(3);
  auto store = open();
  EXPECT_EQ(store->at_version(kMainBranch, Version{1}).error().code(), ErrorCode::kVersionNotFound);
  std::vector<TimestampUs> times;
  for (int i = 0; i < 30; ++i) {
    clock_.set_us(clock_.now_us() + (i % 7 == 0 ? -5'000'000 : 1'000));  // L6: the clock may step back
    random_commit(*store, random, Durability::kNormal);
  }
  TimestampUs previous = 0;
  for (std::size_t version = 1; version <= versions_.size(); ++version) {
    const auto info = store->commit_info(kMainBranch, Version{version});
    ASSERT_TRUE(info);
    EXPECT_GT(info->timestamp_us, previous);
    previous = info->timestamp_us;
    const ReadPoint& point = points_[version - 1];
    EXPECT_EQ(*store->at_timestamp(kMainBranch, info->timestamp_us), point);
    EXPECT_EQ(*store->at_lsn(kMainBranch, info->last_lsn), point);
    EXPECT_EQ(*store->at_lsn(kMainBranch, Lsn{raw(info->first_lsn) + 1}), point);
    if (version > 1) {
      EXPECT_EQ(*store->at_lsn(kMainBranch, info->first_lsn), points_[version - 2]);
    }
  }
  EXPECT_EQ(store->at_timestamp(kMainBranch, 0).error().code(), ErrorCode::kVersionNotFound);
  EXPECT_EQ(store->at_lsn(kMainBranch, Lsn{raw(points_.back().lsn) + 1}).error().code(),
            ErrorCode::kVersionNotFound);
}

TEST_F(VersionStoreTest, BackupHasTheWholeHistory) {
  std::mt19937_64 random(4);
  auto store = open();
  for (int i = 0; i < 40; ++i) random_commit(*store, random, Durability::kNormal);
  auto copy = io::make_memory_directory();
  ASSERT_TRUE(store->backup(*copy, {}));
  ASSERT_TRUE(store->close());
  store.reset();
  disk_ = std::move(copy);
  store = open();
  ASSERT_TRUE(store);
  expect_all(*store);
}

TEST_F(VersionStoreTest, ASecondOwnerIsRefused) {
  auto store = open();
  const auto second = VersionStore::open(std::make_unique<SharedDirectory>(*disk_), {}, clock_, random_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), ErrorCode::kLocked);
  EXPECT_NE(second.error().message().find("process"), std::string::npos);
}

// Reading only must work beside the owner, and must not change a byte.
TEST_F(VersionStoreTest, ReadOnlyBesideTheOwner) {
  std::mt19937_64 random(5);
  auto store = open();
  for (int i = 0; i < 10; ++i) random_commit(*store, random, Durability::kNormal);
  StoreOptions read_only;
  read_only.access = Access::kReadOnly;
  auto other = open(read_only);
  ASSERT_TRUE(other);
  expect_all(*other);
  Reader reader(*other);
  reader.pin_head(kMainBranch);
  WriteTransaction transaction(*other);
  EXPECT_EQ(transaction.begin(reader.point()).error().code(), ErrorCode::kReadOnly);
}

}  // namespace
}  // namespace dosql::version
