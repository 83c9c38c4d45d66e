// dosql_status: facts about the open database, one (name, value) per row.
#pragma once

#include <span>
#include <string>
#include <utility>

#include <dosql/result.h>
#include <dosql/value.h>

#include "engine/computed_table.h"
#include "engine/database_core.h"
#include "engine/main_file.h"

namespace dosql::engine {

// Rows of a ComputedTable; gathered when the scan begins.
class StatusRows : public GatheredRows<std::pair<const char*, Value>> {
 public:
  struct Context {
    DatabaseCore& core;
    MainFile& file;
  };

  static constexpr const char* kSchema = "CREATE TABLE dosql_status(name TEXT, value)";

  explicit StatusRows(Context& context) : context_(context) {}
  Status begin(int, const char*, std::span<sqlite3_value* const>);
  Status column(sqlite3_context* out, int column);

 private:
  void add(const char* name, const Value& value) { rows().emplace_back(name, value); }
  void add_connection();
  void add_store(const version::StoreStatus& status);

  Context& context_;
};

}  // namespace dosql::engine
