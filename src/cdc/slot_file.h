// The file of one slot: how far a consumer of changes has got (docs/format/slots.md).
//
// The file holds the record twice and a write replaces the older copy, so that a crash tears at most what
// replaces it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <dosql/result.h>

#include "io/storage.h"

namespace dosql::cdc {

inline constexpr char kSlotMagic[8] = {'D', 'o', 'S', 'Q', 'L', 's', 'l', 't'};
inline constexpr std::uint32_t kSlotFormatVersion = 1;
// Each in a sector of its own.
inline constexpr std::uint64_t kSlotCopyOffsets[] = {0, 512};
inline constexpr std::uint64_t kSlotFileBytes = 1024;

struct SlotRecord {
  char magic[8];
  std::uint32_t format_version;
  std::uint32_t branch;
  std::uint64_t database_id;
  std::uint64_t sequence;          // +1 at every write; the higher one of two valid copies counts
  std::uint64_t acknowledged_lsn;  // all up to it was dealt with
  std::uint64_t created_us;
  std::uint64_t acknowledged_us;  // when that was last said
  std::uint64_t lag_us_max;       // 0: no limit
  std::uint64_t lag_bytes_max;    // 0: no limit
  std::uint64_t branch_us;        // when its branch was made, 0 of main: another one may get its id
  std::uint32_t lost;             // 1: it was further behind than a limit allows
  std::uint32_t passed_lsns;      // so many behind acknowledged_lsn are nothing to its consumer, either
  std::uint64_t checksum;         // checksum64 of the bytes before it, salt 0
};
static_assert(sizeof(SlotRecord) == 96);

class SlotFile {
 public:
  // Makes the slot's file, whole and durable on return or not there at all. Errors: kAlreadyExists,
  // kReadOnly, kDiskFull, kIo.
  static Status create(io::Directory& directory, std::string_view name, SlotRecord record);
  // Errors: kNotFound, kCorrupt (no valid copy, or another database's), kFormatTooNew, kReadOnly, kIo.
  static Result<SlotFile> open(io::Directory& directory, std::string_view name, io::OpenMode mode,
                               std::uint64_t database_id);
  // Durable on return. Errors: kNotFound, kReadOnly, kIo.
  static Status remove(io::Directory& directory, std::string_view name);
  // The names of all slots, ascending.
  static Result<std::vector<std::string>> list(io::Directory& directory);

  const SlotRecord& record() const { return record_; }
  // Durable on return; after an error the file may hold either. Sets sequence and checksum.
  Status write(SlotRecord record);

 private:
  SlotFile(std::unique_ptr<io::File> file, const SlotRecord& record)
      : file_(std::move(file)), record_(record) {}

  std::unique_ptr<io::File> file_;
  SlotRecord record_;
};

// Errors: kInvalidArgument. A name is 1 to 64 letters, digits, '_', '-' and '.', and does not begin with '.'.
Status check_slot_name(std::string_view name);

}  // namespace dosql::cdc
