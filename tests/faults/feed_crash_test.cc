// The machine or the process stops while a consumer with a slot follows a database. After each crash the feed
// is what the rows say it must be; what it gave before is in it, the same and at the same LSN, unless it
// promised less; the slot is where the consumer left it, or a little behind; and behind every event the feed
// can be resumed, also in the middle of a transaction.
//
// The consumer is in the process that writes, or in one that follows it. In the first the feed syncs before
// it gives. In the second it gives what is visible, which a power loss may take back where nothing was
// synced.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>

#include "engine/engine_test_support.h"
#include "engine/feed_test_support.h"
#include "testing/run_length.h"
#include "testing/simulated_disk.h"

namespace dosql::testing {
namespace {

using engine::DatabaseAccess;
using engine::DatabaseCore;

constexpr const char* kSlot = "consumer";

class FollowedDatabase {
 public:
  explicit FollowedDatabase(std::uint64_t seed) : random_(seed), entropy_(seed) {
    options_.clock = &clock_;
    options_.random = &entropy_;
  }

  // Opens, works until a crash, loses what a crash loses.
  void live() {
    disk_->crash_at(one_in(4) ? random_() % 20 : random_() % 150);
    while (!disk_->has_crashed() && !::testing::Test::HasFailure()) open_and_work();
    const bool loses_power = !one_in(4);
    lost_power_ = lost_power_ || loses_power;
    disk_ = loses_power ? disk_->after_power_loss(entropy_) : disk_->after_process_kill();
  }

  // The whole history once more: behind every event comes what came behind it.
  void resume_everywhere() {
    open();
    if (!writer_) return;
    const std::vector<Change> all = feed_from(*writer_, 0);
    for (std::size_t i = 0; i < all.size() && !::testing::Test::HasFailure(); ++i)
      expect_resumed(*writer_, all, i, one_in(50) ? all.size() : 4);
    events_ = all.size();
    writer_.reset();
  }

  std::uint64_t events() const { return events_; }
  std::uint64_t taken_back() const { return taken_back_; }
  std::uint64_t given_again() const { return given_again_; }

 private:
  struct Given {
    std::string line;
    bool promised = false;  // a power loss must not take it
  };

  bool one_in(std::uint64_t n) { return random_() % n == 0; }
  bool crashed() const { return disk_->has_crashed(); }

  std::optional<Database> open_as(OpenMode mode) {
    Options options = options_;
    options.mode = mode;
    auto core = DatabaseCore::open(disk_->directory(), "/nowhere/simulated", options);
    if (!core) {
      EXPECT_TRUE(crashed()) << core.error().message();
      return {};
    }
    if (mode != OpenMode::kReadOnly) store_ = &(*core)->store();
    return DatabaseAccess::make(*std::move(core));
  }
  void open() {
    writer_ = open_as(OpenMode::kCreateIfMissing);
    if (crashed()) writer_.reset();
  }

  // Up to the crash or a clean close.
  void open_and_work() {
    open();
    if (!writer_) return;
    {
      auto connection = writer_->connect();
      ASSERT_TRUE(connection) << connection.error().message();
      settle(*connection);
      if (one_in(2)) follower_ = open_as(OpenMode::kReadOnly);
      if (!crashed() && !::testing::Test::HasFailure()) work(*connection);
      end_subscription();
    }
    follower_.reset();
    const Status closed = writer_->close();
    EXPECT_TRUE(closed || crashed()) << closed.error().message();
    if (closed) promise_all();
    writer_.reset();
  }

  // What the crash left.
  void settle(Connection& connection) {
    const auto promise = [&](bool done) {
      EXPECT_TRUE(done || crashed());
      return done && !crashed();
    };
    if (!promise(connection.exec(made_ ? "SELECT 1" : "DROP TABLE IF EXISTS t; DROP TABLE IF EXISTS w")
                     .has_value()))
      return;
    if (!made_) {
      if (!promise(connection.exec(engine::kFeedTables).has_value())) return;
      made_ = true;
    }
    const std::vector<Change> all = feed_from(*writer_, 0);
    if (crashed()) return;
    expect_what_the_rows_say(connection, all);
    expect_what_was_given(all);
    expect_slot_in_its_place(all);
    promise_all();
    lost_power_ = false;
    if (!all.empty()) expect_resumed(*writer_, all, random_() % all.size(), all.size());
  }

  // The LSNs of the feed ascend.
  std::vector<Change> feed_from(Database& database, std::uint64_t lsn) {
    std::vector<Change> all;
    auto feed = database.changes({.after_lsn = lsn});
    while (feed) {
      auto change = feed->next();
      if (!change) feed = std::move(change).error();
      if (!feed || !*change) break;
      EXPECT_GT((*change)->lsn, all.empty() ? lsn : all.back().lsn);
      all.push_back(**std::move(change));
    }
    EXPECT_TRUE(feed || crashed()) << feed.error().message();
    return all;
  }

  void expect_what_the_rows_say(Connection& connection, const std::vector<Change>& all) {
    engine::FeedPlayback playback;
    for (const Change& change : all) playback.apply(change);
    EXPECT_EQ(playback.text(), engine::feed_tables_text(connection));
  }

  // No event between those given is missing, and of those given only those that nobody promised.
  void expect_what_was_given(const std::vector<Change>& all) {
    std::map<std::uint64_t, std::string> lines;
    for (const Change& change : all) lines[change.lsn] = engine::line_of(change);
    for (auto given = given_.begin(); given != given_.end();) {
      const auto found = lines.find(given->first);
      if (found != lines.end()) {
        EXPECT_EQ(found->second, given->second.line) << "LSN " << given->first;
        ++given;
        continue;
      }
      EXPECT_TRUE(lost_power_ && !given->second.promised)
          << "LSN " << given->first << " was given and is gone";
      ++taken_back_;
      given = given_.erase(given);
    }
    for (const auto& [lsn, line] : lines) {
      if (given_.empty() || lsn > given_.rbegin()->first) break;
      EXPECT_TRUE(given_.contains(lsn)) << "LSN " << lsn << " was passed over: " << line;
    }
  }

  void expect_slot_in_its_place(const std::vector<Change>& all) {
    Slots slots = writer_->slots();
    const auto slot = slots.get(kSlot);
    if (!slot && slot.error().code() == ErrorCode::kNotFound && !slot_is_durable_) return;
    ASSERT_TRUE(slot) << slot.error().message();
    slot_is_durable_ = true;
    EXPECT_FALSE(slot->lost);
    EXPECT_GE(slot->acknowledged_lsn, acknowledged_durable_);
    EXPECT_LE(slot->acknowledged_lsn, acknowledged_);
    acknowledged_ = slot->acknowledged_lsn;
    // What a killed process wrote and did not sync is there, and a power loss may still take it.
    if (lost_power_) acknowledged_durable_ = acknowledged_;
    const std::uint64_t behind = slot->acknowledged_lsn;
    const auto next = std::ranges::find_if(all, [&](const Change& change) { return change.lsn > behind; });
    auto feed = slots.subscribe(kSlot);
    if (crashed()) return;
    ASSERT_TRUE(feed) << feed.error().message();
    const auto first = feed->next();
    if (crashed()) return;
    ASSERT_TRUE(first) << first.error().message();
    ASSERT_EQ(first->has_value(), next != all.end());
    if (*first) {
      EXPECT_EQ(engine::line_of(**first), engine::line_of(*next));
    }
  }

  void expect_resumed(Database& database, const std::vector<Change>& all, std::size_t behind,
                      std::size_t count) {
    auto feed = database.changes({.after_lsn = all[behind].lsn});
    for (std::size_t i = behind + 1; i < std::min(all.size(), behind + 1 + count); ++i) {
      if (crashed()) return;
      ASSERT_TRUE(feed) << feed.error().message();
      const auto change = feed->next();
      if (crashed()) return;
      ASSERT_TRUE(change && *change) << "behind event " << behind << " number " << i << " is missing";
      ASSERT_EQ((*change)->lsn, all[i].lsn) << "behind event " << behind;
      ASSERT_EQ(engine::line_of(**change), engine::line_of(all[i])) << "behind event " << behind;
    }
  }

  void work(Connection& connection) {
    for (std::uint64_t steps = 1 + random_() % 60; steps > 0 && !crashed(); --steps) {
      clock_.set_us(clock_.now_us() + static_cast<TimestampUs>(random_() % 30'000));
      if (one_in(5)) choose_durability(connection);
      switch (random_() % 10) {
        case 0: expect_done(writer_->maintain(1000).has_value()); break;
        case 1: work_on_a_branch(connection); break;
        case 2:
        case 3:
        case 4: commit(connection); break;
        default: consume(); break;
      }
      if (::testing::Test::HasFailure()) return;
    }
  }

  void choose_durability(Connection& connection) {
    constexpr const char* kModes[] = {"OFF", "NORMAL", "FULL"};
    expect_done(connection.exec(fmt::format("PRAGMA synchronous = {}", kModes[random_() % 3])).has_value());
  }

  void expect_done(bool done) { EXPECT_TRUE(done || crashed()); }

  void commit(Connection& connection) {
    std::string sql = "BEGIN;";
    for (std::uint64_t left = 1 + random_() % 4; left > 0; --left) {
      sql += "SAVEPOINT s;" + engine::random_feed_statement(random_) + ";";
      if (one_in(4)) sql += "ROLLBACK TO s;";
      sql += "RELEASE s;";
    }
    const Status done = connection.exec(sql + (one_in(6) ? "ROLLBACK" : "COMMIT"));
    EXPECT_TRUE(done || crashed()) << done.error().message() << " in " << sql;
  }

  // Its commits come to main by a fast-forward, or as a merge.
  void work_on_a_branch(Connection& connection) {
    const std::string name = fmt::format("side{}", ++branches_);
    const auto run = [&](const std::string& sql) {
      if (crashed()) return;
      const Status done = connection.exec(sql);
      EXPECT_TRUE(done || crashed()) << sql << ": " << done.error().message();
    };
    run("CREATE BRANCH " + name);
    if (one_in(2)) commit(connection);
    run("CHECKOUT " + name);
    for (std::uint64_t left = 1 + random_() % 2; left > 0 && !crashed(); --left) commit(connection);
    run("CHECKOUT main");
    choose_durability(connection);
    run("MERGE BRANCH " + name + " STRATEGY ours");
  }

  // In a process that follows where there is one.
  Database& consumers_database() { return follower_ ? *follower_ : *writer_; }

  void consume() {
    Slots slots = consumers_database().slots();
    if (!feed_) {
      auto feed = slots.subscribe(kSlot);
      if (!feed && feed.error().code() == ErrorCode::kNotFound) {
        const Status made = slots.create(kSlot, {.after_lsn = 0});
        EXPECT_TRUE(made || crashed()) << made.error().message();
        slot_is_durable_ = slot_is_durable_ || made;
        return;
      }
      EXPECT_TRUE(feed || crashed()) << feed.error().message();
      if (feed) feed_.emplace(*std::move(feed));
      return;
    }
    if (one_in(8)) return end_subscription();
    for (std::uint64_t left = one_in(2) ? 1'000 : random_() % 6; left > 0; --left) {
      if (!take_one()) return;
      if (one_in(3)) acknowledge(slots);
    }
  }

  // False: there is nothing now.
  bool take_one() {
    const auto change = feed_->next();
    if (!change) {
      EXPECT_TRUE(crashed()) << change.error().message();
      return false;
    }
    if (!*change) return false;
    last_given_ = (*change)->lsn;
    const bool on_disk = !follower_ || everything_is_durable();
    const auto [given, is_new] = given_.try_emplace(last_given_, Given{engine::line_of(**change), on_disk});
    if (is_new) return true;
    ++given_again_;
    EXPECT_EQ(given->second.line, engine::line_of(**change))
        << "LSN " << last_given_ << " came with other content";
    return true;
  }

  // A fast-forward is behind the commits that it brings.
  bool everything_is_durable() const { return store_->status().durable_lsn >= store_->visible_lsn(); }

  void acknowledge(Slots& slots) {
    const bool must_be_written = one_in(2);
    if (must_be_written) clock_.set_us(clock_.now_us() + 60'000);
    const Status done = slots.acknowledge(kSlot, last_given_);
    EXPECT_TRUE(done || crashed()) << done.error().message();
    acknowledged_ = std::max(acknowledged_, last_given_);
    acknowledged_here_ = acknowledged_here_ || done;
    if (done && must_be_written) acknowledged_durable_ = acknowledged_;
  }

  void end_subscription() {
    feed_.reset();
    if (acknowledged_here_ && !crashed()) acknowledged_durable_ = acknowledged_;
    acknowledged_here_ = false;
  }

  void promise_all() {
    for (auto& [lsn, given] : given_) given.promised = true;
  }

  std::mt19937_64 random_;
  SeededRandom entropy_;
  ManualClock clock_{1'700'000'000'000'000};
  Options options_;
  std::unique_ptr<SimulatedDisk> disk_ = std::make_unique<SimulatedDisk>();
  std::optional<Database> writer_;
  std::optional<Database> follower_;
  version::VersionStore* store_ = nullptr;  // of the writer
  std::optional<Changes> feed_;             // the slot's
  bool made_ = false;                       // the tables are there for good
  bool lost_power_ = false;                 // since it was last looked at
  bool slot_is_durable_ = false;
  std::uint64_t branches_ = 0;
  std::map<std::uint64_t, Given> given_;  // to the consumer, by LSN
  std::uint64_t last_given_ = 0;
  std::uint64_t acknowledged_ = 0;          // the slot may be up to here
  std::uint64_t acknowledged_durable_ = 0;  // and must be
  bool acknowledged_here_ = false;          // in this subscription, whose end writes it
  std::uint64_t events_ = 0;
  std::uint64_t taken_back_ = 0;
  std::uint64_t given_again_ = 0;
};

TEST(FeedCrashTest, NothingIsLostAndNothingComesOtherwise) {
  const std::uint64_t seed = test_seed();
  const int points = scaled(soak() ? 40'000 : 2'000);
  std::uint64_t events = 0;
  std::uint64_t taken_back = 0;
  std::uint64_t given_again = 0;
  int crashes = 0;
  for (std::uint64_t run = 0; crashes < points; ++run) {
    SCOPED_TRACE(fmt::format("DOSQL_SEED={} feed_crash_test", seed + run));
    FollowedDatabase database(seed + run);
    for (int life = 0; life < 20; ++life) {
      database.live();
      ++crashes;
      ASSERT_FALSE(HasFailure()) << "in life " << life;
    }
    database.resume_everywhere();
    ASSERT_FALSE(HasFailure()) << "at the end";
    events += database.events();
    taken_back += database.taken_back();
    given_again += database.given_again();
  }
  RecordProperty("crashes", crashes);
  RecordProperty("events", static_cast<int>(events));
  EXPECT_GT(events, static_cast<std::uint64_t>(crashes)) << "or nothing was tested";
  EXPECT_GT(given_again, 0u);
  EXPECT_GT(taken_back, 0u);
}

}  // namespace
}  // namespace dosql::testing
