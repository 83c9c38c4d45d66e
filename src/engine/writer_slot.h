// The writer slot of a branch: one connection writes at a time, and those that wait get their turn.
//
// Whoever gives the slot back may take it again at once, which keeps a busy writer's caches warm, until it
// has had it kPatience longer than the first in the queue; then the slot is handed over directly. The queue
// is in the order of the time that each has had the slot while others waited: so all get as much of it,
// however their turns came to an end. (Virtual time, as in start-time fair queueing: Goyal, Vin, Cheng,
// 1996.)
//
// Who waits is woken when the slot is free, and finds it taken again by who is busy. After that it looks by
// itself, kLookAfter later, for as long as turns are short: else each commit would wake a thread in vain.
//
// Writers whose commits are synced have the slot for less time than a thread takes to be woken. Up to
// kAwakeMost of them wait awake: they try again and again and let other threads run in between. Whoever of
// them has it gives it back for whoever of them comes first, and calls the next of the queue to be awake
// when its turn comes.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
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
  // How many are awake at once, and for how long: while turns take no longer than kShortTurn, which is
  // longer than a commit has the slot, and about what it takes a thread to fall asleep and be woken.
  static constexpr int kAwakeMost = 16;
  static constexpr std::chrono::microseconds kShortTurn{100};
  static constexpr std::chrono::microseconds kAwakeMax{1000};
  // When the first of the queue looks by itself whether it can have the slot, while turns are short.
  static constexpr std::chrono::microseconds kLookAfter = 2 * kPatience;

  // One of those who take the slot.
  class Writer {
   private:
    friend class WriterSlot;
    // It has had the slot for so long while others waited; whoever comes anew has had a fair share.
    std::chrono::nanoseconds used_{};
    double usual_turn_ns_ = 0;  // an average of its last ones
  };

  enum class HandOff {
    kAfterPatience,
    kAlways,  // the holder has just waited for a sync: the next one may as well go first
  };

  // Takes the slot if nobody has it. Never waits.
  bool try_take();

  enum class Wait : std::uint8_t {
    kAsleep,
    kAwake,  // if there is room, and nobody in the queue: for those who have the slot for short turns
  };

  // Waits for the slot until `deadline`. False: the time is over, or `cancelled()` said so (asked under a
  // lock, at least once in kAwakeMax, again after wake()); then the caller does not have the slot.
  bool take_until(Writer& writer, TimePoint deadline, const std::function<bool()>& cancelled,
                  Wait wait = Wait::kAsleep);

  // REQUIRES: the caller has the slot, and is that writer.
  void give_back(Writer& writer, HandOff hand_off);

  // Makes all waiters ask `cancelled` again.
  void wake();

  // How many wait now, asleep or awake.
  std::size_t waiting() const;

 private:
  struct Waiter {
    Writer& writer;
    Wait wait;
    bool called = false;     // out of the queue, to be awake
    bool was_awake = false;  // in vain
    bool granted = false;
    bool told = false;            // to look whether the slot is free, and has not looked yet
    bool looks = false;           // it will by itself, kLookAfter after it fell asleep
    bool found_it_taken = false;  // when it looked, though it had been free
    std::condition_variable wake = {};
  };

  bool stay_awake(TimePoint deadline);
  void sleep(Waiter& waiter, std::unique_lock<std::mutex>& lock, TimePoint deadline);
  static void tell(Waiter& waiter);
  void enqueue(Waiter& waiter);
  void call_next();
  void take(const Writer& writer);
  std::chrono::nanoseconds charge_for(Writer& writer, std::chrono::nanoseconds turn);

  // Taken by whoever sets it; given back under the mutex only, so that nobody falls asleep meanwhile.
  std::atomic<bool> taken_{false};
  std::atomic<std::uint32_t> turns_{0};
  std::atomic<int> awake_{0};

  mutable std::mutex mutex_;      // guards what follows; has_waited_ is the holder's
  std::vector<Waiter*> waiters_;  // in the order of what they have used, then of their coming
  // What somebody has used who has always had his share while others waited.
  std::chrono::nanoseconds fair_share_{};
  // Whether whoever has the slot has waited for it, and so keeps its place; and since when its time counts.
  bool has_waited_ = false;
  TimePoint counted_to_;
  double usual_turn_ns_ = 0;  // of all writers
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
