#include "tests/faults/stock_model.h"

#include <cstring>

#include "base/check.h"

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
  return sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, nullptr);
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
