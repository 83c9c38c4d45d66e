#include "engine/sqlite_source.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "io/file_descriptor.h"
#include "io/posix_error.h"

namespace dosql::engine {
namespace {

constexpr std::size_t kHeaderBytes = 100;
constexpr std::size_t kWriteVersionOffset = 18;
constexpr std::size_t kReadVersionOffset = 19;
constexpr std::size_t kChangeCounterOffset = 24;
constexpr std::size_t kPageCountOffset = 28;
constexpr std::size_t kVersionValidForOffset = 92;
constexpr std::size_t kCopyBytes = std::size_t{1} << 20;

bool has_content(const std::string& path) {
  struct stat about;
  return stat(path.c_str(), &about) == 0 && about.st_size > 0;
}

bool same_state(const struct stat& a, const struct stat& b) {
  return a.st_ino == b.st_ino && a.st_dev == b.st_dev && a.st_size == b.st_size &&
         a.st_mtim.tv_sec == b.st_mtim.tv_sec && a.st_mtim.tv_nsec == b.st_mtim.tv_nsec;
}

Status write_all(int descriptor, Bytes bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t done = ::write(descriptor, bytes.data(), bytes.size());
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return io::posix_data_error(errno, "write", path);
    bytes = bytes.subspan(done);
  }
  return {};
}

bool has_no_room(int sqlite_code) { return (sqlite_code & 0xff) == SQLITE_FULL; }

Result<io::FileDescriptor> create(const std::string& path) {
  io::FileDescriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file.is_open()) return io::posix_name_error(errno, io::NameUse::kChange, "create", path);
  return file;
}

}  // namespace

Result<SqliteHeader> SqliteHeader::parse(Bytes header, const std::string& path) {
  if (std::memcmp(header.data(), "SQLite format 3", 16) != 0) {
    return Error(ErrorCode::kNotADatabase, fmt::format("'{}' is not an SQLite file", path))
        .with_hint("an encrypted database has to be decrypted first, with the program that encrypted it");
  }
  SqliteHeader result;
  result.page_bytes = load_big16(header.data() + 16);
  if (result.page_bytes == 1) result.page_bytes = 65'536;
  if (result.page_bytes < 512 || (result.page_bytes & (result.page_bytes - 1)) != 0) {
    return Error(
        ErrorCode::kNotADatabase,
        fmt::format("'{}' is not an SQLite file: its page size would be {}", path, result.page_bytes));
  }
  const auto read_version = std::to_integer<int>(header[kReadVersionOffset]);
  const auto write_version = std::to_integer<int>(header[kWriteVersionOffset]);
  if (read_version > 2 || write_version > 2) {
    return Error(ErrorCode::kFormatTooNew, fmt::format("'{}' was written by a newer SQLite", path));
  }
  result.is_wal = read_version == 2 || write_version == 2;
  // Old versions of SQLite did not keep the page count; then the counters differ.
  const bool count_is_valid =
      std::memcmp(header.data() + kChangeCounterOffset, header.data() + kVersionValidForOffset, 4) == 0;
  if (count_is_valid) result.page_count = load_big32(header.data() + kPageCountOffset);
  return result;
}

Result<std::unique_ptr<SqliteSource>> SqliteSource::open(const std::string& path,
                                                         const std::string& scratch_parent,
                                                         const std::function<bool()>& goes_on) {
  std::unique_ptr<SqliteSource> source(new SqliteSource(path, scratch_parent, goes_on));
  if (stat(path.c_str(), &source->opened_) != 0) {
    return io::posix_name_error(errno, io::NameUse::kRead, "open", path);
  }
  if (!S_ISREG(source->opened_.st_mode)) {
    return Error(ErrorCode::kNotADatabase, fmt::format("'{}' is not a file", path));
  }
  DOSQL_RETURN_IF_ERROR(source->settle());
  return source;
}

// Of copies, which are ours and soon gone, people hear as of the file that they named.
Error SqliteSource::failed(int sqlite_code) const { return connection_->error(sqlite_code, path_); }

Error SqliteSource::copy_has_no_room(const std::string& copy) const {
  return Error(ErrorCode::kDiskFull,
               fmt::format("cannot write '{}', a copy of '{}': No space left on device", copy, path_))
      .with_hint("importing this file takes room for it twice, in the directory of the database");
}

Status SqliteSource::ask() const {
  if (!goes_on_ || goes_on_()) return {};
  return Error(ErrorCode::kInterrupted, "interrupted");
}

Status SqliteSource::connect(std::string path, PlainConnection::Access access) {
  connection_.reset();
  DOSQL_ASSIGN_OR_RETURN(connection_, PlainConnection::open(path, access));
  connection_->ask(goes_on_);
  std::array<std::byte, kHeaderBytes> header{};
  DOSQL_RETURN_IF_ERROR(connection_->read(0, header));
  DOSQL_ASSIGN_OR_RETURN(const std::uint64_t file_bytes, connection_->size());
  header_ = {};
  // An empty file is an empty database, of no page size yet.
  if (file_bytes == 0) return {};
  DOSQL_ASSIGN_OR_RETURN(header_, SqliteHeader::parse(header, path_));
  return {};
}

// Leaves connection_ on a file of 4096-byte pages, inside a read transaction.
Status SqliteSource::settle() {
  DOSQL_RETURN_IF_ERROR(connect(path_, PlainConnection::Access::kReadOnly));
  DOSQL_RETURN_IF_ERROR(header_.is_wal ? settle_wal() : settle_journal());
  if (header_.page_bytes != kPageBytes) DOSQL_RETURN_IF_ERROR(rewrite());
  return look_over();
}

Status SqliteSource::settle_wal() {
  if (has_content(path_ + "-wal")) return copy_aside("-wal");
  // VACUUM changes the page size of no database in WAL mode: it must leave that first, on a copy.
  if (header_.page_bytes != kPageBytes && header_.page_bytes != 0) return copy_aside("");
  // Opened as what it is, SQLite would leave a -wal and a -shm file beside it.
  watched_ = true;
  return connect(path_, PlainConnection::Access::kImmutable);
}

Status SqliteSource::settle_journal() {
  const int rc = connection_->exec("SELECT count(*) FROM sqlite_schema");
  if (rc == SQLITE_OK) return {};
  const bool wants_to_write = (rc & 0xff) == SQLITE_READONLY || (rc & 0xff) == SQLITE_CANTOPEN;
  if (wants_to_write && has_content(path_ + "-journal")) return copy_aside("-journal");
  return failed(rc);
}

Status SqliteSource::make_scratch() {
  if (scratch_) return {};
  DOSQL_ASSIGN_OR_RETURN(scratch_, ScratchDirectory::create(scratch_parent_));
  return {};
}

Status SqliteSource::copy_aside(const std::string& companion) {
  DOSQL_RETURN_IF_ERROR(make_scratch());
  // A program that has the file open in WAL mode keeps a -shm file; a read transaction beside it keeps the
  // pages in place that its snapshot needs.
  const bool in_use = has_content(path_ + "-shm");
  watched_ = !in_use || connection_->exec("BEGIN; SELECT count(*) FROM sqlite_schema") != SQLITE_OK;
  const std::string copy = scratch_->file("copy.sqlite");
  DOSQL_RETURN_IF_ERROR(copy_main(copy));
  if (!companion.empty()) DOSQL_RETURN_IF_ERROR(copy_companion(path_ + companion, copy + companion));
  if (watched_) DOSQL_RETURN_IF_ERROR(check_unchanged());
  watched_ = false;
  return apply_companion(copy);
}

Status SqliteSource::copy_main(const std::string& to) const {
  DOSQL_ASSIGN_OR_RETURN(const std::uint64_t file_bytes, connection_->size());
  DOSQL_ASSIGN_OR_RETURN(const io::FileDescriptor file, create(to));
  std::vector<std::byte> buffer(kCopyBytes);
  for (std::uint64_t offset = 0; offset < file_bytes; offset += kCopyBytes) {
    const MutableBytes part(buffer.data(), std::min<std::uint64_t>(kCopyBytes, file_bytes - offset));
    DOSQL_RETURN_IF_ERROR(ask());
    DOSQL_RETURN_IF_ERROR(connection_->read(offset, part));
    DOSQL_RETURN_IF_ERROR(write_all(file.get(), part, to));
  }
  return {};
}

// SQLite keeps no locks on these files, so they may be opened beside it.
Status SqliteSource::copy_companion(const std::string& from, const std::string& to) const {
  io::FileDescriptor input(::open(from.c_str(), O_RDONLY | O_CLOEXEC));
  if (!input.is_open()) return io::posix_name_error(errno, io::NameUse::kRead, "open", from);
  DOSQL_ASSIGN_OR_RETURN(const io::FileDescriptor output, create(to));
  std::vector<std::byte> buffer(kCopyBytes);
  while (true) {
    DOSQL_RETURN_IF_ERROR(ask());
    const ssize_t got = ::read(input.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return io::posix_data_error(errno, "read", from);
    if (got == 0) return {};
    DOSQL_RETURN_IF_ERROR(write_all(output.get(), Bytes(buffer.data(), got), to));
  }
}

// Opening the copy for writing rolls its journal back or recovers its WAL.
Status SqliteSource::apply_companion(const std::string& copy) {
  DOSQL_RETURN_IF_ERROR(connect(copy, PlainConnection::Access::kReadWrite));
  const char* settle_it =
      "PRAGMA synchronous = OFF; SELECT count(*) FROM sqlite_schema; PRAGMA wal_checkpoint(TRUNCATE);"
      "PRAGMA journal_mode = DELETE";
  if (const int rc = connection_->exec(settle_it); rc != SQLITE_OK)
    return has_no_room(rc) ? copy_has_no_room(copy) : failed(rc);
  return connect(copy, PlainConnection::Access::kReadOnly);
}

Status SqliteSource::rewrite() {
  DOSQL_RETURN_IF_ERROR(make_scratch());
  const std::string rewritten = scratch_->file("rewritten.sqlite");
  const std::unique_ptr<char, decltype(&sqlite3_free)> sql(
      sqlite3_mprintf("PRAGMA page_size = %d; VACUUM INTO %Q", static_cast<int>(kPageBytes),
                      rewritten.c_str()),
      sqlite3_free);
  if (const int rc = connection_->exec(sql.get()); rc != SQLITE_OK)
    return has_no_room(rc) ? copy_has_no_room(rewritten) : failed(rc);
  rewritten_ = true;
  // The rewritten file is a snapshot of a read transaction of its own; whatever happens to the original now
  // is later.
  if (watched_) DOSQL_RETURN_IF_ERROR(check_unchanged());
  watched_ = false;
  DOSQL_RETURN_IF_ERROR(connect(rewritten, PlainConnection::Access::kReadOnly));
  if (header_.page_bytes == kPageBytes) return {};
  return Error(ErrorCode::kInternal, fmt::format("'{}' could not be rewritten: its pages still have {} bytes",
                                                 path_, header_.page_bytes));
}

// Cheap questions that a damaged file answers wrongly. What is wrong deeper inside is imported as it is and
// found by a check.
Status SqliteSource::look_over() {
  if (const int rc = connection_->exec("BEGIN; SELECT count(*) FROM sqlite_schema"); rc != SQLITE_OK) {
    return failed(rc);
  }
  DOSQL_ASSIGN_OR_RETURN(const std::uint64_t file_bytes, connection_->size());
  const auto pages_there = static_cast<std::uint32_t>((file_bytes + kPageBytes - 1) / kPageBytes);
  page_count_ = header_.page_count != 0 ? header_.page_count : pages_there;
  if (page_count_ > pages_there) {
    return Error(ErrorCode::kCorrupt, fmt::format("'{}' is cut off: of {} pages only {} are there", path_,
                                                  page_count_, pages_there));
  }
  DOSQL_ASSIGN_OR_RETURN(const std::int64_t free_pages, connection_->query_integer("PRAGMA freelist_count"));
  DOSQL_ASSIGN_OR_RETURN(const std::int64_t last_root,
                         connection_->query_integer("SELECT max(rootpage) FROM sqlite_schema"));
  if (free_pages >= page_count_ || last_root > page_count_) {
    return Error(ErrorCode::kCorrupt,
                 fmt::format("'{}' is damaged: it speaks of pages behind its {} pages", path_, page_count_));
  }
  return {};
}

Status SqliteSource::read(std::uint32_t first, MutableBytes out) const {
  DOSQL_RETURN_IF_ERROR(connection_->read(std::uint64_t{first - 1} * kPageBytes, out));
  if (first == 1) {
    out[kWriteVersionOffset] = out[kReadVersionOffset] = std::byte{1};
    store_big32(out.data() + kPageCountOffset, page_count_);
  }
  return {};
}

Status SqliteSource::check_unchanged() const {
  if (!watched_) return {};
  struct stat now;
  const bool changed = stat(path_.c_str(), &now) != 0 || !same_state(now, opened_);
  if (!changed) return {};
  return Error(ErrorCode::kBusy, fmt::format("'{}' was changed by another program while it was read", path_));
}

}  // namespace dosql::engine
