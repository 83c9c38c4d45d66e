// Random SQL, statement by statement, against stock SQLite on a plain file for each branch: the same results,
// the same errors, the same tables after each step and each CHECKOUT, and every old version exported is what
// its branch's file was at that step.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "engine/engine_test_support.h"
#include "testing/run_length.h"
#include "tests/faults/sql_names.h"
#include "tests/faults/sql_workload.h"

namespace dosql::testing {
namespace {

using engine::content_text;
using engine::rows_text;
using engine::Stock;
using engine::TemporaryDirectory;

// Stock SQLite with a file for each branch, and on one of them as a connection is.
class StockBranches {
 public:
  StockBranches() { checkout("main", StockModel::no_tables()); }

  // `content`: what the branch holds.
  void checkout(const std::string& name, const StockModel::Snapshot& content) {
    stock_.reset();
    file_ = directory_.file("stock-" + name);
    write(file_, content);
    stock_.emplace(file_);
    stock_->exec("PRAGMA auto_vacuum = INCREMENTAL; PRAGMA foreign_keys = ON");
    sqlite3_extended_result_codes(stock_->db(), 1);
  }

  Stock& stock() { return *stock_; }
  // A copy of the present branch's file.
  StockModel::Snapshot content() const {
    std::ifstream file(file_, std::ios::binary);
    return std::make_shared<const std::vector<unsigned char>>(std::istreambuf_iterator<char>(file),
                                                              std::istreambuf_iterator<char>());
  }
  static void write(const std::string& path, const StockModel::Snapshot& content) {
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    file.write(reinterpret_cast<const char*>(content->data()), static_cast<std::streamsize>(content->size()));
  }

 private:
  TemporaryDirectory directory_;
  std::string file_;
  std::optional<Stock> stock_;
};

class SqlModel {
 public:
  explicit SqlModel(std::uint64_t seed) : random_(seed), workload_(random_) { open(); }

  void step() {
    if (random_() % 6 == 0) {
      change_names();
    } else {
      change_rows();
    }
    if (::testing::Test::HasFailure()) return;
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

  // Every branch is there afterwards.
  void reopen() {
    connection_.reset();
    if (random_() % 2 == 0) {
      ASSERT_TRUE(database_->close());
    }
    database_.reset();
    open();
    for (const auto& [name, line] : state_.branches) checkout(name);
  }

  void checkout(const std::string& name) {
    const Status done = connection_->exec("CHECKOUT " + name);
    ASSERT_TRUE(done) << done.error().message();
    checked_out(name);
  }

  void checked_out(const std::string& name) {
    branch_ = name;
    const auto newest = state_.branches.at(name).rbegin();
    stock_.checkout(name, newest->second);
    ASSERT_EQ(connection_->version(), newest->first) << name;
    ASSERT_EQ(content_text(*connection_), content_text(stock_.stock())) << name;
  }

  void change_names() {
    NameStatement statement = random_name_statement(random_, state_, branch_);
    SCOPED_TRACE("on " + branch_ + ": " + statement.sql);
    const Status done = connection_->exec(statement.sql);
    if (statement.error) {
      ASSERT_FALSE(done);
      ASSERT_EQ(done.error().code(), *statement.error) << done.error().message();
      return;
    }
    ASSERT_TRUE(done) << done.error().message();
    state_ = std::move(statement.after);
    if (statement.checkout || statement.merge) checked_out(statement.branch);
  }

  void change_rows() {
    const SqlBlock block = workload_.next_block(tables());
    for (const std::string& sql : block) {
      SCOPED_TRACE("on " + branch_ + ": " + sql.substr(0, 300));
      const int wanted = stock_.stock().try_exec(sql);
      const Status done = connection_->exec(sql);
      ASSERT_EQ(done ? SQLITE_OK : done.error().sqlite_code(), wanted)
          << (done ? "" : done.error().message());
      ASSERT_EQ(content_text(*connection_), content_text(stock_.stock()));
    }
    state_.branches.at(branch_)[connection_->version()] = stock_.content();
  }

  std::vector<std::string> tables() {
    std::vector<std::string> names;
    const auto rows = connection_->query(SqlWorkload::tables_query());
    for (const Row& row : *rows) names.push_back(row[0].text());
    return names;
  }

  // A version of some branch, or what a snapshot labels.
  void compare_old_version() {
    const bool labelled = !state_.snapshots.empty() && random_() % 4 == 0;
    const auto& lines = labelled ? state_.snapshots : state_.branches;
    const auto& [name, line] = *std::next(lines.begin(), pick(lines.size()));
    const auto version = labelled ? std::prev(line.end()) : std::next(line.begin(), pick(line.size()));
    if (version->first > 0)
      compare_version(labelled ? name : fmt::format("{}@{}", name, version->first), version->second);
  }

  void compare_version(const std::string& point, const StockModel::Snapshot& content) {
    const std::string exported = directory_.file("exported");
    const std::string saved = directory_.file("saved");
    StockBranches::write(saved, content);
    const auto result = database_->export_sqlite(exported, time_point(point));
    ASSERT_TRUE(result) << result.error().message();
    {
      Stock old(exported);
      Stock wanted(saved);
      EXPECT_EQ(content_text(old), content_text(wanted)) << point;
      EXPECT_EQ(old.rows_text("PRAGMA integrity_check"), "ok") << point;
    }
    std::filesystem::remove(exported);
  }

  std::ptrdiff_t pick(std::size_t count) { return static_cast<std::ptrdiff_t>(random_() % count); }

  std::mt19937_64 random_;
  SqlWorkload workload_;
  TemporaryDirectory directory_;
  StockBranches stock_;
  SqlState state_;
  std::string branch_ = "main";
  Options options_;
  std::optional<Database> database_;
  std::optional<Connection> connection_;
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
