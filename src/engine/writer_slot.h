// The writer slot of a branch: one connection writes at a time, and those that wait get their turn.
//
// Whoever gives the slot back may take it again at once, which keeps a busy writer's caches warm, until
// the first in the queue has waited kPatience; from then on the slot is handed to it directly.
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
  static constexpr std::chrono::milliseconds kPatience{1};

  enum class HandOff {
    kAfterPatience,
    kAlways,  // the holder has just waited for a sync: the next one may as well go first
  };

  // Takes the slot if nobody has it. Never waits.
  bool try_take();

  // Queues for the slot until `deadline`. False: the time is over, or `cancelled()` said so (asked under a
  // lock, again after wake()); then the caller does not have the slot.
  bool take_until(TimePoint deadline, const std::function<bool()>& cancelled);

  // REQUIRES: the caller has the slot.
  void give_back(HandOff hand_off);

  // Makes all waiters ask `cancelled` again.
  void wake();

  // How many are in the queue now.
  std::size_t waiting() const;

 private:
  struct Waiter {
    std::condition_variable wake;
    TimePoint since;
    bool granted = false;
  };

  mutable std::mutex mutex_;
  bool taken_ = false;
  std::vector<Waiter*> waiters_;  // the longest first
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
