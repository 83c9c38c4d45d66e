// Following a log that another process writes: new records, new segments, new writers.
//
// A new writer after a crash cuts the newest segment in front of the first record that was not known to be on
// disk, and begins the next one with copies of what survived behind the cut, in the same order and of the
// same size. A follower may have had some of them: it passes over as many bytes of copies, and whatever it
// indexed before goes on being read from the old file, which stays open, also when its name is gone.

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"
#include "log/log.h"
#include "log/log_tail.h"

namespace dosql::log {

Log::Tail Log::tail_at_end() const {
  std::lock_guard lock(append_mutex_);
  Tail tail;
  tail.previous_checksum = previous_checksum_;
  tail.closed_sequence = closed_sequence_;
  tail.last_lsn = last_lsn();
  tail.lsn_high = Lsn{next_lsn_};
  tail.durable_lsn = durable_lsn();
  tail.last_timestamp_us = last_timestamp_us_;
  tail.end = active().end.load();
  tail.useful_end = useful_end_;
  return tail;
}

void Log::remember(const Tail& tail) {
  std::lock_guard lock(append_mutex_);
  previous_checksum_ = tail.previous_checksum;
  closed_sequence_ = tail.closed_sequence;
  last_timestamp_us_ = tail.last_timestamp_us;
  next_lsn_ = dosql::raw(tail.lsn_high);
  useful_end_ = tail.useful_end;
  last_lsn_.store(dosql::raw(tail.last_lsn), std::memory_order_release);
  durable_lsn_.store(dosql::raw(tail.durable_lsn), std::memory_order_release);
}

// The segments behind the active one, from the one that goes on where it ends or takes its place to `number`.
Result<std::vector<std::unique_ptr<Segment>>> Log::segments_up_to(std::uint32_t number) const {
  const SegmentHeader& mine = active().header;
  std::vector<std::unique_ptr<Segment>> segments;
  while (number > mine.segment) {
    const Position at = make_position(number, 0);
    DOSQL_ASSIGN_OR_RETURN(auto segment, open_segment(directory_, number, io::OpenMode::kReadOnly));
    if (!segment) return corrupt(at, "neither copy of its header can be read");
    if (segment->header.database_id != database_id()) return corrupt(at, "it belongs to another database");
    if (!sensible(segment->header)) return corrupt(at, "its header makes no sense");
    number = segment->header.previous_segment;
    segments.push_back(std::move(segment));
  }
  std::reverse(segments.begin(), segments.end());
  const SegmentHeader& first = segments.front()->header;
  const bool goes_on = first.previous_segment == mine.segment;
  const bool takes_its_place =
      first.previous_segment == mine.previous_segment && first.previous_end == mine.previous_end;
  if (!goes_on && !takes_its_place)
    return corrupt(make_position(first.segment, 0), "it does not continue the log as it was before");
  return segments;
}

// On an error `tail` and the log are behind the last record that the visitor took.
Status Log::follow_active(std::uint64_t to, ReplayVisitor& visitor, Tail& tail) {
  const std::uint64_t from = tail.end;
  const std::uint64_t useful_end = tail.useful_end;
  Status scanned = scan_segment(active(), from, to, visitor, tail);
  if (tail.useful_end == from) tail.useful_end = useful_end;
  used_bytes_.fetch_add(tail.end - from, std::memory_order_relaxed);
  active().end.store(tail.end, std::memory_order_release);
  remember(tail);
  return scanned;
}

// Behind the header of `segment` stand copies of what was read already.
Status Log::pass_over_copies(Segment& segment, std::uint64_t bytes, Tail& tail) const {
  const Lsn newest = tail.last_lsn;
  NoVisitor nobody;
  Status scanned = scan_segment(segment, kFirstRecordOffset, kFirstRecordOffset + bytes, nobody, tail);
  if (scanned ? tail.last_lsn == newest : scanned.error().code() != ErrorCode::kCorrupt) return scanned;
  return corrupt(make_position(segment.header.segment, kFirstRecordOffset),
                 fmt::format("commits up to LSN {} that were there before are not", dosql::raw(newest)));
}

Status Log::follow_into(std::unique_ptr<Segment> segment, ReplayVisitor& visitor, Tail& tail) {
  const SegmentHeader& header = segment->header;
  const bool goes_on = header.previous_segment == active().header.segment;
  const std::uint64_t cut = goes_on ? header.previous_end : kFirstRecordOffset;
  std::uint64_t copied = 0;
  if (cut >= tail.end) {
    DOSQL_RETURN_IF_ERROR(follow_active(cut, visitor, tail));
    if (header.previous_checksum != tail.previous_checksum)
      return corrupt(make_position(header.segment, 0), "it does not continue the segment before it");
  } else if (tail.useful_end > cut) {
    copied = tail.useful_end - cut;
  }
  Tail next = tail;
  next.previous_checksum = header.previous_checksum;
  next.prove(Lsn{header.durable_lsn});
  DOSQL_RETURN_IF_ERROR(pass_over_copies(*segment, copied, next));
  next.useful_end = kFirstRecordOffset + copied;
  {
    std::lock_guard lock(append_mutex_);
    used_bytes_.fetch_sub(tail.end - cut, std::memory_order_relaxed);
    used_bytes_.fetch_add(copied, std::memory_order_relaxed);
    active().end.store(cut, std::memory_order_release);
    add_segment(std::move(segment));
  }
  tail = next;
  remember(tail);
  return {};
}

Status Log::follow(Position to, ReplayVisitor& visitor) {
  CHECK(replayed_ && access_ == Access::kReadOnly);
  Tail tail = tail_at_end();
  if (segment_of(to) != active().header.segment) {
    if (segment_of(to) < active().header.segment) return corrupt(to, "the log was to go on there");
    DOSQL_ASSIGN_OR_RETURN(auto segments, segments_up_to(segment_of(to)));
    for (auto& segment : segments) DOSQL_RETURN_IF_ERROR(follow_into(std::move(segment), visitor, tail));
  }
  if (offset_of(to) < tail.end || offset_of(to) > active().header.segment_bytes)
    return corrupt(to, "the log was to end there");
  return follow_active(offset_of(to), visitor, tail);
}

}  // namespace dosql::log
