// Which old versions are being read. Retention asks for the oldest; readers only store one number.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <vector>

#include "base/ids.h"

namespace dosql::version {

// Whether the images that a commit replaces are worth keeping for the reader (retained_pages.h).
enum class PinnedImages : std::uint8_t {
  kWanted,
  kHas,  // or what it takes to make them: a writer need not keep any for it
};

// One per reader, on a cache line of its own.
struct alignas(kCacheLineBytes) PinSlot {
  // The pinned LSN + 1; 0 when nothing is pinned.
  std::atomic<std::uint64_t> lsn_plus_one{0};
  PinnedImages images = PinnedImages::kWanted;  // guarded by the registry
};

class PinRegistry {
 public:
  // The slot stays the caller's until give_back(); it never moves.
  PinSlot* take(PinnedImages images) {
    std::lock_guard lock(mutex_);
    if (free_.empty()) free_.push_back(&slots_.emplace_back());
    PinSlot* const slot = free_.back();
    free_.pop_back();
    slot->images = images;
    return slot;
  }

  void give_back(PinSlot* slot) {
    std::lock_guard lock(mutex_);
    slot->lsn_plus_one.store(0, std::memory_order_release);
    free_.push_back(slot);
  }

  // The newest LSN below `lsn` that is pinned by somebody who wants images kept.
  std::optional<Lsn> newest_below(Lsn lsn) const {
    std::lock_guard lock(mutex_);
    std::uint64_t newest = 0;
    for (const PinSlot& slot : slots_) {
      const std::uint64_t value = slot.lsn_plus_one.load(std::memory_order_relaxed);
      if (slot.images == PinnedImages::kWanted && value <= raw(lsn)) newest = std::max(newest, value);
    }
    if (newest == 0) return {};
    return Lsn{newest - 1};
  }
  std::size_t slots() const {
    std::lock_guard lock(mutex_);
    return slots_.size();
  }

  struct Summary {
    std::uint32_t pins = 0;
    std::optional<Lsn> oldest;
  };
  Summary summary() const {
    std::lock_guard lock(mutex_);
    Summary summary;
    for (const PinSlot& slot : slots_) {
      const std::uint64_t value = slot.lsn_plus_one.load(std::memory_order_acquire);
      if (value == 0) continue;
      ++summary.pins;
      if (!summary.oldest || value - 1 < raw(*summary.oldest)) summary.oldest = Lsn{value - 1};
    }
    return summary;
  }

 private:
  mutable std::mutex mutex_;
  std::deque<PinSlot> slots_;
  std::vector<PinSlot*> free_;
};

}  // namespace dosql::version
