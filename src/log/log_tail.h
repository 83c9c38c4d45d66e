// What recovery and following share. Not for other rooms.
#pragma once

#include <algorithm>
#include <deque>

#include "log/log.h"

namespace dosql::log {

// A checksum only tells that the bytes are what was written; positions rely on what they say.
inline bool sensible(const SegmentHeader& header) {
  if (header.segment_bytes > kSegmentBytesMax || header.previous_segment >= header.segment) return false;
  if (header.previous_segment == 0) return true;
  return header.previous_end >= kFirstRecordOffset && header.previous_end <= kSegmentBytesMax &&
         header.previous_end % 8 == 0;
}

class NoVisitor final : public ReplayVisitor {
 public:
  Status on_record(const RecordView&, Position) override { return {}; }
};

// What a walk over the records knows of the log so far.
struct Log::Tail {
  std::uint64_t previous_checksum = 0;
  std::uint64_t closed_sequence = 0;  // of the last record, when it is a clean-close mark
  Lsn last_lsn{};
  Lsn lsn_high{};
  Lsn durable_lsn{};
  TimestampUs last_timestamp_us = 0;
  std::uint64_t records = 0;
  std::uint64_t end = kFirstRecordOffset;
  std::uint64_t useful_end = kFirstRecordOffset;  // what lies behind it would say nothing to the next reader
  // Records of the current segment not known to be on disk: their offset, and the durable LSN that would
  // prove it.
  struct Unproven {
    std::uint64_t offset;
    std::uint64_t proof_lsn;
  };
  std::deque<Unproven> unproven;

  void add(const RecordHeader& header, std::uint64_t offset) {
    const auto type = static_cast<RecordType>(header.type);
    const bool is_numbered = takes_lsns(type);
    if (is_numbered) {
      last_lsn = Lsn{header.last_lsn};
      last_timestamp_us = header.timestamp_us;
    }
    lsn_high = std::max(lsn_high, Lsn{header.last_lsn});
    unproven.push_back({offset, dosql::raw(last_lsn) + (is_numbered ? 0 : 1)});
    prove(Lsn{header.durable_lsn});
    previous_checksum = header.checksum;
    end = offset + sizeof(RecordHeader) + header.body_bytes;
    if (is_numbered || type == RecordType::kFold) useful_end = end;
    ++records;
  }
  void prove(Lsn durable) {
    durable_lsn = std::max(durable_lsn, durable);
    while (!unproven.empty() && unproven.front().proof_lsn <= dosql::raw(durable_lsn)) unproven.pop_front();
  }
};

}  // namespace dosql::log
