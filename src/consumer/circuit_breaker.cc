#include <dosql/circuit_breaker.h>

#include "base/environment.h"

namespace dosql {

Timestamp CircuitBreaker::now() const {
  Clock& clock = options_.clock != nullptr ? *options_.clock : system_clock();
  return Timestamp{std::chrono::microseconds{clock.now_us()}};
}

// REQUIRES: mutex_ is held.
CircuitBreaker::State CircuitBreaker::state_now() const {
  if (state_ != State::kOpen) return state_;
  // A clock that stepped back must not keep it open.
  const Timestamp time = now();
  return time >= opened_ && time < opened_ + options_.open_for ? State::kOpen : State::kHalfOpen;
}

CircuitBreaker::State CircuitBreaker::state() const {
  std::lock_guard lock(mutex_);
  return state_now();
}

std::chrono::milliseconds CircuitBreaker::wait() const {
  std::lock_guard lock(mutex_);
  if (state_now() != State::kOpen) return std::chrono::milliseconds(0);
  return std::chrono::ceil<std::chrono::milliseconds>(opened_ + options_.open_for - now());
}

void CircuitBreaker::succeeded() {
  std::lock_guard lock(mutex_);
  switch (state_now()) {
    case State::kClosed: in_a_row_ = 0; break;
    // Of an attempt that began before it opened.
    case State::kOpen: break;
    case State::kHalfOpen:
      if (state_ == State::kOpen) in_a_row_ = 0;
      state_ = State::kHalfOpen;
      if (++in_a_row_ < options_.trials) break;
      state_ = State::kClosed;
      in_a_row_ = 0;
      break;
  }
}

void CircuitBreaker::failed() {
  std::lock_guard lock(mutex_);
  const State state = state_now();
  if (state == State::kOpen) return;
  if (state == State::kClosed && ++in_a_row_ < options_.failures_max) return;
  state_ = State::kOpen;
  opened_ = now();
  in_a_row_ = 0;
}

}  // namespace dosql
