#include "tests/faults/stock_model.h"

#include <cstring>

#include "base/check.h"
#include "engine/sqlite_running.h"

namespace dosql::testing {

StockModel::Snapshot StockModel::no_tables() {
  static const auto empty = std::make_shared<const std::vector<unsigned char>>();
  return empty;
}

StockModel::StockModel() { open(); }

StockModel::~StockModel() { sqlite3_close(db_); }

void StockModel::open() {
  CHECK(sqlite3_open(":memory:", &db_) == SQLITE_OK);
  sqlite3_extended_result_codes(db_, 1);
  // As DoSQL has it.
  CHECK(run("PRAGMA auto_vacuum = INCREMENTAL") == SQLITE_OK);
  CHECK(run("PRAGMA foreign_keys = ON") == SQLITE_OK);
}

int StockModel::run(const std::string& sql) {
  const char* rest = sql.c_str();
  while (*rest != '\0') {
    sqlite3_stmt* statement = nullptr;
    const int rc = sqlite3_prepare_v2(db_, rest, -1, &statement, &rest);
    if (rc != SQLITE_OK) return rc;
    if (statement == nullptr) continue;
    for (dosql_counter counter{}; dosql_next_counter(statement, &counter) != 0;) {
      const std::string table(static_cast<const char*>(counter.table), counter.table_bytes);
      dosql_count_from(statement, &counter, floors_[table]);
    }
    while (sqlite3_step(statement) == SQLITE_ROW) {
    }
    if (const int failed = sqlite3_finalize(statement); failed != SQLITE_OK) return failed;
  }
  return SQLITE_OK;
}

StockModel::Numbers StockModel::counted(const Snapshot& snapshot) {
  StockModel model;
  model.restore(snapshot);
  Numbers numbers;
  if (model.names("SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_sequence'").empty()) return numbers;
  for (const std::string& table : model.names("SELECT name FROM sqlite_sequence")) {
    const auto number = model.names("SELECT seq FROM sqlite_sequence WHERE name = '" + table + "'");
    numbers[table] = std::stoll(number.at(0));
  }
  return numbers;
}

std::vector<std::string> StockModel::names(const std::string& sql) {
  sqlite3_stmt* statement = nullptr;
  CHECK(sqlite3_prepare_v2(db_, sql.c_str(), -1, &statement, nullptr) == SQLITE_OK);
  std::vector<std::string> names;
  while (sqlite3_step(statement) == SQLITE_ROW) {
    names.emplace_back(reinterpret_cast<const char*>(sqlite3_column_text(statement, 0)));
  }
  sqlite3_finalize(statement);
  return names;
}

StockModel::Snapshot StockModel::snapshot() {
  CHECK(sqlite3_get_autocommit(db_));
  sqlite3_int64 bytes = 0;
  unsigned char* copy = sqlite3_serialize(db_, "main", &bytes, 0);
  auto snapshot = std::make_shared<std::vector<unsigned char>>();
  if (copy != nullptr) snapshot->assign(copy, copy + bytes);
  sqlite3_free(copy);
  return snapshot;
}

void StockModel::restore(const Snapshot& snapshot) {
  sqlite3_close(db_);
  open();
  if (snapshot->empty()) return;
  auto* bytes = static_cast<unsigned char*>(sqlite3_malloc64(snapshot->size()));
  CHECK(bytes != nullptr);
  std::memcpy(bytes, snapshot->data(), snapshot->size());
  const auto size = static_cast<sqlite3_int64>(snapshot->size());
  CHECK(sqlite3_deserialize(db_, "main", bytes, size, size,
                            SQLITE_DESERIALIZE_FREEONCLOSE | SQLITE_DESERIALIZE_RESIZEABLE) == SQLITE_OK);
}

}  // namespace dosql::testing
