#include "engine/diff_summary.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <map>

#include "diff/page_changes.h"
#include "engine/connection_state.h"
#include "engine/function_arguments.h"
#include "engine/row_changes.h"
#include "engine/sqlite_value.h"

namespace dosql::engine {
namespace {

using diff::ChangeKind;
using version::Reader;

constexpr const char* kSummary = "dosql_diff_summary";
constexpr const char* kSchemaDifference = "dosql_diff_schema";

bool is_sqlites_own(std::string_view name) { return diff::folded(name).starts_with("sqlite_"); }

// What sqlite_schema says of a table.
const diff::SchemaEntry& entry_of(const VersionSchema& schema, const TableShape& table) {
  return *std::ranges::find_if(
      schema.entries, [&](const diff::SchemaEntry& entry) { return entry.rowid == table.schema_rowid; });
}

bool schema_differs(const TablePairs& pairs, const TablePair& pair) {
  if (pair.before == nullptr || pair.after == nullptr) return true;
  return entry_of(*pairs.before, *pair.before).sql != entry_of(*pairs.after, *pair.after).sql;
}

bool is_shown(const TablePair& pair, bool with_shadow) {
  const TableShape& table = pair.after != nullptr ? *pair.after : *pair.before;
  return !is_sqlites_own(table.name) && (with_shadow || !table.shadow);
}

class Summary {
 public:
  Summary(ConnectionState& connection, const TablePairs& pairs, const TwoPoints& points)
      : connection_(connection),
        pairs_(pairs),
        before_(connection.core().store()),
        after_(connection.core().store()) {
    before_.pin(points.from);
    after_.pin(points.to);
  }

  Result<std::vector<TableSummary>> run(bool with_shadow) {
    DOSQL_ASSIGN_OR_RETURN(changes_, diff::PageChanges::between(connection_.core().store(), before_, after_));
    std::vector<TableSummary> all;
    for (const TablePair& pair : pairs_.pairs) {
      if (!is_shown(pair, with_shadow)) continue;
      DOSQL_ASSIGN_OR_RETURN(TableSummary one, summary_of(pair));
      if (one.inserts + one.updates + one.deletes > 0 || one.schema_changed) all.push_back(std::move(one));
    }
    return all;
  }

 private:
  Result<TableSummary> summary_of(const TablePair& pair) {
    TableSummary summary;
    summary.name = pair.name();
    summary.schema_changed = schema_differs(pairs_, pair);
    if (pair.renamed()) summary.renamed_from = pair.before->name;
    const TableShape& table = pair.after != nullptr ? *pair.after : *pair.before;
    if (table.kind == TableKind::kVirtual) return summary;
    DOSQL_ASSIGN_OR_RETURN(const auto rows,
                           RowChanges::open(before_, after_, changes_, pairs_, pair, connection_.db()));
    while (true) {
      DOSQL_ASSIGN_OR_RETURN(const bool found, rows->next());
      if (!found) return summary;
      switch (rows->kind()) {
        case ChangeKind::kInsert: ++summary.inserts; break;
        case ChangeKind::kUpdate: ++summary.updates; break;
        case ChangeKind::kDelete: ++summary.deletes; break;
      }
    }
  }

  ConnectionState& connection_;
  const TablePairs& pairs_;
  Reader before_;
  Reader after_;
  diff::PageChanges changes_;
};

Result<bool> wants_shadow(std::span<sqlite3_value* const> arguments) {
  if (arguments.size() < 3) return false;
  const Value value = value_of(arguments[2]);
  if (value.type() == Value::Type::kText && diff::folded(value.text()) == "shadow") return true;
  return Error(
      ErrorCode::kInvalidArgument,
      fmt::format("the third argument of {} is 'shadow' or left out, not {}", kSummary, literal(value)));
}

// An object of either version, by its type and the name that it is shown under.
using Objects = std::map<std::pair<std::string, std::string>, SchemaChange>;

// A constraint's indexes have no text, and come and go with their table.
bool is_users(const diff::SchemaEntry& entry) { return !entry.sql.empty() && !is_sqlites_own(entry.name); }

std::string sql_of(const VersionSchema& schema, const TableShape& table) {
  return entry_of(schema, table).sql;
}

void add_tables(const TablePairs& pairs, Objects& objects) {
  for (const TablePair& pair : pairs.pairs) {
    if (is_sqlites_own(pair.name())) continue;
    SchemaChange change;
    change.type = "table";
    change.name = pair.name();
    if (pair.before != nullptr) change.before_sql = sql_of(*pairs.before, *pair.before);
    if (pair.after != nullptr) change.after_sql = sql_of(*pairs.after, *pair.after);
    if (pair.renamed()) change.change = "rename";
    // A table that is gone and one that is there may have the same name, where that one had another.
    const std::string place = pair.after != nullptr ? "" : " gone";
    objects[{"table", diff::folded(pair.name()) + place}] = std::move(change);
  }
}

void add_others(const VersionSchema& schema, bool after, Objects& objects) {
  for (const diff::SchemaEntry& entry : schema.entries) {
    if (entry.type == "table" || !is_users(entry)) continue;
    SchemaChange& change = objects[{entry.type, diff::folded(entry.name)}];
    change.type = entry.type;
    change.name = entry.name;
    (after ? change.after_sql : change.before_sql) = entry.sql;
  }
}

}  // namespace

std::vector<SchemaChange> schema_differences(const TablePairs& pairs) {
  Objects objects;
  add_tables(pairs, objects);
  add_others(*pairs.before, false, objects);
  add_others(*pairs.after, true, objects);
  std::vector<SchemaChange> changes;
  for (auto& [key, change] : objects) {
    if (change.before_sql == change.after_sql) continue;
    if (!change.before_sql) {
      change.change = "create";
    } else if (!change.after_sql) {
      change.change = "drop";
    } else if (*change.change == '\0') {
      change.change = "alter";
    }
    changes.push_back(std::move(change));
  }
  return changes;
}

// --- dosql_diff_summary ---

int DiffSummaryRows::plan(sqlite3_index_info& info) {
  constexpr int kFirstArgument = 6;
  return plan_arguments(info, kFirstArgument);
}

Status DiffSummaryRows::begin(int, const char*, std::span<sqlite3_value* const> arguments) {
  DOSQL_ASSIGN_OR_RETURN(ConnectionState* const connection, connection_of(context_.session));
  DOSQL_ASSIGN_OR_RETURN(const TwoPoints points, two_points(*connection, kSummary, arguments));
  DOSQL_ASSIGN_OR_RETURN(const bool with_shadow, wants_shadow(arguments));
  DOSQL_ASSIGN_OR_RETURN(const TablePairs pairs, pair_tables(connection->core().store(),
                                                             connection->schemas(), points.from, points.to));
  DOSQL_ASSIGN_OR_RETURN(std::vector<TableSummary> all, Summary(*connection, pairs, points).run(with_shadow));
  begin_with(std::move(all));
  return {};
}

Status DiffSummaryRows::column(sqlite3_context* out, int column) {
  enum Column { kTable, kRenamedFrom, kInserts, kUpdates, kDeletes, kSchemaChanged };
  const TableSummary& table = row();
  switch (column) {
    case kTable: text_result(out, table.name); break;
    case kRenamedFrom:
      if (!table.renamed_from.empty()) text_result(out, table.renamed_from);
      break;
    case kInserts: number_result(out, table.inserts); break;
    case kUpdates: number_result(out, table.updates); break;
    case kDeletes: number_result(out, table.deletes); break;
    case kSchemaChanged: number_result(out, table.schema_changed ? 1 : 0); break;
    default: break;
  }
  return {};
}

// --- dosql_diff_schema ---

int DiffSchemaRows::plan(sqlite3_index_info& info) {
  constexpr int kFirstArgument = 5;
  return plan_arguments(info, kFirstArgument);
}

Status DiffSchemaRows::begin(int, const char*, std::span<sqlite3_value* const> arguments) {
  DOSQL_ASSIGN_OR_RETURN(ConnectionState* const connection, connection_of(context_.session));
  DOSQL_ASSIGN_OR_RETURN(const TwoPoints points, two_points(*connection, kSchemaDifference, arguments));
  DOSQL_ASSIGN_OR_RETURN(const TablePairs pairs, pair_tables(connection->core().store(),
                                                             connection->schemas(), points.from, points.to));
  begin_with(schema_differences(pairs));
  return {};
}

Status DiffSchemaRows::column(sqlite3_context* out, int column) {
  enum Column { kType, kName, kChange, kBeforeSql, kAfterSql };
  const SchemaChange& change = row();
  const auto sql_result = [&](const std::optional<std::string>& sql) {
    if (sql) text_result(out, *sql);
  };
  switch (column) {
    case kType: text_result(out, change.type); break;
    case kName: text_result(out, change.name); break;
    case kChange: text_result(out, change.change); break;
    case kBeforeSql: sql_result(change.before_sql); break;
    case kAfterSql: sql_result(change.after_sql); break;
    default: break;
  }
  return {};
}

}  // namespace dosql::engine
