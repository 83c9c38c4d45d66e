#include "engine/decision_check.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>

#include "engine/connection_state.h"
#include "engine/own_statement.h"
#include "engine/row_json.h"
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

bool DecisionCheck::Table::has(std::string_view column) const {
  return std::ranges::any_of(columns,
                             [&](const std::string& one) { return sql::equals_ignoring_case(one, column); });
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
    for (const ColumnShape& column : shape->columns) table.columns.push_back(column.name);
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
    if (field.name.empty()) {
      if (may_be_alone) continue;
      DOSQL_ASSIGN_OR_RETURN(const bool alone, is_about_one_column(conflict));
      if (alone) continue;
      return refused(conflict, fmt::format("it is about more than one column of {}: its value is an object",
                                           conflict.table));
    }
    if (table->known && !table->has(field.name))
      return refused(conflict, fmt::format("{} has no column {}", conflict.table, field.name));
  }
  return {};
}

}  // namespace dosql::engine
