#include "engine/journal_file.h"

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <map>

namespace dosql::engine {
namespace {

constexpr std::size_t kRecordBytes = 4104;

// Page n is filled with n, n+1, n+2, ...
class CountingBase final : public BaseReader {
 public:
  int read_base(PageNo page, std::uint32_t offset, MutableBytes out) override {
    if (fails) return SQLITE_IOERR_READ;
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = byte_at(page, offset + i);
    ++reads;
    return SQLITE_OK;
  }
  static std::byte byte_at(PageNo page, std::size_t offset) {
    return static_cast<std::byte>(raw(page) + offset);
  }
  bool fails = false;
  int reads = 0;
};

class JournalFileTest : public ::testing::Test {
 protected:
  // As writeJournalHdr in pager.c.
  void write_header(std::uint32_t seed, std::uint32_t page_bytes = 4096) {
    std::array<std::byte, 512> header{};
    const unsigned char magic[] = {0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7};
    std::memcpy(header.data(), magic, sizeof magic);
    store_big32(header.data() + 8, 0xffffffff);
    store_big32(header.data() + 12, seed);
    store_big32(header.data() + 20, 512);
    store_big32(header.data() + 24, page_bytes);
    header_result = journal.write(0, header);
  }

  // As pagerAddPageToRollbackJournal, with content that must not matter.
  void add_record(std::uint32_t page) {
    const std::uint64_t at = 512 + journal.record_count() * kRecordBytes;
    write32(at, page);
    EXPECT_EQ(journal.write(at + 4, std::vector<std::byte>(4096, std::byte{0xee})), SQLITE_OK);
    write32(at + 4100, 0xdeadbeef);
  }

  void write32(std::uint64_t at, std::uint32_t value) {
    std::array<std::byte, 4> bytes;
    store_big32(bytes.data(), value);
    EXPECT_EQ(journal.write(at, bytes), SQLITE_OK);
  }

  std::uint32_t read32(std::uint64_t at) {
    std::array<std::byte, 4> bytes{};
    EXPECT_EQ(journal.read(at, bytes), SQLITE_OK);
    return load_big32(bytes.data());
  }

  // pager_cksum in pager.c, over a page of the base.
  static std::uint32_t checksum(std::uint32_t seed, PageNo page) {
    std::uint32_t sum = seed;
    for (int i = 4096 - 200; i > 0; i -= 200)
      sum += std::to_integer<std::uint32_t>(CountingBase::byte_at(page, i));
    return sum;
  }

  CountingBase base;
  JournalFile journal{base};
  int header_result = SQLITE_OK;
};

// Otherwise a ROLLBACK would restore pages to something else than the base version.
TEST_F(JournalFileTest, RecordsReadAsPagesOfTheBase) {
  write_header(1000);
  for (const std::uint32_t page : {7, 3, 200}) add_record(page);
  EXPECT_EQ(journal.size(), 512 + 3 * kRecordBytes);
  for (int record = 0; const std::uint32_t page : {7, 3, 200}) {
    const std::uint64_t at = 512 + record++ * kRecordBytes;
    EXPECT_EQ(read32(at), page);
    std::vector<std::byte> content(4096);
    ASSERT_EQ(journal.read(at + 4, content), SQLITE_OK);
    for (std::size_t i = 0; i < content.size(); ++i) {
      ASSERT_EQ(content[i], CountingBase::byte_at(PageNo{page}, i)) << "byte " << i;
    }
    EXPECT_EQ(read32(at + 4100), checksum(1000, PageNo{page}));
  }
}

// The pager would take the record for torn and stop the rollback there, silently.
TEST_F(JournalFileTest, ChecksumsFitAlsoWhenThePageWasNotReadFirst) {
  write_header(77);
  add_record(5);
  add_record(9);
  EXPECT_EQ(read32(512 + 4100), checksum(77, PageNo{5}));
  EXPECT_EQ(read32(512 + kRecordBytes + 4100), checksum(77, PageNo{9}));
}

// readSuperJournal reads at odd places near the end, across the fields of the last record.
TEST_F(JournalFileTest, AnyRangeReadsAsTheWholeFileWould) {
  write_header(1);
  add_record(2);
  add_record(8);
  std::vector<std::byte> whole(journal.size());
  ASSERT_EQ(journal.read(0, whole), SQLITE_OK);
  for (const std::size_t begin :
       {std::size_t{0}, std::size_t{500}, std::size_t{513}, 512 + kRecordBytes - 6, whole.size() - 16}) {
    for (const std::size_t size : {1, 4, 8, 16, 600}) {
      std::vector<std::byte> part(std::min(size, whole.size() - begin));
      ASSERT_EQ(journal.read(begin, part), SQLITE_OK);
      EXPECT_TRUE(std::equal(part.begin(), part.end(), whole.begin() + begin)) << begin << "+" << size;
    }
  }
}

TEST_F(JournalFileTest, ReadingBehindTheEndIsShortAndZero) {
  std::array<std::byte, 8> bytes;
  bytes.fill(std::byte{1});
  EXPECT_EQ(journal.read(0, bytes), SQLITE_IOERR_SHORT_READ);
  EXPECT_EQ(bytes[0], std::byte{0});
  write_header(1);
  EXPECT_EQ(journal.read(508, bytes), SQLITE_IOERR_SHORT_READ);
  EXPECT_EQ(bytes[7], std::byte{0});
}

// J3: otherwise records of a transaction that failed would be played back into the next one.
TEST_F(JournalFileTest, ANewHeaderForgetsOldRecords) {
  write_header(1);
  add_record(2);
  write_header(2);
  EXPECT_EQ(journal.record_count(), 0u);
  EXPECT_EQ(journal.size(), 512u);
}

TEST_F(JournalFileTest, TruncatingToNothingForgetsAll) {
  write_header(1);
  add_record(2);
  EXPECT_EQ(journal.truncate(0), SQLITE_OK);
  EXPECT_EQ(journal.size(), 0u);
  EXPECT_EQ(journal.record_count(), 0u);
}

// A transaction over several files names its super-journal behind the records; rollback reads it from the
// end.
TEST_F(JournalFileTest, ASuperJournalsNameIsKeptBehindTheRecords) {
  write_header(1);
  add_record(2);
  const std::uint64_t at = journal.size();
  const std::string name = "/some/where/main-mj12345678";
  write32(at, 262'145);
  EXPECT_EQ(journal.write(at + 4, std::as_bytes(std::span(name))), SQLITE_OK);
  write32(at + 4 + name.size(), name.size());
  EXPECT_EQ(journal.size(), at + 8 + name.size());
  std::string read_back(name.size(), ' ');
  EXPECT_EQ(journal.read(at + 4, std::as_writable_bytes(std::span(read_back))), SQLITE_OK);
  EXPECT_EQ(read_back, name);
  EXPECT_EQ(journal.record_count(), 1u);
  EXPECT_EQ(journal.truncate(journal.size()), SQLITE_OK);
}

// A pager of another page size would get pages of the wrong length back.
TEST_F(JournalFileTest, AnotherPageSizeIsRefused) {
  write_header(1, 1024);
  EXPECT_EQ(header_result, SQLITE_IOERR_WRITE);
}

TEST_F(JournalFileTest, WritesThatNoPagerMakesAreRefused) {
  write_header(1);
  const std::array<std::byte, 3> odd{};
  EXPECT_EQ(journal.write(512, odd), SQLITE_IOERR_WRITE);
  EXPECT_EQ(journal.write(512 + kRecordBytes, std::vector<std::byte>(4096)), SQLITE_IOERR_WRITE);
  EXPECT_EQ(journal.truncate(100), SQLITE_IOERR_TRUNCATE);
}

TEST_F(JournalFileTest, AFailingBaseFailsTheRead) {
  write_header(1);
  add_record(2);
  base.fails = true;
  std::vector<std::byte> page(4096);
  EXPECT_EQ(journal.read(516, page), SQLITE_IOERR_READ);
}

}  // namespace
}  // namespace dosql::engine
