// dosql_status: facts about the open database, one (name, value) per row.
#pragma once

#include <span>
#include <string>
#include <utility>
#include <vector>

#include <dosql/result.h>
#include <dosql/value.h>

#include "engine/database_core.h"
#include "engine/main_file.h"

struct sqlite3_context;
struct sqlite3_index_info;
struct sqlite3_value;

namespace dosql::engine {

// Rows of a ComputedTable; gathered when the scan begins.
class StatusRows {
 public:
  struct Context {
    DatabaseCore& core;
    MainFile& file;
  };

  static constexpr const char* kSchema = "CREATE TABLE dosql_status(name TEXT, value)";

  static void plan(sqlite3_index_info&) {}
  explicit StatusRows(Context& context) : context_(context) {}
  Status begin(int, const char*, std::span<sqlite3_value* const>);
  bool at_end() const { return at_ == rows_.size(); }
  Status next() {
    ++at_;
    return {};
  }
  std::int64_t rowid() const { return static_cast<std::int64_t>(at_) + 1; }
  Status column(sqlite3_context* out, int column);

 private:
  void add(const char* name, const Value& value) { rows_.emplace_back(name, value); }
  void add_connection();
  void add_store(const version::StoreStatus& status);

  Context& context_;
  std::vector<std::pair<const char*, Value>> rows_;
  std::size_t at_ = 0;
};

}  // namespace dosql::engine
