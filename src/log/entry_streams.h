// Stretches of segments that are read ahead, for somebody who reads the entries of many pages and mostly in
// the order in which they lie: a scan of an old version meets the images that a bulk insert left behind each
// other, and between them, elsewhere, the patches of a later commit to the same pages.
//
// Memory: kStreams times RecordWindow::kBytes.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "log/record_window.h"

namespace dosql::log {

// One thread at a time.
class EntryStreams {
 private:
  friend class Log;
  static constexpr std::size_t kStreams = 4;
  // Farther apart entries are no stream: most of what is read ahead would be for nobody.
  static constexpr std::size_t kGapMax = std::size_t{4} << 10;
  static constexpr std::size_t kAheadMin = std::size_t{8} << 10;

  struct Stream {
    RecordWindow window;
    std::size_t ahead_bytes = 0;  // what is read the next time; the more, the longer it goes on
    std::uint64_t used = 0;
  };

  // Whose window holds `position`, or is to be filled from there on.
  Stream& at(Position position) {
    ++turns_;
    Stream* chosen = &streams_.front();
    for (Stream& stream : streams_) {
      const bool holds = !stream.window.from(position).empty();
      if (holds || follows(stream, position)) {
        stream.used = turns_;
        if (!holds) stream.ahead_bytes = std::clamp(2 * stream.ahead_bytes, kAheadMin, RecordWindow::kBytes);
        return stream;
      }
      if (stream.used < chosen->used) chosen = &stream;
    }
    chosen->used = turns_;
    chosen->ahead_bytes = 0;
    return *chosen;
  }

  static bool follows(const Stream& stream, Position position) {
    const Position end{raw(stream.window.begin_) + stream.window.filled_};
    return stream.window.filled_ > 0 && segment_of(position) == segment_of(end) && position >= end &&
           raw(position) - raw(end) <= kGapMax;
  }

  std::array<Stream, kStreams> streams_;
  std::uint64_t turns_ = 0;
};

}  // namespace dosql::log
