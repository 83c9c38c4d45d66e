#include "bench/changes_work.h"

#include <dosql/dosql.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <functional>
#include <map>
#include <thread>

#include "bench/commit_work.h"
#include "bench/table.h"
#include "bench/timed_commits.h"

namespace dosql::bench {
namespace {

constexpr int kLargeRows = 20'000'000;
constexpr int kDiffs = 1'000;
constexpr int kCatchUpCommits = 100'000;
constexpr int kLiveCommits = 1'000;
constexpr int kCommitsBesideFeeds = 30'000;
constexpr int kFullCommitsBesideFeeds = 1'000;
constexpr int kSlots = 5;
constexpr int kHistoryCommits = 1'000'000;
constexpr int kHistoryVersions = 1'000;
// The row whose history is asked for; its neighbours are in the same leaf.
constexpr int kWatchedRow = 42;
constexpr int kNeighbour = 43;

// The table with its rows, in a folder of its own.
class Filled {
 public:
  Filled(const Place& place, int rows)
      : scratch_(place.directory),
        database_(value_of(Database::open(scratch_.path_of("ours")))),
        connection_(value_of(database_.connect())) {
    run("PRAGMA synchronous = NORMAL");
    create_table(connection_.sqlite_handle());
    insert_rows(connection_.sqlite_handle(), rows);
    settle(scratch_.path());
  }

  Database& database() { return database_; }
  Connection& connection() { return connection_; }
  sqlite3* db() { return connection_.sqlite_handle(); }
  const std::string& folder() const { return scratch_.path(); }
  void run(const std::string& sql) { check(connection_.exec(sql)); }
  std::uint64_t newest_lsn() { return value_of(connection_.resolve(current())).lsn; }

 private:
  const Scratch scratch_;
  Database database_;
  Connection connection_;
};

// How many rows differ between a version and the one before.
std::int64_t count_changes(Connection& connection, std::uint64_t version) {
  const auto row =
      value_of(connection.query_one("SELECT count(*) FROM dosql_diff('t', ?, ?)",
                                    fmt::format("main@{}", version - 1), fmt::format("main@{}", version)));
  return (*row)[0].integer();
}

void bench_bulk_diff(Report& report, const Place& place) {
  const std::string name = "diff-bulk";
  if (!report.wants(name)) return;
  const int rows = report.scaled(kTableRows);
  Filled filled(place, rows);
  filled.run("UPDATE t SET n = n + 1");
  const std::uint64_t version = filled.connection().version();
  count_changes(filled.connection(), version);
  report.measure(
      {.name = name, .what = "diff of all rows changed at once, warm", .unit = "rows/s", .least = 4e6},
      [&](int) {
        const Stopwatch watch;
        if (count_changes(filled.connection(), version) != rows) fail("the diff missed rows");
        return rows / watch.seconds();
      });
}

void bench_small_diff(Report& report, const Place& place, const std::string& name, int rows) {
  if (!report.wants(name)) return;
  Filled filled(place, rows);
  const int count = report.scaled(kDiffs);
  const std::uint64_t first = filled.connection().version() + 1;
  update_commits(filled.db(), count, rows, 0);
  report.measure({.name = name,
                  .what = fmt::format("diff of one changed row in {} M, adjacent versions", rows / 1e6),
                  .unit = "ms",
                  .better = Better::kLess,
                  .most = 0.2},
                 [&](int) {
                   const Stopwatch watch;
                   for (int i = 0; i < count; ++i)
                     if (count_changes(filled.connection(), first + static_cast<std::uint64_t>(i)) > 1)
                       fail("the diff has too many rows");
                   return watch.seconds() * 1e3 / count;
                 });
}

// --- Catching up ---

// The events behind an LSN, until there are no more.
int count_events(Database& database, std::uint64_t after_lsn) {
  Changes changes = value_of(database.changes({.after_lsn = after_lsn}));
  int events = 0;
  while (value_of(changes.next())) ++events;
  return events;
}

void measure_catch_up(Report& report, const Subject& subject, Filled& filled, std::uint64_t after_lsn,
                      int least) {
  report.measure(subject, [&](int) {
    const Stopwatch watch;
    const int events = count_events(filled.database(), after_lsn);
    const double seconds = watch.seconds();
    if (events < least) fail("the feed missed events");
    return events / seconds;
  });
}

// --- Live ---

// Sorted, in milliseconds.
struct Latencies {
  std::vector<double> after_commit;  // from when the commit was acknowledged until its event was there
  std::vector<double> after_begin;   // from when the commit was begun
};

// Of the next `count` commits of make_timed_commits().
Latencies take_live(Changes& changes, int count) {
  struct Seen {
    std::int64_t at_ns;
    std::int64_t begin_ns;
    std::int64_t before_took_ns;
  };
  std::vector<Seen> seen;
  while (static_cast<int>(seen.size()) < count) {
    const auto change = value_of(changes.next(std::chrono::seconds(10)));
    if (!change) fail("an event is missing");
    seen.push_back({now_ns(), (*change->after)[1].integer(), (*change->after)[2].integer()});
  }
  Latencies latencies;
  for (std::size_t i = 0; i + 1 < seen.size(); ++i) {
    const std::int64_t after_begin_ns = seen[i].at_ns - seen[i].begin_ns;
    latencies.after_begin.push_back(static_cast<double>(after_begin_ns) / 1e6);
    latencies.after_commit.push_back(static_cast<double>(after_begin_ns - seen[i + 1].before_took_ns) / 1e6);
  }
  std::ranges::sort(latencies.after_begin);
  std::ranges::sort(latencies.after_commit);
  return latencies;
}

double p50(const std::vector<double>& sorted) { return sorted[sorted.size() / 2]; }

void report_live(Report& report, const std::string& name, const std::string& where, double most,
                 const std::function<Latencies()>& run) {
  std::map<int, Latencies> rounds;
  const auto of_round = [&](int round) -> const Latencies& {
    const auto [place, is_new] = rounds.try_emplace(round);
    if (is_new) place->second = run();
    return place->second;
  };
  report.measure({.name = name,
                  .what = "event after a FULL commit was acknowledged, p50, " + where,
                  .unit = "ms",
                  .better = Better::kLess,
                  .most = most},
                 [&](int round) { return p50(of_round(round).after_commit); });
  report.measure(
      {.name = name + "-begin", .what = "  after it was begun, p50", .unit = "ms", .better = Better::kLess},
      [&](int round) { return p50(of_round(round).after_begin); });
}

void bench_live_here(Report& report, const Place& place) {
  const std::string name = "live-same-process";
  if (!report.wants_any(std::array<std::string_view, 2>{name, name + "-begin"})) return;
  const Scratch scratch(place.directory);
  Database database = value_of(Database::open(scratch.path_of("ours")));
  Connection connection = value_of(database.connect());
  make_timed_table(connection);
  Changes changes = value_of(database.changes());
  const int count = report.scaled(kLiveCommits);
  report_live(report, name, "same process", 0.2, [&] {
    std::thread writer([&] { make_timed_commits(connection, count); });
    Latencies latencies = take_live(changes, count);
    writer.join();
    return latencies;
  });
}

void bench_live_elsewhere(Report& report, const Place& place) {
  const std::string name = "live-other-process";
  if (!report.wants_any(std::array<std::string_view, 2>{name, name + "-begin"})) return;
  const Scratch scratch(place.directory);
  const std::string path = scratch.path_of("ours");
  CommittingChild child(path);
  Database database = value_of(Database::open(path, {.mode = OpenMode::kReadOnly}));
  Changes changes = value_of(database.changes());
  const int count = report.scaled(kLiveCommits);
  report_live(report, name, "another process", 2, [&] {
    child.commit(count);
    return take_live(changes, count);
  });
}

// --- Writing beside feeds ---

// A thread that takes what a feed gives for as long as it lives.
class Subscriber {
 public:
  Subscriber(Database& database, std::uint64_t after_lsn)
      : changes_(value_of(database.changes({.after_lsn = after_lsn}))), thread_([this] { take(); }) {}
  ~Subscriber() {
    changes_.stop();
    thread_.join();
  }

  // Until it has the event of the commit that owns `lsn`, which is the newest one.
  void await(std::uint64_t lsn) const {
    while (taken_.load(std::memory_order_acquire) < lsn)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }

 private:
  void take() {
    while (!changes_.stopped()) {
      const auto change = value_of(changes_.next(std::chrono::seconds(10)));
      if (change) taken_.store(change->transaction, std::memory_order_release);
    }
  }

  Changes changes_;
  std::atomic<std::uint64_t> taken_{0};
  std::thread thread_;
};

// Updates that are made again change nothing, and commit nothing.
constexpr int kOtherUpdates = 10'000;

// A thread that runs, and shares nothing with anybody: what it costs to use another processor of the machine.
class Spinning {
 public:
  Spinning()
      : thread_([this] {
          while (!over_.load(std::memory_order_relaxed)) {
          }
        }) {}
  ~Spinning() {
    over_ = true;
    thread_.join();
  }

 private:
  std::atomic<bool> over_{false};
  std::thread thread_;
};

// A thread that takes old changes of another database again and again: what it costs to do a feed's work on
// another processor of the machine, whose memory is all that it shares with the writer.
class Rereading {
 public:
  Rereading(Database& database, std::uint64_t after_lsn, std::uint64_t newest_lsn)
      : thread_([&database, after_lsn, newest_lsn, this] {
          while (!over_.load(std::memory_order_relaxed)) {
            Changes changes = value_of(database.changes({.after_lsn = after_lsn}));
            std::uint64_t taken = 0;
            while (!over_.load(std::memory_order_relaxed) && taken < newest_lsn) {
              const auto change = value_of(changes.next(std::chrono::seconds(10)));
              if (change) taken = change->transaction;
            }
          }
        }) {}
  ~Rereading() {
    over_ = true;
    thread_.join();
  }

 private:
  std::atomic<bool> over_{false};
  std::thread thread_;
};

void compare_writing(Report& report, const Place& place, const std::string& name, const std::string& mode,
                     int count) {
  if (!report.wants(name)) return;
  const int rows = report.scaled(kTableRows);
  Filled watched(place, rows);
  Filled alone(place, rows);
  for (int i = 0; i < kSlots; ++i)
    check(watched.database().slots().create(fmt::format("slot-{}", i), {.after_lsn = 0}));
  const auto write = [&](Filled& filled, int round) {
    filled.run("PRAGMA synchronous = " + mode);
    const double rate = update_commits(filled.db(), count, rows, round);
    settle(filled.folder());
    return rate;
  };
  const std::uint64_t first_lsn = watched.newest_lsn();
  {
    const Subscriber subscriber(watched.database(), first_lsn);
    report.compare(
        {.name = name,
         .what = mode + " commits beside 5 idle slots and a feed / beside none",
         .unit = "commits/s",
         .ratio_min = 0.97},
        [&](int round) {
          const double rate = write(watched, round);
          // It is to be idle while the other side writes.
          subscriber.await(watched.newest_lsn());
          return rate;
        },
        [&](int round) { return write(alone, round); });
  }
  report.compare(
      {.name = name + "-spinning",
       .what = "  beside a thread that only spins / beside none",
       .unit = "commits/s"},
      [&](int round) {
        const Spinning spinning;
        return write(alone, kOtherUpdates + 2 * round);
      },
      [&](int round) { return write(alone, kOtherUpdates + 2 * round + 1); });
  report.compare(
      {.name = name + "-rereading",
       .what = "  beside a feed over old changes of another database / beside none",
       .unit = "commits/s"},
      [&](int round) {
        const Rereading rereading(watched.database(), first_lsn, watched.newest_lsn());
        return write(alone, 2 * kOtherUpdates + 2 * round);
      },
      [&](int round) { return write(alone, 2 * kOtherUpdates + 2 * round + 1); });
}

}  // namespace

void bench_diff(Report& report, const Place& place) {
  bench_bulk_diff(report, place);
  bench_small_diff(report, place, "diff-one-1m", report.scaled(kTableRows));
  bench_small_diff(report, place, "diff-one-20m", report.scaled(kLargeRows));
}

void bench_catch_up(Report& report, const Place& place) {
  const std::string update_name = "catch-up-update";
  const std::string insert_name = "catch-up-insert";
  if (!report.wants_any(std::array<std::string_view, 2>{update_name, insert_name})) return;
  const int count = report.scaled(kCatchUpCommits);
  const int rows = report.scaled(kTableRows);
  {
    Filled filled(place, rows);
    const std::uint64_t begin = filled.newest_lsn();
    update_commits(filled.db(), count, rows, 0);
    // A row that was given the value that it had did not change.
    measure_catch_up(report,
                     {.name = update_name,
                      .what = fmt::format("a feed over {} UPDATE commits", count),
                      .unit = "events/s",
                      .least = 400e3},
                     filled, begin, count - 10);
  }
  Filled filled(place, rows);
  const std::uint64_t begin = filled.newest_lsn();
  insert_commits(filled.db(), count, 0);
  measure_catch_up(report,
                   {.name = insert_name,
                    .what = fmt::format("a feed over {} INSERT commits", count),
                    .unit = "events/s",
                    .least = 400e3},
                   filled, begin, count);
}

void bench_live(Report& report, const Place& place) {
  bench_live_here(report, place);
  bench_live_elsewhere(report, place);
}

void bench_writing_beside_feeds(Report& report, const Place& place) {
  compare_writing(report, place, "beside-feeds-normal", "NORMAL", report.scaled(kCommitsBesideFeeds));
  compare_writing(report, place, "beside-feeds-full", "FULL", report.scaled(kFullCommitsBesideFeeds));
}

void bench_row_history(Report& report, const Place& place) {
  const std::string name = "row-history";
  if (!report.wants(name)) return;
  const int rows = report.scaled(kTableRows);
  const int commits = report.scaled(kHistoryCommits);
  const int versions = report.scaled(kHistoryVersions);
  Filled filled(place, rows);
  for (int i = 0; i < versions; ++i) {
    filled.run(fmt::format("UPDATE t SET n = {} WHERE id = {}", i, i % 2 == 0 ? kWatchedRow : kNeighbour));
    update_commits(filled.db(), commits / versions - 1, rows, i);
  }
  report.measure(
      {.name = name,
       .what = fmt::format("history of a row, its leaf written by {} of {} commits", versions, commits),
       .unit = "ms",
       .better = Better::kLess,
       .most = 20},
      [&](int) {
        const Stopwatch watch;
        const auto row = value_of(filled.connection().query_one(
            fmt::format("SELECT count(*) FROM t FOR SYSTEM_TIME ALL WHERE id = {}", kWatchedRow)));
        const double ms = watch.seconds() * 1e3;
        if ((*row)[0].integer() < versions / 2) fail("the history missed versions");
        return ms;
      });
}

}  // namespace dosql::bench
