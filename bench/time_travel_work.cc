#include "bench/time_travel_work.h"

#include <dosql/dosql.h>
#include <fmt/format.h>
#include <malloc.h>
#include <sqlite3.h>

#include <array>
#include <functional>

#include "bench/commit_work.h"
#include "bench/table.h"

namespace dosql::bench {
namespace {

constexpr int kCommitsBack = 1'000;
constexpr int kPoints = 200'000;
constexpr int kGrownRows = 200'000;
constexpr int kBranches = 10'000;
constexpr int kDepth = 1'000;
constexpr int kCreations = 2'000;
constexpr int kCheckouts = 1'000;
constexpr int kCompilations = 20'000;
// 1 GB, and 1 MB.
constexpr int kLargeRows = 8'700'000;
constexpr int kSmallRows = 8'700;

// A database that is only ours, used through the public API.
struct Opened {
  explicit Opened(const std::string& folder)
      : database(Database::open(folder).value()), connection(database.connect().value()) {
    connection.exec("PRAGMA synchronous = NORMAL").value();
  }

  Database database;
  Connection connection;
};

double points(Connection& connection, const std::string& table, int count, int rows, int round) {
  Numbers numbers(static_cast<std::uint64_t>(round) + 500);
  Statement select = connection.prepare(fmt::format("SELECT n FROM {} WHERE id = ?", table)).value();
  const Stopwatch watch;
  for (int i = 0; i < count; ++i) {
    select.bind(1, numbers.up_to(rows)).value();
    while (select.step().value()) {
    }
  }
  return count / watch.seconds();
}

double scan(Connection& connection, const std::string& table, int rows) {
  const Stopwatch watch;
  connection.query(fmt::format("SELECT sum(n) FROM {}", table)).value();
  return rows / watch.seconds();
}

std::string past_of_t() { return fmt::format("t FOR SYSTEM_TIME AS OF VERSION CURRENT - {}", kCommitsBack); }

// Ratios of times that are at most `times` are ratios of speeds that are at least this.
constexpr double at_most(double times) { return 1 / times; }

// --- Branches ---

double creation_us(Connection& connection, int count, int round, std::string_view prefix) {
  const Stopwatch watch;
  for (int i = 0; i < count; ++i) {
    connection.exec(fmt::format("CREATE BRANCH {}_{}_{}", prefix, round, i)).value();
  }
  return watch.seconds() * 1e6 / count;
}

void bench_creation(Report& report, const Place& place, const std::string& name, std::string_view what,
                    const std::function<void(Connection&)>& fill) {
  if (!report.wants(name)) return;
  const Scratch scratch(place.directory);
  Opened opened(scratch.path_of("ours"));
  fill(opened.connection);
  settle(scratch.path());
  report.measure({.name = name, .what = std::string(what), .unit = "us", .most = 10}, [&](int round) {
    return creation_us(opened.connection, report.scaled(kCreations), round, "new");
  });
}

void bench_checkout(Report& report, const Place& place) {
  const std::string name = "checkout";
  if (!report.wants(name)) return;
  const Scratch scratch(place.directory);
  Opened opened(scratch.path_of("ours"));
  create_table(opened.connection.sqlite_handle());
  insert_rows(opened.connection.sqlite_handle(), kSmallRows);
  opened.connection.exec("CREATE BRANCH other").value();
  report.measure({.name = name, .what = "CHECKOUT there and back, each", .unit = "us", .most = 100},
                 [&](int) {
                   const int count = report.scaled(kCheckouts);
                   const Stopwatch watch;
                   for (int i = 0; i < count; ++i)
                     opened.connection.exec("CHECKOUT other; CHECKOUT main").value();
                   return watch.seconds() * 1e6 / (2 * count);
                 });
}

std::size_t heap_bytes() {
  const struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

void make_branches(const std::string& folder, int count) {
  Opened opened(folder);
  create_table(opened.connection.sqlite_handle());
  insert_rows(opened.connection.sqlite_handle(), kSmallRows);
  for (int i = 0; i < count; ++i) {
    opened.connection.exec(fmt::format("CREATE BRANCH b{0}; CHECKOUT b{0}", i)).value();
    opened.connection.run("UPDATE t SET n = ? WHERE id = ?", i, i % kSmallRows + 1).value();
    opened.connection.exec("CHECKOUT main").value();
  }
}

// Each branch is forked off the one before.
void make_deep(Connection& connection, int depth) {
  for (int i = 0; i < depth; ++i) {
    connection.exec(fmt::format("CREATE BRANCH d{0}; CHECKOUT d{0}", i)).value();
    connection.run("UPDATE t SET n = ? WHERE id = ?", i, i + 1).value();
  }
}

void bench_deep_branch(Report& report, const Place& place) {
  const std::string name = "branch-deep";
  if (!report.wants(name)) return;
  const Scratch scratch(place.directory);
  Opened opened(scratch.path_of("ours"));
  const int rows = report.scaled(kTableRows);
  create_table(opened.connection.sqlite_handle());
  insert_rows(opened.connection.sqlite_handle(), rows);
  Connection deep = opened.database.connect().value();
  make_deep(deep, report.scaled(kDepth));
  settle(scratch.path());
  const int count = report.scaled(kPoints);
  report.compare(
      {.name = name,
       .what = "point SELECT on a branch 1,000 deep / on main",
       .unit = "selects/s",
       .ratio_min = at_most(1.2)},
      [&](int round) { return points(deep, "t", count, rows, round); },
      [&](int round) { return points(opened.connection, "t", count, rows, round); });
}

// --- Compiling ---

constexpr std::array<std::string_view, 5> kStatements = {
    "SELECT n FROM t WHERE id = ?", "INSERT INTO t(n, v) VALUES (?, ?)",
    "UPDATE t SET n = n + 1 WHERE id = ?",
    "SELECT a.id, count(*) FROM t a JOIN t b ON b.n = a.id WHERE a.v LIKE 'x%' GROUP BY a.id ORDER BY 2 DESC "
    "LIMIT 5",
    "WITH big AS (SELECT id, n FROM t WHERE n > 10) SELECT sum(n) FROM big WHERE id IN (SELECT id FROM big)"};

double compile_ours(Connection& connection, int count) {
  const Stopwatch watch;
  for (int i = 0; i < count; ++i) {
    for (const std::string_view sql : kStatements) {
      std::string_view tail;
      // This form does not look into the cache of statements.
      connection.prepare(sql, tail).value();
    }
  }
  return count * double{kStatements.size()} / watch.seconds();
}

// As a program does that has its text as pointer and length, like ours.
double compile_stock(sqlite3* db, int count) {
  const Stopwatch watch;
  for (int i = 0; i < count; ++i) {
    for (const std::string_view sql : kStatements) {
      sqlite3_stmt* statement = nullptr;
      const int bytes = static_cast<int>(sql.size());
      if (sqlite3_prepare_v2(db, sql.data(), bytes, &statement, nullptr) != SQLITE_OK) fail("cannot compile");
      sqlite3_finalize(statement);
    }
  }
  return count * double{kStatements.size()} / watch.seconds();
}

}  // namespace

void bench_as_of(Report& report, const Place& place) {
  constexpr std::array<std::string_view, 3> kNames = {"as-of-point", "as-of-scan", "as-of-point-grown"};
  if (!report.wants_any(kNames)) return;
  const int rows = report.scaled(kTableRows);
  const int grown = report.scaled(kGrownRows);
  const int count = report.scaled(kPoints);
  const Scratch scratch(place.directory);
  Opened opened(scratch.path_of("ours"));
  Opened grown_rows(scratch.path_of("grown"));
  create_table(opened.connection.sqlite_handle());
  insert_rows(opened.connection.sqlite_handle(), rows);
  update_commits(opened.connection.sqlite_handle(), 2 * kCommitsBack, rows, 0);
  create_table(grown_rows.connection.sqlite_handle());
  insert_commits(grown_rows.connection.sqlite_handle(), grown, 0);
  settle(scratch.path());
  report.compare(
      {.name = std::string(kNames[0]),
       .what = "point SELECT 1,000 commits back / at head",
       .unit = "selects/s",
       .ratio_min = at_most(1.3)},
      [&](int round) { return points(opened.connection, past_of_t(), count, rows, round); },
      [&](int round) { return points(opened.connection, "t", count, rows, round); });
  report.compare(
      {.name = std::string(kNames[2]),
       .what = "  on a table grown by single-row inserts",
       .unit = "selects/s",
       .ratio_min = at_most(1.3)},
      [&](int round) {
        return points(grown_rows.connection, past_of_t(), count, grown - kCommitsBack, round);
      },
      [&](int round) { return points(grown_rows.connection, "t", count, grown - kCommitsBack, round); });
  report.compare(
      {.name = std::string(kNames[1]),
       .what = "full scan 1,000 commits back / at head",
       .unit = "rows/s",
       .ratio_min = at_most(1.2)},
      [&](int) { return scan(opened.connection, past_of_t(), rows); },
      [&](int) { return scan(opened.connection, "t", rows); });
}

void bench_branch_commands(Report& report, const Place& place) {
  const auto filled = [](int rows) {
    return [rows](Connection& connection) {
      create_table(connection.sqlite_handle());
      insert_rows(connection.sqlite_handle(), rows);
    };
  };
  bench_creation(report, place, "branch-create-1mb", "CREATE BRANCH, 1 MB", filled(kSmallRows));
  bench_creation(report, place, "branch-create-1gb", "CREATE BRANCH, 1 GB",
                 filled(report.scaled(kLargeRows)));
  bench_creation(report, place, "branch-create-10k", "CREATE BRANCH beside 10,000 branches",
                 [&](Connection& connection) {
                   filled(kSmallRows)(connection);
                   creation_us(connection, report.scaled(kBranches), 0, "old");
                 });
  bench_checkout(report, place);
}

void bench_many_branches(Report& report, const Place& place) {
  constexpr std::array<std::string_view, 2> kNames = {"branches-open", "branches-memory"};
  bench_deep_branch(report, place);
  if (!report.wants_any(kNames)) return;
  const int count = report.scaled(kBranches);
  const Scratch scratch(place.directory);
  const std::string folder = scratch.path_of("many");
  const std::string one = scratch.path_of("one");
  make_branches(folder, count);
  make_branches(one, 0);
  settle(scratch.path());
  report.measure({.name = std::string(kNames[0]),
                  .what = "open, 10,000 branches, each written once",
                  .unit = "ms",
                  .most = 250},
                 [&](int) {
                   const Stopwatch watch;
                   Opened opened(folder);
                   opened.connection.query("SELECT n FROM t WHERE id = 1").value();
                   return watch.seconds() * 1e3;
                 });
  const auto bytes_of = [](const std::string& path) {
    const std::size_t before = heap_bytes();
    const Opened opened(path);
    return static_cast<double>(heap_bytes() - before);
  };
  report.measure({.name = std::string(kNames[1]),
                  .what = "memory per branch written once",
                  .unit = "B",
                  .most = 2048,
                  .once = true},
                 [&](int) { return (bytes_of(folder) - bytes_of(one)) / count; });
}

void bench_prepare(Report& report, const Place& place) {
  const std::string name = "prepare";
  if (!report.wants(name)) return;
  Pair pair(place, Synchronous::kNormal);
  pair.both([](sqlite3* db) { create_table(db); });
  Opened opened(pair.folder() + "/prepare");
  create_table(opened.connection.sqlite_handle());
  const int count = report.scaled(kCompilations);
  report.compare(
      {.name = name,
       .what = "compiling statements without our clauses",
       .unit = "statements/s",
       .ratio_min = 0.98},
      [&](int) { return compile_ours(opened.connection, count); },
      [&](int) { return compile_stock(pair.peer().db(), count); });
}

}  // namespace dosql::bench
