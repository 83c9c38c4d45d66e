#include "bench/timed_commits.h"

#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <thread>

namespace dosql::bench {
namespace {

constexpr std::chrono::milliseconds kPause{1};

}  // namespace

std::int64_t now_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

void make_timed_table(Connection& connection) {
  check(connection.exec(
      "PRAGMA synchronous = FULL; CREATE TABLE t(id INTEGER PRIMARY KEY, ns INT, before INT)"));
}

void make_timed_commits(Connection& connection, int count) {
  std::int64_t took_ns = 0;
  for (int i = 0; i < count; ++i) {
    std::this_thread::sleep_for(kPause);
    const std::int64_t begin_ns = now_ns();
    check(connection.run("INSERT INTO t VALUES(NULL, ?, ?)", begin_ns, took_ns).and_then(ignore_result));
    took_ns = now_ns() - begin_ns;
  }
}

CommittingChild::CommittingChild(const std::string& path) {
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

CommittingChild::~CommittingChild() {
  close(orders_);
  waitpid(pid_, nullptr, 0);
}

void CommittingChild::commit(int count) {
  if (write(orders_, &count, sizeof count) != sizeof count) fail("the child process is gone");
}

void CommittingChild::serve(const std::string& path, int orders, int answers) {
  Database database = value_of(Database::open(path));
  Connection connection = value_of(database.connect());
  make_timed_table(connection);
  if (write(answers, "r", 1) != 1) return;
  for (int count = 0; read(orders, &count, sizeof count) == sizeof count;)
    make_timed_commits(connection, count);
}

}  // namespace dosql::bench
