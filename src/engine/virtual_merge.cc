#include "engine/virtual_merge.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>

#include "base/json_text.h"
#include "engine/connection_state.h"
#include "engine/own_statement.h"
#include "engine/rebased_changes.h"
#include "engine/row_json.h"
#include "engine/table_merge.h"
#include "engine/undo.h"
#include "sql/lexer.h"

namespace dosql::engine {
namespace {

using diff::Field;
using merge::KeyedChange;
using sql::equals_ignoring_case;
using sql::quoted;

// What CREATE VIRTUAL TABLE name USING module(...) says.
struct Module {
  std::string name;
  std::optional<std::string> content;  // of FTS5: '' is a table that keeps none
};

Module module_of(std::string_view definition) {
  sql::Lexer lexer(definition);
  Module module;
  sql::Token token;
  const auto next = [&] { return (token = lexer.next_significant()).span.of(definition); };
  while (!equals_ignoring_case(next(), "USING")) {
    if (token.kind == sql::TokenKind::kEnd) return module;
  }
  module.name = sql::unquoted(next());
  while (token.kind != sql::TokenKind::kEnd) {
    if (!equals_ignoring_case(next(), "content")) continue;
    if (next() == "=") module.content = sql::unquoted(next());
  }
  return module;
}

const diff::SchemaEntry* entry_of(const VersionSchema& schema, std::string_view table) {
  const auto found = std::ranges::find_if(schema.entries, [&](const diff::SchemaEntry& entry) {
    return entry.type == "table" && equals_ignoring_case(entry.name, table);
  });
  return found == schema.entries.end() ? nullptr : &*found;
}

MergedTable table_of(const VirtualTask& task) {
  MergedTable table;
  table.name = task.name;
  table.is_virtual = true;
  table.rowid_name = "rowid";
  for (const ColumnShape& column : task.theirs->columns) {
    if (!column.hidden) table.columns.push_back({.name = column.name});
  }
  return table;
}

// --- FTS5 with its own content: one row of name_content for each row ---

const TableShape* content_of(const VersionSchema& schema, const TableShape* table) {
  return table == nullptr ? nullptr : schema.find(table->name + "_content");
}

// id, c0, c1, ...
std::optional<std::vector<diff::StoredColumn>> content_columns(const TableShape& content, std::size_t count) {
  std::vector<diff::StoredColumn> columns;
  for (std::size_t i = 0; i < count; ++i) {
    const auto column = content.find_column(fmt::format("c{}", i));
    if (!column) return std::nullopt;
    columns.push_back(content.columns[*column].stored);
  }
  return columns;
}

Result<bool> merge_text_table(MergeContext& context, VersionPair& theirs, const VirtualTask& task) {
  const TableShape* const before = content_of(*theirs.tables().before, task.base);
  const TableShape* const after = content_of(*theirs.tables().after, task.theirs);
  if (after == nullptr || (task.base != nullptr && before == nullptr)) return false;
  MergedTable table = table_of(task);
  const auto their_columns = content_columns(*after, table.columns.size());
  const auto base_columns =
      before == nullptr ? their_columns : content_columns(*before, table.columns.size());
  if (!their_columns || !base_columns) return false;
  table.changes = {.base = *base_columns, .theirs = *their_columns};
  DOSQL_ASSIGN_OR_RETURN(merge::KeyedChanges all, theirs.changes(before, after, table));
  RebasedChanges changes(context, table, std::move(all));
  TableMerge rows(context, table, context.counts_of(task.name), {});
  DOSQL_RETURN_IF_ERROR(rows.run([&](KeyedChange& change) { return changes.next(change); }));
  return true;
}

// --- R-Trees: all rows of both versions, as the module gives them ---

using Rows = std::map<std::int64_t, RowCopy>;

Result<Rows> rows_at(MergeContext& context, const version::ReadPoint& point, const std::string& name,
                     const MergedTable& table) {
  Rows rows;
  DOSQL_ASSIGN_OR_RETURN(const auto there, ConnectionState::open(context.connection.core(), point));
  std::string text = "SELECT rowid";
  for (const MergedColumn& column : table.columns) text += ", " + quoted(column.name);
  DOSQL_ASSIGN_OR_RETURN(OwnStatement statement,
                         OwnStatement::prepare(*there, text + " FROM main." + quoted(name)));
  std::vector<Field> values(table.columns.size());
  int rc = SQLITE_OK;
  while ((rc = statement.step()) == SQLITE_ROW) {
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = statement.value(static_cast<int>(i) + 1);
    rows.emplace(statement.integer(0), RowCopy(values));
  }
  if (rc != SQLITE_DONE) return there->error(rc);
  return rows;
}

Status merge_tree_table(MergeContext& context, const MergeSource& source, const VirtualTask& task) {
  MergedTable table = table_of(task);
  table.rowid_column = 0;
  table.rowid_name = table.columns[0].name;
  Rows base;
  if (task.base != nullptr) {
    DOSQL_ASSIGN_OR_RETURN(base, rows_at(context, source.base, task.base->name, table));
  }
  DOSQL_ASSIGN_OR_RETURN(const Rows theirs, rows_at(context, source.theirs, task.theirs->name, table));
  auto before = base.begin();
  auto after = theirs.begin();
  const auto next = [&](KeyedChange& change) -> Result<bool> {
    while (before != base.end() || after != theirs.end()) {
      change.in_base = before != base.end() && (after == theirs.end() || before->first <= after->first);
      change.in_theirs = after != theirs.end() && (before == base.end() || after->first <= before->first);
      if (change.in_base) {
        change.rowid_base = before->first;
        change.base.assign(before->second.values().begin(), before->second.values().end());
        ++before;
      }
      if (change.in_theirs) {
        change.rowid_theirs = after->first;
        change.theirs.assign(after->second.values().begin(), after->second.values().end());
        ++after;
      }
      if (change.in_base != change.in_theirs || !merge::same_row(change.base, change.theirs)) return true;
    }
    return false;
  };
  RebasedChanges changes(context, table, next);
  TableMerge rows(context, table, context.counts_of(task.name), {});
  return rows.run([&](KeyedChange& change) { return changes.next(change); });
}

Status refuse(MergeContext& context, const VirtualTask& task, const std::string& definition) {
  if (context.preference == merge::Preference::kOurs) return {};
  TableMergeCounts& counts = context.counts_of(task.name);
  const std::string json = json_string(definition);
  Conflict conflict{.kind = merge::ConflictKind::kSchema,
                    .table = task.name,
                    .key = json_string(task.name),
                    .base = task.base == nullptr ? "null" : json,
                    .main = json,
                    .branch = json};
  const Resolution* const resolution = context.settle(counts, conflict);
  if (resolution == nullptr || resolution->take == Resolution::Take::kOurs) return {};
  return Error(ErrorCode::kInvalidArgument,
               fmt::format("the content of {} cannot be merged: only main's can stay", task.name));
}

// Where the table of its content, or a column, is not there under the name that it has in the definition,
// there is nothing to build it of: as where that happened, the index cannot be used.
Status rebuild(ConnectionState& connection, const std::string& name) {
  DOSQL_RETURN_IF_ERROR(run_own(connection, "SAVEPOINT dosql_rebuild"));
  const Status built = run_own(
      connection, fmt::format("INSERT INTO main.{}({}) VALUES('rebuild')", quoted(name), quoted(name)));
  if (built) return run_own(connection, "RELEASE dosql_rebuild");
  if (built.error().code() != ErrorCode::kSql) return built;
  return undo_savepoint(connection, "dosql_rebuild");
}

}  // namespace

Result<bool> content_differs(VersionPair& pair, const std::string& table) {
  const std::string prefix = table + "_";
  for (const TablePair& kept : pair.tables().pairs) {
    if (!equals_ignoring_case(kept.name().substr(0, prefix.size()), prefix)) continue;
    const TableShape* const shape = kept.after != nullptr ? kept.after : kept.before;
    if (!shape->shadow) continue;
    DOSQL_ASSIGN_OR_RETURN(const bool differs, pair.rows_differ(kept.before, kept.after));
    if (differs) return true;
  }
  return false;
}

Status merge_virtual_table(MergeContext& context, const MergeSource& source, VersionPair& theirs,
                           const VirtualTask& task) {
  // All rows of one that comes are new, also where its content was that of another one.
  bool differs = task.base == nullptr;
  if (!differs) {
    DOSQL_ASSIGN_OR_RETURN(differs, content_differs(theirs, task.theirs->name));
  }
  if (!differs) return {};
  const diff::SchemaEntry* const entry = entry_of(*theirs.tables().after, task.theirs->name);
  const std::string definition = entry == nullptr ? "" : entry->sql;
  const Module module = module_of(definition);
  if (equals_ignoring_case(module.name, "fts5")) {
    if (module.content && !module.content->empty()) return {};  // follows its table
    if (!module.content) {
      DOSQL_ASSIGN_OR_RETURN(const bool merged, merge_text_table(context, theirs, task));
      if (merged) return {};
    }
  }
  if (equals_ignoring_case(module.name.substr(0, 5), "rtree") && !task.theirs->columns.empty())
    return merge_tree_table(context, source, task);
  return refuse(context, task, definition);
}

Status rebuild_text_indexes(MergeContext& context, VersionPair& theirs,
                            const std::vector<VirtualTask>& tasks) {
  DOSQL_ASSIGN_OR_RETURN(
      OwnStatement find,
      OwnStatement::prepare(context.connection,
                            "SELECT name, sql FROM main.sqlite_schema WHERE type = 'table' "
                            "AND sql LIKE 'CREATE VIRTUAL TABLE%'"));
  std::vector<std::string> stale;
  int rc = SQLITE_OK;
  while ((rc = find.step()) == SQLITE_ROW) {
    const std::string name = find.text(0);
    const Module module = module_of(find.text(1));
    if (!equals_ignoring_case(module.name, "fts5") || !module.content || module.content->empty()) continue;
    bool changed = std::ranges::any_of(context.tables, [&](const TableMergeCounts& counts) {
      return equals_ignoring_case(counts.table, *module.content) &&
             counts.inserted + counts.updated + counts.deleted > 0;
    });
    const auto task = std::ranges::find(tasks, name, &VirtualTask::name);
    if (!changed && task != tasks.end()) {
      DOSQL_ASSIGN_OR_RETURN(changed, content_differs(theirs, task->theirs->name));
    }
    if (changed) stale.push_back(name);
  }
  if (rc != SQLITE_DONE) return context.connection.error(rc);
  for (const std::string& name : stale) DOSQL_RETURN_IF_ERROR(rebuild(context.connection, name));
  return {};
}

}  // namespace dosql::engine
