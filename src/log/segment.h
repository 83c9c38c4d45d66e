// One segment file of the log.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <dosql/result.h>

#include "io/storage.h"
#include "log/format.h"

namespace dosql::log {

// "log-00000007"; none for any other file name.
std::string segment_file_name(std::uint32_t number);
std::optional<std::uint32_t> parse_segment_file_name(std::string_view name);

// Immutable but for `end`, the offset behind its last record.
struct Segment {
  SegmentHeader header{};
  std::string name;
  std::unique_ptr<io::File> file;
  // In a line of its own: each append changes it, and whoever reads records needs what stands before.
  alignas(kCacheLineBytes) std::atomic<std::uint64_t> end{kFirstRecordOffset};
};

// Creates the file, allocates it, lets `fill` write the records it begins with and syncs them, then writes
// both header copies and syncs file and directory: durable on return, and a segment only from the headers on.
// `header.checksum` is filled in here. REQUIRES: the log has no segment of that number. On an error there is
// no such segment, durably; except kOutcomeUnknown: its header may turn up after a power loss, so that
// nothing may be appended to the segment before it any more.
using FillSegment = std::function<Status(Segment& segment)>;
Result<std::unique_ptr<Segment>> create_segment(io::Directory& directory, SegmentHeader header,
                                                const FillSegment& fill = {});

// Writes both header copies again, one after the other, and syncs each: whoever wrote them may have died
// before.
Status rewrite_headers(const Segment& segment);

// None when neither header copy is whole: a crash during create_segment.
Result<std::unique_ptr<Segment>> open_segment(io::Directory& directory, std::uint32_t number,
                                              io::OpenMode mode);

// Both header copies, verified; offsets of damaged ones.
Result<std::vector<std::uint64_t>> damaged_headers(io::File& file);

// Size for the next segment, so that small databases stay small.
std::uint64_t next_segment_bytes(std::uint64_t log_bytes, std::uint64_t record_bytes);

}  // namespace dosql::log
