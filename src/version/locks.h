// Locks for sections of well under a microsecond that never wait for I/O inside.
#pragma once

#include <atomic>
#include <cstdint>

#include <sched.h>

namespace dosql::version {

namespace detail {
inline void cpu_pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Spins a little, then lets others run: the holder may have been descheduled.
class Backoff {
 public:
  void pause() {
    if (++turns_ < 64) {
      cpu_pause();
    } else {
      sched_yield();
    }
  }

 private:
  int turns_ = 0;
};
}  // namespace detail

class SpinLock {
 public:
  void lock() {
    detail::Backoff backoff;
    while (locked_.exchange(true, std::memory_order_acquire)) {
      while (locked_.load(std::memory_order_relaxed)) backoff.pause();
    }
  }
  bool try_lock() {
    return !locked_.load(std::memory_order_relaxed) && !locked_.exchange(true, std::memory_order_acquire);
  }
  void unlock() { locked_.store(false, std::memory_order_release); }

 private:
  std::atomic<bool> locked_{false};
};

// Many readers or one writer, in four bytes. A waiting writer keeps new readers out.
class SharedSpinLock {
 public:
  void lock_shared() {
    detail::Backoff backoff;
    while (true) {
      std::uint32_t state = state_.load(std::memory_order_relaxed);
      if (!(state & kWriterBits) &&
          state_.compare_exchange_weak(state, state + kReader, std::memory_order_acquire)) {
        return;
      }
      backoff.pause();
    }
  }
  void unlock_shared() { state_.fetch_sub(kReader, std::memory_order_release); }

  void lock() {
    detail::Backoff backoff;
    while (true) {
      std::uint32_t state = state_.load(std::memory_order_relaxed);
      if ((state & ~kWaiting) == 0) {
        if (state_.compare_exchange_weak(state, kWriter, std::memory_order_acquire)) return;
      } else if (!(state & kWaiting)) {
        state_.fetch_or(kWaiting, std::memory_order_relaxed);
      }
      backoff.pause();
    }
  }
  bool try_lock() {
    std::uint32_t state = 0;
    return state_.compare_exchange_strong(state, kWriter, std::memory_order_acquire);
  }
  void unlock() { state_.fetch_and(~kWriter, std::memory_order_release); }

 private:
  static constexpr std::uint32_t kWriter = 1;
  static constexpr std::uint32_t kWaiting = 2;
  static constexpr std::uint32_t kReader = 4;
  static constexpr std::uint32_t kWriterBits = kWriter | kWaiting;

  std::atomic<std::uint32_t> state_{0};
};

}  // namespace dosql::version
