#include "bench/follow_work.h"

#include <dosql/dosql.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <map>
#include <thread>

#include "base/environment.h"
#include "io/posix_storage.h"
#include "log/log.h"
#include "version/visible_end.h"

namespace dosql::bench {
namespace {

constexpr int kCommits = 1'000;
// So that the follower waits again before the next one.
constexpr std::chrono::milliseconds kPause{1};
constexpr int kPublications = 1'000'000;

std::int64_t now_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

template <class T>
T value_of(Result<T> result) {
  if (!result) fail(result.error().message());
  return *std::move(result);
}
void check(const Status& status) {
  if (!status) fail(status.error().message());
}

// A process that commits a row with the time for each commit it is asked for.
class CommittingChild {
 public:
  explicit CommittingChild(const std::string& path) {
    std::array<int, 2> orders{};
    std::array<int, 2> answers{};
    if (pipe(orders.data()) != 0 || pipe(answers.data()) != 0) fail("cannot make a pipe");
    pid_ = fork();
    if (pid_ < 0) fail("cannot fork");
    if (pid_ == 0) {
      close(orders[1]);
      close(answers[0]);
      serve(path, orders[0], answers[1]);
      _exit(0);
    }
    close(orders[0]);
    close(answers[1]);
    orders_ = orders[1];
    char ready = 0;
    if (read(answers[0], &ready, 1) != 1) fail("the child process failed");
    close(answers[0]);
  }
  ~CommittingChild() {
    close(orders_);
    waitpid(pid_, nullptr, 0);
  }
  CommittingChild(const CommittingChild&) = delete;
  CommittingChild& operator=(const CommittingChild&) = delete;

  void commit(int count) {
    if (write(orders_, &count, sizeof count) != sizeof count) fail("the child process is gone");
  }

 private:
  static void serve(const std::string& path, int orders, int answers) {
    Database database = value_of(Database::open(path));
    Connection connection = value_of(database.connect());
    check(connection.exec(
        "PRAGMA synchronous = FULL; CREATE TABLE t(id INTEGER PRIMARY KEY, ns INT, before INT)"));
    if (write(answers, "r", 1) != 1) return;
    std::int64_t took_ns = 0;  // the commit before
    for (int count = 0; read(orders, &count, sizeof count) == sizeof count;) {
      for (int i = 0; i < count; ++i) {
        std::this_thread::sleep_for(kPause);
        const std::int64_t begin_ns = now_ns();
        check(connection.run("INSERT INTO t VALUES(NULL, ?, ?)", begin_ns, took_ns).and_then(ignore_result));
        took_ns = now_ns() - begin_ns;
      }
    }
  }

  pid_t pid_ = -1;
  int orders_ = -1;
};

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
