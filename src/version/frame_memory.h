// The memory of page frames: one range of addresses, so that a frame is found without a look-up. What is not
// used takes no memory.
//
// Threads: any.
#pragma once

#include <cstddef>

#include "base/ids.h"

namespace dosql::version {

class FrameMemory {
 public:
  // Frames in front of this are in small pages: up to here the processor finds those well enough, and who
  // needs no more takes what he needs.
  static constexpr std::size_t kSmallPagesBytes = std::size_t{64} << 20;

  // There may not be as many addresses: then it has no frames.
  explicit FrameMemory(std::size_t frames, std::size_t small_pages_bytes = kSmallPagesBytes);
  ~FrameMemory();
  FrameMemory(const FrameMemory&) = delete;
  FrameMemory& operator=(const FrameMemory&) = delete;

  bool has_frames() const { return begin_ != nullptr; }
  // REQUIRES: has_frames().
  std::byte* frame(std::size_t index) const { return begin_ + index * kPageBytes; }

 private:
  std::size_t size_bytes_;
  std::byte* begin_ = nullptr;
};

}  // namespace dosql::version
