// Stock SQLite as the model of what a database must hold, with copies of its file to go back to.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <sqlite3.h>

namespace dosql::testing {

class StockModel {
 public:
  // A copy of the database file; empty before the first table.
  using Snapshot = std::shared_ptr<const std::vector<unsigned char>>;
  static Snapshot no_tables();

  StockModel();
  ~StockModel();
  StockModel(const StockModel&) = delete;
  StockModel& operator=(const StockModel&) = delete;

  sqlite3* db() const { return db_; }
  // SQLite's extended result code.
  int run(const std::string& sql);
  // How far AUTOINCREMENT has counted, by table. What is run from now on counts from above.
  using Numbers = std::map<std::string, std::int64_t>;
  void count_from(Numbers floors) { floors_ = std::move(floors); }
  static Numbers counted(const Snapshot& snapshot);
  // The first column of a query.
  std::vector<std::string> names(const std::string& sql);

  // REQUIRES: no transaction is open.
  Snapshot snapshot();
  void restore(const Snapshot& snapshot);

 private:
  void open();

  sqlite3* db_ = nullptr;
  Numbers floors_;
};

}  // namespace dosql::testing
