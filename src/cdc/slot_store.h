// The slots of a database: how far each consumer of changes has got, durably.
//
// Each is a file beside the log, and not in it: a consumer may be in a process that only reads, and how far
// it got is no part of any version. Whoever uses a slot has it alone, in this process and among others.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include <dosql/result.h>

#include "base/environment.h"
#include "base/ids.h"
#include "cdc/slot_file.h"
#include "io/storage.h"

namespace dosql::cdc {

// The right to a slot, until it is destroyed. Threads: any.
class SlotUse {
 public:
  // Acknowledgements come often: one is written, and synced, when the last one was so long ago, the others
  // with the next one, by flush(), or when this ends.
  static constexpr TimestampUs kWriteIntervalUs = 50'000;

  ~SlotUse();  // writes what is left; a failure is lost, and what was not written comes again
  SlotUse(const SlotUse&) = delete;
  SlotUse& operator=(const SlotUse&) = delete;

  SlotRecord record() const;
  // All up to `lsn` was dealt with. Backwards changes nothing, but what waits may be written then. Errors:
  // kHistoryExpired (the slot is lost), those of a write.
  Status advance(Lsn lsn);
  // Nothing of what lies between the newest change that was given and `reached` is for this consumer: once
  // that change is acknowledged it is no lag. Is written with the next acknowledgement, or when this ends.
  void pass(Lsn newest_given, Lsn reached);
  // Durable on return. Errors: kIo.
  Status flush();
  // From now on the slot holds nothing back. Durable on return.
  Status lose();

 private:
  friend class SlotStore;
  SlotUse(std::string name, SlotFile file, std::unique_ptr<io::DirectoryLock> lock, Clock& clock);
  void take_passed();
  Status write();

  const std::string name_;
  const std::unique_ptr<io::DirectoryLock> lock_;
  Clock& clock_;
  mutable std::mutex mutex_;  // guards what follows
  SlotFile file_;
  SlotRecord record_;  // newer than the file's where it was not written yet
  TimestampUs written_us_ = 0;
  Lsn newest_given_{};
  Lsn passed_{};  // at least newest_given_
};

// Threads: any.
class SlotStore {
 public:
  // All must outlive it. `owner` is what others are told who has a slot: "process 123".
  SlotStore(io::Directory& directory, std::uint64_t database_id, Clock& clock, std::string owner);

  struct Slot {
    std::string name;
    SlotRecord record{};
    bool in_use = false;  // in this process
  };

  // Durable on return. Errors of what follows: kNotFound, kLocked (another process has it), kCorrupt,
  // kReadOnly, kDiskFull, kIo; of this one kAlreadyExists, kInvalidArgument (the name). `branch_us`: when
  // the branch was made, 0 of main.
  Status create(const std::string& name, BranchId branch, std::uint64_t branch_us, Lsn acknowledged,
                std::uint64_t lag_us_max, std::uint64_t lag_bytes_max);
  // By name, ascending.
  Result<std::vector<Slot>> list() const;
  Result<Slot> get(const std::string& name) const;
  // kBusy: somebody in this process has it.
  Result<std::shared_ptr<SlotUse>> use(const std::string& name);
  // By the use that this process has; else durable on return.
  Status advance(const std::string& name, Lsn lsn);
  // Durable on return. kBusy as above.
  Status drop(const std::string& name);

 private:
  Result<std::unique_ptr<io::DirectoryLock>> lock(const std::string& name) const;
  Result<std::shared_ptr<SlotUse>> open_use(const std::string& name);
  std::shared_ptr<SlotUse> found_use(const std::string& name) const;

  io::Directory& directory_;
  const std::uint64_t database_id_;
  Clock& clock_;
  const std::string owner_;
  mutable std::mutex mutex_;
  std::map<std::string, std::weak_ptr<SlotUse>> uses_;
};

}  // namespace dosql::cdc
