// Real processes that follow each other, and are killed.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <random>

#include "engine/engine_test_support.h"
#include "testing/run_length.h"
#include "tests/faults/child.h"

namespace dosql::testing {
namespace {

using engine::rows_text;
using engine::TemporaryDirectory;

Database open_to_read(const std::string& path) {
  auto database = Database::open(path, {.mode = OpenMode::kReadOnly});
  EXPECT_TRUE(database) << database.error().message();
  return *std::move(database);
}

std::string status_of(Connection& connection, const char* name) {
  return rows_text(connection, fmt::format("SELECT value FROM dosql_status WHERE name = '{}'", name));
}

// A follower lives while writer after writer is killed under load: nothing that it saw is ever gone, and
// whatever was acknowledged it sees.
void follow_killed_writers(std::mt19937_64& random) {
  constexpr const char* kModes[] = {"FULL", "NORMAL", "OFF"};
  const int kills = scaled(15);
  TemporaryDirectory directory;
  const std::string path = directory.file("database");
  {
    KilledWriter first(path, "NORMAL", 1);
    ASSERT_TRUE(first.read_one());
    ASSERT_TRUE(first.kill());
  }
  Database follower = open_to_read(path);
  Connection connection = follower.connect().value();
  std::int64_t seen = 0;
  int threads_killed = 0;
  const auto look = [&] {
    const auto newest = connection.query_one("SELECT n FROM newest");
    ASSERT_TRUE(newest) << newest.error().message();
    ASSERT_GE((**newest)[0].integer(), seen) << "it saw more";
    seen = (**newest)[0].integer();
    ASSERT_EQ(rows_text(connection, "SELECT max(n) >= (SELECT n FROM newest) FROM single"), "1");
  };
  for (int i = 0; i < kills; ++i) {
    SCOPED_TRACE(fmt::format("kill {}", i));
    const int threads = random() % 2 == 0 ? 1 : 4;
    threads_killed += threads;
    KilledWriter writer(path, kModes[random() % std::size(kModes)], threads);
    for (std::uint64_t wait = random() % 5 == 0 ? 0 : 1 + random() % 300; wait > 0 && writer.read_one();
         --wait) {
      if (random() % 8 != 0) continue;
      ASSERT_NO_FATAL_FAILURE(look());
      ASSERT_GE(seen, writer.acknowledged());
    }
    // Some followers begin while it writes.
    if (random() % 3 == 0) {
      Database late = open_to_read(path);
      Connection also = late.connect().value();
      ASSERT_EQ(rows_text(also, "PRAGMA integrity_check"), "ok");
    }
    ASSERT_TRUE(writer.kill()) << "the writer ended by itself";
    std::int64_t newest = 0;
    ASSERT_NO_FATAL_FAILURE(look());
    ASSERT_NO_FATAL_FAILURE(expect_whole(connection, std::max(seen, writer.acknowledged()), threads, newest));
    EXPECT_EQ(newest, seen);
    EXPECT_EQ(status_of(connection, "writer_pid"), "NULL");
  }
  // The next writer has all of it.
  Database writer = Database::open(path).value();
  Connection write = writer.connect().value();
  std::int64_t newest = 0;
  ASSERT_NO_FATAL_FAILURE(expect_whole(write, seen, threads_killed, newest));
  ASSERT_NO_FATAL_FAILURE(expect_whole(connection, seen, threads_killed, newest));
  EXPECT_EQ(rows_text(connection, "SELECT count(*) FROM many"),
            rows_text(write, "SELECT count(*) FROM many"));
  const auto problems = follower.check();
  ASSERT_TRUE(problems) << problems.error().message();
  EXPECT_TRUE(problems->empty()) << problems->front().what;
}

TEST(FollowProcessTest, WritersAreKilled) {
  const std::uint64_t seed = test_seed();
  SCOPED_TRACE(fmt::format("DOSQL_SEED={} follow_process_test", seed));
  std::mt19937_64 random(seed);
  for (int databases = soak() ? 15 : 1; databases > 0 && !::testing::Test::HasFailure(); --databases)
    follow_killed_writers(random);
}

// A follower that is killed, in a transaction, holds nothing back.
TEST(FollowProcessTest, FollowersAreKilled) {
  TemporaryDirectory directory;
  const std::string path = directory.file("database");
  Database writer = Database::open(path).value();
  Connection write = writer.connect().value();
  ASSERT_TRUE(write.exec("CREATE TABLE t(x); INSERT INTO t VALUES(1)"));
  const std::string first = rows_text(write, "SELECT lsn_last FROM dosql_log WHERE version = 2");
  const std::string old = rows_text(write, "SELECT value FROM dosql_status WHERE name = 'lsn'");
  EXPECT_EQ(first, old);
  EXPECT_EQ(status_of(write, "followers"), "0");
  for (int i = 0; i < 3; ++i) {
    Child one({"follow_reader", path});
    Child two({"follow_reader", path});
    ASSERT_EQ(one.read_number(), static_cast<std::int64_t>(write.version()));
    ASSERT_EQ(two.read_number(), static_cast<std::int64_t>(write.version()));
    const std::string pinned = status_of(write, "lsn");
    ASSERT_TRUE(one.read_number());
    ASSERT_TRUE(two.read_number());
    ASSERT_TRUE(write.exec("INSERT INTO t VALUES(2)"));
    const std::string newest = status_of(write, "lsn");
    // They have been woken, have caught up, and still read the old version.
    while (std::to_string(one.read_number().value_or(-1)) != newest) {
    }
    while (std::to_string(two.read_number().value_or(-1)) != newest) {
    }
    EXPECT_EQ(status_of(write, "followers"), "2");
    EXPECT_EQ(status_of(write, "oldest_follower_lsn"), pinned);
    one.send_kill();
    ASSERT_TRUE(one.was_killed());
    EXPECT_EQ(status_of(write, "followers"), "1");
    EXPECT_EQ(status_of(write, "oldest_follower_lsn"), pinned);
    two.send_kill();
    ASSERT_TRUE(two.was_killed());
    EXPECT_EQ(status_of(write, "followers"), "0");
    EXPECT_EQ(status_of(write, "oldest_follower_lsn"), "NULL");
  }
}

}  // namespace
}  // namespace dosql::testing
