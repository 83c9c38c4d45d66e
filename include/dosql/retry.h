// Trying again: how long to wait behind a failure, and when to stop trying.
//
//   auto done = with_retries({}, {}, [&] { return connection.exec(sql); });
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <utility>

#include <dosql/result.h>

namespace dosql {

class Clock;
class Random;

// Whether the same call may succeed a little later, with nothing else changed: somebody else was in the way,
// or the machine or what is behind it did not answer. DOSQL_BUSY, DOSQL_BUSY_SNAPSHOT, DOSQL_LOCKED,
// DOSQL_IO, DOSQL_DISK_FULL, DOSQL_OUT_OF_MEMORY. False for what the data, the statement or the program
// causes, for what was asked for (DOSQL_INTERRUPTED), and for what only opening the database again mends.
bool is_retryable(ErrorCode code);
inline bool is_retryable(const Error& error) { return is_retryable(error.code()); }

struct RetryPolicy {
  int attempts_max = 5;  // the first one included
  // Behind the first failure; each delay after it is twice the one before.
  std::chrono::milliseconds delay_min{1'000};
  std::chrono::milliseconds delay_max{30'000};
  // Each delay is longer by a random part of it, at most this one, so that those who failed together do not
  // come back together.
  double jitter = 0.2;
};

// How long to wait behind failure number `failures`, from 1 on. `random`: any number, evenly distributed.
std::chrono::milliseconds retry_delay(const RetryPolicy& policy, int failures, std::uint64_t random);

// Where time, chance and waiting come from. Null or empty: the machine's. What it points to must outlive who
// got it.
struct Surroundings {
  Clock* clock = nullptr;
  Random* random = nullptr;
  // False: there is no time left, do not try again.
  std::function<bool(std::chrono::milliseconds)> sleep = {};
};

// Waits behind failure number `failures`. False: do not try again.
bool wait_to_retry(const RetryPolicy& policy, int failures, const Surroundings& surroundings);

// Runs `operation`, which returns a Status or a Result, until it succeeds, fails with what is not
// retryable, or has failed `attempts_max` times. Returns what it returned last.
template <class Operation>
auto with_retries(const RetryPolicy& policy, const Surroundings& surroundings, Operation&& operation) {
  for (int failures = 1;; ++failures) {
    auto outcome = operation();
    const bool ended = outcome || !is_retryable(outcome.error()) || failures >= policy.attempts_max;
    if (ended || !wait_to_retry(policy, failures, surroundings)) return outcome;
  }
}

}  // namespace dosql
