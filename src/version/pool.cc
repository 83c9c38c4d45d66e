#include "version/pool.h"

#include <algorithm>

#include "base/check.h"

namespace dosql::version {
namespace {

constexpr std::uint64_t kCapacityFramesMin = 64;
// Private frames of running transactions may go this far beyond the capacity.
constexpr std::uint64_t kOvershootFrames = (std::uint64_t{4} << 30) / kPageBytes;

}  // namespace

Pool::Pool(std::size_t capacity_bytes)
    : capacity_frames_(std::max<std::uint64_t>(capacity_bytes / kPageBytes, kCapacityFramesMin)),
      memory_(capacity_frames_ + kOvershootFrames + kChunkFrames),
      chunks_(has_frames() ? (capacity_frames_ + kOvershootFrames) / kChunkFrames + 1 : 0) {}

Pool::~Pool() {
  for (auto& chunk : chunks_) delete chunk.load();
}

bool Pool::grow() {
  if (chunk_count_ == chunks_.size()) return false;
  chunks_[chunk_count_].store(new Chunk{}, std::memory_order_release);
  const FrameId first = chunk_count_ * kChunkFrames;
  ++chunk_count_;
  // Highest first, so that frames are handed out in address order. Frame 0 means none.
  for (FrameId frame = first + kChunkFrames; frame-- > std::max<FrameId>(first, 1);)
    free_frames_.push_back(frame);
  return true;
}

FrameId Pool::allocate() {
  std::lock_guard lock(mutex_);
  if (used_frames_.load(std::memory_order_relaxed) >= capacity_frames_) {
    if (const FrameId frame = evict()) return frame;
  }
  if (free_frames_.empty()) CHECK(grow());
  const FrameId frame = free_frames_.back();
  free_frames_.pop_back();
  used_frames_.fetch_add(1, std::memory_order_relaxed);
  return frame;
}

void Pool::free(FrameId frame) {
  std::lock_guard lock(mutex_);
  free_frames_.push_back(frame);
  used_frames_.fetch_sub(1, std::memory_order_relaxed);
}

void Pool::give_to_slot(FrameId frame, PageSlot& slot) {
  Chunk& chunk = chunk_of(frame);
  chunk.referenced[frame % kChunkFrames].store(true, std::memory_order_relaxed);
  chunk.owners[frame % kChunkFrames].store(&slot, std::memory_order_release);
}

void Pool::take_from_slot(FrameId frame) {
  chunk_of(frame).owners[frame % kChunkFrames].store(nullptr, std::memory_order_release);
}

void Pool::touch(FrameId frame) {
  auto& referenced = chunk_of(frame).referenced[frame % kChunkFrames];
  // Reading first keeps the line shared among readers of a hot page.
  if (!referenced.load(std::memory_order_relaxed)) referenced.store(true, std::memory_order_relaxed);
}

// Second chance: passes over frames used since the last round. REQUIRES: mutex_ held.
FrameId Pool::evict() {
  const FrameId end = chunk_count_ * kChunkFrames;
  for (std::uint64_t turn = 0; turn < std::uint64_t{end} * 2; ++turn) {
    const FrameId frame = clock_hand_;
    clock_hand_ = clock_hand_ + 1 < end ? clock_hand_ + 1 : 1;
    Chunk& chunk = chunk_of(frame);
    PageSlot* slot = chunk.owners[frame % kChunkFrames].load(std::memory_order_acquire);
    if (!slot) continue;
    if (chunk.referenced[frame % kChunkFrames].exchange(false, std::memory_order_relaxed)) continue;
    if (!slot->lock.try_lock()) continue;
    const bool still_there = slot->frame() == frame;
    if (still_there) {
      slot->set_frame(0);
      chunk.owners[frame % kChunkFrames].store(nullptr, std::memory_order_relaxed);
    }
    slot->lock.unlock();
    if (still_there) return frame;
  }
  return 0;
}

}  // namespace dosql::version
