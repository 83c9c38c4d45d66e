#include "log/log.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"

namespace dosql::log {
namespace {

// LSNs leased ahead at a time: one write of the control file for about 12,000 small commits.
constexpr std::uint64_t kLeaseLsns = std::uint64_t{1} << 24;
// Far enough below the largest number that no commit's range and no lease reaches it.
constexpr std::uint64_t kLsnMax = std::uint64_t{1} << 63;
// Zero-filled ahead of synced writes: a write into space that was never written makes the file system
// journal the conversion at each sync.
constexpr std::uint64_t kPrepareBytesMax = std::uint64_t{1} << 20;
constexpr std::uint64_t kPrepareBytesMin = std::uint64_t{64} << 10;

Error poisoned_error() {
  return Error(ErrorCode::kPoisoned, "the database refuses writes after a failed sync until it is reopened");
}

Error forked_error() {
  return Error(ErrorCode::kLocked,
               "the database was opened by the process that this one was forked from, which goes on with it")
      .with_hint("open it again in this process");
}

}  // namespace

Log::Log(io::Directory& directory, Access access, Clock& clock, Random& random, Control control)
    : directory_(directory),
      access_(access),
      clock_(clock),
      random_(random),
      control_(std::move(control)),
      database_id_(control_.slot().database_id),
      format_version_(control_.slot().format_version) {}

const Segment* Log::find_segment(std::uint32_t number) const {
  const Chunk* chunk = chunks_[number / kChunk].load(std::memory_order_acquire);
  return chunk ? chunk->segments[number % kChunk].load(std::memory_order_acquire) : nullptr;
}

void Log::add_segment(std::unique_ptr<Segment> segment) {
  std::lock_guard lock(segments_mutex_);
  const std::uint32_t number = segment->header.segment;
  Chunk* chunk = chunks_[number / kChunk].load(std::memory_order_relaxed);
  if (!chunk) {
    owned_chunks_.push_back(std::make_unique<Chunk>());
    chunk = owned_chunks_.back().get();
    chunks_[number / kChunk].store(chunk, std::memory_order_release);
  }
  chunk->segments[number % kChunk].store(segment.get(), std::memory_order_release);
  segments_.push_back(std::move(segment));
}

std::vector<Log::SegmentInfo> Log::segments() const {
  std::lock_guard lock(segments_mutex_);
  std::vector<SegmentInfo> infos;
  for (const auto& segment : segments_) infos.push_back({segment.get(), segment->end.load()});
  return infos;
}

LogPoint Log::end() const {
  std::lock_guard lock(append_mutex_);
  const Segment& segment = active();
  return {.position = make_position(segment.header.segment, segment.end.load()),
          .segment_salt = segment.header.salt,
          .previous_checksum = previous_checksum_,
          .closed_sequence = closed_sequence_,
          .last_lsn = last_lsn(),
          .lsn_high = Lsn{next_lsn_},
          .durable_lsn = durable_lsn(),
          .last_timestamp_us = last_timestamp_us_};
}

ControlSlot Log::control() const {
  std::lock_guard lock(append_mutex_);
  return control_.slot();
}

std::string Log::describe(Position position) const {
  return fmt::format("'{}/{}' at offset {}", directory_.describe(), segment_file_name(segment_of(position)),
                     offset_of(position));
}

Error Log::corrupt(Position position, std::string_view what) const {
  return Error(ErrorCode::kCorrupt, fmt::format("{} is damaged: {}", describe(position), what));
}

// --- appending -------------------------------------------------------------------------------------

Error Log::poison(const Error& cause) {
  {
    std::lock_guard lock(poison_mutex_);
    if (poison_cause_.empty()) poison_cause_ = cause.message();
  }
  poisoned_.store(true, std::memory_order_release);
  wake_watchers();
  return outcome_unknown();
}

// REQUIRES: poisoned.
Error Log::outcome_unknown() const {
  std::lock_guard lock(poison_mutex_);
  return Error(ErrorCode::kOutcomeUnknown,
               fmt::format("a write to the log may not have reached the disk ({}); whether the newest commit "
                           "survives is known only after reopening the database",
                           poison_cause_));
}

SegmentHeader Log::next_header(std::uint64_t record_bytes) const {
  SegmentHeader header{};
  std::memcpy(header.magic, kSegmentMagic, sizeof header.magic);
  header.format_version = kFormatVersion;
  header.database_id = control_.slot().database_id;
  header.salt = random_.next_u64();
  header.segment_bytes = next_segment_bytes(used_bytes(), record_bytes);
  header.previous_checksum = previous_checksum_;
  header.lsn_floor = next_lsn_;
  header.durable_lsn = durable_lsn_.load(std::memory_order_relaxed);
  header.created_us = clock_.now_us();
  return header;
}

// On a disk that is nearly full a smaller segment is better than none.
Result<std::unique_ptr<Segment>> Log::create_segment_that_fits(SegmentHeader header,
                                                               std::uint64_t record_bytes,
                                                               const FillSegment& fill) {
  const std::uint64_t least_bytes = next_segment_bytes(0, record_bytes);
  while (true) {
    auto segment = create_segment(directory_, header, fill);
    if (segment || segment.error().code() != ErrorCode::kDiskFull || header.segment_bytes <= least_bytes)
      return segment;
    header.segment_bytes /= 2;
  }
}

// Seals the active segment and begins the next. L4: everything in a sealed segment is durable before
// the header that names its end is, so only the newest segment can have a torn tail.
Status Log::roll(std::uint64_t record_bytes) {
  DOSQL_RETURN_IF_ERROR(sync_segment(active(), last_lsn_.load(std::memory_order_relaxed)));
  const Segment& sealed = active();
  if (sealed.header.segment == kSegmentNumberMax) {
    return Error(ErrorCode::kDiskFull, "the log has used all its segment numbers");
  }
  SegmentHeader header = next_header(record_bytes);
  header.segment = sealed.header.segment + 1;
  header.previous_segment = sealed.header.segment;
  header.previous_end = sealed.end.load();
  auto segment = create_segment_that_fits(header, record_bytes, {});
  if (!segment) {
    return segment.error().code() == ErrorCode::kOutcomeUnknown ? poison(segment.error())
                                                                : std::move(segment).error();
  }
  add_segment(*std::move(segment));
  prepared_ = kFirstRecordOffset;
  return {};
}

// A clean end may be less durable than it looks: the owner before us may have died between writing and
// syncing, or its last sync may have failed. What comes behind it must not depend on that.
Status Log::secure_what_was_found() {
  if (control_.slot().sequence == 1) DOSQL_RETURN_IF_ERROR(directory_.sync());
  if (!found_close_record_) return {};
  // The sync of what is appended behind it makes it durable too.
  std::byte record[kCloseRecordBytes];
  io::File& file = *active().file;
  DOSQL_ASSIGN_OR_RETURN(const std::size_t got, file.read_at(*found_close_record_, record));
  DOSQL_RETURN_IF_ERROR(file.write_at(*found_close_record_, Bytes(record, got)));
  found_close_record_.reset();
  return {};
}

// L2. Also the mark that this owner appended something: a clean-close record names the sequence of the
// control file, so the first append after an open writes it anew.
Status Log::ensure_lease(Lsn last) {
  if (leased_ && dosql::raw(last) <= control_.slot().lsn_lease) return {};
  if (!leased_) DOSQL_RETURN_IF_ERROR(secure_what_was_found());
  // Whatever becomes of what follows, the mark that the log ends with may not count any more.
  needs_close_ = true;
  const std::uint64_t lease = std::max(dosql::raw(last), control_.slot().lsn_lease);
  DOSQL_RETURN_IF_ERROR(
      control_.extend_lease(Lsn{lease == control_.slot().lsn_lease ? lease : dosql::raw(last) + kLeaseLsns}));
  leased_ = true;
  return {};
}

Status Log::prepare_space(std::uint64_t offset, std::uint64_t record_bytes) {
  const std::uint64_t record_end = offset + record_bytes;
  if (record_end <= prepared_) return {};
  if (record_bytes >= kPrepareBytesMax) {
    prepared_ = record_end;  // it brings its own bytes; those behind it are likely as large
    return {};
  }
  static const std::vector<std::byte> zeros(kPrepareBytesMax);
  const std::uint64_t segment_bytes = active().header.segment_bytes;
  const std::uint64_t ahead = std::clamp(offset, kPrepareBytesMin, kPrepareBytesMax);
  // The record itself will be written over its own range, so only what lies behind it needs zeros.
  const std::uint64_t from = record_end;
  const std::uint64_t to = std::min(from + ahead, segment_bytes);
  if (to > from) DOSQL_RETURN_IF_ERROR(active().file->write_at(from, Bytes(zeros).first(to - from)));
  prepared_ = to;
  return {};
}

Status Log::write_record(const RecordBuilder& record, std::uint64_t offset, WriteStyle style) {
  io::File& file = *active().file;
  const auto pieces = record.pieces();
  if (style == WriteStyle::kStore && pieces.size() == 1) return file.store_at(offset, pieces[0]);
  if (style == WriteStyle::kWrite) {
    if (Status prepared = prepare_space(offset, record.record_bytes()); !prepared) return prepared;
  }
  return file.write_pieces_at(offset, pieces);
}

Result<Appended> Log::append(RecordBuilder& record, WriteStyle style, AppendObserver* observer) {
  std::lock_guard lock(append_mutex_);
  CHECK(replayed_);
  if (access_ == Access::kReadOnly)
    return Error(ErrorCode::kReadOnly, "the database is open for reading only");
  if (!process_.is_this()) return forked_error();
  if (poisoned()) return poisoned_error();
  RecordHeader& header = record.header();
  const auto type = static_cast<RecordType>(header.type);
  const bool is_commit = type == RecordType::kCommit;
  const bool is_close = type == RecordType::kClose;
  if (next_lsn_ > kLsnMax) return Error(ErrorCode::kDiskFull, "the log has used all its LSNs");
  const std::uint64_t first_lsn = next_lsn_;
  const std::uint64_t last_lsn = is_commit ? first_lsn + kLsnsPerPage * header.lsn_units + kLsnsPerCommit
                                           : first_lsn + (takes_lsns(type) ? 1 : 0);
  if (!is_close) DOSQL_RETURN_IF_ERROR(ensure_lease(Lsn{last_lsn}));

  // Padding is part of finish(); leave room for it.
  const std::uint64_t record_bytes_max = record.record_bytes() + 8;
  if (active().end.load() + record_bytes_max > active().header.segment_bytes) {
    DOSQL_RETURN_IF_ERROR(roll(record_bytes_max));
  }
  Segment& segment = active();
  const std::uint64_t offset = segment.end.load(std::memory_order_relaxed);
  header.last_lsn = last_lsn;
  header.previous_checksum = static_cast<std::uint32_t>(previous_checksum_);
  header.durable_lsn = durable_lsn_.load(std::memory_order_acquire);
  header.event_order_rule = kEventOrderRule;
  // L6: timestamps increase with the LSN even if the machine's clock steps back.
  const TimestampUs timestamp_us = std::max(clock_.now_us(), last_timestamp_us_ + (takes_lsns(type) ? 1 : 0));
  header.timestamp_us = timestamp_us;
  record.finish(segment.header.salt);

  if (Status written = write_record(record, offset, style); !written) {
    // Whatever part arrived must not be taken for a commit by the next recovery, also after a power loss.
    const RecordHeader nothing{};
    Status voided = segment.file->write_at(offset, bytes_of(nothing));
    if (!voided) return poison(voided.error());
    DOSQL_RETURN_IF_ERROR(sync_segment(segment, last_lsn_.load(std::memory_order_relaxed)));
    return std::move(written).error();
  }
  segment.end.store(offset + record.record_bytes(), std::memory_order_release);
  used_bytes_.fetch_add(record.record_bytes(), std::memory_order_relaxed);
  previous_checksum_ = header.checksum;
  closed_sequence_ = is_close ? control_.slot().sequence : 0;
  needs_close_ = !is_close;
  last_timestamp_us_ = timestamp_us;
  if (takes_lsns(type)) {
    next_lsn_ = last_lsn;
    last_lsn_.store(last_lsn, std::memory_order_release);
  }
  const Appended appended{make_position(segment.header.segment, offset), Lsn{first_lsn}, Lsn{last_lsn},
                          timestamp_us};
  if (observer)
    observer->on_append(appended, make_position(segment.header.segment, offset + record.record_bytes()));
  return appended;
}

// Makes the segment durable, and with it all commits up to `appended`. One sync at a time: the system reports
// a failure once, and a second sync must not take that for success.
Status Log::sync_segment(Segment& segment, std::uint64_t appended) {
  std::lock_guard lock(sync_mutex_);
  if (poisoned()) return poisoned_error();
  if (Status synced = segment.file->sync_data(); !synced) return poison(synced.error());
  syncs_.fetch_add(1, std::memory_order_relaxed);
  std::uint64_t durable = durable_lsn_.load();
  while (durable < appended && !durable_lsn_.compare_exchange_weak(durable, appended)) {
  }
  wake_watchers();
  return {};
}

Status Log::sync() {
  Segment* segment = nullptr;
  std::uint64_t appended = 0;
  {
    std::lock_guard lock(append_mutex_);
    segment = &active();
    appended = last_lsn_.load(std::memory_order_relaxed);
  }
  // Appends go on meanwhile. Should they seal the segment, they sync it first.
  return sync_segment(*segment, appended);
}

Status Log::wait_durable(Lsn lsn) { return group_sync_.wait(dosql::raw(lsn)) ? Status() : outcome_unknown(); }

bool Log::watch_durable(Lsn lsn, std::chrono::steady_clock::time_point deadline,
                        const std::function<bool()>& ended) {
  for (bool in_time = true;;) {
    // In this order: what comes behind the ticket ends the wait.
    const std::uint32_t ticket = watchers_.ticket();
    if (durable_lsn() >= lsn) return true;
    if (!in_time || poisoned() || ended()) return false;
    in_time = watchers_.wait_until(0, ticket, deadline);
  }
}

Status Log::close() {
  CHECK(replayed_);
  if (access_ == Access::kReadOnly || !needs_close_) return {};
  DOSQL_RETURN_IF_ERROR(sync());
  RecordBuilder record(database_id());
  record.start(RecordType::kClose, 0, kMainBranch);
  record.set_close_summary({.control_sequence = control_.slot().sequence});
  DOSQL_ASSIGN_OR_RETURN(const Appended closed, append(record, WriteStyle::kWrite));
  DOSQL_RETURN_IF_ERROR(sync());
  std::lock_guard lock(append_mutex_);
  return control_.mark_closed(closed.position);
}

}  // namespace dosql::log
