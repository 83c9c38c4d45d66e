// Thousands of connections to one database, on hundreds of branches.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <vector>

#include "engine/engine_test_support.h"

namespace dosql::engine {
namespace {

// SQLite answers when it compiles the PRAGMA; the share is adapted when a statement runs.
std::string cache_size(Connection& connection) {
  DOSQL_EXPECT_OK(connection.exec("SELECT 1"));
  return rows_text(connection, "PRAGMA cache_size");
}

TEST(ManyConnectionsTest, EachIsOnItsBranchAndTheyShareTheCache) {
  constexpr int kBranches = 200;
  constexpr int kConnections = 2'000;
  Database db = open_in_memory();
  Connection first = db.connect().value();
  DOSQL_ASSERT_OK(first.exec("CREATE TABLE t(branch TEXT, n INT); INSERT INTO t VALUES ('', 0)"));
  EXPECT_EQ(cache_size(first), "-2000");
  for (int i = 0; i < kBranches; ++i) DOSQL_ASSERT_OK(first.branch(fmt::format("b{}", i)));

  std::vector<Connection> connections;
  for (int i = 0; i < kConnections; ++i) {
    connections.push_back(db.connect().value());
    DOSQL_ASSERT_OK(connections.back().checkout(fmt::format("b{}", i % kBranches)));
  }
  for (int i = 0; i < kConnections; ++i) {
    DOSQL_ASSERT_OK(connections[i].run("UPDATE t SET branch = ?, n = n + 1",
                                       std::string(connections[i].current_branch())));
  }
  for (int i = 0; i < kConnections; ++i) {
    ASSERT_EQ(rows_text(connections[i], "SELECT * FROM t"),
              fmt::format("b{}|{}", i % kBranches, kConnections / kBranches));
  }
  EXPECT_EQ(rows_text(first, "SELECT value FROM dosql_status WHERE name = 'connections'"),
            std::to_string(kConnections + 1));
  EXPECT_EQ(cache_size(first), fmt::format("-{}", CacheBudget::kTotalKib / 2'048));
  EXPECT_EQ(cache_size(connections[7]), fmt::format("-{}", CacheBudget::kTotalKib / 2'048));
  connections.clear();
  EXPECT_EQ(cache_size(first), "-2000");
}

TEST(ManyConnectionsTest, AChosenCacheSizeStays) {
  Database db = open_in_memory();
  Connection chosen = db.connect().value();
  DOSQL_ASSERT_OK(chosen.exec("PRAGMA cache_size = -500"));
  std::vector<Connection> others;
  for (int i = 0; i < 400; ++i) others.push_back(db.connect().value());
  EXPECT_EQ(cache_size(chosen), "-500");
  EXPECT_EQ(cache_size(others[0]), fmt::format("-{}", CacheBudget::kTotalKib / 512));
}

TEST(ManyConnectionsTest, TheOptionSaysHowMuchAConnectionMayCacheWhileThereAreFew) {
  Options options;
  options.cache_bytes = std::size_t{16'000} << 10;
  Database db = open_in_memory(options);
  std::vector<Connection> connections;
  connections.push_back(db.connect().value());
  // Without a statement before it.
  EXPECT_EQ(rows_text(connections[0], "PRAGMA cache_size"), "-16000");
  while (connections.size() < 32) connections.push_back(db.connect().value());
  EXPECT_EQ(cache_size(connections[0]), fmt::format("-{}", CacheBudget::kTotalKib / 32));

  options.cache_bytes = 1;
  Database least = open_in_memory(options);
  Connection frugal = least.connect().value();
  EXPECT_EQ(rows_text(frugal, "PRAGMA cache_size"), fmt::format("-{}", CacheBudget::kLeastKib));
}

}  // namespace
}  // namespace dosql::engine
