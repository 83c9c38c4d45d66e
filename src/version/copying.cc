// Copying a store while others use it.

#include <fmt/format.h>

#include <cstring>

#include "log/segment_reader.h"
#include "version/store_impl.h"

namespace dosql::version {
namespace {

constexpr std::size_t kStepBytes = std::size_t{1} << 20;

// What stands in front of a segment's records: its header, in both places.
std::vector<std::byte> front_of(const log::SegmentHeader& header) {
  std::vector<std::byte> front(log::kFirstRecordOffset);
  for (const std::uint64_t offset : log::kSegmentHeaderOffsets)
    std::memcpy(front.data() + offset, &header, sizeof header);
  return front;
}

// Of the invalid record at `position`, as exactly as can be told.
Error damage_at(const log::Log& log, log::Position position, Bytes bytes, std::uint64_t salt) {
  if (const auto record = log::parse_record(bytes, salt, log.database_id(), log::Verify::kRecord)) {
    const auto damaged = log::damaged_entries(*record, log.database_id());
    if (!damaged.empty()) {
      return log.corrupt(log::Position{raw(position) + damaged.front().offset},
                         fmt::format("an entry of page {} fails its checksum", raw(damaged.front().page)));
    }
  }
  return log.corrupt(position, "a record fails its checksum");
}

// Copies a segment up to `end` step by step, and verifies it: what the checkpoint covers was not read when
// the store was opened. A copy has no checkpoint, so one damaged record would keep all of it from being
// opened.
Status copy_segment(const log::Log& log, const log::Segment& from, std::uint64_t end, io::File& to,
                    const std::function<bool(std::uint64_t)>& advance) {
  log::SegmentReader reader(*from.file, end);
  std::vector<std::byte> step = front_of(from.header);
  std::uint64_t previous_checksum = from.header.previous_checksum;
  std::uint64_t written_to = 0;
  for (std::uint64_t offset = log::kFirstRecordOffset;;) {
    if (step.size() >= kStepBytes || offset == end) {
      DOSQL_RETURN_IF_ERROR(to.write_at(written_to, step));
      written_to += step.size();
      step.clear();
      if (!advance(written_to)) return Error(ErrorCode::kInterrupted, "the backup was stopped");
    }
    if (offset == end) return to.sync_data();
    const log::Position position = log::make_position(from.header.segment, offset);
    DOSQL_ASSIGN_OR_RETURN(const Bytes bytes, reader.record_at(offset));
    const auto record =
        log::parse_record(bytes, from.header.salt, log.database_id(), log::Verify::kEverything);
    if (!record) return damage_at(log, position, bytes, from.header.salt);
    if (record->header.previous_checksum != static_cast<std::uint32_t>(previous_checksum))
      return log.corrupt(position, "a record does not follow the one before it");
    const Bytes whole = bytes.first(record->record_bytes());
    step.insert(step.end(), whole.begin(), whole.end());
    previous_checksum = record->header.checksum;
    offset += whole.size();
  }
}

}  // namespace

// The copy holds the log up to now and no clean-close mark: its first open replays it and, as after a
// crash, begins a new segment with LSNs above the lease.
Status VersionStore::backup(io::Directory& target, const Progress& progress) const {
  const StoreImpl& store = *impl_;
  const log::LogPoint point = store.log->end();
  const auto segments = store.log->segments();
  std::uint64_t total = 0;
  for (const auto& info : segments) total += info.end;
  std::uint64_t done = 0;
  for (const auto& info : segments) {
    if (info.segment->header.segment > log::segment_of(point.position)) break;
    const bool newest = info.segment->header.segment == log::segment_of(point.position);
    const std::uint64_t end = newest ? log::offset_of(point.position) : info.end;
    DOSQL_ASSIGN_OR_RETURN(auto file, target.open(info.segment->name, io::OpenMode::kCreate));
    DOSQL_RETURN_IF_ERROR(file->allocate(info.segment->header.segment_bytes));
    DOSQL_RETURN_IF_ERROR(copy_segment(*store.log, *info.segment, end, *file, [&](std::uint64_t at) {
      return !progress || progress(done + at, total);
    }));
    done += end;
  }
  DOSQL_RETURN_IF_ERROR(target.sync());
  // Last: a directory with a control file is a database.
  DOSQL_RETURN_IF_ERROR(log::Control::create(target, store.log->control()));
  return target.sync();
}

}  // namespace dosql::version
