#include "base/environment.h"

#include <chrono>
#include <thread>
#include <unordered_set>
#include <vector>

#include <gtest/gtest.h>

namespace dosql {
namespace {

// Seconds or nanoseconds in place of microseconds would be off by a factor of 1000 at least.
TEST(SystemClock, CountsMicrosecondsSince1970) {
  using std::chrono::duration_cast, std::chrono::microseconds, std::chrono::system_clock;
  const auto expected_us = [] {
    return duration_cast<microseconds>(system_clock::now().time_since_epoch()).count();
  };
  const TimestampUs before_us = expected_us();
  const TimestampUs now_us = dosql::system_clock().now_us();
  EXPECT_GE(now_us, before_us - 60'000'000);
  EXPECT_LE(now_us, expected_us() + 60'000'000);
}

TEST(SystemRandom, DoesNotRepeat) {
  std::unordered_set<std::uint64_t> seen;
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(seen.insert(system_random().next_u64()).second);
}

TEST(ManualClock, StandsStillUntilSet) {
  ManualClock clock(1'000);
  EXPECT_EQ(clock.now_us(), 1'000);
  EXPECT_EQ(clock.now_us(), 1'000);
  clock.set_us(500);
  EXPECT_EQ(clock.now_us(), 500) << "a test must be able to step back";
}

// The C++ standard fixes the numbers of std::mt19937_64 (this is its first with the default seed), so a seed
// printed by one machine replays on another.
TEST(SeededRandom, ReplaysFromItsSeed) {
  SeededRandom first(5489);
  SeededRandom second(5489);
  EXPECT_EQ(first.next_u64(), 14514284786278117030ull);
  second.next_u64();
  for (int i = 0; i < 100; ++i) EXPECT_EQ(first.next_u64(), second.next_u64());
}

TEST(SeededRandom, OtherSeedsGiveOtherNumbers) {
  EXPECT_NE(SeededRandom(1).next_u64(), SeededRandom(2).next_u64());
}

// Under TSan, a missing lock is reported; without it, a number is lost or drawn twice.
TEST(SeededRandom, MayBeUsedFromManyThreads) {
  constexpr int kThreads = 4;
  constexpr int kDraws = 1'000;
  SeededRandom shared(7);
  std::vector<std::vector<std::uint64_t>> drawn(kThreads);
  std::vector<std::thread> threads;
  for (auto& numbers : drawn) {
    threads.emplace_back([&shared, &numbers] {
      for (int i = 0; i < kDraws; ++i) numbers.push_back(shared.next_u64());
    });
  }
  for (auto& thread : threads) thread.join();

  std::unordered_multiset<std::uint64_t> together;
  for (const auto& numbers : drawn) together.insert(numbers.begin(), numbers.end());
  SeededRandom alone(7);
  for (int i = 0; i < kThreads * kDraws; ++i) {
    EXPECT_EQ(together.count(alone.next_u64()), 1u);
  }
}

}  // namespace
}  // namespace dosql
