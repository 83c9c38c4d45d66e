// Threads that sleep in groups, of which one call wakes a whole group or one of it: with a condition
// variable, each would wake to wait for the mutex. By Linux's futex with a bit per group (FUTEX_WAKE_BITSET,
// futex(2)).
//
// Threads: any.
#pragma once

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <climits>
#include <cstdint>
#include <ctime>

namespace dosql {

class WaitGroups {
 public:
  // For wait(): take it, look whether there is something to wait for, then wait.
  std::uint32_t ticket() const { return word_.load(std::memory_order_acquire); }
  // Until a wake-up of the group; returns at once if there was any wake-up since the ticket, and may return
  // for no reason. `group` is below 32.
  void wait(unsigned group, std::uint32_t ticket) {
    syscall(SYS_futex, &word_, FUTEX_WAIT_BITSET_PRIVATE, ticket, nullptr, nullptr, 1u << group);
  }
  // The same, but not longer than to `deadline`; false: it has passed.
  bool wait_until(unsigned group, std::uint32_t ticket, std::chrono::steady_clock::time_point deadline) {
    const auto since = std::max(deadline.time_since_epoch(), std::chrono::steady_clock::duration::zero());
    const auto seconds = std::chrono::floor<std::chrono::seconds>(since);
    const timespec time{.tv_sec = seconds.count(),
                        .tv_nsec = std::chrono::nanoseconds(since - seconds).count()};
    // With a bit set, the time is a point on the monotonic clock, which steady_clock is.
    const long rc =
        syscall(SYS_futex, &word_, FUTEX_WAIT_BITSET_PRIVATE, ticket, &time, nullptr, 1u << group);
    return rc == 0 || errno != ETIMEDOUT;
  }
  void wake_one(unsigned group) { wake(group, 1); }
  void wake_all(unsigned group) { wake(group, INT_MAX); }

 private:
  void wake(unsigned group, int most) {
    word_.fetch_add(1, std::memory_order_release);
    syscall(SYS_futex, &word_, FUTEX_WAKE_BITSET_PRIVATE, most, nullptr, nullptr, 1u << group);
  }

  std::atomic<std::uint32_t> word_{0};
  static_assert(sizeof(std::atomic<std::uint32_t>) == sizeof(std::uint32_t));
};

}  // namespace dosql
