// Writers of several branches at once, whose rows AUTOINCREMENT numbers.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "engine/engine_test_support.h"
#include "testing/run_length.h"

namespace dosql::engine {
namespace {

constexpr int kBranches = 4;

class AutoincrementThreads : public ::testing::Test {
 protected:
  void SetUp() override {
    Connection connection = db.connect().value();
    DOSQL_ASSERT_OK(connection.exec("CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT, v)"));
    for (int i = 1; i < kBranches; ++i) DOSQL_ASSERT_OK(connection.exec("CREATE BRANCH " + name(i)));
  }
  static std::string name(int branch) { return branch == 0 ? "main" : fmt::format("b{}", branch); }

  // `work(connection, thread)` in two threads for each branch, while branches come and go.
  template <class Work>
  void run_threads(const Work& work) {
    std::vector<std::thread> threads;
    std::atomic<bool> stop = false;
    for (int thread = 0; thread < 2 * kBranches; ++thread) {
      threads.emplace_back([&, thread] {
        Connection connection = db.connect().value();
        DOSQL_EXPECT_OK(connection.checkout(name(thread % kBranches)));
        DOSQL_EXPECT_OK(
            connection.exec(thread % 3 == 0 ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL"));
        work(connection, thread);
      });
    }
    std::thread maker([&] {
      Connection connection = db.connect().value();
      while (!stop) DOSQL_EXPECT_OK(connection.exec("CREATE BRANCH extra; DROP BRANCH extra FORCE"));
    });
    for (std::thread& thread : threads) thread.join();
    stop = true;
    maker.join();
  }

  // What every branch has, by the row's own value.
  std::map<std::string, std::string> numbers() {
    std::map<std::string, std::string> numbers;
    Connection connection = db.connect().value();
    for (int branch = 0; branch < kBranches; ++branch) {
      DOSQL_EXPECT_OK(connection.checkout(name(branch)));
      for (const Row& row : connection.query("SELECT v, id FROM t").value())
        numbers[row[0].text()] = value_text(row[1]);
    }
    return numbers;
  }
  std::map<std::string, std::string> merged() {
    Connection connection = db.connect().value();
    for (int branch = 1; branch < kBranches; ++branch) {
      const auto result = connection.merge(name(branch));
      DOSQL_EXPECT_OK(result);
      EXPECT_TRUE(result && result->conflicts.empty());
    }
    std::map<std::string, std::string> rows;
    for (const Row& row : connection.query("SELECT v, id FROM t").value()) {
      const bool is_new = rows.emplace(row[0].text(), value_text(row[1])).second;
      EXPECT_TRUE(is_new) << row[0].text();
    }
    EXPECT_EQ(rows_text(connection, "PRAGMA integrity_check"), "ok");
    return rows;
  }

  Database db = open_in_memory();
};

// A statement says beforehand which number it is going to give first.
TEST_F(AutoincrementThreads, StatementsThatInsertOneRowNeverMeet) {
  const std::uint64_t seed = testing::test_seed();
  const int count = testing::scaled(300);
  run_threads([&](Connection& connection, int thread) {
    std::mt19937_64 random(seed + static_cast<std::uint64_t>(thread));
    for (int i = 0; i < count; ++i) {
      const bool in_transaction = random() % 3 == 0;
      const bool undone = in_transaction && random() % 3 == 0;
      DOSQL_EXPECT_OK(connection.exec(in_transaction ? "BEGIN IMMEDIATE" : ""));
      for (std::uint64_t row = 0; row <= (in_transaction ? random() % 4 : 0); ++row) {
        const std::string value = fmt::format("{}-{}-{}{}", thread, i, row, undone ? " undone" : "");
        DOSQL_EXPECT_OK(connection.run("INSERT INTO t(v) VALUES(?)", value));
      }
      DOSQL_EXPECT_OK(connection.exec(!in_transaction ? "" : undone ? "ROLLBACK" : "COMMIT"));
    }
  });
  const auto given = numbers();
  EXPECT_EQ(merged(), given);
}

TEST_F(AutoincrementThreads, WhatMeetsIsSettledByTheMerge) {
  const int count = testing::scaled(100);
  run_threads([&](Connection& connection, int thread) {
    for (int i = 0; i < count; ++i) {
      DOSQL_EXPECT_OK(connection.exec(
          fmt::format("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20) "
                      "INSERT INTO t(v) SELECT '{}-{}-' || i FROM n",
                      thread, i)));
    }
  });
  const auto given = numbers();
  EXPECT_EQ(given.size(), static_cast<std::size_t>(2 * kBranches * count * 20));
  const auto rows = merged();
  EXPECT_EQ(rows.size(), given.size());
  for (const auto& [value, id] : given) EXPECT_TRUE(rows.contains(value)) << value;
}

}  // namespace
}  // namespace dosql::engine
