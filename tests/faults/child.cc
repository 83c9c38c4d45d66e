#include "tests/faults/child.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>

#include "engine/engine_test_support.h"
#include "testing/paths.h"

namespace dosql::testing {

using engine::rows_text;

Child::Child(const std::vector<std::string>& arguments) {
  int ends[2];
  if (pipe(ends) != 0) std::abort();
  const std::string program = testing::binary_dir() / arguments[0];
  std::vector<char*> pointers;
  for (const std::string& argument : arguments) pointers.push_back(const_cast<char*>(argument.c_str()));
  pointers.push_back(nullptr);
  pid_ = fork();
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);  // should the test be killed itself
    dup2(ends[1], STDOUT_FILENO);
    close(ends[0]);
    close(ends[1]);
    execv(program.c_str(), pointers.data());
    _exit(127);
  }
  close(ends[1]);
  lines_ = fdopen(ends[0], "r");
}

Child::~Child() {
  if (pid_ > 0) {
    send_kill();
    was_killed();
  }
  if (lines_ != nullptr) std::fclose(lines_);
}

std::optional<std::int64_t> Child::read_number() {
  std::int64_t number = 0;
  if (std::fscanf(lines_, "%ld", &number) != 1) return {};
  return number;
}

void Child::send_kill() { ::kill(pid_, SIGKILL); }

bool Child::was_killed() {
  int status = 0;
  const pid_t ended = waitpid(pid_, &status, 0);
  return ended == std::exchange(pid_, -1) && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

KilledWriter::KilledWriter(const std::string& directory, const char* synchronous, int threads)
    : child_({"kill_writer", directory, synchronous, std::to_string(threads)}) {}

bool KilledWriter::read_one() {
  const auto number = child_.read_number();
  if (number) acknowledged_ = std::max(acknowledged_, *number);  // threads may say so out of order
  return number.has_value();
}

bool KilledWriter::kill() {
  child_.send_kill();
  while (read_one()) {
  }
  return child_.was_killed();
}

void expect_whole(Connection& connection, std::int64_t acknowledged, int threads_killed,
                  std::int64_t& newest) {
  ASSERT_EQ(rows_text(connection, "PRAGMA integrity_check"), "ok");
  if (rows_text(connection, "SELECT count(*) FROM sqlite_schema WHERE name = 'newest'") == "0" ||
      rows_text(connection, "SELECT count(*) FROM newest") == "0") {
    ASSERT_EQ(acknowledged, 0) << "killed while it made its tables";
    return;
  }
  newest = connection.query_one("SELECT n FROM newest").value()->get<std::int64_t>("n");
  // The last one of each thread may have been committed without a chance to say so.
  ASSERT_GE(newest, acknowledged);
  ASSERT_LE(newest, acknowledged + threads_killed);
  ASSERT_EQ(rows_text(connection, "SELECT count(*), coalesce(max(n), 0) FROM single"),
            fmt::format("{0}|{0}", newest));
  ASSERT_EQ(rows_text(connection,
                      "SELECT count(*) FROM (SELECT s.n FROM single s LEFT JOIN many m ON m.n = s.n"
                      " GROUP BY s.n HAVING count(m.id) <> s.n % 40)"),
            "0");
}

}  // namespace dosql::testing
