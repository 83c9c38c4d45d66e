// Runs tests/sql/*.test on DoSQL in several configurations, with stock SQLite as the oracle.

#include <dosql/dosql.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <algorithm>
#include <filesystem>
#include <optional>

#include "testing/paths.h"
#include "tests/sql/script.h"

namespace dosql::sql_test {
namespace {

namespace fs = std::filesystem;

std::string blob_text(std::span<const std::byte> bytes) {
  std::string text = "x'";
  for (const std::byte byte : bytes) text += fmt::format("{:02x}", std::to_integer<unsigned>(byte));
  return text + "'";
}

// What running SQL gave: all rows of all statements, or the error's message.
struct Outcome {
  std::vector<std::string> rows;
  std::optional<std::string> error;
};

class StockSqlite {
 public:
  StockSqlite(const fs::path& folder) {
    sqlite3_open_v2((folder / "stock.sqlite").c_str(), &db_, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
                    "unix");
  }
  ~StockSqlite() { sqlite3_close(db_); }
  StockSqlite(const StockSqlite&) = delete;
  StockSqlite& operator=(const StockSqlite&) = delete;

  Outcome run(std::string_view sql) {
    Outcome outcome;
    const char* at = sql.data();
    const char* const end = sql.data() + sql.size();
    while (at < end && !outcome.error) {
      sqlite3_stmt* statement = nullptr;
      if (sqlite3_prepare_v2(db_, at, static_cast<int>(end - at), &statement, &at) != SQLITE_OK) {
        outcome.error = sqlite3_errmsg(db_);
        break;
      }
      if (!statement) continue;
      int code = SQLITE_ROW;
      while ((code = sqlite3_step(statement)) == SQLITE_ROW) outcome.rows.push_back(row_text(statement));
      if (code != SQLITE_DONE) outcome.error = sqlite3_errmsg(db_);
      sqlite3_finalize(statement);
    }
    return outcome;
  }

 private:
  static std::string row_text(sqlite3_stmt* statement) {
    std::string row;
    for (int column = 0; column < sqlite3_column_count(statement); ++column) {
      if (column > 0) row += '|';
      switch (sqlite3_column_type(statement, column)) {
        case SQLITE_NULL: row += "NULL"; break;
        case SQLITE_BLOB:
          row += blob_text({static_cast<const std::byte*>(sqlite3_column_blob(statement, column)),
                            static_cast<std::size_t>(sqlite3_column_bytes(statement, column))});
          break;
        default: row += reinterpret_cast<const char*>(sqlite3_column_text(statement, column));
      }
    }
    return row;
  }

  sqlite3* db_ = nullptr;
};

std::string row_text(const Statement& statement) {
  std::string row;
  for (int column = 0; column < statement.column_count(); ++column) {
    if (column > 0) row += '|';
    switch (statement.type(column)) {
      case Value::Type::kNull: row += "NULL"; break;
      case Value::Type::kBlob: row += blob_text(statement.blob(column)); break;
      default: row += statement.text(column);
    }
  }
  return row;
}

Outcome run(Connection& connection, std::string_view sql) {
  Outcome outcome;
  while (!sql.empty()) {
    std::string_view tail;
    auto statement = connection.prepare(sql, tail);
    if (!statement) {
      outcome.error = statement.error().message();
      return outcome;
    }
    sql = tail;
    if (statement->empty()) continue;
    while (true) {
      const auto more = statement->step();
      if (!more) {
        outcome.error = more.error().message();
        return outcome;
      }
      if (!*more) break;
      outcome.rows.push_back(row_text(*statement));
    }
  }
  return outcome;
}

enum class Configuration { kPlain, kReopened, kTinyCaches, kBesideThePast };

const char* configuration_name(Configuration configuration) {
  switch (configuration) {
    case Configuration::kPlain: return "Plain";
    case Configuration::kReopened: return "Reopened";
    case Configuration::kTinyCaches: return "TinyCaches";
    case Configuration::kBesideThePast: return "BesideThePast";
  }
  return "";
}

struct Case {
  std::string path;
  Configuration configuration;
};

class SqlTest : public ::testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / fmt::format("dosql-sql-test-{}-{}", ::getpid(), counter_++);
    fs::create_directories(folder_);
    fs::current_path(folder_);
    stock_.emplace(folder_);
    open();
  }
  void TearDown() override {
    close();
    stock_.reset();
    fs::current_path(fs::temp_directory_path());
    fs::remove_all(folder_);
  }

  void open() {
    Options options;
    options.allow_files = true;
    if (GetParam().configuration == Configuration::kTinyCaches) {
      options.pool_bytes = 0;
      options.history_cache_bytes = 0;
    }
    auto database = Database::open((folder_ / "ours").string(), options);
    ASSERT_TRUE(database) << database.error().message();
    database_.emplace(*std::move(database));
    auto connection = database_->connect();
    ASSERT_TRUE(connection) << connection.error().message();
    connection_.emplace(*std::move(connection));
    if (GetParam().configuration == Configuration::kTinyCaches) {
      ASSERT_TRUE(connection_->exec("PRAGMA cache_size = 5"));
    }
  }
  void close() {
    connection_.reset();
    if (database_) {
      const Status closed = database_->close();
      EXPECT_TRUE(closed) << closed.error().message();
    }
    database_.reset();
  }

  // Leaves versions of the past attached to the connection, of which the next step must not notice anything.
  void look_back() {
    for (const char* point : {"VERSION CURRENT - 1", "VERSION CURRENT"}) {
      const auto looked = connection_->query(
          fmt::format("SELECT count(*) FROM sqlite_schema FOR SYSTEM_TIME AS OF {}", point));
      EXPECT_TRUE(looked || looked.error().code() == ErrorCode::kVersionNotFound) << looked.error().message();
    }
  }

  void check(const Step& step) {
    if (GetParam().configuration == Configuration::kBesideThePast) look_back();
    const Outcome ours = run(*connection_, step.sql);
    if (step.expectation == Expectation::kError) {
      ASSERT_TRUE(ours.error) << "it succeeded";
      EXPECT_NE(ours.error->find(step.error_text), std::string::npos) << *ours.error;
    } else {
      ASSERT_FALSE(ours.error) << *ours.error;
    }
    if (step.expectation == Expectation::kQuery) {
      EXPECT_EQ(ours.rows, step.rows);
    }
    if (step.dosql_only) return;
    const Outcome stock = stock_->run(step.sql);
    EXPECT_EQ(ours.error, stock.error) << "stock SQLite says otherwise";
    EXPECT_EQ(ours.rows, stock.rows) << "stock SQLite says otherwise";
  }

  fs::path folder_;
  static inline int counter_ = 0;
  std::optional<StockSqlite> stock_;
  std::optional<Database> database_;
  std::optional<Connection> connection_;
};

TEST_P(SqlTest, Script) {
  const auto script = parse_script(GetParam().path);
  ASSERT_TRUE(script) << script.error().message();
  const bool reopen = GetParam().configuration == Configuration::kReopened && script->reopen_allowed;
  for (const Step& step : script->steps) {
    SCOPED_TRACE(fmt::format("{}:{}\n{}", GetParam().path, step.line, step.sql));
    check(step);
    if (HasFatalFailure()) return;
    if (reopen && !connection_->in_transaction()) {
      close();
      open();
    }
  }
  const Outcome integrity = run(*connection_, "PRAGMA integrity_check");
  EXPECT_EQ(integrity.rows, std::vector<std::string>{"ok"});
}

std::vector<Case> all_cases() {
  std::vector<Case> cases;
  for (const auto& entry : fs::directory_iterator(testing::source_dir() / "tests" / "sql")) {
    if (entry.path().extension() != ".test") continue;
    for (const auto configuration : {Configuration::kPlain, Configuration::kReopened,
                                     Configuration::kTinyCaches, Configuration::kBesideThePast}) {
      cases.push_back({entry.path().string(), configuration});
    }
  }
  std::sort(cases.begin(), cases.end(), [](const Case& a, const Case& b) { return a.path < b.path; });
  return cases;
}

INSTANTIATE_TEST_SUITE_P(Files, SqlTest, ::testing::ValuesIn(all_cases()), [](const auto& tested) {
  return fs::path(tested.param.path).stem().string() + "_" + configuration_name(tested.param.configuration);
});

}  // namespace
}  // namespace dosql::sql_test
