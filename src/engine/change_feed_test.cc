#include <gmock/gmock.h>

#include <thread>

#include "diff/record.h"
#include "engine/change_feed.h"
#include "engine/engine_test_support.h"
#include "engine/feed_test_support.h"
#include "testing/run_length.h"
#include "version/store_impl.h"

namespace dosql::engine {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class ChangeFeedTest : public ::testing::Test {
 protected:
  void run(const std::string& sql) { DOSQL_EXPECT_OK(connection_.exec(sql)); }

  std::vector<Change> changes_of(ChangesOptions options = {}) {
    Changes changes = database_.changes(std::move(options)).value();
    return take_all(changes);
  }
  std::vector<std::string> lines_of(ChangesOptions options = {}) {
    std::vector<std::string> lines;
    for (const Change& change : changes_of(std::move(options))) lines.push_back(line_of(change));
    return lines;
  }
  std::uint64_t newest() { return connection_.resolve(current()).value().lsn; }

  Database database_ = open_in_memory();
  Connection connection_ = database_.connect().value();
};

TEST_F(ChangeFeedTest, NetChangesInCanonicalOrder) {
  run("CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT); INSERT INTO t VALUES (1, 'a'), (2, 'b')");
  run("BEGIN; INSERT INTO t VALUES (3, 'c'); UPDATE t SET v = 'x' WHERE id = 1; UPDATE t SET v = 'y' WHERE "
      "id = "
      "1; INSERT INTO t VALUES (4, 'd'); DELETE FROM t WHERE id = 4; DELETE FROM t WHERE id = 2; COMMIT");
  EXPECT_THAT(lines_of(), ElementsAre("insert t - -> 1,a", "insert t - -> 2,b", "delete t 2,b -> -",
                                      "update t 1,a -> 1,y", "insert t - -> 3,c"));
}

TEST_F(ChangeFeedTest, WhatAnEventCarries) {
  run("CREATE TABLE t(a TEXT, b INTEGER, c REAL AS (b * 2), d AS (b + 1) STORED, PRIMARY KEY (b, a))");
  run("INSERT INTO t VALUES ('x', 5)");
  const std::vector<Change> changes = changes_of();
  ASSERT_EQ(changes.size(), 1u);
  const Change& change = changes[0];
  EXPECT_THAT(change.after->columns(), ElementsAre("a", "b", "d")) << "a VIRTUAL column is not stored";
  const VersionId head = connection_.resolve(current()).value();
  EXPECT_EQ(change.transaction, head.lsn);
  EXPECT_GT(change.lsn, connection_.resolve(relative(-1)).value().lsn);
  EXPECT_LE(change.lsn, head.lsn);
  EXPECT_EQ(rows_text(connection_, "SELECT CAST(strftime('%s', timestamp) AS INT) FROM dosql_log LIMIT 1"),
            std::to_string(std::chrono::floor<seconds>(change.timestamp).time_since_epoch().count()));
  std::vector<diff::Field> key;
  DOSQL_ASSERT_OK(diff::decode_record(change.key, key));
  ASSERT_EQ(key.size(), 2u);
  EXPECT_EQ(key[0].integer, 5);
  EXPECT_EQ(key[1].bytes.size(), 1u);
}

TEST_F(ChangeFeedTest, OnlyWhatTheFilterLetsThrough) {
  run("CREATE TABLE t(id INTEGER PRIMARY KEY, v); CREATE TABLE u(id INTEGER PRIMARY KEY, v)");
  run("BEGIN; INSERT INTO t VALUES (1, 1), (2, 2); INSERT INTO u VALUES (1, 1); COMMIT; UPDATE t SET v = 9 "
      "WHERE id = 1; DELETE FROM t WHERE id = 2");
  EXPECT_THAT(lines_of({.filter = {.tables = {"U"}}}), ElementsAre("insert u - -> 1,1"));
  EXPECT_THAT(lines_of({.filter = {.inserts = false, .deletes = false}}), ElementsAre("update t 1,1 -> 1,9"));
  const auto odd = [](const Change& change) { return change.after && (*change.after)[1].integer() % 2 == 1; };
  EXPECT_THAT(lines_of({.filter = {.predicate = odd}}),
              ElementsAre("insert t - -> 1,1", "insert u - -> 1,1", "update t 1,1 -> 1,9"));
  // LSNs are those of the whole.
  const std::vector<Change> all = changes_of();
  EXPECT_EQ(changes_of({.filter = {.tables = {"u"}}})[0].lsn, all[2].lsn);
}

TEST_F(ChangeFeedTest, MarksAndSchemaEvents) {
  run("CREATE TABLE t(id INTEGER PRIMARY KEY)");
  run("INSERT INTO t VALUES (1)");
  run("BEGIN; ALTER TABLE t RENAME TO u; INSERT INTO u VALUES (2); COMMIT");
  run("DROP TABLE u");
  EXPECT_THAT(lines_of({.filter = {.transactions = true, .schema = true}}),
              ElementsAre("begin", "schema t - -> CREATE TABLE t(id INTEGER PRIMARY KEY)", "commit",  //
                          "begin", "insert t - -> 1", "commit",                                       //
                          "begin",
                          "schema u CREATE TABLE t(id INTEGER PRIMARY KEY) -> CREATE TABLE \"u\"(id INTEGER "
                          "PRIMARY KEY)",
                          "insert u - -> 2", "commit",  //
                          "begin", "schema u CREATE TABLE \"u\"(id INTEGER PRIMARY KEY) -> -",
                          "delete u 1 -> -", "delete u 2 -> -", "commit"));
}

TEST_F(ChangeFeedTest, NoMarksOfWhatIsBeforeAPlaceInTheFuture) {
  run("CREATE TABLE t(id INTEGER PRIMARY KEY)");
  ChangesOptions options{.filter = {.transactions = true}};
  Changes so_far = database_.changes(options).value();
  const std::vector<Change> before = take_all(so_far);
  options.after_lsn = before.back().lsn + 5'000;
  Changes changes = database_.changes(options).value();
  for (int i = 1; i <= 6; ++i) run("INSERT INTO t VALUES (" + std::to_string(i) + ")");
  const std::vector<Change> given = take_all(changes);
  EXPECT_FALSE(given.empty());
  for (const Change& change : given) EXPECT_GT(change.lsn, options.after_lsn) << line_of(change);
}

TEST_F(ChangeFeedTest, ASnapshotThenWhatComesAfterIt) {
  run("CREATE TABLE child(id INTEGER PRIMARY KEY, p REFERENCES t); CREATE TABLE t(id INTEGER PRIMARY KEY, "
      "v)");
  run("INSERT INTO t VALUES (1, 'a'), (2, 'b'); INSERT INTO child VALUES (7, 1); DELETE FROM t WHERE id = 2");
  Changes changes = database_.changes({.snapshot = true}).value();
  const std::uint64_t lsn = newest();
  run("INSERT INTO t VALUES (3, 'c')");
  const std::vector<Change> all = take_all(changes);
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(line_of(all[0]), "insert t - -> 1,a") << "parents first";
  EXPECT_EQ(line_of(all[1]), "insert child - -> 7,1");
  EXPECT_EQ(line_of(all[2]), "insert t - -> 3,c");
  EXPECT_TRUE(all[0].snapshot && all[1].snapshot && !all[2].snapshot);
  EXPECT_EQ(all[1].lsn, lsn);
}

TEST_F(ChangeFeedTest, ABranchBeginsWithItsParentsChanges) {
  run("CREATE TABLE t(id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES (1, 1); CREATE BRANCH b; INSERT INTO "
      "t "
      "VALUES (2, 2); CHECKOUT b; INSERT INTO t VALUES (3, 3); CHECKOUT main");
  EXPECT_THAT(lines_of({.branch = "b"}), ElementsAre("insert t - -> 1,1", "insert t - -> 3,3"));
  EXPECT_THAT(lines_of(), ElementsAre("insert t - -> 1,1", "insert t - -> 2,2"));
  DOSQL_EXPECT_ERROR(database_.changes({.branch = "c"}), kBranchNotFound);
  // Who reads a branch's feed is on it.
  Changes changes = database_.changes({.branch = "b"}).value();
  DOSQL_EXPECT_ERROR(connection_.delete_branch("b", {.force = true}), kInvalidArgument);
}

TEST_F(ChangeFeedTest, NothingBeforeItsTime) {
  EXPECT_THAT(changes_of(), IsEmpty());
  run("CREATE TABLE t(id INTEGER PRIMARY KEY)");
  Changes changes = database_.changes({.after_lsn = newest() + 1'000'000}).value();
  for (int i = 0; i < 3; ++i) run("INSERT INTO t VALUES (NULL)");
  EXPECT_THAT(take_all(changes), IsEmpty());
  while (newest() < 2'000'000) run("INSERT INTO t VALUES (NULL)");
  EXPECT_GT(take_all(changes).front().lsn, 1'000'000u);
}

TEST_F(ChangeFeedTest, WaitsForWhatIsComing) {
  run("CREATE TABLE t(id INTEGER PRIMARY KEY)");
  Changes changes = database_.changes({.after_lsn = newest()}).value();
  EXPECT_FALSE(changes.next(milliseconds(5)).value());
  std::thread writer([this] { run("INSERT INTO t VALUES (1)"); });
  const auto change = changes.next(seconds(60)).value();
  writer.join();
  ASSERT_TRUE(change);
  EXPECT_EQ(line_of(*change), "insert t - -> 1");
}

TEST_F(ChangeFeedTest, StopEndsAWait) {
  Changes changes = database_.changes().value();
  std::thread other([&changes] { changes.stop(); });
  EXPECT_FALSE(changes.next(std::chrono::hours(1)).value());
  other.join();
  EXPECT_TRUE(changes.stopped());
  run("CREATE TABLE t(x); INSERT INTO t VALUES (1)");
  EXPECT_FALSE(changes.next().value());
}

// A sync for each commit, or one after the other, would take the writer's disk and processor.
TEST_F(ChangeFeedTest, AFeedBesideNormalCommitsSyncsNowAndThen) {
  run("PRAGMA synchronous = NORMAL; CREATE TABLE t(id INTEGER PRIMARY KEY)");
  Changes changes = database_.changes({.after_lsn = newest()}).value();
  const auto syncs = [this] { return DatabaseAccess::core(database_).store().status().syncs; };
  const std::uint64_t syncs_before = syncs();
  const auto begun = std::chrono::steady_clock::now();
  constexpr int kCommits = 3'000;
  std::thread writer([this] {
    for (int i = 0; i < kCommits; ++i) run("INSERT INTO t VALUES (NULL)");
  });
  for (int i = 0; i < kCommits; ++i) ASSERT_TRUE(changes.next(seconds(60)).value()) << "event " << i;
  writer.join();
  const auto pauses = (std::chrono::steady_clock::now() - begun) / ChangeFeed::kSyncPause;
  EXPECT_LE(syncs() - syncs_before, static_cast<std::uint64_t>(pauses) + 2);
}

// Who polls, and whose time is up, gets what is there and does not wait for the next sync's turn.
TEST_F(ChangeFeedTest, APollSyncsAtOnce) {
  run("PRAGMA synchronous = NORMAL; CREATE TABLE t(id INTEGER PRIMARY KEY)");
  Changes changes = database_.changes({.after_lsn = newest()}).value();
  for (int i = 0; i < 50; ++i) {
    run("INSERT INTO t VALUES (NULL)");
    ASSERT_TRUE(changes.next().value());
    run("INSERT INTO t VALUES (NULL)");
    ASSERT_TRUE(changes.next(milliseconds(1)).value());
    ASSERT_FALSE(changes.next().value());
  }
}

ChangeFeed::TimePoint present{};

// What it took to catch up is there for other feeds once nothing has come for a while.
TEST_F(ChangeFeedTest, GivesBackTheMemoryThatItTookToCatchUp) {
  constexpr int kCommits = 700;
  run("PRAGMA synchronous = OFF; CREATE TABLE large(id INTEGER PRIMARY KEY, v);"
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4000)"
      "INSERT INTO large SELECT i, printf('%0900d', i) FROM n");
  const std::uint64_t begin = newest();
  for (int i = 0; i < kCommits; ++i)
    run("UPDATE large SET v = 'x' || substr(v, 2) WHERE id = " + std::to_string(1 + i * 5));
  DatabaseCore& core = DatabaseAccess::core(database_);
  version::ReplayRoom& room = core.store().impl().replay_room;
  const version::Pool& pool = core.store().impl().pool;
  const std::uint64_t pool_bytes = pool.used_bytes();
  const auto room_is_whole = [&room] {
    const bool whole = room.take(room.images());
    if (whole) room.give_back(room.images());
    return whole;
  };
  present = ChangeFeed::TimePoint(std::chrono::hours(1));
  const auto feed = ChangeFeed::open(core, {.after_lsn = begin}, [] { return present; }).value();
  const auto take_all = [&feed] {
    int count = 0;
    while (feed->next_now().value()) ++count;
    return count;
  };
  EXPECT_EQ(take_all(), kCommits);
  EXPECT_FALSE(room_is_whole());
  EXPECT_GE(pool.used_bytes(), pool_bytes + kCommits * kPageBytes);
  present += ChangeFeed::kRestAfter - milliseconds(1);
  EXPECT_EQ(take_all(), 0);
  EXPECT_FALSE(room_is_whole());
  run("UPDATE large SET v = 'then' WHERE id = 1");
  EXPECT_EQ(take_all(), 1);
  present += milliseconds(1);
  EXPECT_EQ(take_all(), 0);
  EXPECT_FALSE(room_is_whole()) << "it counts from the newest commit";
  present += ChangeFeed::kRestAfter;
  EXPECT_EQ(take_all(), 0);
  EXPECT_TRUE(room_is_whole());
  EXPECT_EQ(pool.used_bytes(), pool_bytes);
  run("UPDATE large SET v = 'now' WHERE id = 1");
  EXPECT_EQ(line_of(*feed->next_now().value()), "update large 1,then -> 1,now");
}

TEST_F(ChangeFeedTest, StopEndsACommitOfWhichNothingIsWanted) {
  run("CREATE TABLE t(id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1), (2), (3), (4), (5), (6)");
  Changes* feed = nullptr;
  int seen = 0;
  Changes changes = database_
                        .changes({.filter = {.predicate =
                                                 [&](const Change&) {
                                                   if (++seen == 3) feed->stop();
                                                   return false;
                                                 }}})
                        .value();
  feed = &changes;
  EXPECT_FALSE(changes.next(std::chrono::hours(1)).value());
  EXPECT_EQ(seen, 3);
}

// --- Slots ---

class SlotsTest : public ::testing::Test {
 protected:
  void run(const std::string& sql) { DOSQL_EXPECT_OK(connection_.exec(sql)); }
  ManualClock clock_{1'800'000'000'000'000};
  Options options_ = [this] {
    Options options;
    options.clock = &clock_;
    return options;
  }();
  Database database_ = open_in_memory(options_);
  Connection connection_ = database_.connect().value();
  Slots slots_ = database_.slots();
};

TEST_F(SlotsTest, ASubscriptionGoesOnWhereTheLastOneStopped) {
  run("CREATE TABLE t(id INTEGER PRIMARY KEY)");
  DOSQL_ASSERT_OK(slots_.create("s", {.after_lsn = 0}));
  run("INSERT INTO t VALUES (1), (2), (3)");
  {
    Changes changes = slots_.subscribe("s").value();
    EXPECT_EQ(line_of(**changes.next()), "insert t - -> 1");
    const Change second = **changes.next();
    DOSQL_EXPECT_OK(slots_.acknowledge("s", second.lsn));
    EXPECT_EQ(line_of(**changes.next()), "insert t - -> 3") << "dealt with, and not acknowledged";
    DOSQL_EXPECT_ERROR(slots_.subscribe("s"), kBusy);
    DOSQL_EXPECT_ERROR(slots_.drop("s"), kBusy);
  }
  EXPECT_EQ(rows_text(connection_, "SELECT lag_events, lag_commits FROM dosql_slots"), "1|1");
  Changes again = slots_.subscribe("s").value();
  EXPECT_EQ(line_of(**again.next()), "insert t - -> 3");
  EXPECT_FALSE(*again.next());
}

TEST_F(SlotsTest, ANewSlotBeginsNow) {
  run("CREATE TABLE t(id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1)");
  DOSQL_ASSERT_OK(slots_.create("s"));
  run("INSERT INTO t VALUES (2)");
  Changes changes = slots_.subscribe("s").value();
  EXPECT_EQ(line_of(**changes.next()), "insert t - -> 2");
}

TEST_F(SlotsTest, FollowsItsBranchThroughAFastForward) {
  run("CREATE TABLE t(id INTEGER PRIMARY KEY)");
  DOSQL_ASSERT_OK(slots_.create("s"));
  run("CREATE BRANCH b; CHECKOUT b; INSERT INTO t VALUES (1); CHECKOUT main; MERGE BRANCH b");
  run("INSERT INTO t VALUES (2)");
  Changes changes = slots_.subscribe("s").value();
  EXPECT_EQ(line_of(**changes.next()), "insert t - -> 1");
  EXPECT_EQ(line_of(**changes.next()), "insert t - -> 2");
}

TEST_F(SlotsTest, TooFarBehindIsLost) {
  run("CREATE TABLE t(id INTEGER PRIMARY KEY)");
  DOSQL_ASSERT_OK(slots_.create("aged", {.lag_max = seconds(60)}));
  DOSQL_ASSERT_OK(slots_.create("large", {.lag_bytes_max = 1'000}));
  run("INSERT INTO t VALUES (1)");
  clock_.set_us(clock_.now_us() + 59'000'000);
  EXPECT_FALSE(slots_.get("aged")->lost);
  EXPECT_FALSE(slots_.get("large")->lost);
  clock_.set_us(clock_.now_us() + 2'000'000);
  for (int i = 2; i < 20; ++i) run("INSERT INTO t VALUES (" + std::to_string(i) + ")");
  EXPECT_EQ(rows_text(connection_, "SELECT name, lost FROM dosql_slots"), "aged|1\nlarge|1");
  DOSQL_EXPECT_ERROR(slots_.subscribe("aged"), kHistoryExpired);
  DOSQL_EXPECT_ERROR(slots_.acknowledge("large", 1), kHistoryExpired);
  DOSQL_EXPECT_OK(slots_.drop("aged"));
}

TEST_F(SlotsTest, WhoHasAcknowledgedEverythingIsNotBehind) {
  run("CREATE TABLE t(id INTEGER PRIMARY KEY)");
  DOSQL_ASSERT_OK(slots_.create("s", {.lag_max = seconds(60), .lag_bytes_max = 1'000}));
  {
    Changes changes = slots_.subscribe("s").value();
    run("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 900) INSERT INTO t "
        "SELECT i FROM n");
    const std::vector<Change> all = take_all(changes);
    ASSERT_EQ(all.size(), 900u);
    DOSQL_ASSERT_OK(slots_.acknowledge("s", all[898].lsn));
    EXPECT_EQ(slots_.get("s")->lag_commits, 1u);
    DOSQL_ASSERT_OK(slots_.acknowledge("s", all[899].lsn));
  }
  clock_.set_us(clock_.now_us() + 100'000'000);
  const SlotInfo info = slots_.get("s").value();
  EXPECT_FALSE(info.lost);
  EXPECT_EQ(info.lag_commits, 0u);
  EXPECT_EQ(info.lag_bytes, 0u);
  EXPECT_EQ(info.lag.count(), 0);
  DOSQL_EXPECT_OK(slots_.subscribe("s"));
}

TEST_F(SlotsTest, Refusals) {
  run("CREATE TABLE t(id INTEGER PRIMARY KEY); CREATE BRANCH b");
  DOSQL_EXPECT_ERROR(slots_.create("s", {.branch = "c"}), kBranchNotFound);
  DOSQL_EXPECT_ERROR(slots_.create("../s"), kInvalidArgument);
  DOSQL_EXPECT_ERROR(slots_.create("s", {.lag_max = seconds(-1)}), kInvalidArgument);
  DOSQL_EXPECT_ERROR(slots_.create("s", {.lag_max = seconds::max()}), kInvalidArgument);
  DOSQL_ASSERT_OK(slots_.create("s", {.branch = "b"}));
  DOSQL_EXPECT_ERROR(slots_.create("s"), kAlreadyExists);
  DOSQL_EXPECT_ERROR(slots_.acknowledge("s", 1'000'000'000), kInvalidArgument);
  DOSQL_EXPECT_ERROR(slots_.subscribe("none"), kNotFound);
  DOSQL_EXPECT_OK(connection_.delete_branch("b"));
  DOSQL_EXPECT_ERROR(slots_.subscribe("s"), kBranchNotFound);
  EXPECT_TRUE(slots_.get("s")->lost);
}

// A power loss can take back a branch that was made without a sync, and the next one gets its id.
TEST_F(SlotsTest, AnotherBranchWithTheIdIsNotItsBranch) {
  run("CREATE BRANCH b");
  DatabaseCore& core = DatabaseAccess::core(database_);
  const version::BranchInfo b = *core.store().find_branch("b");
  const auto made_us = static_cast<std::uint64_t>(b.created_us);
  DOSQL_ASSERT_OK(core.feed_slots().create("mine", b.id, made_us, Lsn{}, 0, 0));
  DOSQL_ASSERT_OK(core.feed_slots().create("its", b.id, made_us - 1, Lsn{}, 0, 0));
  DOSQL_ASSERT_OK(core.feed_slots().create("none", BranchId{900}, made_us + 1, Lsn{}, 0, 0));
  EXPECT_EQ(rows_text(connection_, "SELECT name, branch, lost FROM dosql_slots"),
            "its|NULL|1\nmine|b|0\nnone|NULL|1");
  DOSQL_EXPECT_ERROR(slots_.subscribe("its"), kBranchNotFound);
  DOSQL_EXPECT_OK(slots_.subscribe("mine"));
}

TEST_F(SlotsTest, WhatTheFilterLeftOutIsGiven) {
  run("CREATE TABLE t(id INTEGER PRIMARY KEY); CREATE TABLE u(id INTEGER PRIMARY KEY)");
  DOSQL_ASSERT_OK(slots_.create("s", {.after_lsn = 0}));
  run("INSERT INTO t VALUES (1), (2); INSERT INTO u VALUES (1)");
  Changes changes = slots_.subscribe("s", {.tables = {"t"}}).value();
  EXPECT_EQ(changes.given_lsn(), 0u);
  const std::uint64_t first = changes.next().value()->lsn;
  EXPECT_EQ(changes.given_lsn(), first) << "there is more of its commit";
  EXPECT_TRUE(changes.next().value());
  EXPECT_FALSE(changes.next().value());
  EXPECT_EQ(changes.given_lsn(), connection_.resolve(current()).value().lsn);
  DOSQL_EXPECT_OK(slots_.acknowledge("s", changes.given_lsn()));
  EXPECT_EQ(slots_.get("s")->lag_commits, 0u);

  Changes snapshot = database_.changes({.snapshot = true}).value();
  EXPECT_TRUE(snapshot.next().value());
  EXPECT_EQ(snapshot.given_lsn(), 0u) << "in the middle of it";
}

// A commit owns more LSNs than it has changes.
TEST_F(SlotsTest, WhoAcknowledgedTheNewestChangeIsNotBehind) {
  run("CREATE TABLE t(id INTEGER PRIMARY KEY)");
  DOSQL_ASSERT_OK(slots_.create("s", {.lag_max = seconds(60)}));
  run("INSERT INTO t VALUES (1), (2)");
  {
    Changes changes = slots_.subscribe("s").value();
    DOSQL_EXPECT_OK(slots_.acknowledge("s", changes.next().value()->lsn));
    EXPECT_EQ(slots_.get("s")->lag_commits, 1u) << "one of its changes is left";
    DOSQL_EXPECT_OK(slots_.acknowledge("s", changes.next().value()->lsn));
    EXPECT_EQ(slots_.get("s")->lag_commits, 0u);
  }
  EXPECT_EQ(slots_.get("s")->lag_commits, 0u) << "it was written when the subscription ended";
  clock_.set_us(clock_.now_us() + 100'000'000);
  EXPECT_EQ(slots_.get("s")->lag.count(), 0);
  EXPECT_FALSE(slots_.get("s")->lost) << "there is nothing that it does not have";
}

// A feed reads ahead of whoever acknowledges.
TEST_F(SlotsTest, WhatTheFilterLeavesOutFollowsTheNewestChange) {
  run("CREATE TABLE t(id INTEGER PRIMARY KEY); CREATE TABLE u(id INTEGER PRIMARY KEY)");
  DOSQL_ASSERT_OK(slots_.create("s"));
  run("INSERT INTO t VALUES (1); INSERT INTO u VALUES (1); INSERT INTO t VALUES (2); INSERT INTO u VALUES "
      "(2)");
  Changes changes = slots_.subscribe("s", {.tables = {"t"}}).value();
  const std::uint64_t first = changes.next().value()->lsn;
  const std::uint64_t second = changes.next().value()->lsn;
  EXPECT_FALSE(changes.next().value());
  EXPECT_EQ(slots_.get("s")->lag_commits, 4u) << "given, and not acknowledged";
  DOSQL_EXPECT_OK(slots_.acknowledge("s", first));
  EXPECT_EQ(slots_.get("s")->acknowledged_lsn, first);
  DOSQL_EXPECT_OK(slots_.acknowledge("s", second));
  EXPECT_EQ(slots_.get("s")->lag_commits, 0u);
  EXPECT_EQ(slots_.get("s")->acknowledged_lsn, second) << "that, and nothing else, was said";
  run("INSERT INTO u VALUES (3)");
  EXPECT_EQ(slots_.get("s")->lag_commits, 1u);
  EXPECT_FALSE(changes.next().value());
  EXPECT_EQ(slots_.get("s")->lag_commits, 0u);
}

// The mark behind a commit's last change is still to come.
TEST_F(SlotsTest, AMarkThatWasNotGivenIsNotPassed) {
  run("CREATE TABLE t(id INTEGER PRIMARY KEY)");
  DOSQL_ASSERT_OK(slots_.create("s"));
  run("INSERT INTO t VALUES (1)");
  {
    Changes changes = slots_.subscribe("s", {.transactions = true}).value();
    EXPECT_EQ(changes.next().value()->type, ChangeType::kBegin);
    DOSQL_EXPECT_OK(slots_.acknowledge("s", changes.next().value()->lsn));
  }
  Changes again = slots_.subscribe("s", {.transactions = true}).value();
  EXPECT_EQ(again.next().value()->type, ChangeType::kCommit);
}

TEST_F(SlotsTest, OneThatBeginsInTheFuture) {
  DOSQL_ASSERT_OK(slots_.create("s", {.after_lsn = 1'000'000'000}));
  run("CREATE TABLE t(id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1)");
  Changes changes = slots_.subscribe("s").value();
  EXPECT_FALSE(changes.next().value());
  DOSQL_EXPECT_OK(slots_.acknowledge("s", changes.given_lsn()));
  DOSQL_EXPECT_ERROR(slots_.acknowledge("s", 1'000'000'001), kInvalidArgument);
  EXPECT_EQ(slots_.get("s")->lag_commits, 0u);
}

TEST_F(SlotsTest, ChangesInSql) {
  run("CREATE TABLE t(id INTEGER PRIMARY KEY, v); CREATE TABLE u(x); INSERT INTO t VALUES (1, 'a')");
  run("INSERT INTO u VALUES (1.5); UPDATE t SET v = NULL");
  EXPECT_EQ(
      rows_text(connection_, "SELECT change, table_name, hex(key), before, after FROM dosql_changes(0)"),
      "insert|t|0209|NULL|{\"id\":1,\"v\":\"a\"}\n"
      "insert|u|0209|NULL|{\"x\":1.5}\n"
      "update|t|0209|{\"id\":1,\"v\":\"a\"}|{\"id\":1,\"v\":null}");
  EXPECT_EQ(rows_text(connection_, "SELECT count(*) FROM dosql_changes(0, 'U , nothing')"), "1");
  EXPECT_EQ(
      rows_text(connection_, "SELECT change FROM dosql_changes((SELECT max(lsn) - 1 FROM dosql_changes(0)))"),
      "update");
  EXPECT_EQ(rows_text(connection_, "SELECT * FROM dosql_changes('x')").substr(0, 6), "error:");
}

// --- Random ---

// Resuming behind any event gives exactly those that came after it; and all of them together, played back,
// make the tables what they are.
class RandomFeedTest : public ChangeFeedTest {
 protected:
  void random_commits(std::mt19937_64& random, int count) {
    for (int i = 0; i < count; ++i) {
      run("BEGIN");
      for (std::uint64_t left = random() % 4; left-- > 0;) {
        run("SAVEPOINT s");
        run(random_feed_statement(random));
        if (random() % 4 == 0) run("ROLLBACK TO s");
        run("RELEASE s");
      }
      run(random() % 5 == 0 ? "ROLLBACK" : "COMMIT");
    }
  }

  static std::string described(const std::vector<Change>& changes, std::size_t first) {
    std::string text;
    for (std::size_t i = first; i < changes.size(); ++i)
      text += std::to_string(changes[i].lsn) + " " + line_of(changes[i]) + "\n";
    return text;
  }
};

TEST_F(RandomFeedTest, EveryPlaceCanBeResumedFrom) {
  const std::uint64_t seed = test_seed();
  SCOPED_TRACE("DOSQL_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  run(kFeedTables);
  random_commits(random, testing::scaled(60));
  const std::vector<Change> all = changes_of();
  FeedPlayback playback;
  for (const Change& change : all) playback.apply(change);
  EXPECT_EQ(playback.text(), feed_tables_text(connection_));
  for (std::size_t i = 1; i < all.size(); ++i) EXPECT_LT(all[i - 1].lsn, all[i].lsn);
  for (std::size_t i = 0; i < all.size(); ++i) {
    ASSERT_EQ(described(changes_of({.after_lsn = all[i].lsn}), 0), described(all, i + 1))
        << "behind event " << i;
  }
}

}  // namespace
}  // namespace dosql::engine
