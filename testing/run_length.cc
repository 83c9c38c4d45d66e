#include "testing/run_length.h"

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <string>

#include <gtest/gtest.h>

#include "base/environment.h"

namespace dosql::testing {

int scaled(int full_count) {
  const char* scale = std::getenv("DOSQL_TEST_SCALE");
  if (scale == nullptr) return full_count;
  return std::max(1, static_cast<int>(full_count * std::strtod(scale, nullptr)));
}

bool soak() {
  const char* wanted = std::getenv("DOSQL_SOAK");
  return wanted != nullptr && std::string(wanted) == "1";
}

std::uint64_t test_seed(std::uint64_t fixed_seed) {
  std::uint64_t seed = soak() ? system_random().next_u64() : fixed_seed;
  if (const char* given = std::getenv("DOSQL_SEED")) seed = std::strtoull(given, nullptr, 0);
  std::printf("replay with DOSQL_SEED=%" PRIu64 "\n", seed);
  ::testing::Test::RecordProperty("seed", std::to_string(seed));
  return seed;
}

}  // namespace dosql::testing
