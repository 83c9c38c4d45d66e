// The writer slot of a branch: one connection writes at a time, and those that wait get their turn.
//
// Whoever gives the slot back may take it again at once, which keeps a busy writer's caches warm, until it
// has had it kPatience longer than the first in the queue; then the slot is handed over directly. The queue
// is in the order of the time that each has had the slot while others waited: so all get as much of it,
// however their turns came to an end. (Virtual time, as in start-time fair queueing: Goyal, Vin, Cheng,
// 1996.)
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace dosql::engine {

class WriterSlot {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  static constexpr std::chrono::microseconds kPatience{500};
  // One long transaction is no reason to wait as long: what is owed to the others is at most so much to each.
  static constexpr std::chrono::microseconds kDebtMax = 2 * kPatience;
  // Longer than a commit has the slot, and about what it takes a thread to fall asleep and be woken.
  static constexpr std::chrono::microseconds kAwakeMax{100};

  // One of those who take the slot.
  class Writer {
   private:
    friend class WriterSlot;
    // It has had the slot for so long while others waited; whoever comes anew has had a fair share.
    std::chrono::nanoseconds used_{};
  };

  enum class HandOff {
    kAfterPatience,
    kAlways,  // the holder has just waited for a sync: the next one may as well go first
  };

  // Takes the slot if nobody has it. Never waits.
  bool try_take();

  // Tries for kAwakeMax, at most until `deadline`, to take the slot without falling asleep; other threads run
  // on the processor meanwhile. Who waits in the queue goes first where the slot is handed over.
  bool take_awake(TimePoint deadline);

  // Queues for the slot until `deadline`. False: the time is over, or `cancelled()` said so (asked under a
  // lock, again after wake()); then the caller does not have the slot.
  bool take_until(Writer& writer, TimePoint deadline, const std::function<bool()>& cancelled);

  // REQUIRES: the caller has the slot, and is that writer.
  void give_back(Writer& writer, HandOff hand_off);

  // Makes all waiters ask `cancelled` again.
  void wake();

  // How many are in the queue now.
  std::size_t waiting() const;

 private:
  struct Waiter {
    Writer& writer;
    std::condition_variable wake = {};
    bool granted = false;
  };

  void enqueue(Waiter& waiter);
  void take(const Writer& writer);

  mutable std::mutex mutex_;
  bool taken_ = false;
  std::vector<Waiter*> waiters_;  // in the order of what they have used, then of their coming
  // What somebody has used who has always had his share while others waited.
  std::chrono::nanoseconds fair_share_{};
  // Whether whoever has the slot has waited for it, and so keeps its place; and since when its time counts.
  bool has_waited_ = false;
  TimePoint counted_to_;
};

// The slots of all branches, by their names: who waits for a branch goes on waiting when it is
// fast-forwarded. Threads: any.
class WriterSlots {
 public:
  // Stays where it is for as long as this lives.
  WriterSlot& of(std::string_view branch) {
    std::lock_guard lock(mutex_);
    const auto found = slots_.find(branch);
    if (found != slots_.end()) return *found->second;
    return *slots_.emplace(branch, std::make_unique<WriterSlot>()).first->second;
  }

 private:
  std::mutex mutex_;
  std::map<std::string, std::unique_ptr<WriterSlot>, std::less<>> slots_;
};

}  // namespace dosql::engine
