// Opening a log: creating it, finding its segments, replaying its records, judging and repairing its tail.

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"
#include "log/log.h"
#include "log/log_tail.h"
#include "log/segment_reader.h"

namespace dosql::log {
namespace {

struct DirectoryContent {
  std::vector<std::uint32_t> segments;  // ascending
  bool has_control = false;
  bool foreign = false;  // something that no DoSQL release makes
};

Result<DirectoryContent> read_content(io::Directory& directory) {
  DOSQL_ASSIGN_OR_RETURN(const auto names, directory.list());
  DirectoryContent content;
  for (const std::string& name : names) {
    if (const auto number = parse_segment_file_name(name)) {
      content.segments.push_back(*number);
    } else if (name == kControlFile) {
      content.has_control = true;
    } else if (name != kLockFile && name != kCheckpointFile && name != kCheckpointTemporaryFile &&
               name != kStatusFile && !name.starts_with(kSlotFilePrefix)) {
      content.foreign = true;
    }
  }
  return content;
}

// Of a directory with records: without it they are worth nothing. It is made last (L12).
Error no_identity(const io::Directory& directory, const DirectoryContent& content) {
  return Error(ErrorCode::kCorrupt,
               content.has_control
                   ? fmt::format("'{}/{}' is damaged: neither copy of the identity can be read",
                                 directory.describe(), kControlFile)
                   : fmt::format("'{}/{}' is missing", directory.describe(), kControlFile))
      .with_hint("a backup that was cut short looks like this: remove it and make it once more");
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
                   fmt::format("'{}' is a directory with other files, not a DoSQL database",
                               directory.describe()))
          .with_hint("name an empty or a new directory to make a database");
    }
    DOSQL_ASSIGN_OR_RETURN(const bool cut_short, creation_was_cut_short(directory, content));
    if (!cut_short) return no_identity(directory, content);
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
    if (!sensible(segment->header)) return corrupt(at, "its header makes no sense");
    wanted = segment->header.previous_segment;
    newest_first.push_back(std::move(segment));
    if (wanted == 0) break;
  }
  if (newest_first.empty()) {
    return Error(ErrorCode::kCorrupt, fmt::format("'{}' has no readable log segment", directory_.describe()));
  }
  if (wanted != 0)
    return corrupt(make_position(wanted, 0), "the segment is missing or its header cannot be read");
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
  const std::uint64_t end = sealed ? segment->end.load() : segment->header.segment_bytes;
  return offset >= kFirstRecordOffset && offset % 8 == 0 && offset <= end;
}

// Hands the segment's records from `from` on to the visitor. With `end` every record up to it must be
// valid (L4); without, it stops at the first that is not.
Status Log::scan_segment(Segment& segment, std::uint64_t from, std::optional<std::uint64_t> end,
                         ReplayVisitor& visitor, Tail& tail) const {
  SegmentReader reader(*segment.file, end.value_or(segment.header.segment_bytes));
  tail.unproven.clear();
  tail.end = from;
  tail.useful_end = from;
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

// Takes the segments behind `limit` out of the list: the log ends there.
Status Log::end_at(Position limit) {
  const std::uint32_t number = segment_of(limit);
  while (segments_.size() > 1 && active().header.segment > number) forget_active();
  void_segments_.clear();
  const SegmentHeader& header = active().header;
  if (header.segment == number && offset_of(limit) >= kFirstRecordOffset &&
      offset_of(limit) <= header.segment_bytes)
    return {};
  return corrupt(limit, "the log was to end there, and there is no such place");
}

// The end of a log that another process writes: up to `limit` everything is valid, and there is nothing to
// judge and to repair.
Result<ReplayOutcome> Log::finish_following(Position limit, std::uint64_t start, ReplayVisitor& visitor,
                                            Tail& tail) {
  DOSQL_RETURN_IF_ERROR(scan_segment(active(), start, offset_of(limit), visitor, tail));
  for (const auto& segment : segments_) used_bytes_ += segment->end.load() - kFirstRecordOffset;
  remember(tail);
  replayed_ = true;
  return ReplayOutcome{.clean = true, .records = tail.records};
}

// Unsynced writes reach the disk in any order, so valid records behind a bad one are no proof of damage.
// They are when one of them, written later, says that the lost place was known to be on disk (L5).
Status Log::judge_tail(const Tail& found) const {
  const Segment& segment = active();
  const Position end = make_position(segment.header.segment, found.end);
  if (segment.header.durable_lsn > dosql::raw(found.last_lsn)) {
    return corrupt(end, "a record is not valid although the segment's header says it was on disk");
  }
  SegmentReader reader(*segment.file, segment.header.segment_bytes);
  std::uint64_t offset = found.end;
  while (true) {
    DOSQL_ASSIGN_OR_RETURN(const Bytes bytes, reader.record_at(offset));
    if (bytes.size() < sizeof(RecordHeader)) return {};
    std::size_t at = 0;
    while (at + sizeof(RecordHeader) <= bytes.size() &&
           load<std::uint32_t>(bytes.data() + at) != kRecordMagic)
      at += 8;
    offset += at;
    if (at + sizeof(RecordHeader) > bytes.size()) continue;
    // Most are leftovers of lost commits and claim nothing new: no need to verify those.
    if (load<RecordHeader>(bytes.data() + at).durable_lsn > dosql::raw(found.last_lsn)) {
      DOSQL_ASSIGN_OR_RETURN(const Bytes candidate, reader.record_at(offset));
      if (parse_record(candidate, segment.header.salt, database_id(), Verify::kRecord)) {
        return corrupt(
            end,
            fmt::format("a record is not valid although the one at offset {} says it was on disk", offset));
      }
    }
    offset += 8;
  }
}

// A newer file without a header is a segment whose creation was cut short: it holds nothing yet, or copies of
// records that were not known to be on disk. One that holds a claim of more, or the mark of the clean close,
// has lost its header. The records cannot be verified without the header's salt; but only the log wrote
// there.
Status Log::judge_void_segment(std::uint32_t number, Lsn newest) const {
  DOSQL_ASSIGN_OR_RETURN(const auto file,
                         directory_.open(segment_file_name(number), io::OpenMode::kReadOnly));
  struct {
    RecordHeader header;
    CloseSummary close;
  } record{};
  for (std::uint64_t offset = kFirstRecordOffset;;) {
    DOSQL_ASSIGN_OR_RETURN(const std::size_t got, file->read_at(offset, mutable_bytes_of(record)));
    if (got < sizeof record || !plausible_header(record.header, kRecordBytesMax)) return {};
    const bool is_close = static_cast<RecordType>(record.header.type) == RecordType::kClose &&
                          record.close.control_sequence == control_.slot().sequence;
    if (is_close || record.header.durable_lsn > dosql::raw(newest)) {
      return corrupt(make_position(number, 0),
                     "neither copy of its header can be read, and it holds commits that were on disk");
    }
    offset += sizeof(RecordHeader) + record.header.body_bytes;
  }
}

// Copies the newest segment's records in [from, to) to the beginning of `target`.
Status Log::copy_records(std::uint64_t from, std::uint64_t to, std::uint64_t previous_checksum,
                         Segment& target) const {
  constexpr std::size_t kStepBytes = std::size_t{1} << 20;
  const Segment& source = active();
  SegmentReader reader(*source.file, to);
  std::vector<std::byte> copies;
  std::uint64_t written_to = kFirstRecordOffset;
  for (std::uint64_t offset = from; offset < to;) {
    DOSQL_ASSIGN_OR_RETURN(const Bytes bytes, reader.record_at(offset));
    const auto record = parse_record(bytes, source.header.salt, database_id(), Verify::kEverything);
    if (!record)
      return corrupt(make_position(source.header.segment, offset), "a record that was valid is not any more");
    const std::size_t at = copies.size();
    copies.insert(copies.end(), bytes.begin(), bytes.begin() + record->record_bytes());
    restamp_record(MutableBytes(copies).subspan(at), target.header.salt, previous_checksum);
    previous_checksum = load<RecordHeader>(copies.data() + at).checksum;
    offset += record->record_bytes();
    if (copies.size() < kStepBytes && offset < to) continue;
    DOSQL_RETURN_IF_ERROR(target.file->write_at(written_to, copies));
    written_to += copies.size();
    copies.clear();
  }
  return {};
}

void Log::forget_active() {
  const std::uint32_t number = active().header.segment;
  void_segments_.push_back(number);
  std::lock_guard lock(segments_mutex_);
  chunks_[number / kChunk].load()->segments[number % kChunk].store(nullptr);
  segments_.pop_back();
}

// Starts a new segment whose header names the cut, and hands what lies in it to the visitor. `tail` is the
// state at the cut: in front of the first record that is not known to be on disk. The records from there on
// that survived are copied. `may_replace`: nothing refers to the newest segment, so that the new one may take
// its place when none of its records stays. Not written again in place, because a crash may leave garbage
// where a write went on, and they may be acknowledged; not merely synced, because after a failed sync the
// page cache may show bytes that are not on disk and that a sync would not write.
Status Log::repair_tail(const Tail& found, bool may_replace, ReplayVisitor& visitor, Tail& tail) {
  const Segment& last = active();
  const std::uint64_t cut = tail.end;
  const std::uint64_t kept_end = std::max(found.useful_end, cut);
  std::uint32_t newest = last.header.segment;
  for (const std::uint32_t number : void_segments_) newest = std::max(newest, number);
  if (newest == kSegmentNumberMax)
    return Error(ErrorCode::kDiskFull, "the log has used all its segment numbers");

  // Once the header is on disk, so is everything that survived.
  durable_lsn_ = dosql::raw(found.last_lsn);
  previous_checksum_ = tail.previous_checksum;
  SegmentHeader header = next_header(kept_end - cut);
  header.segment = newest + 1;
  header.lsn_floor = kept_end > cut ? dosql::raw(tail.last_lsn) : next_lsn_;
  const bool replaces = may_replace && cut == kFirstRecordOffset;
  if (replaces) {
    header.previous_segment = last.header.previous_segment;
    header.previous_end = last.header.previous_end;
  } else {
    header.previous_segment = last.header.segment;
    header.previous_end = cut;
    // If its maker died in here, its header was written but not synced.
    DOSQL_RETURN_IF_ERROR(rewrite_headers(last));
  }
  const auto copy = [&](Segment& target) {
    return copy_records(cut, kept_end, tail.previous_checksum, target);
  };
  DOSQL_ASSIGN_OR_RETURN(auto segment, create_segment_that_fits(header, kept_end - cut, copy));
  if (replaces) forget_active();
  add_segment(std::move(segment));
  used_bytes_ += kept_end - cut;
  return scan_segment(active(), kFirstRecordOffset, kFirstRecordOffset + (kept_end - cut), visitor, tail);
}

Result<ReplayOutcome> Log::replay(const std::optional<LogPoint>& from, ReplayVisitor& visitor,
                                  std::optional<Position> limit) {
  CHECK(!replayed_ && (!limit || access_ == Access::kReadOnly));
  if (limit) DOSQL_RETURN_IF_ERROR(end_at(*limit));
  if (limit && from && from->position > *limit)
    return corrupt(*limit, "the log was to end there, in front of the checkpoint");
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
  std::uint64_t start = from ? offset_of(from->position) : kFirstRecordOffset;
  for (std::size_t i = first; i < segments_.size(); ++i) {
    const Segment& segment = *segments_[i];
    if (i > first && segment.header.previous_checksum != tail.previous_checksum) {
      return corrupt(make_position(segment.header.segment, 0), "it does not continue the segment before it");
    }
    if (i > first || !from) tail.prove(Lsn{segment.header.durable_lsn});
    if (i + 1 == segments_.size()) break;
    DOSQL_RETURN_IF_ERROR(scan_segment(*segments_[i], start, segment.end.load(), visitor, tail));
    start = kFirstRecordOffset;
  }
  if (limit) return finish_following(*limit, start, visitor, tail);
  // The newest segment first without the visitor: some of its records may have to move.
  Tail found = tail;
  NoVisitor nobody;
  DOSQL_RETURN_IF_ERROR(scan_segment(active(), start, std::nullopt, nobody, found));
  // Never written to, or closed and not written to since.
  const std::uint64_t sequence = control_.slot().sequence;
  const bool clean = found.closed_sequence == sequence || (found.records == 0 && !from && sequence == 1);
  const bool repair = !clean && access_ == Access::kReadWrite;
  for (const std::uint32_t number : void_segments_) {
    if (number > active().header.segment) DOSQL_RETURN_IF_ERROR(judge_void_segment(number, found.last_lsn));
  }
  if (!clean) DOSQL_RETURN_IF_ERROR(judge_tail(found));
  const Position found_end = make_position(active().header.segment, found.end);
  if (raw(found_end) < control_.slot().closed_end) {
    return corrupt(
               found_end,
               fmt::format("its records end there, and when the database was closed they went on to '{}' at "
                           "offset {}: the newest commits are missing",
                           segment_file_name(segment_of(Position{control_.slot().closed_end})),
                           offset_of(Position{control_.slot().closed_end})))
        .with_hint("copy the database once more, or restore a backup");
  }
  const std::uint64_t end = repair && !found.unproven.empty() ? found.unproven.front().offset : found.end;
  DOSQL_RETURN_IF_ERROR(scan_segment(active(), start, end, visitor, tail));
  for (const auto& segment : segments_) used_bytes_ += segment->end.load() - kFirstRecordOffset;
  next_lsn_ = dosql::raw(found.lsn_high);
  if (!clean) next_lsn_ = std::max(next_lsn_, control_.slot().lsn_lease);
  if (access_ == Access::kReadWrite) DOSQL_RETURN_IF_ERROR(control_.mend());
  if (repair) {
    const bool may_replace = !from || segment_of(from->position) != active().header.segment;
    DOSQL_RETURN_IF_ERROR(repair_tail(found, may_replace, visitor, tail));
  }

  const std::uint64_t lsn_high = next_lsn_;
  remember(tail);
  next_lsn_ = lsn_high;
  needs_close_ = !clean;
  if (access_ == Access::kReadWrite) {
    for (const std::uint32_t number : void_segments_) {
      directory_.remove(segment_file_name(number)).ignore("no header leads to it; the next open tries again");
    }
    durable_lsn_ = dosql::raw(tail.last_lsn);
    // The file was opened anew: without this, stores would take the slow way.
    if (clean)
      active().file->allocate(active().header.segment_bytes).ignore("appends report a full disk themselves");
    if (clean && tail.end > start) found_close_record_ = tail.end - kCloseRecordBytes;
  }
  prepared_ = active().end.load();
  replayed_ = true;
  return ReplayOutcome{.clean = clean, .records = tail.records};
}

}  // namespace dosql::log
