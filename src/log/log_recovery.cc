// Opening a log: creating it, finding its segments, replaying its records, judging and repairing its tail.

#include <fmt/format.h>

#include <algorithm>
#include <deque>

#include "base/check.h"
#include "log/log.h"
#include "log/segment_reader.h"

namespace dosql::log {
namespace {

struct DirectoryContent {
  std::vector<std::uint32_t> segments;  // ascending
  bool foreign = false;                 // something that no DoSQL release makes
};

Result<DirectoryContent> read_content(io::Directory& directory) {
  DOSQL_ASSIGN_OR_RETURN(const auto names, directory.list());
  DirectoryContent content;
  for (const std::string& name : names) {
    if (const auto number = parse_segment_file_name(name)) {
      content.segments.push_back(*number);
    } else if (name != kLockFile && name != kControlFile && name != kCheckpointFile &&
               name != kCheckpointTemporaryFile) {
      content.foreign = true;
    }
  }
  return content;
}

// Whether the database was being created when its maker died: no commit can be in there.
Result<bool> creation_was_cut_short(io::Directory& directory, const DirectoryContent& content) {
  for (const std::uint32_t number : content.segments) {
    DOSQL_ASSIGN_OR_RETURN(const auto segment, open_segment(directory, number, io::OpenMode::kReadOnly));
    if (!segment) continue;
    RecordHeader header{};
    DOSQL_ASSIGN_OR_RETURN(const std::size_t got,
                           segment->file->read_at(kFirstRecordOffset, mutable_bytes_of(header)));
    if (got == sizeof header && header.magic == kRecordMagic) return false;
  }
  return true;
}

}  // namespace

Result<Control> Log::create_database(io::Directory& directory, Clock& clock, Random& random) {
  SegmentHeader header{};
  std::memcpy(header.magic, kSegmentMagic, sizeof header.magic);
  header.format_version = kFormatVersion;
  header.segment = 1;
  header.database_id = random.next_u64();
  header.salt = random.next_u64();
  header.segment_bytes = kSegmentBytesMin;
  header.created_us = clock.now_us();
  DOSQL_RETURN_IF_ERROR(create_segment(directory, header));

  // The control file comes last: a directory with one is a database.
  ControlSlot slot{};
  std::memcpy(slot.magic, kControlMagic, sizeof slot.magic);
  slot.format_version = kFormatVersion;
  slot.page_bytes = kPageBytes;
  slot.database_id = header.database_id;
  slot.sequence = 1;
  slot.created_us = header.created_us;
  DOSQL_ASSIGN_OR_RETURN(auto control, Control::create(directory, slot));
  DOSQL_RETURN_IF_ERROR(directory.sync());
  return control;
}

Result<std::unique_ptr<Log>> Log::open(io::Directory& directory, Access access, Create create, Clock& clock,
                                       Random& random) {
  const auto mode = access == Access::kReadOnly ? io::OpenMode::kReadOnly : io::OpenMode::kReadWrite;
  DOSQL_ASSIGN_OR_RETURN(auto control, Control::read(directory, mode));
  bool created = false;
  if (!control) {
    DOSQL_ASSIGN_OR_RETURN(const DirectoryContent content, read_content(directory));
    if (content.foreign) {
      return Error(ErrorCode::kNotADatabase,
                   fmt::format("'{}' is a directory with other files, not a DoSQL database", directory.describe()))
          .with_hint("name an empty or a new directory to make a database");
    }
    DOSQL_ASSIGN_OR_RETURN(const bool cut_short, creation_was_cut_short(directory, content));
    if (!cut_short) {
      return Error(ErrorCode::kCorrupt, fmt::format("'{}/{}' is damaged: neither copy of the identity can be read",
                                                    directory.describe(), kControlFile));
    }
    if (access == Access::kReadOnly || create == Create::kNo) {
      return Error(ErrorCode::kNotFound, fmt::format("there is no database in '{}'", directory.describe()));
    }
    for (const std::uint32_t number : content.segments) {
      DOSQL_RETURN_IF_ERROR(directory.remove(segment_file_name(number)));
    }
    directory.remove(kControlFile).ignore("usually there is none");
    DOSQL_ASSIGN_OR_RETURN(Control made, create_database(directory, clock, random));
    control.emplace(std::move(made));
    created = true;
  }
  std::unique_ptr<Log> log(new Log(directory, access, clock, random, *std::move(control)));
  log->created_ = created;
  DOSQL_RETURN_IF_ERROR(log->load_segments());
  return log;
}

// Follows the headers from the newest segment back to the first: what no header leads to is void.
Status Log::load_segments() {
  const auto mode = access_ == Access::kReadOnly ? io::OpenMode::kReadOnly : io::OpenMode::kReadWrite;
  DOSQL_ASSIGN_OR_RETURN(DirectoryContent content, read_content(directory_));
  std::vector<std::unique_ptr<Segment>> newest_first;
  std::uint32_t wanted = 0;
  for (auto number = content.segments.rbegin(); number != content.segments.rend(); ++number) {
    if (wanted != 0 && *number != wanted) {
      if (*number < wanted) break;
      void_segments_.push_back(*number);
      continue;
    }
    DOSQL_ASSIGN_OR_RETURN(auto segment, open_segment(directory_, *number, mode));
    if (!segment) {
      if (wanted != 0) break;
      void_segments_.push_back(*number);  // its creation was cut short
      continue;
    }
    const Position at = make_position(*number, 0);
    if (segment->header.database_id != database_id()) return corrupt(at, "it belongs to another database");
    if (segment->header.previous_segment >= *number) return corrupt(at, "it names a later segment before it");
    wanted = segment->header.previous_segment;
    newest_first.push_back(std::move(segment));
    if (wanted == 0) break;
  }
  if (newest_first.empty()) {
    return Error(ErrorCode::kCorrupt, fmt::format("'{}' has no readable log segment", directory_.describe()));
  }
  if (wanted != 0) return corrupt(make_position(wanted, 0), "the segment is missing or its header cannot be read");
  for (const std::uint32_t number : content.segments) {
    if (number < newest_first.back()->header.segment) void_segments_.push_back(number);
  }
  for (auto segment = newest_first.rbegin(); segment != newest_first.rend(); ++segment) {
    if (!segments_.empty()) segments_.back()->end = (*segment)->header.previous_end;
    add_segment(std::move(*segment));
  }
  return {};
}

bool Log::holds(const LogPoint& point) const {
  const Segment* segment = find_segment(segment_of(point.position));
  if (!segment || segment->header.salt != point.segment_salt) return false;
  const std::uint64_t offset = offset_of(point.position);
  const bool sealed = segment != &active();
  return offset >= kFirstRecordOffset && offset <= (sealed ? segment->end.load() : segment->header.segment_bytes);
}

// What replay() knows of the log so far.
struct Log::Tail {
  std::uint64_t previous_checksum = 0;
  std::uint64_t closed_sequence = 0;  // of the last record, when it is a clean-close mark
  Lsn last_lsn{};
  Lsn lsn_high{};
  Lsn durable_lsn{};
  TimestampUs last_timestamp_us = 0;
  std::uint64_t records = 0;
  std::uint64_t end = kFirstRecordOffset;
  // Records of the current segment not known to be on disk: their offset, and the durable LSN that would
  // prove it.
  struct Unproven {
    std::uint64_t offset;
    std::uint64_t proof_lsn;
  };
  std::deque<Unproven> unproven;

  void add(const RecordHeader& header, std::uint64_t offset) {
    const bool is_commit = header.type == static_cast<std::uint8_t>(RecordType::kCommit);
    if (is_commit) {
      last_lsn = Lsn{header.last_lsn};
      last_timestamp_us = header.timestamp_us;
    }
    lsn_high = std::max(lsn_high, Lsn{header.last_lsn});
    unproven.push_back({offset, dosql::raw(last_lsn) + (is_commit ? 0 : 1)});
    prove(Lsn{header.durable_lsn});
    previous_checksum = header.checksum;
    end = offset + sizeof(RecordHeader) + header.body_bytes;
    ++records;
  }
  void prove(Lsn durable) {
    durable_lsn = std::max(durable_lsn, durable);
    while (!unproven.empty() && unproven.front().proof_lsn <= dosql::raw(durable_lsn)) unproven.pop_front();
  }
};

// Hands the segment's records from `from` on to the visitor. With `end` every record up to it must be
// valid (L4); without, it stops at the first that is not.
Status Log::scan_segment(Segment& segment, std::uint64_t from, std::optional<std::uint64_t> end,
                         ReplayVisitor& visitor, Tail& tail) {
  SegmentReader reader(*segment.file, end.value_or(segment.header.segment_bytes));
  tail.unproven.clear();
  tail.end = from;
  std::uint64_t offset = from;
  while (!end || offset < *end) {
    const Position at = make_position(segment.header.segment, offset);
    DOSQL_ASSIGN_OR_RETURN(const Bytes bytes, reader.record_at(offset));
    const auto record = parse_record(bytes, segment.header.salt, database_id(), Verify::kEverything);
    if (!record || record->header.previous_checksum != static_cast<std::uint32_t>(tail.previous_checksum)) {
      if (end) return corrupt(at, "a record of a completed segment is not valid");
      break;
    }
    DOSQL_RETURN_IF_ERROR(visitor.on_record(*record, at));
    tail.add(record->header, offset);
    const auto closed = record->close_summary();
    tail.closed_sequence = closed ? closed->control_sequence : 0;
    offset = tail.end;
  }
  segment.end.store(offset, std::memory_order_release);
  return {};
}

// Unsynced writes reach the disk in any order, so valid records behind a bad one are no proof of damage.
// They are when one of them, written later, says that the lost place was known to be on disk (L5).
Status Log::judge_tail(const Segment& segment, Bytes bytes, const Tail& tail) const {
  for (std::size_t at = 0; at + sizeof(RecordHeader) <= bytes.size(); at += 8) {
    if (load<std::uint32_t>(bytes.data() + at) != kRecordMagic) continue;
    const auto record = parse_record(bytes.subspan(at), segment.header.salt, database_id(), Verify::kRecord);
    if (!record || record->header.durable_lsn <= dosql::raw(tail.last_lsn)) continue;
    return corrupt(make_position(segment.header.segment, tail.end),
                   fmt::format("a record is not valid although the one at offset {} says it was on disk", tail.end + at));
  }
  return {};
}

// Makes what survived durable, then starts a new segment whose header names the cut. The surviving bytes
// are written again in place before the sync: after a failed sync the page cache may show bytes that are
// not on disk and that a sync alone would not write.
Status Log::repair_tail(const Tail& tail) {
  const Segment& last = active();
  if (!tail.unproven.empty()) {
    constexpr std::uint64_t kStep = std::uint64_t{1} << 20;
    std::vector<std::byte> buffer;
    for (std::uint64_t at = tail.unproven.front().offset; at < tail.end; at += buffer.size()) {
      buffer.resize(std::min(kStep, tail.end - at));
      DOSQL_ASSIGN_OR_RETURN(const std::size_t got, last.file->read_at(at, buffer));
      if (got < buffer.size()) return corrupt(make_position(last.header.segment, at), "the file became shorter");
      DOSQL_RETURN_IF_ERROR(last.file->write_at(at, buffer));
    }
    DOSQL_RETURN_IF_ERROR(last.file->sync_data());
  }
  std::uint32_t newest = last.header.segment;
  for (const std::uint32_t number : void_segments_) newest = std::max(newest, number);
  if (newest == kSegmentNumberMax) return Error(ErrorCode::kDiskFull, "the log has used all its segment numbers");
  SegmentHeader header = next_header(0);
  header.segment = newest + 1;
  header.previous_segment = last.header.segment;
  header.previous_end = tail.end;
  if (tail.end == kFirstRecordOffset && last.header.previous_segment != 0) {
    // Nothing survived of it: the new one takes its place.
    header.previous_segment = last.header.previous_segment;
    header.previous_end = last.header.previous_end;
  }
  DOSQL_ASSIGN_OR_RETURN(auto segment, create_segment(directory_, header));
  if (header.previous_segment != last.header.segment) {
    void_segments_.push_back(last.header.segment);
    std::lock_guard lock(segments_mutex_);
    const std::uint32_t number = last.header.segment;
    chunks_[number / kChunk].load()->segments[number % kChunk].store(nullptr);
    segments_.pop_back();
  }
  add_segment(std::move(segment));
  prepared_ = kFirstRecordOffset;
  return {};
}

Result<ReplayOutcome> Log::replay(const std::optional<LogPoint>& from, ReplayVisitor& visitor) {
  CHECK(!replayed_);
  Tail tail;
  std::size_t first = 0;
  if (from) {
    CHECK(holds(*from));
    tail.previous_checksum = from->previous_checksum;
    tail.closed_sequence = from->closed_sequence;
    tail.last_lsn = from->last_lsn;
    tail.lsn_high = from->lsn_high;
    tail.durable_lsn = from->durable_lsn;
    tail.last_timestamp_us = from->last_timestamp_us;
    while (segments_[first]->header.segment != segment_of(from->position)) ++first;
  }
  for (std::size_t i = first; i < segments_.size(); ++i) {
    Segment& segment = *segments_[i];
    const bool sealed = i + 1 < segments_.size();
    if (i > first && segment.header.previous_checksum != tail.previous_checksum) {
      return corrupt(make_position(segment.header.segment, 0), "it does not continue the segment before it");
    }
    if (i > first || !from) tail.prove(Lsn{segment.header.durable_lsn});
    const std::uint64_t start = from && i == first ? offset_of(from->position) : kFirstRecordOffset;
    const auto end = sealed ? std::optional(segment.end.load()) : std::nullopt;
    DOSQL_RETURN_IF_ERROR(scan_segment(segment, start, end, visitor, tail));
  }
  for (const auto& segment : segments_) used_bytes_ += segment->end.load() - kFirstRecordOffset;

  previous_checksum_ = tail.previous_checksum;
  last_timestamp_us_ = tail.last_timestamp_us;
  last_lsn_ = dosql::raw(tail.last_lsn);
  next_lsn_ = dosql::raw(tail.lsn_high);
  closed_sequence_ = tail.closed_sequence;
  // Never written to, or closed and not written to since.
  const std::uint64_t sequence = control_.slot().sequence;
  const bool clean = tail.closed_sequence == sequence || (tail.records == 0 && !from && sequence == 1);
  needs_close_ = !clean;
  if (!clean) {
    SegmentReader reader(*active().file, active().header.segment_bytes);
    DOSQL_ASSIGN_OR_RETURN(const Bytes rest, reader.rest_from(tail.end));
    DOSQL_RETURN_IF_ERROR(judge_tail(active(), rest, tail));
    next_lsn_ = std::max(next_lsn_, control_.slot().lsn_lease);
  }
  if (access_ == Access::kReadWrite) {
    if (!clean) DOSQL_RETURN_IF_ERROR(repair_tail(tail));
    for (const std::uint32_t number : void_segments_) {
      directory_.remove(segment_file_name(number)).ignore("no header leads to it; the next open tries again");
    }
    durable_lsn_ = dosql::raw(tail.last_lsn);
    // The file was opened anew: without this, stores would take the slow way.
    if (clean) active().file->allocate(active().header.segment_bytes).ignore("appends report a full disk themselves");
  } else {
    durable_lsn_ = dosql::raw(tail.durable_lsn);
  }
  prepared_ = active().end.load();
  replayed_ = true;
  return ReplayOutcome{.clean = clean, .records = tail.records};
}

}  // namespace dosql::log
