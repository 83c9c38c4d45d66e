#include "log/segment_reader.h"

#include <algorithm>

#include "log/record.h"

namespace dosql::log {
namespace {

// Small enough to stay in the processor's cache until it is parsed.
constexpr std::uint64_t kReadBytes = std::uint64_t{256} << 10;

}  // namespace

Result<Bytes> SegmentReader::bytes_at(std::uint64_t offset, std::uint64_t bytes) {
  if (offset >= end_) return Bytes();
  bytes = std::min(bytes, end_ - offset);
  if (offset < start_ || offset + bytes > start_ + filled_) {
    // More than was asked for: the next call usually wants what lies behind.
    const std::uint64_t wanted = std::min(bytes + kReadBytes, end_ - offset);
    if (capacity_ < wanted) {
      buffer_ = std::make_unique_for_overwrite<std::byte[]>(wanted);
      capacity_ = wanted;
      filled_ = 0;
    }
    DOSQL_ASSIGN_OR_RETURN(filled_, file_.read_at(offset, MutableBytes(buffer_.get(), wanted)));
    start_ = offset;
  }
  return Bytes(buffer_.get(), filled_).subspan(offset - start_);
}

Result<Bytes> SegmentReader::record_at(std::uint64_t offset) {
  DOSQL_ASSIGN_OR_RETURN(const Bytes head, bytes_at(offset, sizeof(RecordHeader)));
  if (head.size() < sizeof(RecordHeader)) return head;
  const auto header = load<RecordHeader>(head.data());
  if (!plausible_header(header, end_ - offset)) return head;
  return bytes_at(offset, sizeof header + header.body_bytes);
}

}  // namespace dosql::log
