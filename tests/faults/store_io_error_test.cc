// Every disk operation of a short life fails once, in each way it can, and every read too. The call that was
// hit says so, nothing acknowledged is lost, and the store either works on or refuses writes until it is
// opened again; also when the power fails afterwards.

#include <gtest/gtest.h>

#include "log/format.h"
#include "testing/run_length.h"
#include "testing/simulated_disk.h"
#include "tests/faults/scripted_life.h"

namespace dosql::testing {
namespace {

using version::VersionStore;
using Fault = SimulatedDisk::Fault;
using Kind = SimulatedDisk::OperationKind;

// What every failed call owes: a code that says what to do, and a message that names the file.
void expect_sensible(const Error& error, ErrorCode wanted) {
  EXPECT_TRUE(error.code() == wanted || error.code() == ErrorCode::kOutcomeUnknown) << error.message();
  EXPECT_NE(error.message().find("simulated"), std::string::npos) << error.message();
}

// A store after a failed call: either it works on, or it says that it does not.
void expect_usable_or_poisoned(VersionStore& store) {
  version::Reader reader(store);
  // As a writer does: a group that failed in its middle has ordered commits that nobody waits for.
  reader.pin_ordered_head(store.current(kMainBranch));
  Page page;
  if (reader.point().page_count > 0) {
    const Status read = reader.read(PageNo{1}, 0, page);
    EXPECT_TRUE(read) << read.error().message();
  }
  version::WriteTransaction transaction(store);
  const Status begun = transaction.begin(reader.point());
  if (store.status().poisoned) {
    ASSERT_FALSE(begun);
    EXPECT_EQ(begun.error().code(), ErrorCode::kPoisoned);
    const Status named = store.create_snapshot("poisoned", reader.point(), version::Durability::kNormal);
    ASSERT_FALSE(named);
    EXPECT_EQ(named.error().code(), ErrorCode::kPoisoned);
    EXPECT_FALSE(store.close()) << "a close that cannot have synced must not claim it";
  } else {
    EXPECT_TRUE(begun) << begun.error().message();
  }
}

class StoreIoErrorTest : public ::testing::Test {
 protected:
  void SetUp() override {
    SimulatedDisk disk;
    ScriptedLife(disk).run([](const Error& error, VersionStore*) { FAIL() << error.message(); });
    operations_ = disk.operations();
    reads_ = disk.read_count();
  }

  // One life with one fault.
  void live_with(std::uint64_t index, Fault fault) {
    SimulatedDisk disk;
    disk.fail_at(index, fault);
    ScriptedLife life(disk);
    int errors = 0;
    life.run([&](const Error& error, VersionStore* store) {
      ++errors;
      const Kind kind = operations_[index].kind;
      const bool full = fault == Fault::kDiskFull && kind != Kind::kSync && kind != Kind::kDirectorySync;
      expect_sensible(error, full || (fault == Fault::kShortWrite && kind == Kind::kAllocate)
                                 ? ErrorCode::kDiskFull
                                 : ErrorCode::kIo);
      // What a failed sync leaves is not known. Anything else either happened or did not.
      if (kind == Kind::kSync && store && operations_[index].name != "checkpoint.new") {
        EXPECT_TRUE(store->status().poisoned || operations_[index].name == "control" ||
                    creates_segment(index));
      }
      if (store) expect_usable_or_poisoned(*store);
      if (store && store->status().poisoned) ++poisoned_;
      if (error.code() == ErrorCode::kDiskFull) ++full_;
      expect_survival(life, disk);
    });
    // Only what nobody relies on may fail in silence: deleting files that mean nothing any more, the
    // allocation that only makes later stores faster, and for want of space a segment that is then made
    // smaller.
    const Kind kind = operations_[index].kind;
    const bool made_smaller = fault == Fault::kDiskFull && operations_[index].name.starts_with("log-") &&
                              (creates_segment(index) || writes_segment_header(index));
    EXPECT_EQ(errors, kind == Kind::kRemove || errors == 0 ? 0 : 1);
    EXPECT_TRUE(errors > 0 || kind == Kind::kRemove || kind == Kind::kAllocate || made_smaller);
    expect_survival(life, disk);
  }

  void expect_survival(ScriptedLife& life, SimulatedDisk& disk) {
    life.expect_survival(*disk.after_process_kill(), Loss::kNothing);
    for (int loss = 0; loss < 3; ++loss) {
      life.expect_survival(*disk.after_power_loss(chance_), Loss::kNotDurable);
    }
  }

  // Whether the operation belongs to the making of a new segment, up to its first sync, which is given up
  // without harm.
  bool creates_segment(std::uint64_t index) const {
    if (operations_[index].kind == Kind::kCreate) return true;
    for (std::uint64_t i = index; i-- > 0 && operations_[i].kind != Kind::kSync;) {
      if (operations_[i].kind == Kind::kCreate && operations_[i].name == operations_[index].name) return true;
    }
    return false;
  }

  bool writes_segment_header(std::uint64_t index) const {
    return operations_[index].kind == Kind::kWrite && operations_[index].offset < log::kFirstRecordOffset;
  }

  SeededRandom chance_{test_seed()};
  std::vector<SimulatedDisk::Operation> operations_;
  std::uint64_t reads_ = 0;
  int poisoned_ = 0;
  int full_ = 0;
};

TEST_F(StoreIoErrorTest, EveryOperationFailsOnce) {
  // Odd: operations come in pairs, a write and its sync.
  const std::uint64_t stride = (100 / static_cast<std::uint64_t>(scaled(100))) | 1;
  for (std::uint64_t index = 0; index < operations_.size(); index += stride) {
    for (const Fault fault : {Fault::kIoError, Fault::kDiskFull, Fault::kShortWrite, Fault::kFailedSync}) {
      SCOPED_TRACE(::testing::Message() << "fault " << static_cast<int>(fault) << " on "
                                        << SimulatedDisk::describe(index, operations_[index]));
      live_with(index, fault);
      ASSERT_FALSE(HasFailure());
    }
  }
  RecordProperty("operations", static_cast<int>(operations_.size()));
  RecordProperty("poisoned", poisoned_);
  // Else the cases above did not happen.
  EXPECT_GT(poisoned_, 0);
  EXPECT_GT(full_, 0);
}

// A read that fails is reported as such, and has no other effect than that the call fails.
TEST_F(StoreIoErrorTest, EveryReadFailsOnce) {
  const std::uint64_t stride = std::max<std::uint64_t>(1, 100 / static_cast<std::uint64_t>(scaled(100)));
  for (std::uint64_t index = 0; index < reads_; index += stride) {
    SCOPED_TRACE(::testing::Message() << "read " << index << " fails");
    SimulatedDisk disk;
    disk.fail_read_at(index);
    ScriptedLife life(disk);
    int errors = 0;
    life.run([&](const Error& error, VersionStore* store) {
      ++errors;
      expect_sensible(error, ErrorCode::kIo);
      ASSERT_TRUE(!store || !store->status().poisoned);
      if (store) expect_usable_or_poisoned(*store);
    });
    EXPECT_LE(errors, 1);
    life.expect_survival(*disk.after_process_kill(), Loss::kNothing);
    life.expect_survival(*disk.after_power_loss(chance_), Loss::kNotDurable);
    ASSERT_FALSE(HasFailure());
  }
  RecordProperty("reads", static_cast<int>(reads_));
}

}  // namespace
}  // namespace dosql::testing
