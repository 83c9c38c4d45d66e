// A real process under load is killed, again and again: every transaction it acknowledged is there
// afterwards, whole, whatever PRAGMA synchronous says.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "engine/engine_test_support.h"
#include "testing/run_length.h"
#include "tests/faults/child.h"

namespace dosql::testing {
namespace {

using engine::TemporaryDirectory;

TEST(ProcessKillTest, AcknowledgedTransactionsSurvive) {
  const std::uint64_t seed = test_seed();
  SCOPED_TRACE(fmt::format("DOSQL_SEED={} process_kill_test", seed));
  std::mt19937_64 random(seed);
  constexpr const char* kModes[] = {"FULL", "NORMAL", "OFF"};
  // Enough that some of them have something to say before they are killed.
  const int kills = soak() ? scaled(200) : std::max(scaled(12), 5);
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
    KilledWriter writer(path, kModes[random() % std::size(kModes)], threads);
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
