// A circuit breaker: leaves a service that fails alone for a while.
//
// Closed, everything is let through. So many failures in a row open it: nothing is let through. After a while
// it is half open: what is let through now shows whether the service is back. So many successes in a row
// close it; a failure opens it again.
#pragma once

#include <chrono>
#include <mutex>

#include <dosql/time_point.h>

namespace dosql {

class Clock;

struct CircuitBreakerOptions {
  int failures_max = 5;  // in a row; then it opens
  std::chrono::milliseconds open_for{30'000};
  int trials = 3;          // successes in a row that close it again
  Clock* clock = nullptr;  // null: the machine's; must outlive the breaker
};

// One for each service, whoever uses that. Threads: any.
class CircuitBreaker {
 public:
  enum class State { kClosed, kOpen, kHalfOpen };

  explicit CircuitBreaker(const CircuitBreakerOptions& options = {}) : options_(options) {}

  State state() const;
  // How long until something is let through; 0: now.
  std::chrono::milliseconds wait() const;
  // How an attempt ended.
  void succeeded();
  void failed();

 private:
  State state_now() const;
  Timestamp now() const;

  const CircuitBreakerOptions options_;
  mutable std::mutex mutex_;  // guards what follows
  State state_ = State::kClosed;
  int in_a_row_ = 0;  // failures while closed, successes while half open
  Timestamp opened_{};
};

}  // namespace dosql
