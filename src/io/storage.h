// The storage seam: everything the engine needs from a disk, and nothing else.
//
// Bodies: posix_storage.h (real files), memory_storage.h (tests, throw-away databases) and the
// simulated faulty disk in testing/simulated_disk.h. One contract suite (storage_contract_test.cc)
// runs over all of them.
//
// Durability model. What write_at, store_at and allocate did is seen by every later read of this and
// any other process at once, but survives a power loss only after sync_data of the file returned.
// Unsynced writes may reach the disk in any order, whole, in part (at 512-byte granularity) or not at
// all. Names (creation, removal, rename) survive only after sync of the directory returned.
//
// Threads: all methods of File and Directory may be called from any thread at the same time.
// Errors: kIo (with the system's own words), kDiskFull, kReadOnly, kNotFound, kAlreadyExists; every
// message names the file. A failed write may have changed any part of the range it was given.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <dosql/result.h>

#include "base/bytes.h"

namespace dosql::io {

class File {
 public:
  virtual ~File() = default;

  // Fills `out` from `offset`; returns the bytes read, fewer than asked only at the end of the file.
  virtual Result<std::size_t> read_at(std::uint64_t offset, MutableBytes out) = 0;

  // Writes all bytes, growing the file when needed.
  virtual Status write_at(std::uint64_t offset, Bytes bytes) = 0;

  // Writes the pieces one behind another as one write_at; for large records without a copy.
  virtual Status write_pieces_at(std::uint64_t offset, std::span<const Bytes> pieces) = 0;

  // Like write_at, but may store into a memory mapping: faster for small writes that no sync follows
  // soon. REQUIRES: the range lies inside what allocate() returned success for. Only a File that did the
  // allocate() itself stores, others write: call it again after opening an allocated file.
  virtual Status store_at(std::uint64_t offset, Bytes bytes) = 0;

  // Reserves disk space up to `file_bytes` and makes the file at least that long; new bytes read as
  // zeros. After it returned, writes inside do not fail with kDiskFull on file systems that keep that
  // promise (docs/limits.md). Never shortens. After an error the file may have grown by a part.
  virtual Status allocate(std::uint64_t file_bytes) = 0;

  // Makes the file exactly that long; new bytes read as zeros, also where old content was cut off before.
  virtual Status truncate(std::uint64_t file_bytes) = 0;
  virtual Result<std::uint64_t> size() = 0;

  // Makes all content written before the call durable, and the file's size. After an error the
  // content of unsynced ranges is unknown, whatever a later sync says.
  virtual Status sync_data() = 0;
};

// Held while it lives; released by the destructor or the end of the process.
class DirectoryLock {
 public:
  virtual ~DirectoryLock() = default;
};

// A few bytes of memory that everybody sees who opens them by the same name, in this and other processes of
// the machine, with locks that end with their holder, however it ends. Nothing in them outlives a power loss.
// What is in there was written by others: verify it.
//
// Threads: any, also the destructor's caller beside other holders. The memory is for lock-free atomics.
class SharedMemory {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  // Gives this holder's locks back.
  virtual ~SharedMemory() = default;

  // As many bytes as open_shared() asked for, at an address that is a multiple of 64. Zeros when new.
  virtual std::byte* data() = 0;

  // Lock `number`, exclusively, for this holder; never waits. False: another holder has it. Numbers go from
  // 0 to kLocks - 1.
  static constexpr std::uint32_t kLocks = 4096;
  virtual Result<bool> try_lock(std::uint32_t number) = 0;
  virtual void unlock(std::uint32_t number) = 0;
  // Whether another holder has one of the locks in [first, first + count).
  virtual Result<bool> locked_by_other(std::uint32_t first, std::uint32_t count = 1) = 0;

  // Waits while the 32 bits at `offset` are `expected`, until wake(offset) or `deadline`. It may also return
  // for no reason; false only when the deadline has passed.
  virtual bool wait(std::size_t offset, std::uint32_t expected, TimePoint deadline) = 0;
  // Ends the waits of all holders on these 32 bits. Change them before.
  virtual void wake(std::size_t offset) = 0;
};

enum class OpenMode {
  kReadOnly,   // must exist
  kReadWrite,  // must exist
  kCreate,     // must not exist; created with mode 0600
};

class Directory {
 public:
  virtual ~Directory() = default;

  // `name` is a plain file name without '/'. A File goes on with the same content when its name is removed
  // or given to another file afterwards.
  virtual Result<std::unique_ptr<File>> open(std::string_view name, OpenMode mode) = 0;
  virtual Status remove(std::string_view name) = 0;
  // Replaces `to` when it exists.
  virtual Status rename(std::string_view from, std::string_view to) = 0;
  // Names of all but directories, sorted: of what is no plain file too, which open() refuses.
  virtual Result<std::vector<std::string>> list() = 0;
  // Makes creations, removals and renames before the call durable.
  virtual Status sync() = 0;

  // Takes the exclusive lock `name`, a file of that name that is created when missing and stays behind,
  // writing `owner` (one line) into it for others to read. When someone else
  // (this or another process) holds it: kLocked, and the message is the holder's `owner` text. A holder that
  // is just ending is waited for; it is found by an `owner` that begins with "process 123".
  virtual Result<std::unique_ptr<DirectoryLock>> lock(std::string_view name, std::string_view owner) = 0;

  // The shared memory `name`: a file of that name, created when missing if `create` says so. Its size is
  // `size_bytes` for everybody, at most 64 KiB. Each call is a holder of its own. Whether list() has the
  // name, and what a File of it shows, is the body's affair. Errors: also kNotFound; kReadOnly where the file
  // cannot be written; kIo where the system lacks this.
  enum class CreateShared { kIfMissing, kNo };
  virtual Result<std::unique_ptr<SharedMemory>> open_shared([[maybe_unused]] std::string_view name,
                                                            [[maybe_unused]] std::size_t size_bytes,
                                                            [[maybe_unused]] CreateShared create) {
    return Error(ErrorCode::kIo, "this directory has no shared memory");
  }

  // For messages: the path as the user knows it.
  virtual std::string describe() const = 0;
};

}  // namespace dosql::io
