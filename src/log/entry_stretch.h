// The stretch of a segment in which an entry lies, read at once for somebody who will want its neighbours
// too: a bulk insert left the images of pages that lie behind each other close together in the log, and
// reading each by itself is a system call for each.
//
// Memory: kBytes and an entry's, from the first read on.
#pragma once

#include <cstddef>

#include "base/bytes.h"
#include "log/record_window.h"

namespace dosql::log {

class EntryStretch {
 public:
  static constexpr std::size_t kBytes = std::size_t{64} << 10;

  // Whether an entry with the image of a page is here, all of it, if one is at `position`.
  bool holds_image(Position position) const {
    return window_.from(position).size() >= sizeof(EntryHead) + kPageBytes;
  }

 private:
  friend class Log;
  RecordWindow window_;
};

}  // namespace dosql::log
