#include <dosql/retry.h>

#include <gmock/gmock.h>

#include "base/environment.h"

namespace dosql {
namespace {

using std::chrono::milliseconds;

constexpr std::uint64_t kHighest = ~std::uint64_t{0};

TEST(Retry, OfWhatMayGoAwayByItself) {
  EXPECT_TRUE(is_retryable(ErrorCode::kBusySnapshot));
  EXPECT_TRUE(is_retryable(Error(ErrorCode::kIo, "x")));
  for (const ErrorCode code :
       {ErrorCode::kSql, ErrorCode::kConstraint, ErrorCode::kPoisoned, ErrorCode::kCorrupt,
        ErrorCode::kOutcomeUnknown, ErrorCode::kInterrupted, ErrorCode::kInternal}) {
    EXPECT_FALSE(is_retryable(code)) << error_code_name(code);
  }
}

TEST(Retry, DelaysDoubleUpToTheLongest) {
  const RetryPolicy policy{.delay_min = milliseconds(100), .delay_max = milliseconds(1'000), .jitter = 0};
  std::vector<std::int64_t> delays;
  for (int failures = 1; failures <= 6; ++failures)
    delays.push_back(retry_delay(policy, failures, kHighest).count());
  EXPECT_THAT(delays, ::testing::ElementsAre(100, 200, 400, 800, 1'000, 1'000));
  EXPECT_EQ(retry_delay(policy, 1'000'000'000, 0).count(), 1'000) << "without counting there";
}

TEST(Retry, JitterOnlyMakesLonger) {
  const RetryPolicy policy{.delay_min = milliseconds(1'000), .jitter = 0.5};
  EXPECT_EQ(retry_delay(policy, 1, 0).count(), 1'000);
  EXPECT_EQ(retry_delay(policy, 1, kHighest / 2).count(), 1'250);
  EXPECT_GE(retry_delay(policy, 1, kHighest).count(), 1'499);
  EXPECT_LE(retry_delay(policy, 1, kHighest).count(), 1'500);
}

// An operation that fails so often, and what becomes of it.
class Trial {
 public:
  Trial(int failures, ErrorCode code) : failures_(failures), code_(code) {}

  Result<int> run(const RetryPolicy& policy, int sleeps_max = 1'000) {
    SeededRandom random(7);
    const Surroundings surroundings{.random = &random, .sleep = [&](milliseconds time) {
                                      slept += time;
                                      return ++sleeps < sleeps_max;
                                    }};
    return with_retries(policy, surroundings, [this]() -> Result<int> {
      if (++attempts <= failures_) return Error(code_, "no");
      return 42;
    });
  }

  int attempts = 0;
  int sleeps = 0;
  milliseconds slept{0};

 private:
  const int failures_;
  const ErrorCode code_;
};

TEST(Retry, UntilItSucceeds) {
  Trial trial(3, ErrorCode::kBusy);
  EXPECT_EQ(trial.run({.jitter = 0}).value(), 42);
  EXPECT_EQ(trial.attempts, 4);
  EXPECT_EQ(trial.slept.count(), 1'000 + 2'000 + 4'000);
}

TEST(Retry, NotForever) {
  Trial trial(100, ErrorCode::kIo);
  EXPECT_EQ(trial.run({.attempts_max = 4}).error().code(), ErrorCode::kIo);
  EXPECT_EQ(trial.attempts, 4);
  EXPECT_EQ(trial.sleeps, 3) << "nobody waits behind the last one";
}

TEST(Retry, NotWhatStaysWrong) {
  Trial trial(100, ErrorCode::kConstraint);
  EXPECT_FALSE(trial.run({}));
  EXPECT_EQ(trial.attempts, 1);
}

TEST(Retry, NotWhenThereIsNoTime) {
  Trial trial(100, ErrorCode::kIo);
  EXPECT_FALSE(trial.run({}, 2));
  EXPECT_EQ(trial.attempts, 2);
}

}  // namespace
}  // namespace dosql
