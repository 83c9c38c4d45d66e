// A directory on a disk that loses power, fills up and fails, exactly when a test says so.
//
// What is modelled
//
// The disk holds one directory. Each file has a durable content and an ordered list of changes not synced
// yet (writes; changes of size by a growing write, allocate or truncate). The directory has durable names
// and an ordered list of changes not synced yet (create, remove, rename). File::sync_data makes the changes
// of one file durable, Directory::sync those of the names; neither does the other's work. Reads always see
// all changes, as they do through an operating system's cache.
//
// Operations. These are counted, from 0, over the life of the disk: write_at, write_pieces_at, store_at,
// allocate, truncate, sync_data, opening for creation, remove, rename, Directory::sync, lock. Faults and
// crashes are placed by that number. Reads (read_at, size, opening an existing file, list) have a count of
// their own. What is refused for its arguments alone (no such file, exists, opened read-only, locked) is
// not counted.
//
// Power loss (after_power_loss). First the loss gets a character: nothing unsynced survives, all of it,
// anything goes, nearly all, nearly nothing, or everything was in flight. Then, independently for each file:
//  1. Each unsynced write is kept, lost or torn. Of a torn write each 512-byte sector (counted from the
//     start of the file) is kept or lost, or, if the write covers all of it, it may be garbage. So bytes
//     that no unsynced write touched never change, not even within the same sector.
//  2. Writes take effect in any order: where several overlap, any of them may be the one that stays.
//  3. Changes of size are metadata, which a journal keeps in order: the first k of them survive, for some k.
//     Bytes behind the surviving size are gone. Ranges whose growth survived and whose write did not read
//     as zeros. What a surviving truncate cut off does not come back. Writes behind the end set by a
//     truncate that did not survive are lost.
// Of the name changes the first k survive, for some k. A file whose name's creation was lost is gone, however
// well its content was synced; a file whose removal was lost is back, with its content.
// A sector is never damaged by a write that covers only part of it, and synced bytes are never lost.
//
// Failed syncs behave as on Linux, where the page cache forgets that the pages were dirty: the writes that
// were unsynced then may be lost at a later power loss even when later syncs of the file succeed, and are
// out of danger only when their bytes are written again and synced. Until then reads go on showing them.
// Sizes and names do become durable by the next successful sync.
//
// Process kill (after_process_kill). Nothing is lost, and what was unsynced (also after a failed sync) stays
// so: a later power loss may take it.
//
// Crash operation (crash_at). It and all later operations and reads fail with kIo "simulated power loss".
// The operation itself may have reached the disk: its change counts as unsynced. Only of a store_at that
// crashes just the first half of the bytes is stored, since a process can be killed in the middle of it.
//
// Locks die with the process: every disk made from this one starts unlocked.
//
// Shared memory (open_shared) is no file here: it is not listed, opening it is no operation and never fails
// but after the crash, copies and survivors of a process kill have its content without its holders, and a
// power loss takes it. A holder that is destroyed without further ado is to the others like one that was
// killed.
//
// Everything is determined by the calls and the Random: the same seed gives the same disk.
// Threads: all methods may be called from any thread. Files and directories got from it may outlive it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/environment.h"
#include "io/storage.h"

namespace dosql::testing {

class SimulatedDisk {
 public:
  // Empty.
  SimulatedDisk();
  ~SimulatedDisk();
  SimulatedDisk(const SimulatedDisk&) = delete;
  SimulatedDisk& operator=(const SimulatedDisk&) = delete;

  // A live view. Two of them are to each other like two processes.
  std::unique_ptr<io::Directory> directory();

  enum class OperationKind {
    kWrite,  // write_at and write_pieces_at
    kStore,
    kAllocate,
    kTruncate,
    kSync,
    kCreate,
    kRemove,
    kRename,
    kDirectorySync,
    kLock,
  };
  struct Operation {
    OperationKind kind;
    std::string name;              // of the file; empty for kDirectorySync
    std::uint64_t offset = 0;      // of writes
    std::uint64_t size_bytes = 0;  // of writes; the new size for kAllocate and kTruncate
  };
  // For messages: "operation 12: write 135 bytes at 4096 of log-1".
  static std::string describe(std::uint64_t index, const Operation& operation);

  // What happened so far, the operation with number i at [i]. The crash operation is the last one.
  std::vector<Operation> operations() const;
  std::uint64_t operation_count() const;
  std::uint64_t read_count() const;

  // With a number that has passed: from the next operation on.
  void crash_at(std::uint64_t operation_index);
  // Whether the crash happened.
  bool has_crashed() const;

  enum class Fault {
    // kIo, and nothing happens. On sync_data: as kFailedSync.
    kIoError,
    // kDiskFull, and nothing happens. On syncs: as kIoError.
    kDiskFull,
    // Writes and stores: kIo after a part up to a 512-byte boundary about the middle was written; nothing
    // when
    // there is no boundary inside. allocate: kDiskFull after growing half the way. Others: as kIoError.
    kShortWrite,
    // sync_data: see "Failed syncs" above. Others: as kIoError.
    kFailedSync,
  };
  // Only that operation fails. May be given for several operations.
  void fail_at(std::uint64_t operation_index, Fault fault);
  // Only that read fails, with kIo.
  void fail_read_at(std::uint64_t read_index);

  // New disks; this one goes on as it was. They start with counts of 0 and without planned faults.
  std::unique_ptr<SimulatedDisk> after_power_loss(Random& random) const;
  std::unique_ptr<SimulatedDisk> after_process_kill() const;

  // As this disk is, with counts, planned faults, crash and all, but without locks. To save a state and go
  // on from it several times. Cheap: content is shared until one side writes to it.
  std::unique_ptr<SimulatedDisk> copy() const;

  // Flips a bit of the current and of the durable content, as a decaying medium does. Not an operation.
  // REQUIRES: the file exists and is longer than `offset`; bit < 8.
  void flip_bit(std::string_view name, std::uint64_t offset, unsigned bit);

  struct FileInfo {
    std::string name;
    std::uint64_t size_bytes = 0;
    bool operator==(const FileInfo&) const = default;
  };
  // As seen now, sorted by name. Not an operation, and works after a crash.
  std::vector<FileInfo> files() const;
  // What a read of the whole file would see now. Not an operation. REQUIRES: the file exists.
  std::vector<std::byte> content(std::string_view name) const;

 private:
  struct State;
  class LiveFile;
  class LiveDirectory;
  class LiveLock;

  explicit SimulatedDisk(std::shared_ptr<State> state);

  std::shared_ptr<State> state_;
};

}  // namespace dosql::testing
