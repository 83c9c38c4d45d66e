#include <dosql/consumer.h>

#include <gmock/gmock.h>

#include <thread>

#include "base/environment.h"
#include "engine/engine_test_support.h"
#include "engine/feed_test_support.h"
#include "testing/run_length.h"

namespace dosql {
namespace {

using engine::failure_text;
using engine::line_of;
using engine::rows_text;
using std::chrono::milliseconds;
using ::testing::ElementsAre;

class ConsumerTest : public ::testing::Test {
 protected:
  void run(const std::string& sql) { DOSQL_EXPECT_OK(connection_.exec(sql)); }

  void SetUp() override { run("CREATE TABLE t(id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1), (2), (3)"); }

  // Without real time: who sleeps moves the clock.
  ConsumerOptions options(ConsumerOptions options = {}) {
    options.create = SlotOptions{.after_lsn = 0};
    options.surroundings.random = &random_;
    options.surroundings.clock = &clock_;
    options.surroundings.sleep = [this](milliseconds time) {
      slept_.push_back(time.count());
      clock_.set_us(clock_.now_us() + time.count() * 1'000);
      return true;
    };
    return options;
  }

  // All that is there.
  Status drain(Consumer& consumer, const Consumer::Handler& handler) {
    consumer.drain();
    return consumer.run(handler);
  }
  Status drain(const ConsumerOptions& options, const Consumer::Handler& handler) {
    Consumer consumer(database_, "s", options);
    return drain(consumer, handler);
  }
  // Deals with everything.
  Consumer::Handler note() {
    return [this](const Change& change) -> Status {
      handled_.push_back(line_of(change));
      return {};
    };
  }
  // Fails so often on the row with that id.
  Consumer::Handler fail_on(std::int64_t id, int times, ErrorCode code) {
    return [this, id, times, code](const Change& change) -> Status {
      if ((*change.after)[0].integer() == id && attempts_++ < times) return Error(code, "no");
      handled_.push_back(line_of(change));
      return {};
    };
  }
  std::string slot_lag() { return rows_text(connection_, "SELECT lag_events FROM dosql_slots"); }

  ManualClock clock_{1'800'000'000'000'000};
  SeededRandom random_{5};
  Database database_ = [this] {
    Options options;
    options.clock = &clock_;
    return engine::open_in_memory(options);
  }();
  Connection connection_ = database_.connect().value();
  DeadLetters dead_ = DeadLetters::open(database_, {.clock = &clock_}).value();
  std::vector<std::string> handled_;
  std::vector<std::int64_t> slept_;
  int attempts_ = 0;
};

TEST_F(ConsumerTest, InOrderAndOnce) {
  DOSQL_ASSERT_OK(drain(options(), note()));
  EXPECT_THAT(handled_, ElementsAre("insert t - -> 1", "insert t - -> 2", "insert t - -> 3"));
  EXPECT_EQ(slot_lag(), "0");
  run("DELETE FROM t WHERE id = 2");
  DOSQL_ASSERT_OK(drain(options(), note()));
  EXPECT_EQ(handled_.size(), 4u);
  EXPECT_EQ(handled_.back(), "delete t 2 -> -");
}

TEST_F(ConsumerTest, TriesAgainWhatMayGoAway) {
  Consumer consumer(database_, "s",
                    options({.retry = {.attempts_max = 4, .delay_min = milliseconds(100), .jitter = 0}}));
  DOSQL_ASSERT_OK(drain(consumer, fail_on(2, 3, ErrorCode::kIo)));
  EXPECT_THAT(handled_, ElementsAre("insert t - -> 1", "insert t - -> 2", "insert t - -> 3"));
  EXPECT_THAT(slept_, ElementsAre(100, 200, 400));
  EXPECT_EQ(consumer.stats().handled, 3u);
  EXPECT_EQ(consumer.stats().failures, 3u);
}

TEST_F(ConsumerTest, WithoutAQueueItEndsInFrontOfWhatItCannotDealWith) {
  const Status done = drain(options(), fail_on(2, 100, ErrorCode::kBusy));
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code(), ErrorCode::kBusy);
  EXPECT_THAT(
      done.error().message(),
      ::testing::MatchesRegex("the change of t at LSN [0-9]+ was not dealt with after 3 attempts: no"));
  EXPECT_EQ(attempts_, 3);
  EXPECT_EQ(slot_lag(), "2");
  DOSQL_ASSERT_OK(drain(options(), note()));
  EXPECT_THAT(handled_, ElementsAre("insert t - -> 1", "insert t - -> 2", "insert t - -> 3"));
}

TEST_F(ConsumerTest, DeadLettersGetOutOfTheWay) {
  const Status done = drain(options({.dead_letters = &dead_}), fail_on(2, 100, ErrorCode::kConstraint));
  DOSQL_ASSERT_OK(done);
  EXPECT_EQ(attempts_, 1) << "bad data stays bad";
  EXPECT_THAT(slept_, ElementsAre());
  EXPECT_THAT(handled_, ElementsAre("insert t - -> 1", "insert t - -> 3"));
  EXPECT_EQ(slot_lag(), "0") << "the queue's own table is left out and counts as dealt with";
  const auto letters = dead_.list("s").value();
  ASSERT_EQ(letters.size(), 1u);
  EXPECT_EQ(line_of(letters[0].change), "insert t - -> 2");
  EXPECT_EQ(letters[0].code, "DOSQL_CONSTRAINT");
  EXPECT_EQ(letters[0].attempts, 1);
  EXPECT_EQ(dead_.retry("s", note()).value().dealt_with, 1u);
  EXPECT_EQ(handled_.back(), "insert t - -> 2");
}

TEST_F(ConsumerTest, DeadBehindTheLastAttempt) {
  DOSQL_ASSERT_OK(drain(options({.dead_letters = &dead_}), fail_on(2, 100, ErrorCode::kIo)));
  EXPECT_EQ(attempts_, 3);
  EXPECT_EQ(dead_.list("s").value()[0].attempts, 3);
}

// A consumer of everything with a queue beside it does not live on its own dead letters.
TEST_F(ConsumerTest, ItsOwnTableIsNotFedBack) {
  ConsumerOptions all = options({.dead_letters = &dead_});
  all.filter.transactions = true;
  int calls = 0;
  const auto refuse = [&](const Change& change) -> Status {
    ++calls;
    if (change.type == ChangeType::kInsert) return Error(ErrorCode::kSql, "no");
    return {};
  };
  for (int i = 0; i < 5; ++i) DOSQL_ASSERT_OK(drain(all, refuse));
  EXPECT_EQ(dead_.count("s").value(), 3u);
  EXPECT_LT(calls, 20) << "the marks of its own commits, too";
}

TEST_F(ConsumerTest, ABreakerWaitsForAServiceThatIsDown) {
  CircuitBreaker breaker(
      {.failures_max = 5, .open_for = milliseconds(60'000), .trials = 1, .clock = &clock_});
  // For an hour.
  const std::int64_t up_us = clock_.now_us() + 3'600'000'000;
  const auto service = [&](const Change& change) -> Status {
    ++attempts_;
    if (clock_.now_us() < up_us) return Error(ErrorCode::kIo, "down");
    handled_.push_back(line_of(change));
    return {};
  };
  DOSQL_ASSERT_OK(drain(options({.breaker = &breaker, .dead_letters = &dead_}), service));
  EXPECT_EQ(handled_.size() + dead_.count("s").value(), 3u);
  EXPECT_EQ(dead_.count("s").value(), 1u) << "the one with which it began";
  EXPECT_LT(attempts_, 70) << "once a minute";
  EXPECT_EQ(breaker.state(), CircuitBreaker::State::kClosed);
}

TEST_F(ConsumerTest, WhatTheFilterLeavesOutIsAcknowledged) {
  run("CREATE TABLE u(x)");
  ConsumerOptions of_u = options();
  of_u.filter.tables = {"u"};
  DOSQL_ASSERT_OK(drain(of_u, note()));
  EXPECT_THAT(handled_, ElementsAre());
  EXPECT_EQ(slot_lag(), "0");
  EXPECT_EQ(rows_text(connection_, "SELECT lag_bytes FROM dosql_slots"), "0");
}

TEST_F(ConsumerTest, StopLetsTheChangeInHandBeDealtWith) {
  Consumer consumer(database_, "s", options());
  DOSQL_ASSERT_OK(consumer.run([&](const Change& change) -> Status {
    if ((*change.after)[0].integer() == 2) consumer.stop();
    handled_.push_back(line_of(change));
    return {};
  }));
  EXPECT_THAT(handled_, ElementsAre("insert t - -> 1", "insert t - -> 2"));
  EXPECT_EQ(slot_lag(), "1");
  DOSQL_ASSERT_OK(consumer.run(note()));
  EXPECT_EQ(handled_.size(), 2u) << "it stays stopped";
  DOSQL_ASSERT_OK(drain(options(), note()));
  EXPECT_EQ(handled_.size(), 3u);
}

TEST_F(ConsumerTest, StopEndsWaits) {
  ConsumerOptions real = options({.retry = {.attempts_max = 10, .delay_min = std::chrono::hours(1)}});
  real.surroundings = {};
  real.retry.delay_max = std::chrono::hours(1);
  for (const bool fails : {true, false}) {
    Consumer consumer(database_, "s", real);
    std::thread other([&] {
      while (consumer.stats().failures == 0 && consumer.stats().handled < 3) std::this_thread::yield();
      consumer.stop();
    });
    DOSQL_EXPECT_OK(consumer.run([&](const Change&) -> Status {
      if (fails) return Error(ErrorCode::kIo, "no");
      return {};
    }));
    other.join();
    EXPECT_EQ(slot_lag(), fails ? "3" : "0") << "what failed comes again";
  }
}

TEST_F(ConsumerTest, DrainIsForWhatWasThere) {
  Consumer consumer(database_, "s", options());
  consumer.drain();
  run("INSERT INTO t VALUES (4)");
  DOSQL_ASSERT_OK(consumer.run([&](const Change& change) -> Status {
    handled_.push_back(line_of(change));
    run("INSERT INTO t VALUES (NULL)");
    return {};
  }));
  EXPECT_EQ(handled_.size(), 3u);
  EXPECT_EQ(slot_lag(), "4") << "what came meanwhile waits for the next one";
}

TEST_F(ConsumerTest, OneAtATime) {
  Consumer consumer(database_, "s", options());
  ConsumerOptions impatient = options();
  impatient.reconnect.attempts_max = 2;
  Status second;
  const Status first = drain(consumer, [&](const Change&) -> Status {
    second = drain(impatient, note());
    return {};
  });
  DOSQL_ASSERT_OK(first);
  DOSQL_EXPECT_ERROR(second, kBusy);
  EXPECT_THAT(handled_, ElementsAre());
}

TEST_F(ConsumerTest, Refusals) {
  ConsumerOptions none = options();
  none.create = {};
  DOSQL_EXPECT_ERROR(drain(none, note()), kNotFound);
  Consumer named(database_, "../s", options());
  DOSQL_EXPECT_ERROR(named.run(note()), kInvalidArgument);
  DOSQL_ASSERT_OK(database_.slots().create("s", {.after_lsn = 0, .lag_bytes_max = 1}));
  DOSQL_EXPECT_ERROR(drain(options(), note()), kHistoryExpired);
  // In the future: nothing comes, and nothing is acknowledged.
  DOSQL_ASSERT_OK(database_.slots().create("later", {.after_lsn = 1'000'000'000}));
  Consumer later(database_, "later", options());
  DOSQL_EXPECT_OK(drain(later, note()));
}

TEST_F(ConsumerTest, AHandlerThatThrowsGivesTheSlotBack) {
  EXPECT_THROW(
      drain(options(), [](const Change&) -> Status { throw std::runtime_error("x"); }).ignore("thrown"),
      std::runtime_error);
  DOSQL_EXPECT_OK(drain(options(), note()));
  EXPECT_EQ(handled_.size(), 3u);
}

// Handlers that fail at random, consumers that are stopped at random: in the end each change was dealt with
// once or is a dead letter, in order.
TEST_F(ConsumerTest, RandomFailures) {
  const std::uint64_t seed = testing::test_seed();
  SCOPED_TRACE("DOSQL_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  run("CREATE TABLE w(k TEXT PRIMARY KEY, n) WITHOUT ROWID; ALTER TABLE t ADD COLUMN v");
  std::map<std::uint64_t, std::string> dealt_with;
  std::uint64_t newest = 0;
  constexpr ErrorCode kCodes[] = {ErrorCode::kIo, ErrorCode::kBusy, ErrorCode::kSql};
  for (int i = 0; i < testing::scaled(300); ++i) {
    for (std::uint64_t left = random() % 4; left > 0; --left) run(engine::random_feed_statement(random));
    ConsumerOptions chosen = options({.dead_letters = &dead_});
    CircuitBreaker breaker({.clock = &clock_});
    if (random() % 2 == 0) chosen.breaker = &breaker;
    const std::uint64_t stop_at = random() % 30;
    Consumer consumer(database_, "s", chosen);
    DOSQL_ASSERT_OK(drain(consumer, [&](const Change& change) -> Status {
      if (random() % 30 == stop_at) consumer.stop();
      if (random() % 3 == 0) return Error(kCodes[random() % 3], "no");
      EXPECT_TRUE(dealt_with.emplace(change.lsn, line_of(change)).second) << "twice: " << line_of(change);
      EXPECT_GT(change.lsn, std::exchange(newest, change.lsn));
      return {};
    }));
  }
  DOSQL_ASSERT_OK(drain(options(), [&](const Change& change) -> Status {
    dealt_with.emplace(change.lsn, line_of(change));
    return {};
  }));
  for (const DeadLetter& letter : dead_.list("s", 0, 1'000'000).value())
    EXPECT_TRUE(dealt_with.emplace(letter.change.lsn, line_of(letter.change)).second);
  Changes feed = database_.changes({.filter = {.tables = {"t", "w"}}}).value();
  std::map<std::uint64_t, std::string> all;
  for (const Change& change : engine::take_all(feed)) all.emplace(change.lsn, line_of(change));
  EXPECT_EQ(dealt_with, all);
}

}  // namespace
}  // namespace dosql
