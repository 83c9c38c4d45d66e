#include "base/environment.h"

#include <sys/random.h>
#include <time.h>

#include "base/check.h"

namespace dosql {
namespace {

class SystemClock final : public Clock {
 public:
  TimestampUs now_us() override {
    timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return TimestampUs{now.tv_sec} * 1'000'000 + now.tv_nsec / 1'000;
  }
};

class SystemRandom final : public Random {
 public:
  std::uint64_t next_u64() override {
    std::uint64_t value = 0;
    CHECK(getrandom(&value, sizeof value, 0) == sizeof value);
    return value;
  }
};

}  // namespace

Clock& system_clock() {
  static SystemClock clock;
  return clock;
}

Random& system_random() {
  static SystemRandom random;
  return random;
}

}  // namespace dosql
