#include <dosql/circuit_breaker.h>

#include <gtest/gtest.h>

#include "base/environment.h"

namespace dosql {
namespace {

using std::chrono::milliseconds;
using State = CircuitBreaker::State;

class CircuitBreakerTest : public ::testing::Test {
 protected:
  void pass(std::int64_t ms) { clock_.set_us(clock_.now_us() + ms * 1'000); }
  void fail(int times) {
    for (int i = 0; i < times; ++i) breaker_.failed();
  }

  ManualClock clock_{1'000'000'000};
  CircuitBreaker breaker_{{.failures_max = 3, .open_for = milliseconds(500), .trials = 2, .clock = &clock_}};
};

TEST_F(CircuitBreakerTest, OpensBehindFailuresInARow) {
  fail(2);
  breaker_.succeeded();
  fail(2);
  EXPECT_EQ(breaker_.state(), State::kClosed) << "one in between was none";
  fail(1);
  EXPECT_EQ(breaker_.state(), State::kOpen);
  EXPECT_EQ(breaker_.wait(), milliseconds(500));
}

TEST_F(CircuitBreakerTest, ClosesWhenTheTrialsSucceed) {
  fail(3);
  pass(499);
  EXPECT_EQ(breaker_.wait(), milliseconds(1));
  breaker_.succeeded();
  EXPECT_EQ(breaker_.state(), State::kOpen) << "what began before does not count";
  pass(1);
  EXPECT_EQ(breaker_.state(), State::kHalfOpen);
  EXPECT_EQ(breaker_.wait(), milliseconds(0));
  breaker_.succeeded();
  EXPECT_EQ(breaker_.state(), State::kHalfOpen);
  breaker_.succeeded();
  EXPECT_EQ(breaker_.state(), State::kClosed);
  fail(2);
  EXPECT_EQ(breaker_.state(), State::kClosed) << "it counts anew";
}

TEST_F(CircuitBreakerTest, AFailedTrialOpensItAgain) {
  fail(3);
  pass(500);
  breaker_.succeeded();
  fail(1);
  EXPECT_EQ(breaker_.wait(), milliseconds(500));
  pass(500);
  breaker_.succeeded();
  EXPECT_EQ(breaker_.state(), State::kHalfOpen) << "trials count anew, too";
}

TEST_F(CircuitBreakerTest, AClockThatStepsBackDoesNotKeepItOpen) {
  fail(3);
  pass(-3'600'000);
  EXPECT_EQ(breaker_.state(), State::kHalfOpen);
}

}  // namespace
}  // namespace dosql
