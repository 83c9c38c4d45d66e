#include "bench/follow_work.h"

#include <dosql/dosql.h>

#include <algorithm>
#include <array>
#include <map>

#include "base/environment.h"
#include "bench/timed_commits.h"
#include "io/posix_storage.h"
#include "log/log.h"
#include "version/visible_end.h"

namespace dosql::bench {
namespace {

constexpr int kCommits = 1'000;
constexpr int kPublications = 1'000'000;

// Sorted, in milliseconds.
struct Times {
  std::vector<double> seen;    // from the begin of a commit until the follower had its row
  std::vector<double> commit;  // from the begin of a commit until the writer went on
};

Times follow(CommittingChild& child, Database& database, Connection& connection, int count) {
  std::int64_t newest =
      value_of(connection.query_one("SELECT coalesce(max(id), 0) FROM t")).value()[0].integer();
  std::uint64_t seen = value_of(database.wait_for_commit(0, std::chrono::seconds(0)));
  Times times;
  child.commit(count);
  while (static_cast<int>(times.seen.size()) < count) {
    seen = value_of(database.wait_for_commit(seen, std::chrono::seconds(10)));
    const Rows rows = value_of(connection.query("SELECT id, ns, before FROM t WHERE id > ?", newest));
    for (const Row& row : rows) {
      times.seen.push_back(static_cast<double>(now_ns() - row[1].integer()) / 1e6);
      times.commit.push_back(static_cast<double>(row[2].integer()) / 1e6);
      newest = row[0].integer();
    }
  }
  std::sort(times.seen.begin(), times.seen.end());
  std::sort(times.commit.begin(), times.commit.end());
  return times;
}

}  // namespace

void bench_follow(Report& report, const Place& place) {
  const std::string half_name = "follow-p50-" + place.name;
  const std::string most_name = "follow-p99-" + place.name;
  const std::string commit_name = "follow-commit-" + place.name;
  if (!report.wants_any(std::array<std::string_view, 3>{half_name, most_name, commit_name})) return;
  const Scratch scratch(place.directory);
  const std::string path = scratch.path_of("database");
  CommittingChild child(path);
  Database database = value_of(Database::open(path, {.mode = OpenMode::kReadOnly}));
  Connection connection = value_of(database.connect());
  const int count = report.scaled(kCommits);
  std::map<int, Times> rounds;
  const auto at = [&](std::vector<double> Times::*what, double part) {
    return [&, what, part](int round) {
      Times& of_round = rounds[round];
      if (of_round.seen.empty()) of_round = follow(child, database, connection, count);
      const std::vector<double>& times = of_round.*what;
      return times[static_cast<std::size_t>(part * static_cast<double>(times.size() - 1))];
    };
  };
  report.measure({.name = half_name,
                  .what = "a follower has the row, after the begin of a FULL commit, p50, " + place.name,
                  .unit = "ms",
                  .better = Better::kLess,
                  .most = 1},
                 at(&Times::seen, 0.5));
  report.measure({.name = most_name, .what = "  p99", .unit = "ms", .better = Better::kLess},
                 at(&Times::seen, 0.99));
  report.measure(
      {.name = commit_name, .what = "  the commit itself, p50", .unit = "ms", .better = Better::kLess},
      at(&Times::commit, 0.5));
}

void bench_publish(Report& report) {
  if (!report.wants("follow-publish")) return;
  const Scratch scratch(program_folder());
  auto directory = value_of(io::open_posix_directory(scratch.path(), io::CreateDirectory::kNo));
  auto log = value_of(log::Log::open(*directory, log::Access::kReadWrite, log::Log::Create::kIfMissing,
                                     system_clock(), system_random()));
  auto page = value_of(version::StatusPage::open(*directory, io::Directory::CreateShared::kIfMissing));
  check(page->become_writer(log->database_id()));
  version::VisibleEnd end;
  end.start(*page, *log, {});
  std::uint64_t position = 0;
  const int count = report.scaled(kPublications);
  report.measure({.name = "follow-publish",
                  .what = "what a commit pays for telling followers, nobody waiting",
                  .unit = "ns",
                  .better = Better::kLess,
                  .most = 200},
                 [&](int) {
                   const Stopwatch watch;
                   for (int i = 0; i < count; ++i) {
                     version::Publication publication(end, nullptr, false);
                     position += 8;
                     publication.on_append({.position = log::Position{position}, .last_lsn = Lsn{position}},
                                           log::Position{position + 8});
                   }
                   return watch.seconds() * 1e9 / count;
                 });
}

}  // namespace dosql::bench
