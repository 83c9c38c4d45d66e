#include <dosql/retry.h>

#include <algorithm>
#include <thread>

#include "base/environment.h"

namespace dosql {

bool is_retryable(ErrorCode code) {
  switch (code) {
    case ErrorCode::kBusy:
    case ErrorCode::kBusySnapshot:
    case ErrorCode::kLocked:
    case ErrorCode::kIo:
    case ErrorCode::kDiskFull:
    case ErrorCode::kOutOfMemory: return true;
    default: return false;
  }
}

std::chrono::milliseconds retry_delay(const RetryPolicy& policy, int failures, std::uint64_t random) {
  std::chrono::milliseconds delay = std::min(policy.delay_min, policy.delay_max);
  for (int i = 1; i < failures && delay < policy.delay_max; ++i)
    delay = std::min(2 * delay, policy.delay_max);
  constexpr double kAll = 18446744073709551616.0;  // 2^64
  const double part = policy.jitter * (static_cast<double>(random) / kAll);
  return delay +
         std::chrono::milliseconds(static_cast<std::int64_t>(static_cast<double>(delay.count()) * part));
}

bool wait_to_retry(const RetryPolicy& policy, int failures, const Surroundings& surroundings) {
  Random& random = surroundings.random != nullptr ? *surroundings.random : system_random();
  const std::chrono::milliseconds delay = retry_delay(policy, failures, random.next_u64());
  if (surroundings.sleep) return surroundings.sleep(delay);
  std::this_thread::sleep_for(delay);
  return true;
}

}  // namespace dosql
