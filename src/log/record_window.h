// A stretch of a segment that is read at once, for somebody who goes through the log.
#pragma once

#include <cstddef>
#include <vector>

#include "base/bytes.h"
#include "log/format.h"

namespace dosql::log {

class RecordWindow {
 private:
  friend class Log;
  friend class EntryStreams;
  friend class EntryStretch;
  static constexpr std::size_t kBytes = std::size_t{64} << 10;

  // The bytes from `position` on that are here; none, or not all of a record's, mean nothing.
  Bytes from(Position position) const {
    if (segment_of(position) != segment_of(begin_) || position < begin_) return {};
    const std::size_t at = offset_of(position) - offset_of(begin_);
    return at < filled_ ? Bytes(bytes_).first(filled_).subspan(at) : Bytes();
  }

  Position begin_{};
  std::size_t filled_ = 0;
  std::vector<std::byte> bytes_;
};

}  // namespace dosql::log
