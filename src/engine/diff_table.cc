#include "engine/diff_table.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <set>

#include "engine/computed_table.h"
#include "engine/connection_state.h"
#include "engine/function_arguments.h"
#include "engine/shaped_tables.h"
#include "engine/sqlite_value.h"
#include "engine/time_points.h"
#include "sql/lexer.h"

namespace dosql::engine {
namespace {

using diff::ChangeKind;
using version::Reader;

bool is_stored(const ColumnShape& column) { return column.generated != Generated::kVirtual; }

std::string_view change_name(ChangeKind kind) {
  switch (kind) {
    case ChangeKind::kInsert: return "insert";
    case ChangeKind::kUpdate: return "update";
    case ChangeKind::kDelete: break;
  }
  return "delete";
}

Error no_such_table(ConnectionState& connection, const std::string& table, const TwoPoints& points) {
  const version::VersionStore& store = connection.core().store();
  return Error(ErrorCode::kSql, fmt::format("no such table: {}, neither at {} nor at {}", table,
                                            version_id(store, points.from).to_string(),
                                            version_id(store, points.to).to_string()));
}

}  // namespace

DiffColumns diff_columns(const TableShape* before, const TableShape* after, sqlite3* handle) {
  DiffColumns result;
  std::vector<const ColumnShape*> shapes;
  const auto add_columns = [&](const TableShape& table, const TableShape* shown) {
    for (const ColumnShape& column : table.columns) {
      const bool known = shown != nullptr && shown->find_column(column.name);
      if (!is_stored(column) || known) continue;
      result.columns.push_back(column.name);
      shapes.push_back(&column);
    }
  };
  if (after != nullptr) add_columns(*after, nullptr);
  if (before != nullptr) add_columns(*before, after);
  std::set<std::string> taken{"change", "lsn", "_dosql_table", "_dosql_from", "_dosql_to"};
  for (const std::string& column : result.columns) {
    taken.insert(diff::folded("before_" + column));
    taken.insert(diff::folded("after_" + column));
  }
  const TableShape& table = after != nullptr ? *after : *before;
  std::string keys;
  const auto add_key = [&](std::string name, std::optional<std::string> column, const ColumnShape* shape) {
    while (!taken.insert(diff::folded(name)).second) name = "key_" + name;
    keys += ", " + declared_column(name, shape, handle);
    result.key.push_back({std::move(name), std::move(column)});
  };
  for (const KeyPart& part : table.key) {
    const ColumnShape& column = table.columns[part.column];
    add_key(column.name, column.name, &column);
  }
  if (table.key.empty()) add_key("rowid", std::nullopt, nullptr);

  std::string text = "CREATE TABLE dosql_diff(change TEXT" + keys;
  for (const char* const side : {"before_", "after_"}) {
    for (std::size_t i = 0; i < shapes.size(); ++i)
      text += ", " + declared_column(side + result.columns[i], shapes[i], handle);
  }
  result.declaration = text + ", lsn INTEGER, _dosql_table HIDDEN, _dosql_from HIDDEN, _dosql_to HIDDEN)";
  return result;
}

Result<std::string> difference_table(ConnectionState& connection, const std::string& table,
                                     const version::ReadPoint& from, const version::ReadPoint& to) {
  DOSQL_ASSIGN_OR_RETURN(const TablePairs pairs,
                         pair_tables(connection.core().store(), connection.schemas(), from, to));
  const TablePair* const pair = pairs.find(table);
  if (pair == nullptr) return no_such_table(connection, table, {from, to});
  DiffColumns columns = diff_columns(pair->before, pair->after, connection.db());
  std::string schema = columns.declaration;
  auto context = std::unique_ptr<DiffRows::Context>(
      new DiffRows::Context{connection.session(), std::move(columns), std::move(schema)});
  return connection.shaped_tables().name_for<DiffRows>(connection.shared_session(), "dosql_diff_",
                                                       std::move(context));
}

int DiffRows::plan(const Context& context, sqlite3_index_info& info) {
  const std::size_t visible = 2 + context.columns.key.size() + 2 * context.columns.columns.size();
  info.estimatedCost = 1e6;
  info.estimatedRows = 1'000;
  return plan_arguments(info, static_cast<int>(visible));
}

Status DiffRows::begin(int, const char*, std::span<sqlite3_value* const> arguments) {
  DOSQL_ASSIGN_OR_RETURN(ConnectionState* const connection, connection_of(context_.session));
  if (arguments.size() != 3 || sqlite3_value_type(arguments[0]) != SQLITE_TEXT)
    return Error(ErrorCode::kInvalidArgument, "dosql_diff takes the name of a table and two points in time");
  const std::string table = value_of(arguments[0]).text();
  DOSQL_ASSIGN_OR_RETURN(const TwoPoints points, two_points(*connection, "dosql_diff", arguments.subspan(1)));
  version::VersionStore& store = connection->core().store();
  rows_.reset();
  last_changes_.reset();
  DOSQL_ASSIGN_OR_RETURN(pairs_, pair_tables(store, connection->schemas(), points.from, points.to));
  pair_ = pairs_.find(table);
  if (pair_ == nullptr) return no_such_table(*connection, table, points);
  places_.clear();
  for (const std::string& column : context_.columns.columns) places_.push_back(place_of(column));
  key_places_.clear();
  for (const DiffColumns::Key& key : context_.columns.key)
    key_places_.push_back(key.column ? place_of(*key.column) : Place{});

  reader_before_ = std::make_unique<Reader>(store);
  reader_after_ = std::make_unique<Reader>(store);
  reader_before_->pin(points.from);
  reader_after_->pin(points.to);
  DOSQL_ASSIGN_OR_RETURN(changes_, diff::PageChanges::between(store, *reader_before_, *reader_after_));
  DOSQL_ASSIGN_OR_RETURN(rows_, RowChanges::open(*reader_before_, *reader_after_, changes_, pairs_, *pair_,
                                                 context_.session.db));
  number_ = 0;
  return next();
}

DiffRows::Place DiffRows::place_of(const std::string& column) const {
  const auto find = [&](const TableShape* table) {
    return table != nullptr ? table->find_column(column) : std::nullopt;
  };
  return {find(pair_->before), find(pair_->after)};
}

Status DiffRows::next() {
  ++number_;
  DOSQL_ASSIGN_OR_RETURN(found_, rows_->next());
  return {};
}

Status DiffRows::column(sqlite3_context* out, int column) {
  auto index = static_cast<std::size_t>(column);
  if (index == 0) {
    text_result(out, change_name(rows_->kind()));
    return {};
  }
  --index;
  if (index < key_places_.size()) return key_result(out, index);
  index -= key_places_.size();
  for (const bool after : {false, true}) {
    if (index < places_.size())
      return value_result(out, after, after ? places_[index].after : places_[index].before);
    index -= places_.size();
  }
  return index == 0 ? lsn_result(out) : Status();
}

Status DiffRows::key_result(sqlite3_context* out, std::size_t index) {
  const bool after = rows_->kind() != ChangeKind::kDelete;
  if (context_.columns.key[index].column)
    return value_result(out, after, after ? key_places_[index].after : key_places_[index].before);
  const TableShape& table = after ? *pair_->after : *pair_->before;
  if (table.kind == TableKind::kRowid) sqlite3_result_int64(out, rows_->rowid());
  return {};
}

Status DiffRows::value_result(sqlite3_context* out, bool after, const std::optional<std::size_t>& place) {
  const bool is_there = rows_->kind() != (after ? ChangeKind::kDelete : ChangeKind::kInsert);
  if (!is_there || !place) return {};
  DOSQL_ASSIGN_OR_RETURN(const auto values, after ? rows_->after() : rows_->before());
  field_result(out, values[*place], (after ? pairs_.after : pairs_.before)->encoding);
  return {};
}

Status DiffRows::lsn_result(sqlite3_context* out) {
  if (!last_changes_) {
    DOSQL_ASSIGN_OR_RETURN(ConnectionState* const connection, connection_of(context_.session));
    DOSQL_ASSIGN_OR_RETURN(last_changes_, LastChanges::of(connection->core().store(), connection->schemas(),
                                                          reader_before_->point(), reader_after_->point(),
                                                          pairs_, *pair_, context_.session.db));
  }
  DOSQL_ASSIGN_OR_RETURN(const RowKey key, key_of(rows_->change(), last_changes_->order()));
  if (const auto lsn = last_changes_->find(key)) number_result(out, raw(*lsn));
  return {};
}

}  // namespace dosql::engine
