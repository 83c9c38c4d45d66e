#include "engine/history_table.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <cmath>

#include "base/time_text.h"
#include "engine/computed_table.h"
#include "engine/connection_state.h"
#include "engine/diff_table.h"
#include "engine/event_order.h"
#include "engine/function_arguments.h"
#include "engine/shaped_tables.h"
#include "engine/sqlite_value.h"
#include "engine/table_pairing.h"
#include "engine/time_points.h"
#include "sql/lexer.h"

namespace dosql::engine {
namespace {

using diff::ChangeKind;
using version::Reader;
using version::ReadPoint;
using version::VersionStore;

// Hidden, behind the table's own columns, the argument, and the rowid where it is none of the columns.
enum HiddenColumn { kVersion, kValidFrom, kValidTo, kLsn, kTransaction, kBranch };
struct HiddenColumnShape {
  const char* name;
  const char* type;
};
constexpr HiddenColumnShape kHiddenColumns[] = {
    {"_dosql_version", " INTEGER"}, {"_dosql_valid_from", " TEXT"}, {"_dosql_valid_to", " TEXT"},
    {"_dosql_lsn", " INTEGER"},     {"_dosql_txn", " INTEGER"},     {"_dosql_branch", " TEXT"},
};

constexpr const char* kByKey = "key";

// What the hidden columns are called: a table that keeps a history may have such names itself.
std::string free_name(const TableShape& table, std::string name) {
  while (table.find_column(name)) name.insert(0, "_");
  return name;
}

HistoryColumns history_columns(const TableShape& table, sqlite3* handle) {
  HistoryColumns result;
  std::string text = "CREATE TABLE history(";
  std::vector<std::optional<std::size_t>> place(table.columns.size());
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    const ColumnShape& column = table.columns[i];
    if (column.generated == Generated::kVirtual) continue;
    place[i] = result.shown.size();
    result.shown.push_back(i);
    text += declared_column(column.name, &column, handle) + ", ";
  }
  // To SQLite the first hidden column is the first argument.
  text += free_name(table, "_dosql_range") + " HIDDEN, ";
  std::string key;
  if (table.kind == TableKind::kWithoutRowid) {
    for (const KeyPart& part : table.key) {
      result.key.push_back(*place[part.column]);
      result.collations.push_back(part.collation);
      key += sql::quoted(table.columns[part.column].name) + ", ";
    }
  } else {
    const std::string name = table.find_column("rowid") ? free_name(table, "_dosql_rowid") : "rowid";
    result.has_rowid = true;
    text += name + " INTEGER HIDDEN, ";
    key = name + ", ";
    if (table.rowid_column) {
      result.key.push_back(*place[*table.rowid_column]);
      result.collations.emplace_back("BINARY");
    }
  }
  // A row's version is one only together with its key: SQLite tells rows apart by it.
  for (const auto& [name, type] : kHiddenColumns) text += free_name(table, name) + type + " HIDDEN, ";
  result.declaration =
      text + "PRIMARY KEY(" + key + free_name(table, kHiddenColumns[kVersion].name) + ")) WITHOUT ROWID";
  return result;
}

// Whether comparing with the column, the value keeps its type; else SQLite has to look at each row.
bool keeps_type(Affinity affinity, int type) {
  if (type == SQLITE_NULL) return true;
  const bool is_number = type == SQLITE_INTEGER || type == SQLITE_FLOAT;
  switch (affinity) {
    case Affinity::kBlob: return true;
    case Affinity::kText: return !is_number;
    default: return is_number || type == SQLITE_BLOB;
  }
}

// What an INTEGER PRIMARY KEY is compared with. None: no rowid equals it.
std::optional<std::int64_t> rowid_of(sqlite3_value* value) {
  switch (sqlite3_value_numeric_type(value)) {
    case SQLITE_INTEGER: return sqlite3_value_int64(value);
    case SQLITE_FLOAT: {
      const double number = sqlite3_value_double(value);
      constexpr double kBeyond = 9223372036854775808.0;
      if (number != std::floor(number) || number < -kBeyond || number >= kBeyond) return std::nullopt;
      return static_cast<std::int64_t>(number);
    }
    default: return std::nullopt;
  }
}

// A point in time takes these, a range does not.
Status refuse_what_is_no_table(const VersionSchema& schema, const std::string& name) {
  const std::string wanted = diff::folded(name);
  if (wanted == "sqlite_schema" || wanted == "sqlite_master") {
    return Error(ErrorCode::kInvalidArgument, fmt::format("{} has no row history", name))
        .with_hint("dosql_diff_schema(from, to) tells what became of the schema");
  }
  const bool is_view = std::ranges::any_of(schema.entries, [&](const diff::SchemaEntry& entry) {
    return entry.type == "view" && diff::folded(entry.name) == wanted;
  });
  if (!is_view) return {};
  return Error(ErrorCode::kInvalidArgument, fmt::format("{} is a view: row history is that of a table", name))
      .with_hint("as of one point in time, views can be read");
}

}  // namespace

Result<std::string> history_table(ConnectionState& connection, const HistoryRange& range) {
  DOSQL_ASSIGN_OR_RETURN(const auto schema, connection.schemas().of(range.last));
  const TableShape* const table = schema->find(range.table);
  if (table == nullptr) {
    DOSQL_RETURN_IF_ERROR(refuse_what_is_no_table(*schema, range.table));
    return Error(ErrorCode::kSql, fmt::format("no such table: {} at {}", range.table,
                                              version_id(connection.core().store(), range.last).to_string()))
        .with_hint("row history is that of a table at the range's end");
  }
  if (table->kind == TableKind::kVirtual) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("{} is a virtual table: it has no rows of its own", table->name));
  }
  HistoryColumns columns = history_columns(*table, connection.db());
  std::string text = columns.declaration;
  auto context = std::unique_ptr<HistoryRows::Context>(
      new HistoryRows::Context{connection.session(), std::move(columns), std::move(text)});
  return connection.shaped_tables().name_for<HistoryRows>(connection.shared_session(), "dosql_history_",
                                                          std::move(context));
}

// --- The plan ---

int HistoryRows::plan(const Context& context, sqlite3_index_info& info) {
  const HistoryColumns& columns = context.columns;
  const auto shown = static_cast<int>(columns.shown.size());
  const auto find = [&](int column, const char* collation) {
    for (int i = 0; i < info.nConstraint; ++i) {
      const auto& constraint = info.aConstraint[i];
      const bool equal = constraint.op == SQLITE_INDEX_CONSTRAINT_EQ && constraint.iColumn == column;
      if (!equal || !constraint.usable) continue;
      if (collation == nullptr || sqlite3_stricmp(sqlite3_vtab_collation(&info, i), collation) == 0) return i;
    }
    return -1;
  };
  const int number = find(shown, nullptr);
  if (number < 0) return SQLITE_CONSTRAINT;
  info.aConstraintUsage[number].argvIndex = 1;
  info.aConstraintUsage[number].omit = 1;
  std::vector<int> equal;
  for (std::size_t i = 0; i < columns.key.size(); ++i)
    equal.push_back(find(static_cast<int>(columns.key[i]), columns.collations[i].c_str()));
  const auto missing = [](int constraint) { return constraint < 0; };
  // The rowid may be asked for under either name.
  if (columns.has_rowid && std::ranges::all_of(equal, missing)) equal = {find(shown + 1, nullptr)};
  const bool by_key = std::ranges::none_of(equal, missing);
  for (std::size_t i = 0; by_key && i < equal.size(); ++i)
    info.aConstraintUsage[equal[i]].argvIndex = static_cast<int>(i) + 2;
  info.idxStr = sqlite3_mprintf("%s", by_key ? kByKey : "");
  info.needToFreeIdxStr = 1;
  info.estimatedRows = by_key ? 10 : 100'000;
  info.estimatedCost = by_key ? 1e3 : 1e7;
  return SQLITE_OK;
}

// --- A scan ---

Status HistoryRows::begin(int, const char* plan, std::span<sqlite3_value* const> arguments) {
  rows_.clear();
  changed_.clear();
  scan_.reset();
  DOSQL_ASSIGN_OR_RETURN(connection_, connection_of(context_.session));
  range_number_ = arguments.empty() ? 0 : sqlite3_value_int64(arguments[0]);
  const HistoryRange* const range = connection_->history_ranges().find(range_number_);
  if (range == nullptr)
    return Error(ErrorCode::kInvalidArgument, "there is no such range of versions any more");
  if (range->empty) return {};
  DOSQL_RETURN_IF_ERROR(open(*range));
  if (std::string_view(plan) != kByKey) return begin_with_all();
  bool usable = true;
  DOSQL_ASSIGN_OR_RETURN(std::optional<RowKey> key, wanted_key(arguments.subspan(1), usable));
  if (!usable) return begin_with_all();
  return key ? begin_with_key(*std::move(key)) : Status();
}

// A join begins many scans of one range.
Status HistoryRows::open(const HistoryRange& range) {
  const bool same = table_ && range_.table == range.table && range_.line == range.line &&
                    range_.last == range.last && range_.head == range.head;
  range_ = range;
  if (same) return {};
  lsns_.reset();
  DOSQL_ASSIGN_OR_RETURN(TableLine table,
                         TableLine::open(connection_->core().store(), connection_->schemas(), range.table,
                                         range.last, range.head, range.line, context_.session.db));
  table_ = std::make_unique<TableLine>(std::move(table));
  return {};
}

// None: no row has the key. `usable` becomes false where the values say too little.
Result<std::optional<RowKey>> HistoryRows::wanted_key(std::span<sqlite3_value* const> values,
                                                      bool& usable) const {
  if (table_->order().empty()) {
    const std::optional<std::int64_t> rowid = rowid_of(values[0]);
    return rowid ? std::optional(RowKey(*rowid)) : std::nullopt;
  }
  RowKey key;
  std::size_t bytes = 0;
  std::vector<std::vector<std::byte>> kept(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const ColumnShape& column = table_->shown().columns[table_->shown().key[i].column];
    usable &= keeps_type(column.affinity, sqlite3_value_type(values[i]));
    if (sqlite3_value_type(values[i]) == SQLITE_NULL) return std::optional<RowKey>();
    key.fields.push_back(field_of(values[i], table_->encoding(), kept[i]));
    bytes += kept[i].size();
  }
  key.record.reserve(bytes);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::size_t begin = key.record.size();
    key.record.insert(key.record.end(), kept[i].begin(), kept[i].end());
    key.fields[i].bytes = Bytes(key.record).subspan(begin);
  }
  return std::optional(std::move(key));
}

Status HistoryRows::begin_with_key(RowKey key) {
  auto shared = std::make_shared<const RowKey>(std::move(key));
  DOSQL_ASSIGN_OR_RETURN(std::vector<RowPeriod> periods,
                         row_periods(connection_->core().store(), *table_, *shared, raw(range_.first.version),
                                     raw(range_.last.version)));
  for (auto period = periods.rbegin(); period != periods.rend(); ++period)
    rows_.push_back({.key = shared, .version = period->begin, .period = std::move(*period)});
  return {};
}

// --- All rows ---

Status HistoryRows::begin_with_all() {
  VersionStore& store = connection_->core().store();
  changed_ = std::map<RowKey, Changed, RowKeyLess>(RowKeyLess{table_->order()});
  DOSQL_RETURN_IF_ERROR(gather_changed());
  emit_changed();
  // As the difference to the empty database the rows come as they are.
  const LineSegment& segment = table_->at(raw(range_.last.version));
  nothing_ = std::make_unique<Reader>(store);
  last_ = std::make_unique<Reader>(store);
  nothing_->pin(store.branch_info(kMainBranch).fork);
  last_->pin(range_.last);
  DOSQL_ASSIGN_OR_RETURN(scan_changes_, diff::PageChanges::between(store, *nothing_, *last_));
  scan_pairs_ = {.before = std::make_shared<VersionSchema>(), .after = segment.schema, .pairs = {}};
  scan_pair_ = {nullptr, segment.table};
  DOSQL_ASSIGN_OR_RETURN(scan_, RowChanges::open(*nothing_, *last_, scan_changes_, scan_pairs_, scan_pair_,
                                                 context_.session.db));
  return rows_.empty() ? scan_next() : Status();
}

Status HistoryRows::gather_changed() {
  for (std::uint64_t version = raw(range_.first.version) + 1; version <= raw(range_.last.version);
       ++version) {
    DOSQL_RETURN_IF_ERROR(check_interrupt(context_.session.db));
    DOSQL_RETURN_IF_ERROR(gather_commit(version));
  }
  return {};
}

Status HistoryRows::gather_commit(std::uint64_t version) {
  VersionStore& store = connection_->core().store();
  const LineSegment& before = table_->at(version - 1);
  const LineSegment& after = table_->at(version);
  if (before.table == nullptr && after.table == nullptr) return {};
  DOSQL_ASSIGN_OR_RETURN(const ReadPoint point_before,
                         store.at_version(table_->line(), Version{version - 1}));
  DOSQL_ASSIGN_OR_RETURN(const ReadPoint point_after, store.at_version(table_->line(), Version{version}));
  Reader reader_before(store);
  Reader reader_after(store);
  reader_before.pin(point_before);
  reader_after.pin(point_after);
  DOSQL_ASSIGN_OR_RETURN(const diff::PageChanges changes,
                         diff::PageChanges::between(store, reader_before, reader_after));
  if (&before == &after && changes.knows_paths() && changes.same_with_all_below(after.place.root)) return {};
  const TablePairs pairs{.before = before.schema, .after = after.schema, .pairs = {}};
  const TablePair pair{before.table, after.table};
  const bool all = table_->read_otherwise(before, after);
  DOSQL_ASSIGN_OR_RETURN(const auto rows,
                         RowChanges::open(reader_before, reader_after, changes, pairs, pair,
                                          context_.session.db, all ? GivenRows::kAll : GivenRows::kChanged));
  while (true) {
    DOSQL_ASSIGN_OR_RETURN(const bool found, rows->next());
    if (!found) return {};
    RowState was;
    RowState is;
    if (rows->kind() != ChangeKind::kInsert) {
      DOSQL_ASSIGN_OR_RETURN(const auto fields, rows->before());
      was = table_->values(before, fields);
    }
    if (rows->kind() != ChangeKind::kDelete) {
      DOSQL_ASSIGN_OR_RETURN(const auto fields, rows->after());
      is = table_->values(after, fields);
    }
    DOSQL_ASSIGN_OR_RETURN(RowKey key, key_of(rows->change(), table_->order()));
    if (was != is) add_changed(std::move(key), std::move(was), std::move(is), version);
  }
}

void HistoryRows::add_changed(RowKey key, std::optional<std::vector<Value>> before,
                              std::optional<std::vector<Value>> after, std::uint64_t version) {
  const auto [place, is_new] = changed_.try_emplace(std::move(key));
  Changed& changed = place->second;
  if (is_new) changed.before = std::move(before);
  changed.after.emplace_back(version, std::move(after));
}

void HistoryRows::emit_changed() {
  const std::uint64_t first = raw(range_.first.version);
  const bool ends_with_head = range_.last == range_.head;
  for (auto& [key, changed] : changed_) {
    auto shared = std::make_shared<RowKey>(key.rowid);
    shared->record = key.record;
    diff::decode_record(shared->record, shared->fields).ignore("it was decoded before");
    auto& after = changed.after;
    if (changed.before) {
      rows_.push_back({.key = shared,
                       .version = first,
                       .period = {first, after.front().first, *std::move(changed.before)},
                       .begin_known = first == 1});
    }
    for (std::size_t i = 0; i < after.size(); ++i) {
      if (!after[i].second) continue;
      const bool is_last = i + 1 == after.size();
      const auto end = is_last ? std::nullopt : std::optional(after[i + 1].first);
      rows_.push_back({.key = shared,
                       .version = after[i].first,
                       .period = {after[i].first, end, *std::move(after[i].second)},
                       .end_known = !is_last || ends_with_head});
    }
  }
}

// The next row that is the same in all of the range.
Status HistoryRows::scan_next() {
  while (scan_) {
    DOSQL_ASSIGN_OR_RETURN(const bool found, scan_->next());
    if (!found) {
      scan_.reset();
      return {};
    }
    DOSQL_ASSIGN_OR_RETURN(RowKey key, key_of(scan_->change(), table_->order()));
    if (changed_.contains(key)) continue;
    DOSQL_ASSIGN_OR_RETURN(const auto fields, scan_->after());
    const std::uint64_t first = raw(range_.first.version);
    rows_.push_back(
        {.key = std::make_shared<const RowKey>(std::move(key)),
         .version = first,
         .period = {first, std::nullopt, table_->values(table_->at(raw(range_.last.version)), fields)},
         .begin_known = first == 1,
         .end_known = range_.last == range_.head});
    return {};
  }
  return {};
}

Status HistoryRows::next() {
  rows_.pop_front();
  return rows_.empty() ? scan_next() : Status();
}

// --- A row ---

// Where its period goes beyond the range, only the row itself tells how far.
Status HistoryRows::know_period() {
  Row& row = rows_.front();
  if (row.begin_known && row.end_known) return {};
  DOSQL_ASSIGN_OR_RETURN(
      const std::vector<RowPeriod> periods,
      row_periods(connection_->core().store(), *table_, *row.key, row.version, row.version));
  if (periods.empty()) return Error(ErrorCode::kCorrupt, "a row is not found where it was seen");
  row.period.begin = periods.front().begin;
  row.period.end = periods.front().end;
  row.begin_known = row.end_known = true;
  return {};
}

Result<version::CommitInfo> HistoryRows::commit(std::uint64_t version) const {
  return connection_->core().store().commit_info(table_->line(), Version{version});
}

Status HistoryRows::column(sqlite3_context* out, int column) {
  auto index = static_cast<std::size_t>(column);
  const HistoryColumns& columns = context_.columns;
  if (index < columns.shown.size()) {
    value_result(out, rows_.front().period.values[columns.shown[index]]);
    return {};
  }
  index -= columns.shown.size();
  if (index-- == 0) {
    // Between the terms of an OR, SQLite compares the argument itself.
    sqlite3_result_int64(out, range_number_);
    return {};
  }
  if (columns.has_rowid && index-- == 0) {
    sqlite3_result_int64(out, rows_.front().key->rowid);
    return {};
  }
  DOSQL_RETURN_IF_ERROR(know_period());
  const RowPeriod& period = rows_.front().period;
  switch (index) {
    case kVersion: number_result(out, period.begin); break;
    case kValidFrom: {
      DOSQL_ASSIGN_OR_RETURN(const version::CommitInfo info, commit(period.begin));
      text_result(out, time_text(info.timestamp_us));
      break;
    }
    case kValidTo: {
      if (!period.end) break;
      DOSQL_ASSIGN_OR_RETURN(const version::CommitInfo info, commit(*period.end));
      text_result(out, time_text(info.timestamp_us));
      break;
    }
    case kLsn: return lsn_result(out);
    case kTransaction: {
      DOSQL_ASSIGN_OR_RETURN(const version::CommitInfo info, commit(period.begin));
      number_result(out, raw(info.last_lsn));
      break;
    }
    case kBranch: {
      DOSQL_ASSIGN_OR_RETURN(const version::CommitInfo info, commit(period.begin));
      text_result(out, connection_->core().store().branch_info(info.branch).name);
      break;
    }
    default: break;
  }
  return {};
}

Status HistoryRows::lsn_result(sqlite3_context* out) {
  const Row& row = rows_.front();
  const std::uint64_t version = row.period.begin;
  VersionStore& store = connection_->core().store();
  if (!lsns_ || lsns_of_ != version) {
    lsns_.reset();
    const TableShape* const table = table_->at(version).table;
    if (table == nullptr) return {};
    DOSQL_ASSIGN_OR_RETURN(const ReadPoint after, store.at_version(table_->line(), Version{version}));
    DOSQL_ASSIGN_OR_RETURN(const ReadPoint before, version_before(store, after));
    DOSQL_ASSIGN_OR_RETURN(const TablePairs pairs, pair_tables(store, connection_->schemas(), before, after));
    const TablePair* const pair = pairs.find(table->name);
    if (pair == nullptr) return {};
    DOSQL_ASSIGN_OR_RETURN(lsns_, LastChanges::of(store, connection_->schemas(), before, after, pairs, *pair,
                                                  context_.session.db));
    lsns_of_ = version;
  }
  if (const auto lsn = lsns_->find(*row.key)) number_result(out, raw(*lsn));
  return {};
}

}  // namespace dosql::engine
