// time_travel.sql: the forms of FOR SYSTEM_TIME AS OF, as one script.

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "engine/engine_test_support.h"
#include "testing/paths.h"

namespace dosql::spec_test {
namespace {

using engine::rows_text;

constexpr int kVersions = 12;
constexpr TimestampUs kDayUs = 24LL * 3600 * 1'000'000;
constexpr TimestampUs kNewYear2024Us = 1'704'067'200'000'000;

std::string file_text(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// The result of each statement of a script.
std::vector<std::string> results_of(Connection& connection, std::string_view script) {
  std::vector<std::string> results;
  while (!script.empty()) {
    std::string_view tail;
    Statement statement = connection.prepare(script, tail).value();
    script = tail;
    if (statement.empty()) continue;
    std::string rows;
    while (statement.step().value()) rows += std::string(statement.text(0)) + " ";
    results.push_back(rows);
  }
  return results;
}

// A commit a day; after the n-th, `users` has the rows 2..n.
class TimeTravelSqlTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (int version = 1; version <= kVersions; ++version) {
      clock_.set_us(kNewYear2024Us + (version - 4) * kDayUs);
      run(version == 1 ? "CREATE TABLE users(id INTEGER PRIMARY KEY)"
                       : "INSERT INTO users VALUES (" + std::to_string(version) + ")");
    }
    run("CREATE BRANCH \"feature-x\"; CHECKOUT \"feature-x\"; INSERT INTO users VALUES (99); CHECKOUT main");
  }

  void run(const std::string& sql) { connection_.exec(sql).value(); }

  // The rows of `users` as of that version.
  static std::string rows_at(int version) {
    std::string rows;
    for (int id = 2; id <= version; ++id) rows += std::to_string(id) + " ";
    return rows;
  }

  ManualClock clock_{kNewYear2024Us};
  Database database_ = engine::open_in_memory({.clock = &clock_});
  Connection connection_ = database_.connect().value();
};

TEST_F(TimeTravelSqlTest, EveryForm) {
  const std::string owner_of_lsn =
      "SELECT version FROM dosql_log WHERE lsn_first < 12345 AND 12345 <= lsn_last";
  const int at_lsn = std::stoi(rows_text(connection_, owner_of_lsn));
  ASSERT_GT(at_lsn, 1);
  EXPECT_EQ(results_of(connection_, file_text(testing::source_dir() / "tests/spec/time_travel.sql")),
            (std::vector<std::string>{rows_at(4), rows_at(at_lsn), rows_at(5), rows_at(kVersions) + "99 ",
                                      rows_at(kVersions - 5)}));
}

}  // namespace
}  // namespace dosql::spec_test
