// Reading entries and records of the log.

#include <fmt/format.h>

#include <algorithm>

#include "log/log.h"

namespace dosql::log {
namespace {

constexpr std::size_t kEntryHeadBytes = sizeof(EntryHead);

// What is read of an entry before its head says how long it is.
std::size_t likely_bytes(EntryKind kind) {
  return kind == EntryKind::kFull ? kEntryHeadBytes + kPageBytes : kEntryReadBytes;
}

}  // namespace

// Makes the window begin at `position` and hold that many bytes, and what lies up to `reach`.
Status Log::fill(EntryWindow& window, Position position, std::size_t size_bytes, Position reach) const {
  const Segment* segment = find_segment(segment_of(position));
  if (!segment) return corrupt(position, "the segment is missing");
  if (EntryWindow::reaches(position, reach)) {
    size_bytes = std::max(size_bytes, offset_of(reach) - offset_of(position) + kEntryReadBytes);
  }
  window.begin_ = position;
  window.filled_ = 0;
  DOSQL_ASSIGN_OR_RETURN(
      window.filled_,
      segment->file->read_at(offset_of(position), MutableBytes(window.bytes_).first(size_bytes)));
  return {};
}

Result<Bytes> Log::read_entry(Position position, PageNo page, EntryKind kind, Position reach,
                              EntryWindow& window) const {
  if (!window.holds(position, kEntryHeadBytes)) {
    DOSQL_RETURN_IF_ERROR(fill(window, position, likely_bytes(kind), reach));
    if (!window.holds(position, kEntryHeadBytes)) return ends_inside_entry(position);
  }
  DOSQL_ASSIGN_OR_RETURN(const std::size_t size_bytes,
                         entry_bytes(window.at(position), position, page, kind));
  if (!window.holds(position, size_bytes)) {
    DOSQL_RETURN_IF_ERROR(fill(window, position, size_bytes, reach));
    if (!window.holds(position, size_bytes)) return ends_inside_entry(position);
  }
  return verified_payload(Bytes(window.at(position), size_bytes), position);
}

Result<Bytes> Log::read_entry(Position position, PageNo page, EntryKind kind, EntryStreams& streams) const {
  EntryStreams::Stream& stream = streams.at(position);
  Bytes bytes = stream.window.from(position);
  if (bytes.size() < kEntryHeadBytes) {
    DOSQL_RETURN_IF_ERROR(
        fill(stream.window, position, kEntryHeadBytes, std::max(likely_bytes(kind), stream.ahead_bytes)));
    bytes = stream.window.from(position);
    if (bytes.size() < kEntryHeadBytes) return ends_inside_entry(position);
  }
  DOSQL_ASSIGN_OR_RETURN(const std::size_t size_bytes, entry_bytes(bytes.data(), position, page, kind));
  if (bytes.size() < size_bytes) {
    DOSQL_RETURN_IF_ERROR(
        fill(stream.window, position, size_bytes, std::max(size_bytes, stream.ahead_bytes)));
    bytes = stream.window.from(position);
    if (bytes.size() < size_bytes) return ends_inside_entry(position);
  }
  return verified_payload(bytes.first(size_bytes), position);
}

Result<Bytes> Log::read_entry(Position position, PageNo page, EntryKind kind, EntryStretch& stretch) const {
  constexpr std::size_t kMost = kEntryHeadBytes + kPageBytes;
  if (!stretch.holds_image(position)) {
    const std::size_t before = offset_of(position) % EntryStretch::kBytes;
    DOSQL_RETURN_IF_ERROR(fill(stretch.window_, Position{raw(position) - before}, before + likely_bytes(kind),
                               EntryStretch::kBytes + kMost));
  }
  const Bytes bytes = stretch.window_.from(position);
  if (bytes.size() < kEntryHeadBytes) return ends_inside_entry(position);
  DOSQL_ASSIGN_OR_RETURN(const std::size_t size_bytes, entry_bytes(bytes.data(), position, page, kind));
  if (bytes.size() < size_bytes) return ends_inside_entry(position);
  return verified_payload(bytes.first(size_bytes), position);
}

Error Log::ends_inside_entry(Position position) const {
  return corrupt(position, "the file ends inside a page entry");
}

// Of the entry whose head that is.
Result<std::size_t> Log::entry_bytes(const std::byte* at, Position position, PageNo page,
                                     EntryKind kind) const {
  const auto head = load<EntryHead>(at);
  if (head.page != dosql::raw(page) || head.kind != static_cast<std::uint8_t>(kind) ||
      head.payload_bytes > kPageBytes) {
    return corrupt(position, fmt::format("expected an entry of page {}", dosql::raw(page)));
  }
  return kEntryHeadBytes + head.payload_bytes;
}

Result<Bytes> Log::verified_payload(Bytes entry, Position position) const {
  const auto head = load<EntryHead>(entry.data());
  const Bytes payload = entry.subspan(kEntryHeadBytes);
  if (payload_checksum(database_id(), head, payload) == head.payload_checksum) return payload;
  return corrupt(position, fmt::format("an entry of page {} fails its checksum", head.page));
}

Result<RecordHeads> Log::read_record_heads(Position position) const {
  const Segment* segment = find_segment(segment_of(position));
  if (!segment) return corrupt(position, "the segment is missing");
  DOSQL_ASSIGN_OR_RETURN(auto heads,
                         log::read_record_heads(*segment->file, offset_of(position), segment->header.salt));
  if (!heads) return corrupt(position, "a record fails its checksum");
  return *std::move(heads);
}

// Reads so many bytes, but nothing behind the end of what was appended, since that may be written later. Of
// that end only what lies behind `least_bytes` is cut.
Status Log::fill(RecordWindow& window, Position position, std::size_t least_bytes, std::size_t bytes) const {
  const Segment* segment = find_segment(segment_of(position));
  if (!segment) return corrupt(position, "the segment is missing");
  const std::uint64_t offset = offset_of(position);
  const std::uint64_t end = std::max(segment->end.load(std::memory_order_acquire), offset + least_bytes);
  window.begin_ = position;
  window.filled_ = 0;
  const std::size_t wanted = std::min<std::uint64_t>(bytes, end - offset);
  if (window.bytes_.size() < wanted) window.bytes_.resize(std::max(wanted, RecordWindow::kBytes));
  DOSQL_ASSIGN_OR_RETURN(window.filled_,
                         segment->file->read_at(offset, MutableBytes(window.bytes_).first(wanted)));
  return {};
}

Result<RecordView> Log::read_record(Position position, RecordWindow& window) const {
  Bytes bytes = window.from(position);
  if (bytes.size() < sizeof(RecordHeader)) {
    DOSQL_RETURN_IF_ERROR(fill(window, position, sizeof(RecordHeader), RecordWindow::kBytes));
    bytes = window.from(position);
    if (bytes.size() < sizeof(RecordHeader)) return corrupt(position, "the file ends inside a record");
  }
  const auto header = load<RecordHeader>(bytes.data());
  if (!plausible_header(header, kRecordBytesMax)) return corrupt(position, "expected a record");
  const std::size_t record_bytes = sizeof header + header.body_bytes;
  if (bytes.size() < record_bytes) {
    DOSQL_RETURN_IF_ERROR(fill(window, position, record_bytes, std::max(record_bytes, RecordWindow::kBytes)));
    bytes = window.from(position);
  }
  const Segment* const segment = find_segment(segment_of(position));
  const auto view = parse_record(bytes, segment->header.salt, database_id(), Verify::kEverything);
  if (!view) return corrupt(position, "a record fails its checksum");
  return *view;
}

std::optional<RecordView> Log::find_record(Position position, const RecordWindow& window) const {
  const Segment* const segment = find_segment(segment_of(position));
  if (!segment) return std::nullopt;
  return parse_record(window.from(position), segment->header.salt, database_id(), Verify::kEverything);
}

}  // namespace dosql::log
