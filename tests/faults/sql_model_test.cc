// Random SQL, statement by statement, against stock SQLite on a plain file: the same results, the same
// errors, the same tables after each step, and every old version exported is what the plain file was at that
// step.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>

#include "engine/engine_test_support.h"
#include "testing/run_length.h"
#include "tests/faults/sql_workload.h"

namespace dosql::testing {
namespace {

using engine::content_text;
using engine::rows_text;
using engine::Stock;
using engine::TemporaryDirectory;

class SqlModel {
 public:
  explicit SqlModel(std::uint64_t seed) : random_(seed), workload_(random_) {
    stock_.exec("PRAGMA auto_vacuum = INCREMENTAL; PRAGMA foreign_keys = ON");
    sqlite3_extended_result_codes(stock_.db(), 1);
    open();
  }

  void step() {
    const SqlBlock block = workload_.next_block(tables());
    for (const std::string& sql : block) {
      SCOPED_TRACE(sql.substr(0, 300));
      const int wanted = stock_.try_exec(sql);
      const Status done = connection_->exec(sql);
      ASSERT_EQ(done ? SQLITE_OK : done.error().sqlite_code(), wanted)
          << (done ? "" : done.error().message());
      ASSERT_EQ(content_text(*connection_), content_text(stock_));
    }
    remember();
    const std::uint64_t kind = random_() % 30;
    if (kind == 0) reopen();
    if (kind < 4) compare_old_version();
    if (kind == 5) {
      ASSERT_EQ(rows_text(*connection_, "PRAGMA integrity_check"), "ok");
    }
  }

 private:
  void open() {
    auto database = Database::open(directory_.file("database"), options_);
    ASSERT_TRUE(database) << database.error().message();
    database_.emplace(*std::move(database));
    auto connection = database_->connect();
    ASSERT_TRUE(connection) << connection.error().message();
    connection_.emplace(*std::move(connection));
    ASSERT_TRUE(
        connection_->exec(random_() % 2 == 0 ? "PRAGMA cache_size = 10" : "PRAGMA synchronous = NORMAL"));
  }

  void reopen() {
    connection_.reset();
    if (random_() % 2 == 0) {
      ASSERT_TRUE(database_->close());
    }
    database_.reset();
    open();
    ASSERT_EQ(content_text(*connection_), content_text(stock_));
  }

  std::vector<std::string> tables() {
    std::vector<std::string> names;
    const auto rows = connection_->query(SqlWorkload::tables_query());
    for (const Row& row : *rows) names.push_back(row[0].text());
    return names;
  }

  // Saves a copy of stock SQLite's file for the version that is the newest now.
  void remember() {
    const std::uint64_t version = connection_->version();
    const std::string copy = directory_.file(fmt::format("saved-{}", version));
    std::filesystem::copy_file(directory_.file("stock"), copy,
                               std::filesystem::copy_options::overwrite_existing);
    saved_[version] = copy;
  }

  void compare_old_version() {
    const auto saved = std::next(saved_.begin(), static_cast<std::ptrdiff_t>(random_() % saved_.size()));
    if (saved->first == 0) return;
    const std::string exported = directory_.file("exported");
    const auto result = database_->export_sqlite(exported, saved->first);
    ASSERT_TRUE(result) << result.error().message();
    {
      Stock old(exported);
      Stock wanted(saved->second);
      EXPECT_EQ(content_text(old), content_text(wanted)) << "version " << saved->first;
      EXPECT_EQ(old.rows_text("PRAGMA integrity_check"), "ok");
    }
    std::filesystem::remove(exported);
  }

  std::mt19937_64 random_;
  SqlWorkload workload_;
  TemporaryDirectory directory_;
  Stock stock_{directory_.file("stock")};
  Options options_;
  std::optional<Database> database_;
  std::optional<Connection> connection_;
  std::map<std::uint64_t, std::string> saved_;
};

TEST(SqlModelTest, EveryStepIsThatOfStockSqlite) {
  constexpr int kStepsPerDatabase = 150;
  const std::uint64_t seed = test_seed();
  const int steps = soak() ? scaled(20'000) : scaled(600);
  for (int run = 0; run * kStepsPerDatabase < steps; ++run) {
    SCOPED_TRACE(fmt::format("DOSQL_SEED={} sql_model_test", seed + run));
    SqlModel model(seed + run);
    for (int i = 0; i < std::min(steps, kStepsPerDatabase); ++i) {
      model.step();
      ASSERT_FALSE(HasFailure()) << "in step " << i;
    }
  }
}

}  // namespace
}  // namespace dosql::testing
