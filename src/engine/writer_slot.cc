#include "engine/writer_slot.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "base/check.h"

namespace dosql::engine {

using std::chrono::steady_clock;

bool WriterSlot::try_take() {
  std::lock_guard lock(mutex_);
  if (taken_) return false;
  has_waited_ = false;
  return taken_ = true;
}

bool WriterSlot::take_awake(TimePoint deadline) {
  const TimePoint end = std::min(deadline, steady_clock::now() + kAwakeMax);
  while (!try_take()) {
    if (steady_clock::now() >= end) return false;
    std::this_thread::yield();
  }
  return true;
}

bool WriterSlot::take_until(Writer& writer, TimePoint deadline, const std::function<bool()>& cancelled) {
  std::unique_lock lock(mutex_);
  if (!taken_) {
    has_waited_ = false;
    return taken_ = true;
  }
  Waiter self{writer};
  enqueue(self);
  while (!self.granted) {
    if (!taken_) {
      std::erase(waiters_, &self);
      take(writer);
      return taken_ = true;
    }
    if (cancelled() || steady_clock::now() >= deadline) {
      std::erase(waiters_, &self);
      return false;
    }
    self.wake.wait_until(lock, deadline);
  }
  return true;  // whoever granted it took us out of the queue and left taken_ set
}

void WriterSlot::enqueue(Waiter& waiter) {
  if (waiters_.empty()) counted_to_ = steady_clock::now();
  waiter.writer.used_ =
      std::clamp<std::chrono::nanoseconds>(waiter.writer.used_, fair_share_, fair_share_ + kDebtMax);
  const auto behind =
      std::upper_bound(waiters_.begin(), waiters_.end(), &waiter,
                       [](const Waiter* a, const Waiter* b) { return a->writer.used_ < b->writer.used_; });
  waiters_.insert(behind, &waiter);
}

void WriterSlot::take(const Writer& writer) {
  fair_share_ = std::max(fair_share_, writer.used_);
  has_waited_ = true;
  counted_to_ = steady_clock::now();
}

void WriterSlot::give_back(Writer& writer, HandOff hand_off) {
  std::lock_guard lock(mutex_);
  CHECK(taken_);
  if (waiters_.empty()) {
    taken_ = false;
    return;
  }
  const TimePoint now = steady_clock::now();
  const auto turn = now - std::exchange(counted_to_, now);
  writer.used_ = (has_waited_ ? writer.used_ : std::max(writer.used_, fair_share_)) + turn;
  fair_share_ += turn / static_cast<std::int64_t>(waiters_.size() + 1);
  Waiter& first = *waiters_.front();
  if (hand_off == HandOff::kAlways || writer.used_ - first.writer.used_ >= kPatience) {
    waiters_.erase(waiters_.begin());
    take(first.writer);
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
