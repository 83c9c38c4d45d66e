#include "bench/concurrent_work.h"

#include <dosql/dosql.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <fstream>
#include <latch>
#include <numeric>
#include <thread>

#include "bench/sides.h"
#include "bench/table.h"

namespace dosql::bench {
namespace {

constexpr double kSeconds = 0.4;
// Turns last a millisecond: fairness shows over many.
constexpr double kFairnessSeconds = 2;
constexpr int kBusyTimeoutMs = 60'000;
// Enough to fill a connection's page cache.
constexpr int kConnectionRows = 20'000;

const char* name_of(Synchronous synchronous) { return synchronous == Synchronous::kFull ? "FULL" : "NORMAL"; }

// Several connections to one database that holds the table.
class Fleet {
 public:
  virtual ~Fleet() = default;
  sqlite3* db(std::size_t index) const { return handles_[index]; }

 protected:
  std::vector<sqlite3*> handles_;
};

class OurFleet final : public Fleet {
 public:
  // `own_branches`: each connection is on a branch of its own.
  OurFleet(const std::string& folder, Synchronous synchronous, int connections, bool own_branches, int rows)
      : database_(open(folder)) {
    for (int i = 0; i < connections; ++i) {
      connections_.push_back(database_.connect().value());
      handles_.push_back(connections_.back().sqlite_handle());
      if (i == 0) {
        create_table(db(0));
        insert_rows(db(0), rows);
      }
      execute(db(i), fmt::format("PRAGMA synchronous = {}", name_of(synchronous)));
      if (!own_branches) continue;
      const std::string branch = fmt::format("b{}", i);
      if (!connections_.back().branch(branch) || !connections_.back().checkout(branch))
        fail("cannot move to branch " + branch);
    }
  }

 private:
  static Database open(const std::string& folder) {
    Options options;
    options.busy_timeout_ms = kBusyTimeoutMs;
    return Database::open(folder, options).value();
  }

  Database database_;
  std::vector<Connection> connections_;
};

class StockFleet final : public Fleet {
 public:
  StockFleet(const std::string& folder, Synchronous synchronous, int connections, int rows) {
    for (int i = 0; i < connections; ++i) {
      sides_.push_back(make_peer(folder, synchronous));
      handles_.push_back(sides_.back()->db());
      sqlite3_busy_timeout(db(i), kBusyTimeoutMs);
      if (i > 0) continue;
      create_table(db(0));
      insert_rows(db(0), rows);
    }
  }

 private:
  std::vector<std::unique_ptr<Side>> sides_;
};

// What one thread does again and again until the time is over.
struct Role {
  const char* sql;
  bool takes_id;
};
constexpr Role kUpdate{"UPDATE t SET n = n + 1 WHERE id = ?", true};
constexpr Role kPoint{"SELECT n FROM t WHERE id = ?", true};
constexpr Role kScan{"SELECT sum(n) FROM t", false};

struct Outcome {
  double per_second = 0;
  double longest_ms = 0;  // of one statement
};

// One thread per role, all at once; the outcome of each.
std::vector<Outcome> race(const Fleet& fleet, const std::vector<Role>& roles, int rows, int round,
                          double seconds = kSeconds) {
  std::vector<Outcome> outcomes(roles.size());
  std::latch ready(static_cast<std::ptrdiff_t>(roles.size()) + 1);
  std::atomic<bool> over{false};
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < roles.size(); ++i) {
    threads.emplace_back([&, i] {
      Numbers numbers(static_cast<std::uint64_t>(round) * 100 + i);
      Prepared statement(fleet.db(i), roles[i].sql);
      ready.arrive_and_wait();
      const Stopwatch watch;
      std::int64_t count = 0;
      double begun = 0;
      while (!over.load(std::memory_order_relaxed)) {
        if (roles[i].takes_id) statement.bind(1, numbers.up_to(rows));
        statement.run();
        ++count;
        const double now = watch.seconds();
        outcomes[i].longest_ms = std::max(outcomes[i].longest_ms, (now - begun) * 1e3);
        begun = now;
      }
      outcomes[i].per_second = static_cast<double>(count) / watch.seconds();
    });
  }
  ready.arrive_and_wait();
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
  over = true;
  for (std::thread& thread : threads) thread.join();
  return outcomes;
}

// Of the threads [first, last).
double total(const std::vector<Outcome>& outcomes, std::size_t first, std::size_t last) {
  double sum = 0;
  for (std::size_t i = first; i < last; ++i) sum += outcomes[i].per_second;
  return sum;
}

Run total_of(const Fleet& fleet, const Scratch& scratch, const std::vector<Role>& roles, std::size_t first,
             std::size_t last, int rows) {
  return [=, &fleet, &scratch](int round) {
    const double rate = total(race(fleet, roles, rows, round), first, last);
    settle(scratch.path());
    return rate;
  };
}

std::uint64_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  std::uint64_t total_pages = 0;
  std::uint64_t resident_pages = 0;
  file >> total_pages >> resident_pages;
  return resident_pages * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

}  // namespace

void bench_group_commit(Report& report, const Place& place) {
  constexpr std::array<std::string_view, 3> kNames = {"full-4-threads", "full-16-threads",
                                                      "full-16-branches"};
  if (!report.wants_any(kNames)) return;
  const int rows = report.scaled(kTableRows);
  const Scratch scratch(place.directory);
  const StockFleet stock(scratch.path_of("stock"), Synchronous::kFull, 16, rows);
  const auto compare = [&](std::string_view name, const std::string& what, int threads, bool own_branches,
                           double ratio_min) {
    if (!report.wants(name)) return;
    const OurFleet ours(scratch.path_of(name), Synchronous::kFull, threads, own_branches, rows);
    settle(scratch.path());
    const std::vector<Role> roles(threads, kUpdate);
    report.compare({.name = std::string(name), .what = what, .unit = "commits/s", .ratio_min = ratio_min},
                   total_of(ours, scratch, roles, 0, roles.size(), rows),
                   total_of(stock, scratch, roles, 0, roles.size(), rows));
  };
  compare(kNames[0], "UPDATE commits, FULL, 4 threads, one branch", 4, false, 2.0);
  compare(kNames[1], "UPDATE commits, FULL, 16 threads, one branch", 16, false, 5.0);
  compare(kNames[2], "UPDATE commits, FULL, 16 threads, a branch each", 16, true, 8.0);
}

void bench_mixed(Report& report, const Place& place) {
  constexpr std::array<std::string_view, 4> kNames = {"readers-beside-updater", "updater-beside-readers",
                                                      "scan-beside-updater", "updater-beside-scan"};
  if (!report.wants_any(kNames)) return;
  const int rows = report.scaled(kTableRows);
  const Scratch scratch(place.directory);
  const OurFleet ours(scratch.path_of("ours"), Synchronous::kNormal, 3, false, rows);
  const StockFleet stock(scratch.path_of("stock"), Synchronous::kNormal, 3, rows);
  settle(scratch.path());
  const auto compare = [&](std::string_view name, const std::string& what, const std::vector<Role>& roles,
                           std::size_t first, std::size_t last, const std::string& unit, double ratio_min) {
    report.compare({.name = std::string(name), .what = what, .unit = unit, .ratio_min = ratio_min},
                   total_of(ours, scratch, roles, first, last, rows),
                   total_of(stock, scratch, roles, first, last, rows));
  };
  const std::vector<Role> points = {kUpdate, kPoint, kPoint};
  compare(kNames[0], "two point readers beside an updater, NORMAL: reads", points, 1, 3, "selects/s", 1.5);
  compare(kNames[1], "  the updater", points, 0, 1, "commits/s", 2.0);
  const std::vector<Role> scan = {kUpdate, kScan};
  compare(kNames[2], "a scanning reader beside an updater, NORMAL: scans", scan, 1, 2, "scans/s", 0.9);
  compare(kNames[3], "  the updater", scan, 0, 1, "commits/s", 2.0);
}

void bench_competing_writers(Report& report, const Place& place) {
  const int rows = report.scaled(kTableRows);
  for (const int writers : {2, 8}) {
    const std::string name = fmt::format("{}-writers", writers);
    const std::array<std::string, 3> names = {name, name + "-apart", name + "-longest"};
    if (std::none_of(names.begin(), names.end(), [&](const auto& one) { return report.wants(one); }))
      continue;
    const Scratch scratch(place.directory);
    const OurFleet ours(scratch.path_of("ours"), Synchronous::kNormal, writers, false, rows);
    const StockFleet stock(scratch.path_of("stock"), Synchronous::kNormal, writers, rows);
    settle(scratch.path());
    const std::vector<Role> roles(writers, kUpdate);
    report.compare({.name = name,
                    .what = fmt::format("{} writers compete for one branch, NORMAL", writers),
                    .unit = "commits/s",
                    .ratio_min = 1.5},
                   total_of(ours, scratch, roles, 0, roles.size(), rows),
                   total_of(stock, scratch, roles, 0, roles.size(), rows));
    report.measure({.name = names[1],
                    .what = "  slowest of them behind the fastest",
                    .unit = "%",
                    .better = Better::kLess,
                    .most = 10},
                   [&](int round) {
                     const auto outcomes = race(ours, roles, rows, round, kFairnessSeconds);
                     const auto [least, most] = std::minmax_element(
                         outcomes.begin(), outcomes.end(),
                         [](const auto& a, const auto& b) { return a.per_second < b.per_second; });
                     return 100 * (1 - least->per_second / most->per_second);
                   });
    report.measure({.name = names[2],
                    .what = "  longest wait of one statement",
                    .unit = "ms",
                    .better = Better::kLess,
                    .most = 100},
                   [&](int round) {
                     double longest_ms = 0;
                     for (const Outcome& outcome : race(ours, roles, rows, round))
                       longest_ms = std::max(longest_ms, outcome.longest_ms);
                     return longest_ms;
                   });
  }
}

void bench_many_connections(Report& report, const Place& place) {
  constexpr std::array<std::string_view, 3> kNames = {"connect", "connection-bytes",
                                                      "connection-bytes-scanned"};
  if (!report.wants_any(kNames)) return;
  const int connections = report.scaled(10'000);
  const int branches = report.scaled(1'000);
  const Scratch scratch(place.directory);
  Database database = Database::open(scratch.path_of("ours")).value();
  Connection first = database.connect().value();
  create_table(first.sqlite_handle());
  insert_rows(first.sqlite_handle(), kConnectionRows);
  execute(first.sqlite_handle(), "PRAGMA synchronous = NORMAL");
  for (int i = 0; i < branches; ++i) first.branch(fmt::format("b{}", i)).value();

  std::vector<Connection> fleet;
  const std::uint64_t before = resident_bytes();
  const Stopwatch watch;
  for (int i = 0; i < connections; ++i) {
    fleet.push_back(database.connect().value());
    fleet.back().checkout(fmt::format("b{}", i % branches)).value();
  }
  const double opened_us = watch.seconds() / connections * 1e6;
  report.measure({.name = std::string(kNames[0]),
                  .what = "connect and move to a branch",
                  .unit = "us",
                  .better = Better::kLess,
                  .once = true},
                 [&](int) { return opened_us; });
  const auto use_all = [&](const char* sql) {
    for (Connection& connection : fleet) connection.exec(sql).value();
    return static_cast<double>(resident_bytes() - before) / connections;
  };
  report.measure(
      {.name = std::string(kNames[1]),
       .what = "memory per idle connection of 10,000 on 1,000 branches",
       .unit = "B",
       .better = Better::kLess,
       .once = true},
      [&](int) { return use_all("SELECT n FROM t WHERE id = 7; UPDATE t SET n = n + 1 WHERE id = 77"); });
  report.measure({.name = std::string(kNames[2]),
                  .what = "  after each has read all of the table",
                  .unit = "B",
                  .better = Better::kLess,
                  .once = true},
                 [&](int) { return use_all("SELECT sum(n) FROM t"); });
}

}  // namespace dosql::bench
