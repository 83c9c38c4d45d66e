// What a record says besides the content of its pages: its header, its fixed part and its entry heads. This
// is what its checksum covers, so damage in a page of it does not matter here.
#pragma once

#include <optional>
#include <vector>

#include <dosql/result.h>

#include "base/ids.h"
#include "io/storage.h"
#include "log/record.h"

namespace dosql::log {

struct RecordHeads {
  RecordHeader header{};
  std::size_t fixed_part_bytes = 0;
  std::vector<std::byte> joined;  // the fixed part, then the entry heads without their payloads

  // Of a commit: answers all but for_each_entry(). It lives as long as this.
  RecordView view() const { return {header, Bytes(joined).first(fixed_part_bytes)}; }
  // Of the entries, in their order.
  std::vector<PageNo> pages() const;
};

// Reads and verifies those of the record at `offset`; none when no valid record of a segment with that salt
// begins there. Payloads are passed over, and megabytes of them are never in memory at once. Errors: kIo.
Result<std::optional<RecordHeads>> read_record_heads(io::File& file, std::uint64_t offset,
                                                     std::uint64_t segment_salt);

}  // namespace dosql::log
