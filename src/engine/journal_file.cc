#include "engine/journal_file.h"

#include <sqlite3.h>

#include <algorithm>

namespace dosql::engine {
namespace {

constexpr std::size_t kSeedOffset = 12;
constexpr std::size_t kPageSizeOffset = 24;
// The page that SQLite keeps its locks in and never stores; as a record's number it announces a
// super-journal.
constexpr std::uint32_t kLockPage = 0x40000000 / kPageBytes + 1;

}  // namespace

int JournalFile::read(std::uint64_t offset, MutableBytes out) {
  while (!out.empty()) {
    if (offset >= size_) {
      std::fill(out.begin(), out.end(), std::byte{0});
      return SQLITE_IOERR_SHORT_READ;
    }
    std::size_t done = 0;
    const std::size_t here = std::min<std::uint64_t>(out.size(), size_ - offset);
    if (const int rc = read_part(offset, out.first(here), done); rc != SQLITE_OK) return rc;
    offset += done;
    out = out.subspan(done);
  }
  return SQLITE_OK;
}

int JournalFile::read_part(std::uint64_t offset, MutableBytes out, std::size_t& done) {
  if (offset < kHeaderBytes) {
    done = std::min<std::uint64_t>(out.size(), kHeaderBytes - offset);
    std::copy_n(header_.begin() + offset, done, out.begin());
    return SQLITE_OK;
  }
  if (offset >= record_end()) {
    done = out.size();
    std::memcpy(out.data(), tail_.data() + (offset - record_end()), done);
    return SQLITE_OK;
  }
  const std::uint64_t record = (offset - kHeaderBytes) / kRecordBytes;
  return read_field(record, (offset - kHeaderBytes) % kRecordBytes, out, done);
}

int JournalFile::read_field(std::uint64_t record, std::uint64_t within, MutableBytes out, std::size_t& done) {
  if (within >= 4 && within < 4 + kPageBytes) {
    done = std::min<std::uint64_t>(out.size(), 4 + kPageBytes - within);
    const int rc = base_.read_base(PageNo{pages_[record]}, within - 4, out.first(done));
    if (rc == SQLITE_OK && done == kPageBytes) {
      checksum_ = checksum_of_page(out.first(done));
      checksum_record_ = record;
    }
    return rc;
  }
  std::array<std::byte, 4> number;
  if (within < 4) {
    store_big32(number.data(), pages_[record]);
  } else {
    std::uint32_t checksum = 0;
    if (const int rc = checksum_of(record, checksum); rc != SQLITE_OK) return rc;
    store_big32(number.data(), checksum);
    within -= 4 + kPageBytes;
  }
  done = std::min<std::uint64_t>(out.size(), 4 - within);
  std::copy_n(number.begin() + within, done, out.begin());
  return SQLITE_OK;
}

int JournalFile::checksum_of(std::uint64_t record, std::uint32_t& checksum) {
  if (checksum_record_ != record) {
    std::array<std::byte, kPageBytes> page;
    if (const int rc = base_.read_base(PageNo{pages_[record]}, 0, page); rc != SQLITE_OK) return rc;
    checksum_ = checksum_of_page(page);
    checksum_record_ = record;
  }
  checksum = checksum_;
  return SQLITE_OK;
}

// pager.c, pager_cksum: the seed plus every 200th byte.
std::uint32_t JournalFile::checksum_of_page(Bytes page) const {
  std::uint32_t checksum = load_big32(header_.data() + kSeedOffset);
  for (int at = static_cast<int>(kPageBytes) - 200; at > 0; at -= 200) {
    checksum += std::to_integer<std::uint32_t>(page[at]);
  }
  return checksum;
}

int JournalFile::write(std::uint64_t offset, Bytes bytes) {
  int rc = SQLITE_IOERR_WRITE;
  if (offset < kHeaderBytes) {
    rc = offset == 0 ? write_header(bytes) : SQLITE_IOERR_WRITE;
  } else if (!tail_.empty() && offset == record_end() + tail_.size()) {
    tail_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    rc = SQLITE_OK;
  } else {
    rc = write_record_field((offset - kHeaderBytes) / kRecordBytes, (offset - kHeaderBytes) % kRecordBytes,
                            bytes);
  }
  if (rc == SQLITE_OK) size_ = std::max(size_, offset + bytes.size());
  return rc;
}

int JournalFile::write_header(Bytes bytes) {
  if (bytes.size() != kHeaderBytes) return SQLITE_IOERR_WRITE;
  if (load_big32(bytes.data() + kPageSizeOffset) != kPageBytes) return SQLITE_IOERR_WRITE;
  clear();
  std::copy(bytes.begin(), bytes.end(), header_.begin());
  return SQLITE_OK;
}

int JournalFile::write_record_field(std::uint64_t record, std::uint64_t within, Bytes bytes) {
  if (within == 0 && bytes.size() == 4 && record == pages_.size()) {
    const std::uint32_t page = load_big32(bytes.data());
    if (page == kLockPage) {
      tail_.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    } else {
      pages_.push_back(page);
    }
    return SQLITE_OK;
  }
  const bool page = within == 4 && bytes.size() == kPageBytes;
  const bool checksum = within == 4 + kPageBytes && bytes.size() == 4;
  return (page || checksum) && record < pages_.size() ? SQLITE_OK : SQLITE_IOERR_WRITE;
}

int JournalFile::truncate(std::uint64_t file_bytes) {
  if (file_bytes == 0) {
    clear();
    return SQLITE_OK;
  }
  // Only a super-journal's name is cut to size, to the size it has.
  return file_bytes == size_ ? SQLITE_OK : SQLITE_IOERR_TRUNCATE;
}

void JournalFile::clear() {
  pages_.clear();
  // One huge transaction should not hold its list for ever.
  if (pages_.capacity() > 65'536) pages_.shrink_to_fit();
  tail_.clear();
  size_ = 0;
  checksum_record_.reset();
}

}  // namespace dosql::engine
