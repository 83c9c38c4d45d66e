#include "log/record.h"

#include <gtest/gtest.h>

#include <array>

namespace dosql::log {
namespace {

constexpr std::uint64_t kDatabase = 0x1234;
constexpr std::uint64_t kSalt = 0x5678;

std::vector<std::byte> flatten(const RecordBuilder& record) {
  std::vector<std::byte> bytes;
  for (const Bytes piece : record.pieces()) bytes.insert(bytes.end(), piece.begin(), piece.end());
  return bytes;
}

std::vector<std::byte> sample_record(bool with_spills) {
  static const std::array<std::byte, kPageBytes> page{std::byte{7}};
  static const std::array<std::byte, 13> patch{std::byte{1}, std::byte{2}};
  RecordBuilder record(kDatabase);
  record.start(RecordType::kCommit, with_spills ? kHasSpills : 0, kMainBranch);
  if (with_spills) record.set_spill_summary({});
  record.add_copied(PageNo{3}, EntryKind::kPatch, 5, patch);
  record.add_referenced(PageNo{9}, EntryKind::kFull, 0, page);
  record.add_copied(PageNo{12}, EntryKind::kZero, 0, {});
  if (with_spills) record.set_spill_summary({.spill_bytes = 99, .spill_records = 1, .changed_pages = 4});
  record.header().last_lsn = 77;
  record.finish(kSalt);
  return flatten(record);
}

TEST(Record, RoundTrip) {
  const auto bytes = sample_record(true);
  ASSERT_EQ(bytes.size() % 8, 0u);
  const auto view = parse_record(bytes, kSalt, kDatabase, Verify::kEverything);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->record_bytes(), bytes.size());
  EXPECT_EQ(view->header.last_lsn, 77u);
  EXPECT_EQ(view->spill_summary()->spill_bytes, 99u);
  EXPECT_EQ(view->spill_summary()->changed_pages, 4u);
  std::vector<std::uint32_t> pages;
  view->for_each_entry([&](const EntryHead& head, Bytes payload, std::uint32_t offset) {
    pages.push_back(head.page);
    EXPECT_EQ(load<std::uint32_t>(bytes.data() + offset), head.page);
    EXPECT_EQ(payload.size(), head.payload_bytes);
  });
  EXPECT_EQ(pages, (std::vector<std::uint32_t>{3, 9, 12}));
}

constexpr std::array<std::byte, 24> kMovedRows{std::byte{7}};

std::vector<std::byte> record_with_marks(bool with_spills) {
  static const std::array<std::byte, 13> patch{std::byte{1}, std::byte{2}};
  const MergeMark merges[] = {{1, 2, 3, 4}, {2, 5, 6, 7}};
  RecordBuilder record(kDatabase);
  record.start(RecordType::kCommit, with_spills ? kHasSpills : 0, kMainBranch);
  if (with_spills) record.set_spill_summary({});
  record.set_marks(merges, "a message");
  record.set_moved(1, kMovedRows);
  record.add_copied(PageNo{3}, EntryKind::kPatch, 5, patch);
  if (with_spills) record.set_spill_summary({.spill_bytes = 99, .spill_records = 1, .changed_pages = 4});
  record.finish(kSalt);
  return flatten(record);
}

TEST(Record, Marks) {
  for (const bool with_spills : {false, true}) {
    const auto bytes = record_with_marks(with_spills);
    const auto view = parse_record(bytes, kSalt, kDatabase, Verify::kEverything);
    ASSERT_TRUE(view);
    EXPECT_EQ(view->message(), "a message");
    const std::vector<MergeMark> merges = view->merges();
    ASSERT_EQ(merges.size(), 2u);
    EXPECT_EQ(merges[1].kind, 2u);
    EXPECT_EQ(merges[1].lsn, 7u);
    if (with_spills) {
      EXPECT_EQ(view->spill_summary()->spill_bytes, 99u);
    }
    ASSERT_TRUE(view->moved_summary());
    EXPECT_EQ(view->moved_summary()->runs, 1u);
    EXPECT_TRUE(std::ranges::equal(view->moved(), kMovedRows));
    int entries = 0;
    view->for_each_entry([&](const EntryHead& head, Bytes, std::uint32_t offset) {
      ++entries;
      EXPECT_EQ(head.page, 3u);
      EXPECT_EQ(load<std::uint32_t>(bytes.data() + offset), 3u);
    });
    EXPECT_EQ(entries, 1);
  }
  const auto bytes = sample_record(false);
  const auto plain = parse_record(bytes, kSalt, kDatabase, Verify::kEverything);
  EXPECT_EQ(plain->message(), "");
  EXPECT_FALSE(plain->moved_summary());
}

// The marks are part of what the checksum covers, and a length among them makes nobody read outside.
TEST(Record, EveryFlippedBitOfMarksIsNoticed) {
  auto bytes = record_with_marks(true);
  const std::size_t content = bytes.size() - 8;
  for (std::size_t bit = 0; bit < content * 8; ++bit) {
    bytes[bit / 8] ^= std::byte{1} << (bit % 8);
    EXPECT_FALSE(parse_record(bytes, kSalt, kDatabase, Verify::kEverything)) << "bit " << bit;
    bytes[bit / 8] ^= std::byte{1} << (bit % 8);
  }
  for (std::size_t length = 0; length < bytes.size(); ++length)
    EXPECT_FALSE(parse_record(Bytes(bytes).first(length), kSalt, kDatabase, Verify::kEverything));
}

// Every single flipped bit but those of the padding must be noticed.
TEST(Record, EveryFlippedBitIsNoticed) {
  auto bytes = sample_record(false);
  const std::size_t content = sizeof(RecordHeader) + 3 * sizeof(EntryHead) + 13 + kPageBytes;
  for (std::size_t bit = 0; bit < content * 8; ++bit) {
    bytes[bit / 8] ^= std::byte{1} << (bit % 8);
    EXPECT_FALSE(parse_record(bytes, kSalt, kDatabase, Verify::kEverything)) << "bit " << bit;
    bytes[bit / 8] ^= std::byte{1} << (bit % 8);
  }
}

// A record of another segment or database must not be taken for one of this.
TEST(Record, SaltsSeparate) {
  const auto bytes = sample_record(false);
  EXPECT_TRUE(parse_record(bytes, kSalt, kDatabase, Verify::kEverything));
  EXPECT_FALSE(parse_record(bytes, kSalt + 1, kDatabase, Verify::kRecord));
  EXPECT_FALSE(parse_record(bytes, kSalt, kDatabase + 1, Verify::kEverything));
}

TEST(Record, AnyPrefixIsRefused) {
  const auto bytes = sample_record(true);
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    EXPECT_FALSE(parse_record(Bytes(bytes).first(length), kSalt, kDatabase, Verify::kEverything));
  }
}

}  // namespace
}  // namespace dosql::log
