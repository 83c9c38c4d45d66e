// A stretch of a segment that is read at once, because the entries that a page is rebuilt from often lie
// close together: a page that rows are appended to has all of them within a few KiB.
#pragma once

#include <array>
#include <cstddef>

#include "base/bytes.h"
#include "base/ids.h"
#include "log/format.h"

namespace dosql::log {

// What is read of an entry whose size is not known yet; most patches are smaller.
inline constexpr std::size_t kEntryReadBytes = 512;

class EntryWindow {
 public:
  // Whether a window that begins at `begin` reaches (most of) an entry at `position`.
  static bool reaches(Position begin, Position position) {
    return segment_of(begin) == segment_of(position) && position >= begin &&
           offset_of(position) - offset_of(begin) + kEntryReadBytes <= kBytes;
  }

 private:
  friend class Log;
  static constexpr std::size_t kBytes = std::size_t{16} << 10;
  static_assert(kBytes >= sizeof(EntryHead) + kPageBytes);

  bool holds(Position position, std::size_t size_bytes) const {
    return segment_of(begin_) == segment_of(position) && position >= begin_ &&
           offset_of(position) - offset_of(begin_) + size_bytes <= filled_;
  }
  const std::byte* at(Position position) const { return bytes_.data() + (raw(position) - raw(begin_)); }

  Position begin_{};
  std::size_t filled_ = 0;
  std::array<std::byte, kBytes> bytes_;
};

}  // namespace dosql::log
