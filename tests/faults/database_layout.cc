#include "tests/faults/database_layout.h"

#include <algorithm>
#include <map>

#include "log/record.h"
#include "log/segment.h"
#include "version/checkpoint.h"

namespace dosql::testing {
namespace {

using log::SegmentHeader;

struct SegmentBytes {
  std::string name;
  std::vector<std::byte> bytes;
  SegmentHeader header{};
};

std::uint64_t padding_bytes(const log::RecordView& record) {
  std::uint64_t used = *log::fixed_part_bytes(record.header, record.body);
  record.for_each_entry([&used](const log::EntryHead& head, Bytes, std::uint32_t) {
    used += sizeof head + head.payload_bytes;
  });
  return record.header.body_bytes - used;
}

// The segments that the newest leads to, oldest first.
std::vector<SegmentBytes> segments_of(const SimulatedDisk& disk) {
  std::map<std::uint32_t, SegmentBytes> found;
  for (const auto& file : disk.files()) {
    const auto number = log::parse_segment_file_name(file.name);
    if (!number) continue;
    SegmentBytes segment{file.name, disk.content(file.name), {}};
    for (const std::uint64_t offset : log::kSegmentHeaderOffsets) {
      if (segment.bytes.size() < offset + sizeof(SegmentHeader)) continue;
      const auto header = load<SegmentHeader>(segment.bytes.data() + offset);
      if (std::memcmp(header.magic, log::kSegmentMagic, sizeof header.magic) == 0) segment.header = header;
    }
    if (segment.header.segment == *number) found.emplace(*number, std::move(segment));
  }
  std::vector<SegmentBytes> chain;
  for (auto at = found.empty() ? found.end() : std::prev(found.end()); at != found.end();
       at = found.find(chain.back().header.previous_segment)) {
    chain.push_back(std::move(at->second));
  }
  std::reverse(chain.begin(), chain.end());
  return chain;
}

void add_segment(const SegmentBytes& segment, std::uint64_t end, DatabaseLayout& layout) {
  for (const std::uint64_t offset : log::kSegmentHeaderOffsets) {
    layout.live.push_back({segment.name, offset, offset + sizeof(SegmentHeader)});
  }
  // One flip leaves one copy of it.
  layout.claims.push_back({{}, Lsn{segment.header.durable_lsn}});
  std::uint64_t offset = log::kFirstRecordOffset;
  while (offset < end) {
    const auto record = log::parse_record(Bytes(segment.bytes).subspan(offset), segment.header.salt,
                                          segment.header.database_id, log::Verify::kEverything);
    if (!record) break;
    const FileRange range{segment.name, offset, offset + record->record_bytes() - padding_bytes(*record)};
    layout.live.push_back(range);
    layout.records.push_back(range);
    layout.claims.push_back({range, Lsn{record->header.durable_lsn}});
    offset += record->record_bytes();
  }
}

}  // namespace

bool DatabaseLayout::is_live(const std::string& file, std::uint64_t offset) const {
  return std::any_of(live.begin(), live.end(),
                     [&](const FileRange& range) { return range.contains(file, offset); });
}

Lsn DatabaseLayout::durable_lsn_without(const std::string& file, std::uint64_t offset) const {
  Lsn durable_lsn{};
  for (const Claim& claim : claims) {
    if (!claim.range.contains(file, offset)) durable_lsn = std::max(durable_lsn, claim.durable_lsn);
  }
  return durable_lsn;
}

DatabaseLayout layout_of(const SimulatedDisk& disk) {
  DatabaseLayout layout;
  for (const std::uint64_t offset : log::kControlSlotOffsets) {
    layout.live.push_back({std::string(log::kControlFile), offset, offset + sizeof(log::ControlSlot)});
  }
  const std::vector<SegmentBytes> segments = segments_of(disk);
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const bool sealed = i + 1 < segments.size();
    add_segment(segments[i], sealed ? segments[i + 1].header.previous_end : segments[i].bytes.size(), layout);
  }
  for (const auto& file : disk.files()) {
    if (file.name != log::kCheckpointFile) continue;
    const auto header = load<version::CheckpointHeader>(disk.content(file.name).data());
    const FileRange range{file.name, 0, file.size_bytes};
    layout.live.push_back(range);
    layout.claims.push_back({range, Lsn{header.durable_lsn}});
  }
  return layout;
}

}  // namespace dosql::testing
