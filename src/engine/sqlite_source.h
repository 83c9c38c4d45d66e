// An ordinary SQLite file that is to be imported, made into pages of 4096 bytes that nobody changes
// meanwhile.
//
//   rollback-journal file, 4096-byte pages    read in place, under SQLite's own read lock
//   ... with a journal left by a crash        rolled back in a private copy
//   WAL-mode file without log                 read in place; nobody had it open, and at the end nobody has
//   ... with log                              applied in a private copy
//   another page size                         VACUUM INTO a private file, from any of the above
//
// The file itself is never written.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include <dosql/result.h>

#include "base/bytes.h"
#include "engine/plain_connection.h"
#include "engine/scratch_directory.h"

namespace dosql::engine {

// What the first 100 bytes say.
struct SqliteHeader {
  std::uint32_t page_bytes = 0;
  std::uint32_t page_count = 0;  // 0: as many as the file holds
  bool is_wal = false;

  // Errors: kNotADatabase, kFormatTooNew.
  static Result<SqliteHeader> parse(Bytes header, const std::string& path);
};

class SqliteSource {
 public:
  // False from `goes_on` (which may be empty, and must outlive the source) stops the work with kInterrupted.
  // Errors: kNotFound, kNotADatabase, kFormatTooNew, kCorrupt, kBusy, kIo, kDiskFull. Private copies go into
  // a ScratchDirectory under `scratch_parent`.
  static Result<std::unique_ptr<SqliteSource>> open(const std::string& path,
                                                    const std::string& scratch_parent,
                                                    const std::function<bool()>& goes_on);

  std::uint32_t page_count() const { return page_count_; }
  // The pages are not the file's own: it had another page size.
  bool rewritten() const { return rewritten_; }
  // Whole pages from `first` (1, 2, ...) on. Page 1 says how long the database is, and that it has no WAL.
  Status read(std::uint32_t first, MutableBytes out) const;
  // To be asked when all is read. Errors: kBusy, somebody has changed the file.
  Status check_unchanged() const;

 private:
  SqliteSource(std::string path, std::string scratch_parent, const std::function<bool()>& goes_on)
      : path_(std::move(path)), scratch_parent_(std::move(scratch_parent)), goes_on_(goes_on) {}

  Status settle();
  Status settle_wal();
  Status settle_journal();
  Status connect(std::string path, PlainConnection::Access access);
  Status copy_aside(const std::string& companion);
  Status copy_main(const std::string& to) const;
  Status copy_companion(const std::string& from, const std::string& to) const;
  Status apply_companion(const std::string& copy);
  Status rewrite();
  Status look_over();
  Status make_scratch();
  Status ask() const;
  Error failed(int sqlite_code) const;
  Error copy_has_no_room(const std::string& copy) const;

  const std::string path_;  // as the user named it
  const std::string scratch_parent_;
  const std::function<bool()>& goes_on_;
  struct stat opened_ {};  // of path_, before anything was read
  bool watched_ = false;   // no lock keeps others from changing path_
  std::unique_ptr<ScratchDirectory> scratch_;
  std::unique_ptr<PlainConnection> connection_;  // to path_ or to what was made of it
  SqliteHeader header_;                          // of the same
  std::uint32_t page_count_ = 0;
  bool rewritten_ = false;
};

}  // namespace dosql::engine
