#include "bench/sides.h"

#include <dosql/dosql.h>
#include <fmt/format.h>
#include <sqlite3.h>

#include <filesystem>
#include <optional>

#include "bench/harness.h"
#include "engine/database_core.h"

namespace dosql::bench {
namespace {

std::string pragma_synchronous(Synchronous synchronous) {
  return fmt::format("PRAGMA synchronous = {}", synchronous == Synchronous::kFull ? "FULL" : "NORMAL");
}

// Ends the program when `result` is a failure.
template <class T>
T succeed(Result<T> result) {
  if (!result) fail(result.error().message());
  return *std::move(result);
}
void succeed(const Status& status) {
  if (!status) fail(Status(status).error().message());
}

class DosqlSide final : public Ours {
 public:
  DosqlSide(std::string folder, Synchronous synchronous)
      : folder_(std::move(folder)), synchronous_(synchronous) {
    open();
  }

  sqlite3* db() override { return connection_->sqlite_handle(); }

  void open() override {
    database_ = succeed(Database::open(folder_));
    connection_ = succeed(database_->connect());
    execute(db(), pragma_synchronous(synchronous_));
  }

  void close() override {
    connection_.reset();
    succeed(database_->close());
    database_.reset();
  }

  version::StoreStatus status() override { return engine::DatabaseAccess::core(*database_).store().status(); }

 private:
  const std::string folder_;
  const Synchronous synchronous_;
  std::optional<Database> database_;
  std::optional<Connection> connection_;
};

class StockSide final : public Side {
 public:
  StockSide(std::string folder, Synchronous synchronous)
      : folder_(std::move(folder)), synchronous_(synchronous) {
    std::filesystem::create_directories(folder_);
    open();
  }
  ~StockSide() override { close(); }

  sqlite3* db() override { return db_; }

  // The options that a Connection of ours sets are set here too; the rest is SQLite's default, the page size
  // and auto-checkpoint included.
  void open() override {
    const std::string path = folder_ + "/stock.db";
    const int flags =
        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    if (sqlite3_open_v2(path.c_str(), &db_, flags, nullptr) != SQLITE_OK) fail("cannot open " + path);
    sqlite3_db_config(db_, SQLITE_DBCONFIG_ENABLE_FKEY, 1, nullptr);
    sqlite3_db_config(db_, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
    execute(db_, "PRAGMA page_size = 4096; PRAGMA journal_mode = WAL");
    execute(db_, pragma_synchronous(synchronous_));
  }

  void close() override {
    sqlite3_close_v2(db_);
    db_ = nullptr;
  }

 private:
  const std::string folder_;
  const Synchronous synchronous_;
  sqlite3* db_ = nullptr;
};

}  // namespace

std::unique_ptr<Ours> make_ours(const std::string& folder, Synchronous synchronous) {
  return std::make_unique<DosqlSide>(folder, synchronous);
}

std::unique_ptr<Side> make_peer(const std::string& folder, Synchronous synchronous) {
  return std::make_unique<StockSide>(folder, synchronous);
}

void execute(sqlite3* db, const std::string& sql) {
  char* message = nullptr;
  if (sqlite3_exec(db, sql.c_str(), nullptr, nullptr, &message) != SQLITE_OK) {
    fail(fmt::format("{}: {}", sql, message ? message : "failed"));
  }
}

Prepared::Prepared(sqlite3* db, const std::string& sql) {
  if (sqlite3_prepare_v3(db, sql.c_str(), -1, SQLITE_PREPARE_PERSISTENT, &statement_, nullptr) != SQLITE_OK) {
    fail(fmt::format("{}: {}", sql, sqlite3_errmsg(db)));
  }
}

Prepared::~Prepared() { sqlite3_finalize(statement_); }

void Prepared::bind(int index, std::int64_t value) { sqlite3_bind_int64(statement_, index, value); }

void Prepared::bind(int index, std::string_view text) {
  sqlite3_bind_text(statement_, index, text.data(), static_cast<int>(text.size()), SQLITE_STATIC);
}

std::int64_t Prepared::run() {
  std::int64_t last = 0;
  int rc = sqlite3_step(statement_);
  for (; rc == SQLITE_ROW; rc = sqlite3_step(statement_)) last = sqlite3_column_int64(statement_, 0);
  if (rc != SQLITE_DONE)
    fail(fmt::format("{}: {}", sqlite3_sql(statement_), sqlite3_errmsg(sqlite3_db_handle(statement_))));
  sqlite3_reset(statement_);
  return last;
}

}  // namespace dosql::bench
