// The pager's rollback journal without the pages.
//
// SQLite writes the original content of every page into a journal before it changes the page, to read it
// back on ROLLBACK. Our database files never change in place: the original is the page in the version that
// the transaction began at, and stays readable while that is pinned. So this file keeps the header and
// the page numbers, four bytes a record, and answers the rest from the base version.
//
// As SQLite sees the file (pager.c, writeJournalHdr and pagerAddPageToRollbackJournal):
//
//   0     header, 512 bytes: magic, record count (-1: as many as fit), checksum seed at 12, ..., page size at
//   24 512   records of 4104 bytes: page number (4, big-endian), page (4096), checksum (4) behind them, in a
//   transaction over several files, the name of a super-journal
//
// Invariants
//   J1  A record's page reads as the base version's, also where the pager had something else in its cache:
//   that
//       is so only for leaves of the free list, whose content means nothing, and for bytes of page 1 that
//       the base reader synthesises.
//   J2  A record's checksum is computed from what J1 reads, so the pager never takes a record for torn.
//   J3  Writing a header at 0 forgets all records: a journal that an I/O error left behind cannot be played
//       back into a later transaction.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"

namespace dosql::engine {

// Where the pages of the version come from that the transaction began at.
class BaseReader {
 public:
  virtual ~BaseReader() = default;
  // An SQLite result code.
  virtual int read_base(PageNo page, std::uint32_t offset, MutableBytes out) = 0;
};

// The methods return SQLite result codes.
class JournalFile {
 public:
  explicit JournalFile(BaseReader& base) : base_(base) {}

  int read(std::uint64_t offset, MutableBytes out);
  // SQLITE_IOERR_WRITE for a header of another page size, and for writes no pager makes.
  int write(std::uint64_t offset, Bytes bytes);
  int truncate(std::uint64_t file_bytes);
  std::uint64_t size() const { return size_; }
  void clear();

  std::size_t record_count() const { return pages_.size(); }

 private:
  static constexpr std::uint64_t kHeaderBytes = 512;
  static constexpr std::uint64_t kRecordBytes = 4 + kPageBytes + 4;

  int write_header(Bytes bytes);
  int write_record_field(std::uint64_t record, std::uint64_t within, Bytes bytes);
  std::uint64_t record_end() const { return kHeaderBytes + pages_.size() * kRecordBytes; }
  // Reads what one part of the file (header, field of a record, tail) holds from `offset` on; `done` says how
  // much of `out` that was.
  int read_part(std::uint64_t offset, MutableBytes out, std::size_t& done);
  int read_field(std::uint64_t record, std::uint64_t within, MutableBytes out, std::size_t& done);
  int checksum_of(std::uint64_t record, std::uint32_t& checksum);
  std::uint32_t checksum_of_page(Bytes page) const;

  BaseReader& base_;
  std::array<std::byte, kHeaderBytes> header_{};
  std::vector<std::uint32_t> pages_;
  std::string tail_;  // the super-journal's name, behind the records
  std::uint64_t size_ = 0;
  // Of the record read last: playback asks for it right after the page.
  std::optional<std::uint64_t> checksum_record_;
  std::uint32_t checksum_ = 0;
};

}  // namespace dosql::engine
