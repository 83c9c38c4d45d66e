// The pool of page images: the newest image of each recently used page, and the private images of
// running transactions.
//
// A frame is private (a transaction writes it) or belongs to a PageSlot (it is that page's newest image,
// readable under the slot's lock, and may be evicted at any time: it can be rebuilt from the log).
//
// Threads: any. allocate() and free() take one short mutex; data() takes nothing.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "base/ids.h"
#include "version/frame_memory.h"
#include "version/page_table.h"

namespace dosql::version {

class Pool {
 public:
  // Where has_frames() is false afterwards nothing else may be called.
  explicit Pool(std::size_t capacity_bytes);
  ~Pool();
  bool has_frames() const { return memory_.has_frames(); }

  std::byte* data(FrameId frame) const { return memory_.frame(frame); }
  // Has the processor fetch the frame, for somebody who is going to read all of it: fetched line after line
  // as it is copied, most of the copy would be waiting.
  void prefetch(FrameId frame) const {
    const std::byte* const image = data(frame);
    for (std::size_t at = 0; at < kPageBytes; at += 64) __builtin_prefetch(image + at, 0, 2);
  }

  // A private frame of unspecified content. When the pool is full it evicts a page, and when nothing can
  // be evicted it grows beyond its capacity: running transactions must be able to finish.
  FrameId allocate();
  // REQUIRES: private, or taken out of its slot by the caller.
  void free(FrameId frame);
  // From now on the frame belongs to `slot` and may be evicted. REQUIRES: slot.lock held exclusively,
  // slot.frame() == frame.
  void give_to_slot(FrameId frame, PageSlot& slot);
  // The caller took the frame out of its slot. REQUIRES: that slot's lock held exclusively.
  void take_from_slot(FrameId frame);
  // Marks the frame as used, so that it is evicted later.
  void touch(FrameId frame);

  bool full() const { return used_frames_.load(std::memory_order_relaxed) >= capacity_frames_; }
  std::uint64_t used_bytes() const { return used_frames_.load(std::memory_order_relaxed) * kPageBytes; }
  std::uint64_t capacity_bytes() const { return capacity_frames_ * kPageBytes; }

 private:
  static constexpr std::uint32_t kChunkFrames = 64;
  struct Chunk {
    std::atomic<PageSlot*> owners[kChunkFrames];
    std::atomic<bool> referenced[kChunkFrames];
  };

  Chunk& chunk_of(FrameId frame) const {
    return *chunks_[frame / kChunkFrames].load(std::memory_order_acquire);
  }
  bool grow();
  FrameId evict();

  const std::uint64_t capacity_frames_;
  FrameMemory memory_;
  std::vector<std::atomic<Chunk*>> chunks_;
  std::mutex mutex_;  // guards what follows
  std::vector<FrameId> free_frames_;
  std::uint32_t chunk_count_ = 0;
  FrameId clock_hand_ = 1;
  std::atomic<std::uint64_t> used_frames_{0};
};

}  // namespace dosql::version
