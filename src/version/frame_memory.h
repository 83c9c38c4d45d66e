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
  // Ends the process when not even the addresses can be had.
  explicit FrameMemory(std::size_t frames);
  ~FrameMemory();
  FrameMemory(const FrameMemory&) = delete;
  FrameMemory& operator=(const FrameMemory&) = delete;

  std::byte* frame(std::size_t index) const { return begin_ + index * kPageBytes; }

 private:
  std::size_t size_bytes_;
  std::byte* begin_;
};

}  // namespace dosql::version
