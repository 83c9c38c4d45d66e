#include "bench/commit_work.h"

#include <array>
#include <fstream>

#include "bench/table.h"

namespace dosql::bench {
namespace {

constexpr int kNormalCommits = 30'000;
constexpr int kFullCommits = 1'000;
constexpr int kLogBytesCommits = 100'000;
// Few enough that each page is rewritten past the longest chain of patches.
constexpr int kHotRows = 20'000;

using Work = std::function<double(sqlite3* db, int round)>;

Run on(Pair& pair, Side& side, Work work) {
  return [&pair, &side, work = std::move(work)](int round) {
    const double rate = work(side.db(), round);
    settle(pair.folder());
    return rate;
  };
}

void compare_commits(Report& report, Pair& pair, const Subject& subject, const Work& work) {
  report.compare(subject, on(pair, pair.ours(), work), on(pair, pair.peer(), work));
}

// What this process handed to write() so far.
std::uint64_t written_bytes() {
  std::ifstream file("/proc/self/io");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("wchar: ")) return std::stoull(line.substr(7));
  }
  fail("cannot read /proc/self/io");
}

double our_bytes(Ours& ours, int count, const Work& work, int round) {
  const std::uint64_t before = ours.status().log_bytes;
  work(ours.db(), round);
  return static_cast<double>(ours.status().log_bytes - before) / count;
}

double peer_bytes(Side& peer, int count, const Work& work, int round) {
  const std::uint64_t before = written_bytes();
  work(peer.db(), round);
  return static_cast<double>(written_bytes() - before) / count;
}

// The clean close folds chains, and appends what that needs: per commit since the table was filled.
void measure_close(Report& report, Ours& ours, const std::string& name, const std::string& what,
                   double commits) {
  report.measure({.name = name, .what = what, .unit = "B/commit", .once = true}, [&](int) {
    const std::uint64_t before = ours.status().log_bytes;
    ours.close();
    ours.open();
    return static_cast<double>(ours.status().log_bytes - before) / commits;
  });
}

struct BytesWork {
  std::string name;
  std::string what;
  std::optional<double> most;
  Work work;
};

void bench_bytes(Report& report, const Place& place, const BytesWork& bytes) {
  if (!report.wants(bytes.name)) return;
  const int count = report.scaled(kLogBytesCommits);
  Pair pair(place, Synchronous::kNormal);
  pair.both([&](sqlite3* db) {
    create_table(db);
    insert_rows(db, report.scaled(kTableRows));
  });
  report.compare(
      {.name = bytes.name,
       .what = "log bytes per " + bytes.what,
       .unit = "B/commit",
       .better = Better::kLess,
       .most = bytes.most},
      [&](int round) { return our_bytes(pair.ours(), count, bytes.work, round); },
      [&](int round) { return peer_bytes(pair.peer(), count, bytes.work, round); });
  measure_close(report, pair.ours(), bytes.name + "-close", "  added by a clean close after them",
                static_cast<double>(count) * report.settings().rounds);
}

}  // namespace

double update_commits(sqlite3* db, int count, int rows, int round) {
  Numbers numbers(static_cast<std::uint64_t>(round) + 100);
  Prepared update(db, "UPDATE t SET n = ? WHERE id = ?");
  const Stopwatch watch;
  for (int i = 0; i < count; ++i) {
    update.bind(1, numbers.up_to(kTableRows));
    update.bind(2, numbers.up_to(rows));
    update.run();
  }
  return count / watch.seconds();
}

double insert_commits(sqlite3* db, int count, int round) {
  Numbers numbers(static_cast<std::uint64_t>(round) + 200);
  Prepared insert(db, "INSERT INTO t VALUES(NULL, ?, ?)");
  const Stopwatch watch;
  for (int i = 0; i < count; ++i) {
    insert.bind(1, numbers.up_to(kTableRows));
    insert.bind(2, text_for(i));
    insert.run();
  }
  return count / watch.seconds();
}

void bench_normal_commits(Report& report, const Place& place, double ratio_min) {
  const std::string update_name = "update-normal-" + place.name;
  const std::string insert_name = "insert-normal-" + place.name;
  if (!report.wants_any(std::array<std::string_view, 2>{update_name, insert_name})) return;
  const int count = report.scaled(kNormalCommits);
  const int rows = report.scaled(kTableRows);
  Pair pair(place, Synchronous::kNormal);
  pair.both([&](sqlite3* db) {
    create_table(db);
    insert_rows(db, rows);
  });
  compare_commits(report, pair,
                  {.name = update_name,
                   .what = "UPDATE commits, NORMAL, " + place.name,
                   .unit = "commits/s",
                   .ratio_min = ratio_min},
                  [&](sqlite3* db, int round) { return update_commits(db, count, rows, round); });
  compare_commits(report, pair,
                  {.name = insert_name,
                   .what = "INSERT commits, NORMAL, " + place.name,
                   .unit = "commits/s",
                   .ratio_min = ratio_min},
                  [&](sqlite3* db, int round) { return insert_commits(db, count, round); });
}

void bench_full_commits(Report& report, const Place& place) {
  const std::string update_name = "update-full-" + place.name;
  const std::string insert_name = "insert-full-" + place.name;
  if (!report.wants_any(std::array<std::string_view, 2>{update_name, insert_name})) return;
  const int count = report.scaled(kFullCommits);
  const int rows = report.scaled(kTableRows);
  Pair pair(place, Synchronous::kFull);
  pair.both([&](sqlite3* db) {
    create_table(db);
    insert_rows(db, rows);
    // Both begin with a log that is in use: stock recycles its WAL from the first checkpoint on.
    update_commits(db, count, rows, -1);
  });
  compare_commits(report, pair,
                  {.name = update_name,
                   .what = "UPDATE commits, FULL, one writer, " + place.name,
                   .unit = "commits/s",
                   .ratio_min = 1.0},
                  [&](sqlite3* db, int round) { return update_commits(db, count, rows, round); });
  compare_commits(report, pair,
                  {.name = insert_name,
                   .what = "INSERT commits, FULL, one writer, " + place.name,
                   .unit = "commits/s",
                   .ratio_min = 1.0},
                  [&](sqlite3* db, int round) { return insert_commits(db, count, round); });
}

void bench_log_bytes(Report& report, const Place& place) {
  const int count = report.scaled(kLogBytesCommits);
  const int rows = report.scaled(kTableRows);
  const int hot_rows = report.scaled(kHotRows);
  bench_bytes(report, place, {"log-bytes-update", "UPDATE commit", 160, [&](sqlite3* db, int round) {
                                return update_commits(db, count, rows, round);
                              }});
  bench_bytes(report, place,
              {"log-bytes-hot-update", "UPDATE commit, few hot rows", {}, [&](sqlite3* db, int round) {
                 return update_commits(db, count, hot_rows, round);
               }});
  bench_bytes(report, place, {"log-bytes-insert", "INSERT commit", 230, [&](sqlite3* db, int round) {
                                return insert_commits(db, count, round);
                              }});
}

}  // namespace dosql::bench
