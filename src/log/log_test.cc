#include "log/log.h"

#include <gtest/gtest.h>

#include "io/memory_storage.h"
#include "testing/simulated_disk.h"

namespace dosql::log {
namespace {

class Collector final : public ReplayVisitor {
 public:
  Status on_record(const RecordView& record, Position position) override {
    if (record.header.type == static_cast<std::uint8_t>(RecordType::kCommit)) {
      lsns.push_back(record.header.last_lsn);
      positions.push_back(position);
    }
    return {};
  }
  std::vector<std::uint64_t> lsns;
  std::vector<Position> positions;
};

class LogTest : public ::testing::Test {
 protected:
  std::unique_ptr<Log> open(Collector& seen, ReplayOutcome* outcome = nullptr) {
    auto log = Log::open(*directory_, Access::kReadWrite, Log::Create::kIfMissing, clock_, random_);
    EXPECT_TRUE(log) << log.error().message();
    auto replayed = (*log)->replay({}, seen);
    replay_error_ = replayed ? std::nullopt : std::optional(replayed.error());
    if (replayed && outcome) *outcome = *replayed;
    return replayed ? *std::move(log) : nullptr;
  }
  std::unique_ptr<Log> open() {
    Collector seen;
    return open(seen);
  }

  Appended commit(Log& log, std::size_t payload_bytes = 20, WriteStyle style = WriteStyle::kWrite) {
    const std::vector<std::byte> payload(payload_bytes, std::byte{1});
    RecordBuilder record(log.database_id());
    record.start(RecordType::kCommit, 0, kMainBranch);
    for (std::size_t at = 0; at < payload_bytes; at += kPageBytes) {
      record.add_copied(PageNo{1}, EntryKind::kFull, 0,
                        Bytes(payload).subspan(at, std::min(kPageBytes, payload_bytes - at)));
    }
    record.header().lsn_units = 1;
    auto appended = log.append(record, style);
    EXPECT_TRUE(appended) << appended.error().message();
    return *appended;
  }

  void flip(Position position, std::uint64_t byte) {
    auto file = directory_->open(segment_file_name(segment_of(position)), io::OpenMode::kReadWrite);
    std::byte value{};
    ASSERT_TRUE((*file)->read_at(offset_of(position) + byte, MutableBytes(&value, 1)));
    value ^= std::byte{1};
    ASSERT_TRUE((*file)->write_at(offset_of(position) + byte, Bytes(&value, 1)));
  }

  std::unique_ptr<io::Directory> directory_ = io::make_memory_directory();
  ManualClock clock_{1'000};
  SeededRandom random_{3};
  std::optional<Error> replay_error_;
};

// L2, L6: ranges do not overlap, timestamps increase although the clock stands still.
TEST_F(LogTest, CommitsGetIncreasingRangesAndTimes) {
  auto log = open();
  const Appended first = commit(*log);
  const Appended second = commit(*log);
  EXPECT_EQ(raw(first.last_lsn) - raw(first.first_lsn), kLsnsPerPage + kLsnsPerCommit);
  EXPECT_EQ(second.first_lsn, first.last_lsn);
  EXPECT_GT(second.timestamp_us, first.timestamp_us);
}

TEST_F(LogTest, ReplaySeesEveryRecordOverManySegments) {
  std::vector<std::uint64_t> lsns;
  {
    auto log = open();
    for (int i = 0; i < 300; ++i) lsns.push_back(raw(commit(*log, i % 50 == 0 ? 900'000 : 700).last_lsn));
    EXPECT_GT(log->segments().size(), 3u);
    ASSERT_TRUE(log->close());
  }
  Collector seen;
  ReplayOutcome outcome;
  auto log = open(seen, &outcome);
  ASSERT_TRUE(log);
  EXPECT_EQ(seen.lsns, lsns);
  EXPECT_TRUE(outcome.clean);
}

// L4: after an unclean end nothing is appended behind the old tail.
TEST_F(LogTest, AnUncleanOpenStartsANewSegment) {
  {
    auto log = open();
    commit(*log);
  }
  Collector seen;
  ReplayOutcome outcome;
  auto log = open(seen, &outcome);
  EXPECT_FALSE(outcome.clean);
  EXPECT_EQ(seen.lsns.size(), 1u);
  EXPECT_EQ(segment_of(commit(*log).position), 2u);
}

// L5: a damaged record that nobody claims to be on disk is a lost tail ...
TEST_F(LogTest, ATornTailIsCut) {
  Position torn{};
  {
    auto log = open();
    commit(*log);
    torn = commit(*log).position;
    commit(*log);
  }
  flip(torn, 70);
  Collector seen;
  auto log = open(seen);
  ASSERT_TRUE(log);
  EXPECT_EQ(seen.lsns.size(), 1u);
}

// ... and one that a later record claims is damage, named with file and offset.
TEST_F(LogTest, ALostDurableRecordIsDamage) {
  Position lost{};
  {
    auto log = open();
    commit(*log);
    lost = commit(*log).position;
    ASSERT_TRUE(log->sync());
    commit(*log);
  }
  flip(lost, 70);
  Collector seen;
  EXPECT_FALSE(open(seen));
  ASSERT_TRUE(replay_error_);
  EXPECT_EQ(replay_error_->code(), ErrorCode::kCorrupt);
  EXPECT_NE(replay_error_->message().find("log-00000001' at offset " + std::to_string(offset_of(lost))),
            std::string::npos)
      << replay_error_->message();
}

// After a clean close nothing may be cut, not even the last record.
TEST_F(LogTest, DamageBeforeACleanCloseIsReported) {
  Position last{};
  {
    auto log = open();
    commit(*log);
    last = commit(*log).position;
    ASSERT_TRUE(log->close());
  }
  flip(last, 70);
  Collector seen;
  EXPECT_FALSE(open(seen));
  EXPECT_EQ(replay_error_->code(), ErrorCode::kCorrupt);
}

// L7: a copy that was cut short, a file that was lost, a sector that cannot be read.
TEST_F(LogTest, ALogThatIsShorterThanWhenItWasClosedIsReported) {
  Position first{};
  std::uint32_t newest = 0;
  {
    auto log = open();
    first = commit(*log).position;
    for (int i = 0; i < 3; ++i) commit(*log, 200'000);
    newest = segment_of(commit(*log).position);
    ASSERT_TRUE(log->close());
  }
  ASSERT_GT(newest, 1u);
  const auto copy = [this](const std::string& without) {
    auto target = io::make_memory_directory();
    for (const std::string& name : directory_->list().value()) {
      if (name == without) continue;
      auto from = directory_->open(name, io::OpenMode::kReadOnly).value();
      std::vector<std::byte> bytes(from->size().value());
      EXPECT_EQ(from->read_at(0, bytes).value(), bytes.size());
      EXPECT_TRUE(target->open(name, io::OpenMode::kCreate).value()->write_at(0, bytes));
    }
    return target;
  };
  auto missing = copy(segment_file_name(newest));
  auto cut = copy("");
  ASSERT_TRUE(cut->open(segment_file_name(newest), io::OpenMode::kReadWrite).value()->truncate(4096));
  auto zeroed = copy("");
  const std::vector<std::byte> nothing(512);
  ASSERT_TRUE(zeroed->open(segment_file_name(segment_of(first)), io::OpenMode::kReadWrite)
                  .value()
                  ->write_at(offset_of(first), nothing));
  EXPECT_TRUE(open());
  for (auto* damaged : {&missing, &cut, &zeroed}) {
    directory_ = std::move(*damaged);
    Collector seen;
    EXPECT_FALSE(open(seen));
    EXPECT_EQ(replay_error_->code(), ErrorCode::kCorrupt);
  }
}

// The first append makes the old mark of the close void, also when it then fails itself.
TEST_F(LogTest, AFailedFirstAppendIsFollowedByACleanClose) {
  testing::SimulatedDisk disk;
  directory_ = disk.directory();
  {
    auto log = open();
    commit(*log);
    ASSERT_TRUE(log->close());
  }
  int failed = 0;
  for (std::uint64_t ahead = 0; failed < 3 || ahead < 12; ++ahead) {
    ASSERT_LT(ahead, 100u);
    const auto copy = disk.copy();
    directory_ = copy->directory();
    {
      auto log = open();
      ASSERT_TRUE(log);
      copy->fail_at(copy->operation_count() + ahead, testing::SimulatedDisk::Fault::kDiskFull);
      RecordBuilder record(log->database_id());
      record.start(RecordType::kCommit, 0, kMainBranch);
      record.header().lsn_units = 1;
      failed += !log->append(record, WriteStyle::kWrite);
      if (!log->close()) continue;
    }
    Collector seen;
    ReplayOutcome outcome;
    ASSERT_TRUE(open(seen, &outcome)) << ahead;
    EXPECT_TRUE(outcome.clean) << "operation " << ahead << " behind the open failed";
  }
}

// Closing, opening and closing again without a write must not change a byte.
TEST_F(LogTest, CleanOpensLeaveNoTrace) {
  {
    auto log = open();
    commit(*log);
    ASSERT_TRUE(log->close());
  }
  const std::uint64_t used = open()->used_bytes();
  for (int i = 0; i < 3; ++i) {
    auto log = open();
    EXPECT_EQ(log->used_bytes(), used);
    EXPECT_EQ(log->segments().size(), 1u);
    ASSERT_TRUE(log->close());
  }
}

// An owner that died while only looking must not make the directory grow with every try.
TEST_F(LogTest, RepeatedUncleanOpensKeepOneEmptySegment) {
  {
    auto log = open();
    commit(*log);
  }
  for (int i = 0; i < 5; ++i) open();
  EXPECT_EQ(directory_->list()->size(), 3u);  // control, the old segment, one new
}

TEST_F(LogTest, EntriesAreVerifiedWhenRead) {
  auto log = open();
  const Appended appended = commit(*log, kPageBytes);
  const Position entry{raw(appended.position) + sizeof(RecordHeader)};
  const auto read = [&](PageNo page) {
    EntryWindow window;
    return log->read_entry(entry, page, EntryKind::kFull, entry, window);
  };
  const auto read_ahead = [&](PageNo page) {
    EntryStreams streams;
    return log->read_entry(entry, page, EntryKind::kFull, streams);
  };
  const auto read_around = [&](PageNo page) {
    EntryStretch stretch;
    return log->read_entry(entry, page, EntryKind::kFull, stretch);
  };
  EXPECT_EQ(read(PageNo{1})->size(), kPageBytes);
  EXPECT_EQ(read_ahead(PageNo{1})->size(), kPageBytes);
  EXPECT_EQ(read_around(PageNo{1})->size(), kPageBytes);
  EXPECT_EQ(read(PageNo{2}).error().code(), ErrorCode::kCorrupt);
  EXPECT_EQ(read_ahead(PageNo{2}).error().code(), ErrorCode::kCorrupt);
  EXPECT_EQ(read_around(PageNo{2}).error().code(), ErrorCode::kCorrupt);
  flip(entry, sizeof(EntryHead) + 100);
  EXPECT_EQ(read(PageNo{1}).error().code(), ErrorCode::kCorrupt);
  EXPECT_EQ(read_ahead(PageNo{1}).error().code(), ErrorCode::kCorrupt);
  EXPECT_EQ(read_around(PageNo{1}).error().code(), ErrorCode::kCorrupt);
}

// Entries before the one that was asked for, and behind it, wherever the stretch is cut.
TEST_F(LogTest, AStretchHoldsTheNeighboursOfItsEntry) {
  auto log = open();
  std::vector<Position> entries;
  for (int i = 0; i < 40; ++i)
    entries.push_back(Position{raw(commit(*log, kPageBytes).position) + sizeof(RecordHeader)});
  for (const Position asked : entries) {
    EntryStretch stretch;
    ASSERT_TRUE(log->read_entry(asked, PageNo{1}, EntryKind::kFull, stretch));
    for (const Position other : entries) {
      const bool beside = raw(other) / EntryStretch::kBytes == raw(asked) / EntryStretch::kBytes;
      EXPECT_TRUE(!beside || stretch.holds_image(other)) << raw(asked) << " and " << raw(other);
      if (!stretch.holds_image(other)) continue;
      EXPECT_TRUE(log->read_entry(other, PageNo{1}, EntryKind::kFull, stretch));
    }
  }
  // What is behind the end when the stretch is read is not there, nor a shorter entry taken for an image.
  EntryStretch stretch;
  ASSERT_TRUE(log->read_entry(entries.back(), PageNo{1}, EntryKind::kFull, stretch));
  const Position next{raw(commit(*log, kPageBytes).position) + sizeof(RecordHeader)};
  EXPECT_FALSE(stretch.holds_image(next));
  EXPECT_TRUE(log->read_entry(next, PageNo{1}, EntryKind::kFull, stretch));
}

// The heads are what the record's checksum covers, wherever they lie in it.
TEST_F(LogTest, HeadsAreReadWhereAPageIsDamaged) {
  auto log = open();
  for (const std::size_t payload_bytes : {std::size_t{100}, std::size_t{1'000'000}}) {
    SCOPED_TRACE(payload_bytes);
    const Position position = commit(*log, payload_bytes).position;
    const std::size_t entries = (payload_bytes + kPageBytes - 1) / kPageBytes;
    const std::size_t last_head = (entries - 1) * (sizeof(EntryHead) + kPageBytes) + sizeof(RecordHeader);
    flip(position, sizeof(RecordHeader) + sizeof(EntryHead) + 50);
    flip(position, last_head + sizeof(EntryHead) + 5);
    const auto heads = log->read_record_heads(position);
    ASSERT_TRUE(heads) << heads.error().message();
    EXPECT_EQ(heads->header.entry_count, entries);
    EXPECT_EQ(heads->pages(), std::vector<PageNo>(entries, PageNo{1}));
    RecordWindow window;
    EXPECT_EQ(log->read_record(position, window).error().code(), ErrorCode::kCorrupt);
    for (const std::size_t covered : {offsetof(RecordHeader, page_count), last_head}) {
      flip(position, covered);
      EXPECT_EQ(log->read_record_heads(position).error().code(), ErrorCode::kCorrupt);
      flip(position, covered);
    }
    EXPECT_TRUE(log->read_record_heads(position));
  }
}

// What is read ahead of the end of the log must not be taken for what is appended there later.
TEST_F(LogTest, StreamsSeeWhatIsAppendedBehindThem) {
  auto log = open();
  EntryStreams streams;
  for (int i = 0; i < 100; ++i) {
    const Appended appended = commit(*log, 1 + static_cast<std::size_t>(i) * 37 % kPageBytes);
    const Position entry{raw(appended.position) + sizeof(RecordHeader)};
    const auto payload = log->read_entry(entry, PageNo{1}, EntryKind::kFull, streams);
    ASSERT_TRUE(payload) << payload.error().message();
  }
}

TEST_F(LogTest, ForeignDirectoriesAreRefused) {
  ASSERT_TRUE(directory_->open("holiday.jpg", io::OpenMode::kCreate));
  const auto log = Log::open(*directory_, Access::kReadWrite, Log::Create::kIfMissing, clock_, random_);
  ASSERT_FALSE(log);
  EXPECT_EQ(log.error().code(), ErrorCode::kNotADatabase);
}

TEST_F(LogTest, NewerFormatsAreRefused) {
  open();
  auto file = directory_->open(kControlFile, io::OpenMode::kReadWrite);
  ControlSlot slot{};
  ASSERT_TRUE((*file)->read_at(0, mutable_bytes_of(slot)));
  slot.format_version = kFormatVersion + 1;
  ++slot.sequence;
  slot.checksum = checksum_of_control_slot(slot);
  ASSERT_TRUE((*file)->write_at(0, bytes_of(slot)));
  const auto log = Log::open(*directory_, Access::kReadWrite, Log::Create::kIfMissing, clock_, random_);
  ASSERT_FALSE(log);
  EXPECT_EQ(log.error().code(), ErrorCode::kFormatTooNew);
}

// One damaged copy of the control file or of a segment header is survived.
TEST_F(LogTest, SingleCopiesMayBeDamaged) {
  {
    auto log = open();
    commit(*log);
    ASSERT_TRUE(log->close());
  }
  for (const std::uint64_t offset : kControlSlotOffsets) {
    auto file = directory_->open(kControlFile, io::OpenMode::kReadWrite);
    const std::byte junk{0xff};
    std::byte old{};
    ASSERT_TRUE((*file)->read_at(offset + 20, MutableBytes(&old, 1)));
    ASSERT_TRUE((*file)->write_at(offset + 20, Bytes(&junk, 1)));
    Collector seen;
    EXPECT_TRUE(open(seen));
    EXPECT_EQ(seen.lsns.size(), 1u);
    ASSERT_TRUE((*file)->write_at(offset + 20, Bytes(&old, 1)));
  }
  for (const std::uint64_t offset : kSegmentHeaderOffsets) {
    flip(make_position(1, offset), 24);
    Collector seen;
    EXPECT_TRUE(open(seen));
    EXPECT_EQ(seen.lsns.size(), 1u);
    flip(make_position(1, offset), 24);
  }
}

}  // namespace
}  // namespace dosql::log
