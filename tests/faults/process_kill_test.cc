// A real process under load is killed, again and again: every transaction it acknowledged is there
// afterwards, whole, whatever PRAGMA synchronous says.

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <random>

#include "engine/engine_test_support.h"
#include "testing/run_length.h"

namespace dosql::testing {
namespace {

using engine::rows_text;
using engine::TemporaryDirectory;

// A running kill_writer and the lines it prints.
class Writer {
 public:
  Writer(const std::string& directory, const char* synchronous, int threads) {
    int ends[2];
    if (pipe(ends) != 0) std::abort();
    pid_ = fork();
    if (pid_ == 0) {
      dup2(ends[1], STDOUT_FILENO);
      close(ends[0]);
      close(ends[1]);
      execl(DOSQL_BINARY_DIR "/kill_writer", "kill_writer", directory.c_str(), synchronous,
            fmt::to_string(threads).c_str(), nullptr);
      _exit(127);
    }
    close(ends[1]);
    lines_ = fdopen(ends[0], "r");
  }
  ~Writer() {
    if (lines_ != nullptr) std::fclose(lines_);
  }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  // Reads acknowledgements; false when there are no more.
  bool read_one() {
    std::int64_t n = 0;
    if (std::fscanf(lines_, "%ld\n", &n) != 1) return false;
    acknowledged_ = std::max(acknowledged_, n);  // threads may say so out of order
    return true;
  }

  // Kills it and reads what it still acknowledged. False if it had ended by itself.
  bool kill() {
    ::kill(pid_, SIGKILL);
    while (read_one()) {
    }
    int status = 0;
    return waitpid(pid_, &status, 0) == pid_ && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
  }

  // The newest acknowledged transaction, 0: none.
  std::int64_t acknowledged() const { return acknowledged_; }

 private:
  pid_t pid_ = -1;
  std::FILE* lines_ = nullptr;
  std::int64_t acknowledged_ = 0;
};

// What the transactions up to some number leave behind; `newest` is that number. Threads killed since it was
// last known.
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

TEST(ProcessKillTest, AcknowledgedTransactionsSurvive) {
  const std::uint64_t seed = test_seed();
  SCOPED_TRACE(fmt::format("DOSQL_SEED={} process_kill_test", seed));
  std::mt19937_64 random(seed);
  constexpr const char* kModes[] = {"FULL", "NORMAL", "OFF"};
  const int kills = soak() ? scaled(200) : scaled(12);
  TemporaryDirectory directory;
  std::string path;
  std::int64_t newest = 0;
  int threads_killed = 0;
  int busy_writers = 0;
  for (int i = 0; i < kills; ++i) {
    if (i % 20 == 0) {  // a new database, so that its creation is killed too
      path = directory.file(fmt::format("database-{}", i));
      newest = 0;
    }
    const int threads = random() % 2 == 0 ? 1 : 4;
    Writer writer(path, kModes[random() % std::size(kModes)], threads);
    for (std::uint64_t wait = random() % 5 == 0 ? 0 : 1 + random() % 300; wait > 0 && writer.read_one();
         --wait) {
    }
    ASSERT_TRUE(writer.kill()) << "the writer ended by itself";
    newest = std::max(newest, writer.acknowledged());
    busy_writers += writer.acknowledged() > 0;
    threads_killed += threads;
    // Sometimes the next writer is the first to see what the killed one left.
    if (random() % 3 == 0 && i + 1 < kills && (i + 1) % 20 != 0) continue;
    auto database = Database::open(path);
    ASSERT_TRUE(database) << database.error().message();
    {
      auto connection = database->connect();
      ASSERT_TRUE(connection) << connection.error().message();
      ASSERT_NO_FATAL_FAILURE(expect_whole(*connection, newest, threads_killed, newest))
          << "after kill " << i;
    }
    threads_killed = 0;
    const auto problems = database->check();
    ASSERT_TRUE(problems) << problems.error().message();
    EXPECT_TRUE(problems->empty()) << problems->front().what;
  }
  EXPECT_GT(busy_writers, 0);
}

}  // namespace
}  // namespace dosql::testing
