#include <dosql/consumer.h>
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "sql/lexer.h"

namespace dosql {
namespace {

// How soon a drain is noticed while nothing comes, and how often what a filter leaves out is acknowledged.
constexpr std::chrono::milliseconds kLook(100);

// What the handler wants of the feed, without the table that the consumer writes to itself.
ChangeFilter filter_of(const ConsumerOptions& options) {
  ChangeFilter filter = options.filter;
  if (options.dead_letters == nullptr) return filter;
  filter.predicate = [wanted = filter.predicate,
                      table = options.dead_letters->table()](const Change& change) {
    return !sql::equals_ignoring_case(change.table, table) && (!wanted || wanted(change));
  };
  return filter;
}

std::string described(const Change& change) {
  return change.table.empty() ? fmt::format("the change at LSN {}", change.lsn)
                              : fmt::format("the change of {} at LSN {}", change.table, change.lsn);
}

}  // namespace

Consumer::Consumer(Database database, std::string slot, ConsumerOptions options)
    : database_(std::move(database)),
      slot_(std::move(slot)),
      options_(std::move(options)),
      surroundings_(options_.surroundings) {
  surroundings_.sleep = [this](std::chrono::milliseconds time) { return pause(time); };
}

Status Consumer::run(const Handler& handler) {
  // Of a handler that throws, too.
  struct End {
    Consumer& consumer;
    ~End() {
      std::lock_guard lock(consumer.mutex_);
      consumer.feed_.reset();
    }
  };
  const End end{*this};
  if (is_stopped()) return {};
  DOSQL_RETURN_IF_ERROR(subscribe());
  return work(handler);
}

Status Consumer::subscribe() {
  Slots slots = database_.slots();
  DOSQL_ASSIGN_OR_RETURN(Changes feed,
                         with_retries(options_.reconnect, surroundings_, [&]() -> Result<Changes> {
                           auto found = slots.subscribe(slot_, filter_of(options_));
                           if (found || found.error().code() != ErrorCode::kNotFound || !options_.create)
                             return found;
                           const Status made = slots.create(slot_, *options_.create);
                           // Somebody else may have made it.
                           if (!made && made.error().code() != ErrorCode::kAlreadyExists) return made.error();
                           return slots.subscribe(slot_, filter_of(options_));
                         }));
  DOSQL_ASSIGN_OR_RETURN(const SlotInfo info, slots.get(slot_));
  acknowledged_ = info.acknowledged_lsn;
  std::lock_guard lock(mutex_);
  feed_.emplace(std::move(feed));
  if (is_stopped()) feed_->stop();
  return {};
}

Status Consumer::work(const Handler& handler) {
  while (!is_stopped()) {
    const bool draining = draining_;
    DOSQL_ASSIGN_OR_RETURN(const auto change, with_retries(options_.reconnect, surroundings_, [&] {
                             return feed_->next(draining ? std::chrono::milliseconds(0) : kLook);
                           }));
    if (!change) {
      // The slot moves on over what the filter leaves out, and what is acknowledged gets written.
      DOSQL_RETURN_IF_ERROR(acknowledge(std::max(acknowledged_.load(), feed_->given_lsn())));
      if (draining) return {};
      continue;
    }
    if (draining && change->lsn > drain_lsn_) return {};
    DOSQL_ASSIGN_OR_RETURN(const bool dealt_with, deal_with(*change, handler));
    if (!dealt_with) return {};
    DOSQL_RETURN_IF_ERROR(acknowledge(change->lsn));
  }
  return {};
}

// False: it was stopped, and the change is to come again.
Result<bool> Consumer::deal_with(const Change& change, const Handler& handler) {
  for (int failures = 0;;) {
    if (!await_circuit()) return false;
    const Status done = handler(change);
    CircuitBreaker* const breaker = options_.breaker;
    if (done) {
      if (breaker != nullptr) breaker->succeeded();
      ++handled_;
      return true;
    }
    ++failures_;
    const bool retryable = is_retryable(done.error());
    if (retryable && breaker != nullptr) {
      breaker->failed();
      if (breaker->state() != CircuitBreaker::State::kClosed) continue;
    }
    if (retryable && ++failures < options_.retry.attempts_max) {
      if (!wait_to_retry(options_.retry, failures, surroundings_)) return false;
      continue;
    }
    DOSQL_RETURN_IF_ERROR(give_up(change, done.error(), std::max(failures, 1)));
    return true;
  }
}

Status Consumer::give_up(const Change& change, const Error& error, int failures) {
  if (options_.dead_letters == nullptr) {
    return Error(error).with_context(fmt::format("{} was not dealt with after {} attempt{}",
                                                 described(change), failures, failures == 1 ? "" : "s"));
  }
  DOSQL_RETURN_IF_ERROR(with_retries(options_.reconnect, surroundings_, [&] {
    return options_.dead_letters->add(slot_, change, error, failures);
  }));
  ++dead_;
  return {};
}

Status Consumer::acknowledge(std::uint64_t lsn) {
  Slots slots = database_.slots();
  DOSQL_RETURN_IF_ERROR(
      with_retries(options_.reconnect, surroundings_, [&] { return slots.acknowledge(slot_, lsn); }));
  acknowledged_ = lsn;
  return {};
}

// False: it was stopped meanwhile.
bool Consumer::await_circuit() {
  if (options_.breaker == nullptr) return true;
  while (true) {
    const std::chrono::milliseconds wait = options_.breaker->wait();
    if (wait.count() == 0) return true;
    if (!pause(wait)) return false;
  }
}

// False: it was stopped.
bool Consumer::pause(std::chrono::milliseconds time) {
  if (options_.surroundings.sleep) return options_.surroundings.sleep(time) && !is_stopped();
  std::unique_lock lock(mutex_);
  return !wakes_.wait_for(lock, time, [this] { return is_stopped(); });
}

void Consumer::stop() {
  std::lock_guard lock(mutex_);
  stopped_ = true;
  if (feed_) feed_->stop();
  wakes_.notify_all();
}

void Consumer::drain() {
  // Where nothing can be followed nothing new comes either.
  drain_lsn_ = database_.wait_for_commit(0, std::chrono::milliseconds(0))
                   .value_or(std::numeric_limits<std::uint64_t>::max());
  draining_ = true;
}

ConsumerStats Consumer::stats() const {
  return {
      .handled = handled_, .failures = failures_, .dead_letters = dead_, .acknowledged_lsn = acknowledged_};
}

}  // namespace dosql
