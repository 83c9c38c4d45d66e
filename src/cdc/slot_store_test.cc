#include "cdc/slot_store.h"

#include <gmock/gmock.h>

#include <thread>

#include "io/memory_storage.h"
#include "testing/simulated_disk.h"

namespace dosql::cdc {
namespace {

constexpr std::uint64_t kDatabase = 77;

class SlotStoreTest : public ::testing::Test {
 protected:
  SlotStore store() { return SlotStore(*directory_, kDatabase, clock_, "process 1"); }
  std::uint64_t on_disk(const std::string& name) {
    return SlotFile::open(*directory_, name, io::OpenMode::kReadOnly, kDatabase)
        .value()
        .record()
        .acknowledged_lsn;
  }

  ManualClock clock_{1'000'000};
  std::unique_ptr<io::Directory> directory_ = io::make_memory_directory();
};

TEST_F(SlotStoreTest, SurvivesItsStore) {
  store().create("a", BranchId{3}, 0, Lsn{10}, 5'000'000, 4096).value();
  store().advance("a", Lsn{20}).value();
  const SlotStore::Slot slot = store().get("a").value();
  EXPECT_EQ(slot.record.acknowledged_lsn, 20u);
  EXPECT_EQ(slot.record.branch, 3u);
  EXPECT_EQ(slot.record.lag_us_max, 5'000'000u);
  EXPECT_EQ(slot.record.lag_bytes_max, 4096u);
  store().create("b", BranchId{0}, 0, Lsn{0}, 0, 0).value();
  EXPECT_EQ(store().list().value().size(), 2u);
  store().drop("a").value();
  EXPECT_EQ(store().get("a").error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(store().list().value().size(), 1u);
}

TEST_F(SlotStoreTest, ADamagedOneDoesNotHideTheOthers) {
  store().create("a", BranchId{0}, 0, Lsn{10}, 0, 0).value();
  store().create("b", BranchId{0}, 0, Lsn{20}, 0, 0).value();
  directory_->open("slot-a", io::OpenMode::kReadWrite).value()->truncate(10).value();
  EXPECT_EQ(store().get("a").error().code(), ErrorCode::kCorrupt);
  EXPECT_EQ(store().use("a").error().code(), ErrorCode::kCorrupt);
  const auto slots = store().list().value();
  ASSERT_EQ(slots.size(), 2u);
  EXPECT_EQ(slots[0].record.lost, 1u);
  EXPECT_EQ(slots[1].record.acknowledged_lsn, 20u);
  store().drop("a").value();
  EXPECT_EQ(store().list().value().size(), 1u);
}

TEST_F(SlotStoreTest, BackwardsChangesNothing) {
  SlotStore slots = store();
  slots.create("a", BranchId{0}, 0, Lsn{10}, 0, 0).value();
  slots.advance("a", Lsn{5}).value();
  EXPECT_EQ(slots.get("a").value().record.acknowledged_lsn, 10u);
}

TEST_F(SlotStoreTest, AcknowledgementsAreWrittenTogether) {
  SlotStore slots = store();
  slots.create("a", BranchId{0}, 0, Lsn{0}, 0, 0).value();
  {
    const auto use = slots.use("a").value();
    slots.advance("a", Lsn{1}).value();
    EXPECT_EQ(on_disk("a"), 1u);
    for (std::uint64_t lsn = 2; lsn <= 9; ++lsn) slots.advance("a", Lsn{lsn}).value();
    EXPECT_EQ(on_disk("a"), 1u) << "each with a sync of its own would be slow";
    EXPECT_EQ(slots.get("a").value().record.acknowledged_lsn, 9u);
    clock_.set_us(clock_.now_us() + SlotUse::kWriteIntervalUs);
    slots.advance("a", Lsn{10}).value();
    EXPECT_EQ(on_disk("a"), 10u);
    slots.advance("a", Lsn{11}).value();
    clock_.set_us(clock_.now_us() + SlotUse::kWriteIntervalUs);
    slots.advance("a", Lsn{11}).value();
    EXPECT_EQ(on_disk("a"), 11u) << "saying it again writes what waits";
    slots.advance("a", Lsn{12}).value();
  }
  EXPECT_EQ(on_disk("a"), 12u) << "the end of the use writes what is left";
}

TEST_F(SlotStoreTest, OneHasItAtATime) {
  SlotStore slots = store();
  slots.create("a", BranchId{0}, 0, Lsn{0}, 0, 0).value();
  auto use = slots.use("a").value();
  EXPECT_EQ(slots.use("a").error().code(), ErrorCode::kBusy);
  EXPECT_EQ(slots.drop("a").error().code(), ErrorCode::kBusy);
  // Another process is another store.
  SlotStore other = store();
  EXPECT_EQ(other.use("a").error().message(), "slot 'a' is in use by process 1");
  EXPECT_EQ(other.advance("a", Lsn{1}).error().code(), ErrorCode::kLocked);
  EXPECT_EQ(other.get("a").value().name, "a") << "looking is always possible";
  use.reset();
  EXPECT_TRUE(other.use("a"));
}

TEST_F(SlotStoreTest, ThreadsThatHaveItForAMomentAreNotToldOfEachOther) {
  SlotStore slots = store();
  slots.create("a", BranchId{0}, 0, Lsn{0}, 0, 0).value();
  std::vector<std::thread> threads;
  for (std::uint64_t t = 1; t <= 4; ++t) {
    threads.emplace_back([&slots, t] {
      for (std::uint64_t i = 0; i < 200; ++i) {
        const Status advanced = slots.advance("a", Lsn{i * 4 + t});
        EXPECT_TRUE(advanced) << advanced.error().message();
        const auto use = slots.use("a");
        EXPECT_TRUE(use || use.error().code() == ErrorCode::kBusy) << use.error().message();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(slots.get("a").value().record.acknowledged_lsn, 800u);
}

TEST_F(SlotStoreTest, ALostSlotStaysLost) {
  SlotStore slots = store();
  slots.create("a", BranchId{0}, 0, Lsn{0}, 1, 0).value();
  slots.use("a").value()->lose().value();
  EXPECT_EQ(slots.advance("a", Lsn{1}).error().code(), ErrorCode::kHistoryExpired);
  EXPECT_EQ(store().get("a").value().record.lost, 1u);
}

TEST_F(SlotStoreTest, NamesAndDoubles) {
  SlotStore slots = store();
  for (const std::string bad : {"", ".a", "a/b", "a b", "ä", "a+new"})
    EXPECT_EQ(slots.create(bad, BranchId{0}, 0, Lsn{0}, 0, 0).error().code(), ErrorCode::kInvalidArgument)
        << bad;
  EXPECT_EQ(slots.create(std::string(65, 'a'), BranchId{0}, 0, Lsn{0}, 0, 0).error().code(),
            ErrorCode::kInvalidArgument);
  slots.create("a.b-c_1", BranchId{0}, 0, Lsn{0}, 0, 0).value();
  EXPECT_EQ(slots.create("a.b-c_1", BranchId{0}, 0, Lsn{0}, 0, 0).error().code(), ErrorCode::kAlreadyExists);
  EXPECT_EQ(slots.advance("none", Lsn{1}).error().code(), ErrorCode::kNotFound);
  EXPECT_THAT(directory_->list().value(), ::testing::Not(::testing::Contains("slot-none+lock")));
}

TEST_F(SlotStoreTest, OneDamagedCopyIsNoLossAndTwoAreDamage) {
  store().create("a", BranchId{0}, 0, Lsn{1}, 0, 0).value();
  store().advance("a", Lsn{2}).value();
  const auto spoil = [&](std::uint64_t offset) {
    const std::byte junk[8] = {};
    directory_->open("slot-a", io::OpenMode::kReadWrite).value()->write_at(offset + 16, junk).value();
  };
  spoil(kSlotCopyOffsets[0]);
  EXPECT_GE(on_disk("a"), 1u);
  spoil(kSlotCopyOffsets[1]);
  EXPECT_EQ(store().get("a").error().code(), ErrorCode::kCorrupt);
  store().drop("a").value();
}

TEST_F(SlotStoreTest, ASlotOfAnotherDatabaseIsNotTaken) {
  store().create("a", BranchId{0}, 0, Lsn{1}, 0, 0).value();
  SlotStore other(*directory_, kDatabase + 1, clock_, "process 1");
  EXPECT_EQ(other.get("a").error().code(), ErrorCode::kCorrupt);
}

}  // namespace
}  // namespace dosql::cdc
