#include "engine/writer_slot.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "base/check.h"

namespace dosql::engine {

using std::chrono::steady_clock;

bool WriterSlot::try_take() {
  // Looked at first: whoever waits awake should not take the line from whoever has the slot.
  if (taken_.load(std::memory_order_relaxed) || taken_.exchange(true, std::memory_order_acquire))
    return false;
  has_waited_ = false;
  return true;
}

// One of awake_, and no longer when it returns.
bool WriterSlot::stay_awake(TimePoint deadline) {
  const TimePoint last = std::min(deadline, steady_clock::now() + kAwakeMax);
  TimePoint end = TimePoint::min();
  std::uint32_t turns = turns_.load(std::memory_order_relaxed) - 1;
  bool has_it = false;
  while (!(has_it = try_take())) {
    const TimePoint now = steady_clock::now();
    if (std::exchange(turns, turns_.load(std::memory_order_relaxed)) != turns) end = now + kShortTurn;
    if (now >= std::min(end, last)) break;
    std::this_thread::yield();
  }
  --awake_;
  return has_it;
}

bool WriterSlot::take_until(Writer& writer, TimePoint deadline, const std::function<bool()>& cancelled,
                            Wait wait) {
  if (try_take()) return true;
  std::unique_lock lock(mutex_);
  Waiter self{writer, wait};
  if (wait == Wait::kAwake && waiters_.empty() && awake_ < kAwakeMost) {
    ++awake_;
    self.called = true;
  } else {
    enqueue(self);
  }
  while (!self.granted) {
    if (std::exchange(self.called, false)) {
      lock.unlock();
      if (stay_awake(deadline)) return true;
      lock.lock();
      self.was_awake = true;
      enqueue(self);
    }
    if (try_take()) {
      std::erase(waiters_, &self);
      take(writer);
      return true;
    }
    if (cancelled() || steady_clock::now() >= deadline) {
      std::erase(waiters_, &self);
      return false;
    }
    sleep(self, lock, deadline);
  }
  // Whoever granted it took us out of the queue and left taken_ set. How long it takes to be woken is
  // nobody's time: else those on a processor that is slow to wake would get less.
  counted_to_ = steady_clock::now();
  return true;
}

// Who was told that the slot is free and found it taken again looks by itself from then on: who takes it
// again and again need not wake it each time.
void WriterSlot::sleep(Waiter& waiter, std::unique_lock<std::mutex>& lock, TimePoint deadline) {
  waiter.looks = waiters_.front() == &waiter && waiter.found_it_taken;
  waiter.told = false;
  const std::uint32_t turns = turns_.load(std::memory_order_relaxed);
  const TimePoint until = waiter.looks ? std::min(deadline, steady_clock::now() + kLookAfter) : deadline;
  waiter.wake.wait_until(lock, until);
  const bool had_turns = turns != turns_.load(std::memory_order_relaxed);
  waiter.found_it_taken = waiter.told || (waiter.looks && had_turns);
  waiter.looks = false;
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
  turns_.fetch_add(1, std::memory_order_relaxed);
  if (waiters_.empty()) {
    taken_.store(false, std::memory_order_release);
    return;
  }
  const TimePoint now = steady_clock::now();
  const auto turn = now - std::exchange(counted_to_, now);
  writer.used_ =
      (has_waited_ ? writer.used_ : std::max(writer.used_, fair_share_)) + charge_for(writer, turn);
  fair_share_ += turn / static_cast<std::int64_t>(waiters_.size() + 1);
  Waiter& first = *waiters_.front();
  const bool to_whoever_is_awake = awake_ > 0 && first.wait == Wait::kAwake && !first.was_awake;
  if (hand_off == HandOff::kAlways && to_whoever_is_awake) {
    taken_.store(false, std::memory_order_release);
    // Two: one takes the place of whoever takes the slot, and the other makes them more.
    call_next();
    call_next();
    return;
  }
  if (hand_off == HandOff::kAlways || writer.used_ - first.writer.used_ >= kPatience) {
    waiters_.erase(waiters_.begin());
    take(first.writer);
    first.granted = true;
    tell(first);
  } else {
    taken_.store(false, std::memory_order_release);
    if (!first.looks || turn > kShortTurn) tell(first);
  }
  if (hand_off == HandOff::kAlways) call_next();
}

// Under the lock: the waiter's stack frame ends when it gets out of it.
void WriterSlot::tell(Waiter& waiter) {
  if (std::exchange(waiter.told, true) && !waiter.granted) return;
  waiter.wake.notify_one();
}

// Those whose turns are about as long as everybody's do the same work: they are to do as much of it, though
// a processor or its caches are slower for some.
std::chrono::nanoseconds WriterSlot::charge_for(Writer& writer, std::chrono::nanoseconds turn) {
  constexpr double kWeight = 1.0 / 512;
  constexpr double kAlike = 1.5;
  const auto ns = static_cast<double>(turn.count());
  if (writer.usual_turn_ns_ == 0) writer.usual_turn_ns_ = usual_turn_ns_;
  for (double* const usual : {&usual_turn_ns_, &writer.usual_turn_ns_}) *usual += (ns - *usual) * kWeight;
  const double slower = writer.usual_turn_ns_ / usual_turn_ns_;
  const bool alike = slower < kAlike && slower > 1 / kAlike;
  return alike ? std::chrono::nanoseconds(static_cast<std::int64_t>(ns / slower)) : turn;
}

// Wakes the first of the queue before its turn, so that it is awake then.
void WriterSlot::call_next() {
  if (waiters_.empty() || awake_ >= kAwakeMost) return;
  Waiter& first = *waiters_.front();
  if (first.wait != Wait::kAwake || first.was_awake) return;
  waiters_.erase(waiters_.begin());
  ++awake_;
  first.called = true;
  first.wake.notify_one();
}

void WriterSlot::wake() {
  std::lock_guard lock(mutex_);
  for (Waiter* waiter : waiters_) waiter->wake.notify_one();
}

std::size_t WriterSlot::waiting() const {
  std::lock_guard lock(mutex_);
  return waiters_.size() + static_cast<std::size_t>(awake_);
}

}  // namespace dosql::engine
