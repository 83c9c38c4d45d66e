// How long random tests run, and from which seed.
//
// Environment: DOSQL_TEST_SCALE (default 1; the sanitizer builds run with 0.1) multiplies counts,
// DOSQL_SOAK=1 asks for the long forms, DOSQL_SEED replays one run.
#pragma once

#include <cstdint>

namespace dosql::testing {

// `full_count` times DOSQL_TEST_SCALE, at least 1.
int scaled(int full_count);

// True in `make soak`.
bool soak();

// The seed for a random test: DOSQL_SEED when set, else `fixed_seed`, so that normal runs are repeatable; in
// soak runs a fresh one. Printed, and recorded with the running GoogleTest case's result.
std::uint64_t test_seed(std::uint64_t fixed_seed = 1);

}  // namespace dosql::testing
