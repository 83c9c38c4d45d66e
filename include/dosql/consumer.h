// A consumer: runs a function over the changes that a slot's feed gives, and keeps going.
//
//   dosql::DeadLetters dead = dosql::DeadLetters::open(database).value();
//   dosql::ConsumerOptions options{.create = dosql::SlotOptions{}, .dead_letters = &dead};
//   dosql::Consumer consumer(database, "search-index", options);
//   std::thread worker([&] { consumer.run(index); });  // Status index(const dosql::Change&)
//   ...
//   consumer.stop();
//   worker.join();
//
// What becomes of each change, one after the other, in the order of the feed:
//
//  1. The handler deals with it: the slot moves on.
//  2. The handler fails with what is_retryable() (retry.h): it is asked again, after longer and longer
//     delays. So for a handler that reaches out to something, "it does not answer" is DOSQL_IO or DOSQL_BUSY.
//  3. It fails with anything else, or too often: the change becomes a dead letter and the slot moves on.
//     Without a queue of dead letters run() ends with that failure, and the change comes again next time.
//
// At least once: after a crash what was dealt with last may come again, with the same LSN.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>

#include <dosql/changes.h>
#include <dosql/circuit_breaker.h>
#include <dosql/database.h>
#include <dosql/dead_letters.h>
#include <dosql/result.h>
#include <dosql/retry.h>
#include <dosql/slots.h>

namespace dosql {

struct ConsumerOptions {
  ChangeFilter filter = {};
  // How the slot is made where there is none; none: that is DOSQL_NOT_FOUND.
  std::optional<SlotOptions> create = {};
  // Of a change that the handler fails on.
  RetryPolicy retry{.attempts_max = 3, .delay_min = std::chrono::milliseconds(100)};
  // Of what the consumer itself needs: the slot, the feed, the queue of dead letters.
  RetryPolicy reconnect = {};
  // Counts the handler's retryable failures. While it is not closed the consumer waits, and a failure then is
  // not one more attempt of the change: a service that is down for an hour makes no dead letters. For that
  // retry.attempts_max must be below the breaker's failures_max. Must outlive the consumer.
  CircuitBreaker* breaker = nullptr;
  // Its table is left out of what the handler gets, on whatever branch. Must outlive the consumer.
  DeadLetters* dead_letters = nullptr;
  // An empty `sleep` waits until stop().
  Surroundings surroundings = {};
};

struct ConsumerStats {
  std::uint64_t handled = 0;       // changes that the handler dealt with
  std::uint64_t failures = 0;      // of the handler
  std::uint64_t dead_letters = 0;  // that it made
  std::uint64_t acknowledged_lsn = 0;
};

class Consumer {
 public:
  using Handler = std::function<Status(const Change&)>;

  // `slot` is also its name in the queue of dead letters.
  Consumer(Database database, std::string slot, ConsumerOptions options = {});
  Consumer(const Consumer&) = delete;
  Consumer& operator=(const Consumer&) = delete;

  // Until stop(), the end of a drain(), or an error: those of Slots::subscribe(), Changes::next() and
  // Slots::acknowledge() that did not go away, and as above. On return the slot is free, and what was
  // acknowledged is written. It may be run again after an error. One thread at a time.
  Status run(const Handler& handler);

  // Any thread. run() returns when the change in hand has been dealt with or has failed once more, without
  // further waiting; what failed comes again. It stays stopped.
  void stop();
  // Any thread. run() returns when all that is visible by now has been dealt with, as always: with retries
  // and dead letters. To stop a consumer for good without leaving work behind: what comes later it does not
  // deal with.
  void drain();

  // Any thread.
  ConsumerStats stats() const;

 private:
  Status subscribe();
  Status work(const Handler& handler);
  Result<bool> deal_with(const Change& change, const Handler& handler);
  Status give_up(const Change& change, const Error& error, int failures);
  Status acknowledge(std::uint64_t lsn);
  bool await_circuit();
  bool pause(std::chrono::milliseconds time);
  bool is_stopped() const { return stopped_.load(std::memory_order_relaxed); }

  Database database_;
  const std::string slot_;
  const ConsumerOptions options_;
  Surroundings surroundings_;  // whose sleep ends with stop()

  std::mutex mutex_;  // guards feed_ against stop(), and the sleep
  std::condition_variable wakes_;
  std::optional<Changes> feed_;
  std::atomic<bool> stopped_{false};
  std::atomic<bool> draining_{false};
  std::atomic<std::uint64_t> drain_lsn_{0};
  std::atomic<std::uint64_t> handled_{0};
  std::atomic<std::uint64_t> failures_{0};
  std::atomic<std::uint64_t> dead_{0};
  std::atomic<std::uint64_t> acknowledged_{0};
};

}  // namespace dosql
