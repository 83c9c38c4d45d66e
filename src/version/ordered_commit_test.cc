// What lies between a commit that is in the log and one that everybody sees; several branches written at
// once.

#include <gtest/gtest.h>

#include "testing/simulated_disk.h"
#include "version/store_test_support.h"
#include "version/version_store.h"

namespace dosql::version {
namespace {

using testing::SimulatedDisk;

class OrderedCommitTest : public ::testing::Test {
 protected:
  std::unique_ptr<VersionStore> open(io::Directory& disk, StoreOptions options = {}) {
    auto opened = VersionStore::open(std::make_unique<SharedDirectory>(disk), options, clock_, random_);
    EXPECT_TRUE(opened) << (opened ? "" : opened.error().message());
    return opened ? *std::move(opened) : nullptr;
  }
  void reopen() {
    store_.reset();
    store_ = open(*disk_);
  }

  BranchId branch(const std::string& name) {
    return store_->create_branch(name, store_->head(kMainBranch), Durability::kNormal).value().id;
  }

  // Begins on what the branch's next writer stands on, and fills `page` with `value`.
  std::unique_ptr<WriteTransaction> begin(BranchId branch, unsigned value, PageNo page = PageNo{1}) {
    Reader reader(*store_);
    auto write = std::make_unique<WriteTransaction>(*store_);
    const Status begun = write->begin(reader.pin_ordered_head(branch));
    EXPECT_TRUE(begun) << (begun ? "" : begun.error().message());
    Page image;
    image.fill(static_cast<std::byte>(value));
    EXPECT_TRUE(write->write(page, image));
    return write;
  }
  OrderedCommit order(BranchId branch, unsigned value, Durability durability) {
    return begin(branch, value)->order(durability).value();
  }

  // Byte 200 of page 1 as a reader of the branch sees it now; 0 in the empty database.
  unsigned seen(BranchId branch) {
    Reader reader(*store_);
    reader.pin_head(branch);
    return value_at(reader);
  }
  static unsigned value_at(Reader& reader, PageNo page = PageNo{1}) {
    std::byte value{};
    EXPECT_TRUE(reader.read(page, 200, MutableBytes(&value, 1)));
    return static_cast<unsigned>(value);
  }

  SimulatedDisk simulated_;
  std::unique_ptr<io::Directory> disk_ = simulated_.directory();
  ManualClock clock_{1'767'225'600'000'000};
  SeededRandom random_{7};
  std::unique_ptr<VersionStore> store_ = open(*disk_);
};

// V3
TEST_F(OrderedCommitTest, ACommitIsVisibleOnceItIsDurable) {
  const OrderedCommit commit = order(kMainBranch, 1, Durability::kFull);
  EXPECT_NE(commit.awaits, Lsn{});
  EXPECT_EQ(seen(kMainBranch), 0u);
  EXPECT_EQ(store_->head(kMainBranch).version, Version{0});
  ASSERT_TRUE(store_->await_visible(commit));
  EXPECT_EQ(seen(kMainBranch), 1u);
  EXPECT_EQ(store_->head(kMainBranch), commit.point);
  EXPECT_EQ(store_->status().durable_lsn, commit.point.lsn);
}

TEST_F(OrderedCommitTest, ANormalCommitIsVisibleAtOnce) {
  const OrderedCommit commit = order(kMainBranch, 1, Durability::kNormal);
  EXPECT_EQ(commit.awaits, Lsn{});
  EXPECT_EQ(seen(kMainBranch), 1u);
}

// ... unless the one before it is not.
TEST_F(OrderedCommitTest, ANormalCommitWaitsForTheOneItStandsOn) {
  const OrderedCommit first = order(kMainBranch, 1, Durability::kFull);
  const OrderedCommit second = order(kMainBranch, 2, Durability::kNormal);
  EXPECT_EQ(second.awaits, first.point.lsn);
  EXPECT_EQ(seen(kMainBranch), 0u);
  ASSERT_TRUE(store_->await_visible(second));
  EXPECT_EQ(seen(kMainBranch), 2u);
  ASSERT_TRUE(store_->await_visible(first));
  EXPECT_EQ(seen(kMainBranch), 2u);
}

// Another branch's do not wait.
TEST_F(OrderedCommitTest, BranchesDoNotWaitForEachOther) {
  ASSERT_TRUE(store_->await_visible(order(kMainBranch, 1, Durability::kFull)));
  const BranchId other = branch("other");
  const OrderedCommit waiting = order(kMainBranch, 2, Durability::kFull);
  order(other, 3, Durability::kNormal);
  EXPECT_EQ(seen(other), 3u);
  EXPECT_EQ(seen(kMainBranch), 1u);
  ASSERT_TRUE(store_->await_visible(waiting));
  EXPECT_EQ(seen(kMainBranch), 2u);
}

// One sync makes the commits of all branches durable, and only one writer has come to know it.
TEST_F(OrderedCommitTest, WhatIsSaidToBeVisibleIsVisibleOnItsBranch) {
  const BranchId b = branch("b");
  const OrderedCommit waiting = order(b, 2, Durability::kFull);
  EXPECT_EQ(seen(b), 0u);
  ASSERT_TRUE(store_->await_visible(order(kMainBranch, 1, Durability::kFull)));
  const Lsn newest = store_->wait_for_visible(Lsn{}, std::chrono::steady_clock::now()).value();
  EXPECT_GE(newest, waiting.point.lsn);
  EXPECT_EQ(seen(b), 2u);
}

TEST_F(OrderedCommitTest, TheNextWriterStandsOnWhatIsOrdered) {
  const OrderedCommit first = order(kMainBranch, 1, Durability::kFull);
  Reader reader(*store_);
  EXPECT_EQ(reader.pin_ordered_head(kMainBranch), first.point);
  EXPECT_EQ(value_at(reader), 1u);
  WriteTransaction stale(*store_);
  EXPECT_EQ(stale.begin(store_->head(kMainBranch)).error().code(), ErrorCode::kBusySnapshot);
  const OrderedCommit second = order(kMainBranch, 2, Durability::kFull);
  EXPECT_EQ(second.point.version, Version{2});
  ASSERT_TRUE(store_->await_visible(second));
  EXPECT_EQ(seen(kMainBranch), 2u);
}

// A reader's version stays readable while newer ones are ordered, with a frame for the newest only (V1, V4).
TEST_F(OrderedCommitTest, AReaderKeepsItsVersion) {
  ASSERT_TRUE(store_->await_visible(order(kMainBranch, 1, Durability::kFull)));
  Reader reader(*store_);
  reader.pin_head(kMainBranch);
  for (unsigned value = 2; value < 200; ++value) {
    order(kMainBranch, value, Durability::kFull);
    ASSERT_EQ(value_at(reader), 1u) << "beside " << value;
  }
  // Those in front of the segment that is written to are durable.
  EXPECT_LT(seen(kMainBranch), 199u);
}

TEST_F(OrderedCommitTest, NoTimePointNamesWhatIsNotVisible) {
  ASSERT_TRUE(store_->await_visible(order(kMainBranch, 1, Durability::kFull)));
  clock_.set_us(clock_.now_us() + 1'000);
  const OrderedCommit waiting = order(kMainBranch, 2, Durability::kFull);
  EXPECT_EQ(store_->at_version(kMainBranch, Version{2}).error().code(), ErrorCode::kVersionNotFound);
  EXPECT_EQ(store_->at_lsn(kMainBranch, waiting.point.lsn)->version, Version{1});
  EXPECT_EQ(store_->at_timestamp(kMainBranch, clock_.now_us() + 1'000'000)->version, Version{1});
  ASSERT_TRUE(store_->await_visible(waiting));
  EXPECT_EQ(store_->at_lsn(kMainBranch, waiting.point.lsn)->version, Version{2});
  EXPECT_EQ(store_->at_timestamp(kMainBranch, clock_.now_us() + 1'000'000)->version, Version{2});
}

// B2: the branch must not see what its parent had ordered when it was made.
TEST_F(OrderedCommitTest, ABranchBeginsWithWhatIsVisible) {
  ASSERT_TRUE(store_->await_visible(order(kMainBranch, 1, Durability::kFull)));
  const BranchId first = branch("first");
  ASSERT_TRUE(store_->await_visible(order(first, 10, Durability::kFull)));
  const OrderedCommit on_main = order(kMainBranch, 2, Durability::kFull);
  const OrderedCommit on_first = order(first, 11, Durability::kFull);
  const BranchId from_main = branch("from-main");
  const BranchId from_first =
      store_->create_branch("from-first", store_->head(first), Durability::kNormal).value().id;
  ASSERT_TRUE(store_->await_visible(on_main));
  ASSERT_TRUE(store_->await_visible(on_first));
  EXPECT_EQ(seen(from_main), 1u);
  EXPECT_EQ(seen(from_first), 10u);
  reopen();
  EXPECT_EQ(seen(kMainBranch), 2u);
  EXPECT_EQ(seen(first), 11u);
  EXPECT_EQ(seen(from_main), 1u);
  EXPECT_EQ(seen(from_first), 10u);
}

TEST_F(OrderedCommitTest, OneSyncServesAll) {
  ASSERT_TRUE(store_->await_visible(order(kMainBranch, 1, Durability::kFull)));
  const BranchId other = branch("other");
  const std::uint64_t before = store_->status().syncs;
  const OrderedCommit commits[] = {order(kMainBranch, 2, Durability::kFull),
                                   order(other, 3, Durability::kFull),
                                   order(kMainBranch, 4, Durability::kFull)};
  for (const OrderedCommit& commit : commits) ASSERT_TRUE(store_->await_visible(commit));
  EXPECT_EQ(store_->status().syncs, before + 1);
  EXPECT_EQ(seen(kMainBranch), 4u);
  EXPECT_EQ(seen(other), 3u);
}

TEST_F(OrderedCommitTest, AFailedSyncIsToldToAllThatWaited) {
  ASSERT_TRUE(store_->await_visible(order(kMainBranch, 1, Durability::kFull)));
  const BranchId other = branch("other");
  const OrderedCommit safe = order(kMainBranch, 2, Durability::kFull);
  ASSERT_TRUE(store_->await_visible(safe));
  const OrderedCommit lost[] = {order(kMainBranch, 3, Durability::kFull), order(other, 4, Durability::kFull),
                                order(kMainBranch, 5, Durability::kNormal)};
  simulated_.fail_at(simulated_.operation_count(), SimulatedDisk::Fault::kFailedSync);
  for (const OrderedCommit& commit : lost) {
    const Status awaited = store_->await_visible(commit);
    ASSERT_FALSE(awaited);
    EXPECT_EQ(awaited.error().code(), ErrorCode::kOutcomeUnknown);
    EXPECT_NE(awaited.error().message().find("failed"), std::string::npos) << awaited.error().message();
  }
  EXPECT_TRUE(store_->await_visible(safe)) << "it was durable before";
  EXPECT_EQ(seen(kMainBranch), 2u);
  EXPECT_EQ(seen(other), 1u);
  {
    Reader reader(*store_);
    WriteTransaction write(*store_);
    EXPECT_EQ(write.begin(reader.pin_ordered_head(kMainBranch)).error().code(), ErrorCode::kPoisoned);
  }
  reopen();
  // What survived is whole and in order.
  EXPECT_EQ(seen(kMainBranch), 5u);
  EXPECT_EQ(seen(other), 4u);
}

// After a power loss in front of the sync what nobody was told of may be gone, and nothing else.
TEST_F(OrderedCommitTest, APowerLossTakesOnlyWhatWasNotAwaited) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    SimulatedDisk disk;
    auto directory = disk.directory();
    store_ = open(*directory);
    ASSERT_TRUE(store_->await_visible(order(kMainBranch, 1, Durability::kFull)));
    const BranchId other =
        store_->create_branch("other", store_->head(kMainBranch), Durability::kFull).value().id;
    order(kMainBranch, 2, Durability::kFull);
    ASSERT_TRUE(store_->await_visible(order(other, 3, Durability::kFull)));
    order(other, 4, Durability::kFull);
    order(kMainBranch, 5, Durability::kFull);
    SeededRandom random(seed);
    const auto after = disk.after_power_loss(random);
    auto survived = after->directory();
    store_ = open(*survived);
    // The sync that made 3 durable did so for 2.
    const unsigned on_main = seen(kMainBranch);
    const unsigned on_other = seen(other);
    EXPECT_TRUE(on_main == 2 || on_main == 5) << on_main << ", seed " << seed;
    EXPECT_TRUE(on_other == 3 || on_other == 4) << on_other << ", seed " << seed;
    EXPECT_TRUE(on_main != 5 || on_other == 4) << "a later commit survived an earlier one, seed " << seed;
    store_.reset();
  }
}

// L9
TEST_F(OrderedCommitTest, SpillsOfTwoBranchesLieBetweenEachOther) {
  StoreOptions options;
  options.spill_bytes = 4 * kPageBytes;
  store_.reset();
  store_ = open(*disk_, options);
  ASSERT_TRUE(store_);
  ASSERT_TRUE(store_->await_visible(order(kMainBranch, 1, Durability::kFull)));
  const BranchId other = branch("other");
  const BranchId given_up = branch("given-up");
  auto on_main = begin(kMainBranch, 20);
  auto on_other = begin(other, 30);
  auto rolled_back = begin(given_up, 40);
  Page image;
  for (std::uint32_t page = 2; page < 30; ++page) {
    image.fill(std::byte{20});
    ASSERT_TRUE(on_main->write(PageNo{page}, image));
    image.fill(std::byte{30});
    ASSERT_TRUE(on_other->write(PageNo{page}, image));
    image.fill(std::byte{40});
    ASSERT_TRUE(rolled_back->write(PageNo{page}, image));
  }
  EXPECT_TRUE(store_->maintain(1'000'000)) << "a checkpoint cannot be taken now, which is no error";
  rolled_back.reset();
  ASSERT_TRUE(on_other->commit(Durability::kFull));
  ASSERT_TRUE(store_->await_visible(order(given_up, 41, Durability::kFull)));
  ASSERT_TRUE(on_main->commit(Durability::kFull));
  on_main.reset();
  on_other.reset();
  for (int times = 0; times < 2; ++times) {
    {
      Reader reader(*store_);
      for (const auto& [id, value] : {std::pair{kMainBranch, 20u}, std::pair{other, 30u}}) {
        EXPECT_EQ(reader.pin_head(id).page_count, 29u);
        for (std::uint32_t page = 1; page < 30; ++page) EXPECT_EQ(value_at(reader, PageNo{page}), value);
      }
      EXPECT_EQ(reader.pin_head(given_up).page_count, 1u);
      EXPECT_EQ(value_at(reader), 41u);
    }
    reopen();
  }
}

// What a checkpoint says is what the log says: neither less nor more.
TEST_F(OrderedCommitTest, ACheckpointHoldsWhatIsOrdered) {
  StoreOptions options;
  options.maintain_checkpoint_bytes = 1;
  store_.reset();
  store_ = open(*disk_, options);
  ASSERT_TRUE(store_->await_visible(order(kMainBranch, 1, Durability::kFull)));
  const BranchId other = branch("other");
  const OrderedCommit waiting = order(other, 2, Durability::kFull);
  auto open_write = begin(kMainBranch, 3);
  ASSERT_FALSE(store_->maintain(1'000'000).value());
  EXPECT_EQ(seen(other), 2u) << "the checkpoint's sync made it durable";
  EXPECT_EQ(store_->status().checkpoint_lsn, waiting.point.lsn);
  ASSERT_TRUE(store_->await_visible(waiting));
  ASSERT_TRUE(open_write->commit(Durability::kFull));
  open_write.reset();
  reopen();
  EXPECT_EQ(seen(kMainBranch), 3u);
  EXPECT_EQ(seen(other), 2u);
  EXPECT_LT(store_->status().replayed_records, 4u);
}

TEST_F(OrderedCommitTest, TwoBranchesAreWrittenAtTheSameTime) {
  ASSERT_TRUE(store_->await_visible(order(kMainBranch, 1, Durability::kFull)));
  const BranchId other = branch("other");
  auto first = begin(kMainBranch, 2);
  auto second = begin(other, 3);
  WriteTransaction third(*store_);
  EXPECT_EQ(third.begin(store_->head(other)).error().code(), ErrorCode::kBusy);
  ASSERT_TRUE(second->commit(Durability::kNormal));
  ASSERT_TRUE(first->commit(Durability::kNormal));
  EXPECT_EQ(seen(kMainBranch), 2u);
  EXPECT_EQ(seen(other), 3u);
}

// What a scan beside a writer reads: images that commits replaced are kept for it, and given back afterwards.
TEST_F(OrderedCommitTest, ReplacedImagesAreKeptForReadersOnly) {
  constexpr std::uint32_t kPages = 64;
  auto fill = begin(kMainBranch, 1);
  Page image;
  image.fill(std::byte{1});
  for (std::uint32_t page = 2; page <= kPages; ++page) ASSERT_TRUE(fill->write(PageNo{page}, image));
  ASSERT_TRUE(fill->commit(Durability::kNormal));
  Reader reader(*store_);
  reader.pin_head(kMainBranch);
  WriteTransaction write(*store_);
  Reader base(*store_);
  const auto rewrite = [&](std::uint32_t page, unsigned value) {
    image.fill(static_cast<std::byte>(value));
    ASSERT_TRUE(write.begin(base.pin_ordered_head(kMainBranch)));
    ASSERT_TRUE(write.write(PageNo{page}, image));
    ASSERT_TRUE(write.commit(Durability::kNormal));
  };
  const auto rewrite_all = [&](unsigned value) {
    for (std::uint32_t page = 2; page <= kPages; ++page) rewrite(page, value);
  };
  // It looks for readers now and then, and those count that were there the time before.
  const auto let_the_writer_look = [&] {
    for (unsigned commit = 0; commit < 100; ++commit) rewrite(1, 100 + commit % 2);
  };
  let_the_writer_look();
  rewrite_all(2);
  Reader later(*store_);
  later.pin_head(kMainBranch);
  let_the_writer_look();
  rewrite_all(3);
  rewrite_all(4);
  const StoreStatus before = store_->status();
  for (std::uint32_t page = 2; page <= kPages; ++page) {
    EXPECT_EQ(value_at(reader, PageNo{page}), 1u);
    EXPECT_EQ(value_at(later, PageNo{page}), 2u);
  }
  EXPECT_EQ(store_->status().rebuilt_pages, before.rebuilt_pages);
  later.unpin();
  reader.unpin();
  let_the_writer_look();
  EXPECT_LE(store_->status().pool_bytes + kPages * kPageBytes, before.pool_bytes);
}

}  // namespace
}  // namespace dosql::version
