// dosql_diff_summary(from, to) and dosql_diff_schema(from, to): what differs between two versions, by table
// and by object of the schema.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <dosql/result.h>

#include "engine/computed_table.h"
#include "engine/session.h"
#include "engine/table_pairing.h"

namespace dosql::engine {

// One row for each table that differs. A virtual table's own tables are shown where the third argument is
// 'shadow', SQLite's (sqlite_...) never.
struct TableSummary {
  std::string name;
  std::string renamed_from;  // empty: it was not
  std::uint64_t inserts = 0;
  std::uint64_t updates = 0;
  std::uint64_t deletes = 0;
  bool schema_changed = false;
};

// Rows of a ComputedTable.
class DiffSummaryRows : public GatheredRows<TableSummary> {
 public:
  struct Context {
    Session& session;
  };
  static constexpr const char* kSchema =
      "CREATE TABLE dosql_diff_summary(table_name TEXT, renamed_from TEXT, inserts INTEGER, updates INTEGER,"
      " deletes INTEGER, schema_changed INTEGER, _dosql_from HIDDEN, _dosql_to HIDDEN, _dosql_with HIDDEN)";

  static int plan(sqlite3_index_info& info);
  explicit DiffSummaryRows(Context& context) : context_(context) {}
  Status begin(int, const char*, std::span<sqlite3_value* const> arguments);
  Status column(sqlite3_context* out, int column);

 private:
  Context& context_;
};

// One object of the schema that differs. SQLite's own are left out.
struct SchemaChange {
  std::string type;  // "table", "index", "view" or "trigger"
  std::string name;  // the later one
  const char* change = "";
  std::optional<std::string> before_sql;
  std::optional<std::string> after_sql;
};

// Rows of a ComputedTable.
class DiffSchemaRows : public GatheredRows<SchemaChange> {
 public:
  struct Context {
    Session& session;
  };
  static constexpr const char* kSchema =
      "CREATE TABLE dosql_diff_schema(type TEXT, name TEXT, change TEXT, before_sql TEXT, after_sql TEXT,"
      " _dosql_from HIDDEN, _dosql_to HIDDEN)";

  static int plan(sqlite3_index_info& info);
  explicit DiffSchemaRows(Context& context) : context_(context) {}
  Status begin(int, const char*, std::span<sqlite3_value* const> arguments);
  Status column(sqlite3_context* out, int column);

 private:
  Context& context_;
};

// The objects of the schema that differ, by type and name.
std::vector<SchemaChange> schema_differences(const TablePairs& pairs);

}  // namespace dosql::engine
