#include "engine/writer_slot.h"

#include <algorithm>

#include "base/check.h"

namespace dosql::engine {
bool WriterSlot::try_take() {
  std::lock_guard lock(mutex_);
  if (taken_) return false;
  taken_ = true;
  return true;
}

bool WriterSlot::take_until(TimePoint deadline, const std::function<bool()>& cancelled) {
  std::unique_lock lock(mutex_);
  if (!taken_) return taken_ = true;
  Waiter self;
  self.since = std::chrono::steady_clock::now();
  waiters_.push_back(&self);
  while (!self.granted) {
    if (!taken_) {
      std::erase(waiters_, &self);
      return taken_ = true;
    }
    if (cancelled() || std::chrono::steady_clock::now() >= deadline) {
      std::erase(waiters_, &self);
      return false;
    }
    self.wake.wait_until(lock, deadline);
  }
  return true;  // whoever granted it took us out of the queue and left taken_ set
}

void WriterSlot::give_back(HandOff hand_off) {
  std::lock_guard lock(mutex_);
  CHECK(taken_);
  if (waiters_.empty()) {
    taken_ = false;
    return;
  }
  Waiter& first = *waiters_.front();
  if (hand_off == HandOff::kAlways || std::chrono::steady_clock::now() - first.since >= kPatience) {
    waiters_.erase(waiters_.begin());
    first.granted = true;
  } else {
    taken_ = false;
  }
  first.wake.notify_one();  // under the lock: the waiter's stack frame ends when it gets out of it
}

void WriterSlot::wake() {
  std::lock_guard lock(mutex_);
  for (Waiter* waiter : waiters_) waiter->wake.notify_one();
}

std::size_t WriterSlot::waiting() const {
  std::lock_guard lock(mutex_);
  return waiters_.size();
}

}  // namespace dosql::engine
