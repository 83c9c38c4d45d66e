// Reads a segment front to back in large pieces.
#pragma once

#include <memory>

#include <dosql/result.h>

#include "io/storage.h"
#include "log/format.h"

namespace dosql::log {

class SegmentReader {
 public:
  // `end`: nothing is read at or behind it. `file` must outlive the reader.
  SegmentReader(io::File& file, std::uint64_t end) : file_(file), end_(end) {}

  // The bytes from `offset` on: a whole record when a plausible one starts there and the file holds it,
  // else what there is. They live until the next call. Offsets may only grow.
  Result<Bytes> record_at(std::uint64_t offset);
  // At least so many bytes from `offset` on, unless the file or `end` comes first. As above.
  Result<Bytes> bytes_at(std::uint64_t offset, std::uint64_t bytes);

 private:
  io::File& file_;
  std::uint64_t end_;
  std::uint64_t start_ = 0;  // of the bytes in buffer_
  std::size_t filled_ = 0;
  std::unique_ptr<std::byte[]> buffer_;  // grown without being filled with zeros
  std::size_t capacity_ = 0;
};

}  // namespace dosql::log
