#include "engine/decision_check.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>

#include "engine/connection_state.h"
#include "engine/own_statement.h"
#include "engine/table_shape.h"
#include "merge/conflict.h"
#include "sql/lexer.h"

namespace dosql::engine {
namespace {

using merge::ConflictKind;

bool is_of(const MergeConflict& conflict, ConflictKind kind) {
  return conflict.kind == merge::conflict_name(kind);
}

Error refused(const MergeConflict& conflict, std::string_view why) {
  return Error(ErrorCode::kInvalidArgument, fmt::format("conflict {}: {}", conflict.id, why));
}

}  // namespace

const DecisionCheck::Column* DecisionCheck::Table::find(std::string_view column) const {
  const auto found = std::ranges::find_if(
      columns, [&](const Column& one) { return sql::equals_ignoring_case(one.name, column); });
  return found == columns.end() ? nullptr : &*found;
}

Result<const DecisionCheck::Table*> DecisionCheck::table_called(const std::string& name) {
  const auto found = tables_.find(name);
  if (found != tables_.end()) return &found->second;
  Table table;
  for (const version::ReadPoint& side : sides_) {
    DOSQL_ASSIGN_OR_RETURN(const auto schema, connection_.schemas().of(side));
    const TableShape* const shape = schema->find(name);
    if (shape == nullptr || shape->columns.empty()) {
      // It has another name there, and perhaps columns that this one has not.
      table.known = false;
      continue;
    }
    for (const ColumnShape& column : shape->columns) {
      if (!table.has(column.name)) table.columns.push_back({.name = column.name});
      const auto known = std::ranges::find_if(
          table.columns, [&](const Column& one) { return sql::equals_ignoring_case(one.name, column.name); });
      known->computed = known->computed && column.generated != Generated::kNo;
    }
  }
  return &tables_.emplace(name, std::move(table)).first->second;
}

Result<bool> DecisionCheck::is_about_one_column(const MergeConflict& conflict) {
  DOSQL_ASSIGN_OR_RETURN(
      OwnStatement shown,
      OwnStatement::prepare(
          connection_,
          "WITH side(j) AS (VALUES(?1), (?2), (?3)) SELECT count(DISTINCT key) FROM "
          "(SELECT e.key FROM side, json_each(side.j) AS e WHERE json_type(j) = 'object')"));
  shown.bind(1, std::string_view(conflict.base));
  shown.bind(2, std::string_view(conflict.main));
  shown.bind(3, std::string_view(conflict.branch));
  if (const int rc = shown.step(); rc != SQLITE_ROW) return connection_.error(rc);
  return shown.integer(0) == 1;
}

Status DecisionCheck::check(const MergeConflict& conflict, const Resolution& resolution) {
  using Take = Resolution::Take;
  if (resolution.take == Take::kOurs || resolution.take == Take::kTheirs) return {};
  if (is_of(conflict, ConflictKind::kSchema) || is_of(conflict, ConflictKind::kBase)) {
    return refused(conflict, fmt::format("one of kind {} takes a side: ours or theirs", conflict.kind));
  }
  if (resolution.take == Take::kDelete) return {};
  DOSQL_ASSIGN_OR_RETURN(const Table* const table, table_called(conflict.table));
  // The one that refers may be one of many.
  const bool may_be_alone = is_of(conflict, ConflictKind::kForeignKey);
  auto fields = fields_of_json(connection_, resolution.value, "",
                               [&](std::string_view column) { return table->has(column); });
  if (!fields) {
    if (fields.error().code() != ErrorCode::kInvalidArgument) return std::move(fields).error();
    return refused(conflict, fields.error().message());
  }
  for (const NamedField& field : *fields) {
    if (!field.name.empty() || may_be_alone) continue;
    DOSQL_ASSIGN_OR_RETURN(const bool alone, is_about_one_column(conflict));
    if (alone) continue;
    return refused(conflict, fmt::format("it is about more than one column of {}: its value is an object",
                                         conflict.table));
  }
  return check_columns(conflict, *table, *fields);
}

Status DecisionCheck::check_columns(const MergeConflict& conflict, const Table& table,
                                    std::span<const NamedField> fields) {
  for (auto field = fields.begin(); field != fields.end(); ++field) {
    if (field->name.empty()) continue;
    const bool again = std::any_of(fields.begin(), field, [&](const NamedField& before) {
      return sql::equals_ignoring_case(before.name, field->name);
    });
    if (again)
      return refused(conflict, fmt::format("column {} of {} is given twice", field->name, conflict.table));
    if (!table.known) continue;
    const Column* const column = table.find(field->name);
    if (column == nullptr)
      return refused(conflict, fmt::format("{} has no column {}", conflict.table, field->name));
    if (column->computed) {
      return refused(conflict, fmt::format("column {} of {} is computed, and takes no value", field->name,
                                           conflict.table));
    }
  }
  return {};
}

}  // namespace dosql::engine
