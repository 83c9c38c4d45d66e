#include "bench/open_work.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <filesystem>

#include "bench/commit_work.h"
#include "bench/table.h"

namespace dosql::bench {
namespace {

constexpr int kCommits = 1'000'000;
constexpr std::array<std::string_view, 5> kNames = {"open-clean", "open-clean-cold", "open-killed",
                                                    "open-killed-cold", "memory-per-version"};

// A database whose owner was killed right after its last commit.
void make_killed_database(const Report& report, const std::string& folder) {
  const pid_t child = fork();
  if (child < 0) fail("cannot fork");
  if (child == 0) {
    const int rows = report.scaled(kTableRows);
    const auto ours = make_ours(folder, Synchronous::kNormal);
    create_table(ours->db());
    insert_rows(ours->db(), rows);
    update_commits(ours->db(), report.scaled(kCommits), rows, 0);
    kill(getpid(), SIGKILL);
  }
  int status = 0;
  if (waitpid(child, &status, 0) != child || !WIFSIGNALED(status))
    fail("the child that makes commits failed");
}

// To the first answer of a query.
double open_ms(const std::string& folder) {
  const Stopwatch watch;
  const auto ours = make_ours(folder, Synchronous::kNormal);
  Prepared(ours->db(), "SELECT n FROM t WHERE id = 1").run();
  return watch.seconds() * 1e3;
}

void copy_folder(const std::string& from, const std::string& to) {
  std::filesystem::remove_all(to);
  std::filesystem::copy(from, to);
  settle(to);
}

}  // namespace

void bench_open(Report& report, const Place& place) {
  if (!report.wants_any(kNames)) return;
  const Scratch scratch(place.directory);
  const std::string killed = scratch.path_of("killed");
  const std::string copy = scratch.path_of("copy");
  make_killed_database(report, killed);
  const auto open_killed = [&](bool cold) {
    // The first open repairs it: each round needs one of its own.
    copy_folder(killed, copy);
    if (cold) drop_caches(copy);
    return open_ms(copy);
  };
  report.measure(
      {.name = std::string(kNames[2]), .what = "open after kill -9, 1 M commits", .unit = "ms", .most = 1000},
      [&](int) { return open_killed(false); });
  report.measure({.name = std::string(kNames[3]), .what = "  files not in the system's cache", .unit = "ms"},
                 [&](int) { return open_killed(true); });

  copy_folder(killed, copy);
  open_ms(copy);  // and closes
  report.measure({.name = std::string(kNames[0]),
                  .what = "open after a clean close, 1 M commits",
                  .unit = "ms",
                  .most = 50},
                 [&](int) { return open_ms(copy); });
  report.measure({.name = std::string(kNames[1]), .what = "  files not in the system's cache", .unit = "ms"},
                 [&](int) {
                   drop_caches(copy);
                   return open_ms(copy);
                 });
  report.measure(
      {.name = std::string(kNames[4]),
       .what = "index memory per page version above 48 B/page",
       .unit = "B",
       .most = 32,
       .once = true},
      [&](int) {
        // Replayed, not loaded: the arrays are those that commits grow.
        copy_folder(killed, copy);
        const auto ours = make_ours(copy, Synchronous::kNormal);
        const auto status = ours->status();
        return (static_cast<double>(status.index_bytes) - 48.0 * static_cast<double>(status.live_pages)) /
               static_cast<double>(status.page_versions);
      });
}

}  // namespace dosql::bench
