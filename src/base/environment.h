// Time and chance, passed in from outside so that one seed replays everything.
#pragma once

#include <cstdint>
#include <mutex>
#include <random>

namespace dosql {

// Microseconds since 1970-01-01 00:00 UTC.
using TimestampUs = std::int64_t;

class Clock {
 public:
  virtual ~Clock() = default;
  // Thread-safe. May step back; callers that need order keep it themselves.
  virtual TimestampUs now_us() = 0;
};

class Random {
 public:
  virtual ~Random() = default;
  // Thread-safe.
  virtual std::uint64_t next_u64() = 0;
};

// The machine's wall clock.
Clock& system_clock();
// The operating system's entropy.
Random& system_random();

// A clock that stands still until told otherwise.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(TimestampUs start_us) : now_us_(start_us) {}
  TimestampUs now_us() override {
    std::lock_guard lock(mutex_);
    return now_us_;
  }
  void set_us(TimestampUs now_us) {
    std::lock_guard lock(mutex_);
    now_us_ = now_us;
  }

 private:
  std::mutex mutex_;
  TimestampUs now_us_;
};

// The same numbers for the same seed.
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed) : generator_(seed) {}
  std::uint64_t next_u64() override {
    std::lock_guard lock(mutex_);
    return generator_();
  }

 private:
  std::mutex mutex_;
  std::mt19937_64 generator_;
};

}  // namespace dosql
