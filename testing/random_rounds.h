// Random tests in rounds, each of which can be run alone: what fails names its seed.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <random>

#include "testing/run_length.h"

namespace dosql::testing {

// Runs check(std::mt19937_64&) `count` times, in soak `soak_count` times, until a round fails; fewer times as
// scaled() says. The first seed is test_seed(), each round's the next one.
template <class Check>
void for_random_rounds(int count, int soak_count, const Check& check) {
  const std::uint64_t first = test_seed();
  const int rounds = scaled(soak() ? soak_count : count);
  for (int round = 0; round < rounds; ++round) {
    const std::uint64_t seed = first + static_cast<std::uint64_t>(round);
    SCOPED_TRACE(fmt::format("DOSQL_SEED={} (round {})", seed, round));
    std::mt19937_64 random(seed);
    check(random);
    if (::testing::Test::HasFailure()) return;
  }
}

}  // namespace dosql::testing
