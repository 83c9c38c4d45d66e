#include "engine/table_merge.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <limits>
#include <numeric>

#include "base/json_text.h"
#include "diff/row.h"
#include "engine/connection_state.h"
#include "engine/row_json.h"
#include "engine/unique_keys.h"
#include "sql/lexer.h"

namespace dosql::engine {
namespace {

using diff::Field;
using diff::FieldType;
using merge::ConflictKind;
using merge::KeyedChange;
using merge::KeyOrigin;
using merge::Preference;
using merge::RowAction;
using merge::RowOutcome;
using merge::RowValues;
using merge::RowVersions;

RowValues values_of(const std::optional<FoundRow>& found) {
  if (!found) return std::nullopt;
  return found->row.values();
}

RowValues base_of(const KeyedChange& change) {
  if (!change.in_base) return std::nullopt;
  return change.base;
}

RowValues theirs_of(const KeyedChange& change) {
  if (!change.in_theirs) return std::nullopt;
  return change.theirs;
}

KeyOrigin key_origin(const MergedTable& table) {
  return table.rowid_column ? KeyOrigin::kCounter : KeyOrigin::kUser;
}

bool is_about_uniqueness(int code) {
  // Modules of virtual tables say no more than SQLITE_CONSTRAINT, and mean a rowid that is taken.
  return code == SQLITE_CONSTRAINT || code == SQLITE_CONSTRAINT_UNIQUE ||
         code == SQLITE_CONSTRAINT_PRIMARYKEY || code == SQLITE_CONSTRAINT_ROWID;
}

std::vector<std::uint32_t> differing_columns(std::span<const Field> a, std::span<const Field> b) {
  std::vector<std::uint32_t> columns;
  for (std::uint32_t i = 0; i < a.size(); ++i) {
    if (!diff::same_value(a[i], b[i])) columns.push_back(i);
  }
  return columns;
}

}  // namespace

void renumber(std::span<const NumberReference> references, const MergedTable& table, KeyedChange& change) {
  for (const NumberReference& reference : references) {
    Field& value = change.theirs[reference.column];
    if (value.type != FieldType::kInteger) continue;
    if (change.in_base && diff::same_value(change.base[reference.column], value)) continue;
    const auto found = reference.numbers->find(value.integer);
    if (found == reference.numbers->end()) continue;
    value.integer = found->second;
    if (reference.column == table.rowid_column) change.rowid_theirs = found->second;
  }
}

TableMerge::TableMerge(MergeContext& context, const MergedTable& table, TableMergeCounts& counts,
                       std::span<const NumberReference> references)
    : context_(context),
      table_(table),
      counts_(counts),
      references_(references),
      statements_(context.connection, table, context.encoding),
      all_columns_(table.columns.size()) {
  std::iota(all_columns_.begin(), all_columns_.end(), 0U);
}

Status TableMerge::run(const NextChange& next) {
  KeyedChange change;
  while (true) {
    DOSQL_ASSIGN_OR_RETURN(const bool found, next(change));
    if (!found) break;
    DOSQL_RETURN_IF_ERROR(take(change));
  }
  DOSQL_RETURN_IF_ERROR(take_decided());
  return place_waiting();
}

// What was decided about rows of which several bases say different things.
Status TableMerge::take_decided() {
  const auto first = context_.taken.lower_bound({table_.name, ""});
  for (auto at = first; at != context_.taken.end() && at->first.first == table_.name; ++at) {
    for (const RowEffect& effect : at->second) DOSQL_RETURN_IF_ERROR(take_effect(effect));
  }
  return {};
}

Status TableMerge::take_effect(const RowEffect& effect) {
  const RowAddress address = address_of(effect.row.values(), effect.rowid);
  DOSQL_ASSIGN_OR_RETURN(const std::optional<FoundRow> ours, statements_.find(address));
  if (effect.json == "null") return ours ? erase(*ours, address) : Status();
  const Values before = ours ? ours->row.values() : effect.row.values();
  DOSQL_ASSIGN_OR_RETURN(const RowCopy row, resolved_row(before, effect.json, all_columns_));
  const KeyedChange change{
      .in_theirs = true, .rowid_theirs = effect.rowid, .theirs = {row.values().begin(), row.values().end()}};
  return put(change, ours, row.values());
}

Status TableMerge::take(KeyedChange& change) {
  if (!context_.left_alone.empty() && is_left_alone(change)) return {};
  if (!change.in_theirs) return take_delete(change);
  renumber(references_, table_, change);
  return change.in_base ? take_update(change) : insert_new(change);
}

// --- Addresses and texts ---

bool TableMerge::is_left_alone(const KeyedChange& change) const {
  const Values row = change.in_base ? change.base : change.theirs;
  const std::int64_t rowid = change.in_base ? change.rowid_base : change.rowid_theirs;
  return context_.left_alone.contains({table_.name, key_json(row, rowid)});
}

void TableMerge::note(Values row, std::int64_t rowid, RowValues now, std::span<const std::uint32_t> columns) {
  if (context_.effects == nullptr) return;
  (*context_.effects)[{table_.name, key_json(row, rowid)}] = {row_json(now, columns), RowCopy(row), rowid};
}

RowAddress TableMerge::address_of(Values row, std::int64_t rowid) const {
  return {.key_of = table_.has_key(row) ? row : Values(), .rowid = rowid};
}

RowAddress TableMerge::address_of(const KeyedChange& change) const {
  return change.in_base ? address_of(change.base, change.rowid_base)
                        : address_of(change.theirs, change.rowid_theirs);
}

RowAddress TableMerge::address_of(const FoundRow& found) const {
  return address_of(found.row.values(), found.rowid);
}

std::optional<std::int64_t> TableMerge::hidden_rowid(std::int64_t rowid) const {
  const bool hidden = !table_.rowid_name.empty() && !table_.rowid_column;
  return hidden ? std::optional(rowid) : std::nullopt;
}

std::string TableMerge::key_json(Values row, std::int64_t rowid) const {
  if (table_.rowid_column) return value_json(row[*table_.rowid_column], context_.encoding);
  if (!table_.has_key(row)) return std::to_string(rowid);
  if (table_.key.size() == 1) return value_json(row[table_.key[0].column], context_.encoding);
  std::string text = "[";
  for (const MergedTable::Key& part : table_.key)
    text += (text.size() > 1 ? "," : "") + value_json(row[part.column], context_.encoding);
  return text + "]";
}

std::string TableMerge::row_json(RowValues row, std::span<const std::uint32_t> columns) const {
  if (!row) return "null";
  std::string text = "{";
  for (const std::uint32_t column : columns) {
    if (text.size() > 1) text += ',';
    text += json_string(table_.columns[column].name) + ":" + value_json((*row)[column], context_.encoding);
  }
  return text + "}";
}

ConflictKind TableMerge::kind_of_refusal() const {
  if (is_about_uniqueness(statements_.constraint_code())) return ConflictKind::kUnique;
  return statements_.constraint_code() == SQLITE_CONSTRAINT_NOTNULL ? ConflictKind::kNotNull
                                                                    : ConflictKind::kCheck;
}

// --- One change ---

Status TableMerge::take_delete(const KeyedChange& change) {
  const auto exactly = [&](std::uint32_t column) {
    return statements_.compares_exactly(column, change.base[column]);
  };
  if (!std::ranges::all_of(all_columns_, exactly)) return merge_with_ours(change);
  DOSQL_ASSIGN_OR_RETURN(const Effect effect, statements_.erase(address_of(change), change.base));
  if (effect != Effect::kDone) return merge_with_ours(change);
  ++counts_.deleted;
  note(change.base, change.rowid_base, std::nullopt);
  return {};
}

Status TableMerge::take_update(const KeyedChange& change) {
  changed_.clear();
  bool exactly = true;
  for (const std::uint32_t column : all_columns_) {
    if (diff::same_value(change.base[column], change.theirs[column])) continue;
    changed_.push_back(column);
    exactly = exactly && statements_.compares_exactly(column, change.base[column]);
  }
  if (changed_.empty()) return {};
  if (!exactly) return merge_with_ours(change);
  DOSQL_ASSIGN_OR_RETURN(const Effect effect,
                         statements_.update(address_of(change), changed_, change.base, change.theirs));
  if (effect != Effect::kDone) return merge_with_ours(change);
  ++counts_.updated;
  note(change.base, change.rowid_base, change.theirs, changed_);
  return {};
}

Status TableMerge::insert_new(const KeyedChange& change) {
  DOSQL_ASSIGN_OR_RETURN(const Effect effect,
                         statements_.insert(TableStatements::Columns::kTheirs,
                                            hidden_rowid(change.rowid_theirs), change.theirs));
  if (effect == Effect::kDone) {
    ++counts_.inserted;
    note(change.theirs, change.rowid_theirs, change.theirs);
    return {};
  }
  const int code = statements_.constraint_code();
  const bool is_known = table_.known_by_rowid() || table_.has_key(change.theirs);
  if (is_known && is_about_uniqueness(code)) {
    DOSQL_ASSIGN_OR_RETURN(
        const std::optional<FoundRow> ours,
        statements_.find({.key_of = table_.has_key(change.theirs) ? Values(change.theirs) : Values(),
                          .rowid = change.rowid_theirs}));
    if (ours && merge::same_row(ours->row.values(), change.theirs)) return {};
    // A number that nobody sees: the row gets another one.
    const bool stranger = table_.known_by_rowid() && !table_.rowid_column;
    if (ours && !stranger) return merge_with_ours(change);
  }
  return refused(change, std::nullopt, change.theirs);
}

Status TableMerge::merge_with_ours(const KeyedChange& change) {
  DOSQL_ASSIGN_OR_RETURN(const std::optional<FoundRow> ours, statements_.find(address_of(change)));
  const RowVersions versions{base_of(change), values_of(ours), theirs_of(change)};
  RowOutcome outcome;
  merge::merge_row(versions, key_origin(table_), context_.preference, outcome);
  return outcome.conflict ? decide(change, ours, outcome) : apply(change, ours, outcome);
}

Status TableMerge::decide(const KeyedChange& change, const std::optional<FoundRow>& ours,
                          const RowOutcome& outcome) {
  const bool only_cells = outcome.conflict == ConflictKind::kUpdateUpdate;
  const std::span<const std::uint32_t> shown = only_cells ? outcome.conflicting : all_columns_;
  const RowAddress address = address_of(change);
  const Resolution* const resolution =
      context_.settle(counts_, {.kind = *outcome.conflict,
                                .table = table_.name,
                                .key = key_json(change.in_base ? change.base : change.theirs, address.rowid),
                                .base = row_json(base_of(change), shown),
                                .main = row_json(values_of(ours), shown),
                                .branch = row_json(theirs_of(change), shown)});
  if (resolution == nullptr || resolution->take == Resolution::Take::kOurs)
    return apply(change, ours, outcome);
  if (resolution->take == Resolution::Take::kTheirs) {
    RowOutcome theirs;
    merge::merge_row({base_of(change), values_of(ours), theirs_of(change)}, key_origin(table_),
                     Preference::kTheirs, theirs);
    return apply(change, ours, theirs);
  }
  if (resolution->take == Resolution::Take::kDelete) return ours ? erase(*ours, address) : Status();
  RowCopy row(ours ? ours->row.values() : Values(change.theirs));
  if (ours) {
    std::vector<Field> values(row.values().begin(), row.values().end());
    for (const std::uint32_t column : outcome.columns) values[column] = change.theirs[column];
    row = RowCopy(values);
  }
  DOSQL_ASSIGN_OR_RETURN(row, resolved_row(row.values(), resolution->value, shown));
  return put(change, ours, row.values());
}

Result<RowCopy> TableMerge::resolved_row(Values row, std::string_view json,
                                         std::span<const std::uint32_t> columns) {
  const std::string alone = columns.size() == 1 ? table_.columns[columns[0]].name : "";
  DOSQL_ASSIGN_OR_RETURN(const std::vector<NamedField> fields,
                         fields_of_json(context_.connection, std::string(json), alone));
  std::vector<Field> values(row.begin(), row.end());
  for (const NamedField& field : fields) {
    const auto column = std::ranges::find_if(table_.columns, [&](const MergedColumn& one) {
      return sql::equals_ignoring_case(one.name, field.name);
    });
    if (column == table_.columns.end()) {
      return Error(
          ErrorCode::kInvalidArgument,
          field.name.empty()
              ? fmt::format("the conflict is about more than one column of {}: its value is an object",
                            table_.name)
              : fmt::format("{} has no column {}", table_.name, field.name));
    }
    values[static_cast<std::size_t>(column - table_.columns.begin())] = field.value.values()[0];
  }
  return RowCopy(values);
}

Status TableMerge::apply(const KeyedChange& change, const std::optional<FoundRow>& ours,
                         const RowOutcome& outcome) {
  switch (outcome.action) {
    case RowAction::kKeep: return {};
    case RowAction::kDelete: return erase(*ours, address_of(change));
    case RowAction::kInsert: return insert_new(change);
    case RowAction::kUpdate: break;
  }
  std::vector<Field> row(ours->row.values().begin(), ours->row.values().end());
  for (const std::uint32_t column : outcome.columns) row[column] = change.theirs[column];
  return put(change, ours, row);
}

Status TableMerge::erase(const FoundRow& ours, const RowAddress& address) {
  DOSQL_ASSIGN_OR_RETURN(const Effect effect, statements_.erase(address, ours.row.values()));
  if (effect == Effect::kDone) ++counts_.deleted;
  note(ours.row.values(), ours.rowid, std::nullopt);
  return {};
}

// `row` in the place of ours.
Status TableMerge::put(const KeyedChange& change, const std::optional<FoundRow>& ours, Values row) {
  if (ours) {
    const std::vector<std::uint32_t> columns = differing_columns(ours->row.values(), row);
    if (columns.empty()) return {};
    DOSQL_ASSIGN_OR_RETURN(const Effect effect,
                           statements_.update(address_of(*ours), columns, ours->row.values(), row));
    if (effect == Effect::kConstraint) return refused(change, ours, row);
    ++counts_.updated;
    note(ours->row.values(), ours->rowid, row, columns);
    return {};
  }
  DOSQL_ASSIGN_OR_RETURN(const Effect effect,
                         statements_.insert(TableStatements::Columns::kAll, std::nullopt, row));
  if (effect == Effect::kConstraint) return refused(change, ours, row);
  ++counts_.inserted;
  return {};
}

// --- What constraints are in the way of ---

// `row` was not taken. What is about uniqueness waits; of the rest the rows are in the conflict.
Status TableMerge::refused(const KeyedChange& change, const std::optional<FoundRow>& ours, Values row) {
  const ConflictKind kind = kind_of_refusal();
  if (kind == ConflictKind::kUnique) {
    Waiting& waiting = waiting_.emplace_back();
    if (change.in_base) waiting.base.emplace(change.base);
    waiting.row.assign(row);
    waiting.rowid = ours ? hidden_rowid(ours->rowid) : hidden_rowid(change.rowid_theirs);
    if (!ours) return {};
    waiting.ours = *ours;
    return statements_.erase(address_of(*ours), ours->row.values()).and_then([](Effect) { return Status(); });
  }
  const RowAddress address = address_of(change);
  const Resolution* const resolution =
      context_.settle(counts_, {.kind = kind,
                                .table = table_.name,
                                .key = key_json(change.in_base ? change.base : change.theirs, address.rowid),
                                .base = row_json(base_of(change)),
                                .main = row_json(values_of(ours)),
                                .branch = row_json(theirs_of(change))});
  if (resolution == nullptr || resolution->take == Resolution::Take::kOurs) return {};
  if (resolution->take == Resolution::Take::kDelete) return ours ? erase(*ours, address) : Status();
  std::vector<Field> theirs(change.theirs.begin(), change.theirs.end());
  for (const std::uint32_t column : table_.changes.theirs_lacks) theirs[column] = row[column];
  RowCopy decided(resolution->take == Resolution::Take::kTheirs ? Values(theirs) : row);
  if (resolution->take == Resolution::Take::kValue) {
    DOSQL_ASSIGN_OR_RETURN(decided, resolved_row(row, resolution->value, all_columns_));
  }
  // What was decided is no better than what it was about: the conflict stays.
  Effect effect = Effect::kDone;
  if (ours) {
    const std::vector<std::uint32_t> columns = differing_columns(ours->row.values(), decided.values());
    if (columns.empty()) return {};
    DOSQL_ASSIGN_OR_RETURN(
        effect, statements_.update(address_of(*ours), columns, ours->row.values(), decided.values()));
    if (effect == Effect::kDone) ++counts_.updated;
  } else {
    DOSQL_ASSIGN_OR_RETURN(
        effect, statements_.insert(TableStatements::Columns::kAll, std::nullopt, decided.values()));
    if (effect == Effect::kDone) ++counts_.inserted;
  }
  if (effect == Effect::kConstraint) {
    return Error(
        ErrorCode::kConstraint,
        fmt::format("what was decided about row {} of {} is not possible: {}",
                    key_json(decided.values(), address.rowid), table_.name, statements_.constraint_text()));
  }
  return {};
}

Status TableMerge::place_waiting() {
  for (const Waiting& waiting : waiting_) DOSQL_RETURN_IF_ERROR(place(waiting));
  waiting_.clear();
  return {};
}

Status TableMerge::place(const Waiting& waiting) {
  const auto columns = waiting.ours ? TableStatements::Columns::kAll : TableStatements::Columns::kTheirs;
  DOSQL_ASSIGN_OR_RETURN(Effect effect, statements_.insert(columns, waiting.rowid, waiting.row.values()));
  if (effect == Effect::kConstraint && waiting.rowid && !waiting.ours &&
      statements_.constraint_code() == SQLITE_CONSTRAINT_ROWID) {
    DOSQL_ASSIGN_OR_RETURN(effect, statements_.insert(columns, std::nullopt, waiting.row.values()));
    if (effect == Effect::kDone) {
      context_.moved_rowids[table_.name][*waiting.rowid] =
          sqlite3_last_insert_rowid(context_.connection.db());
    }
  }
  if (effect == Effect::kConstraint) return settle_refused(waiting);
  ++(waiting.ours ? counts_.updated : counts_.inserted);
  note(waiting.row.values(), waiting.rowid.value_or(0), waiting.row.values());
  return {};
}

Status TableMerge::settle_refused(const Waiting& waiting) {
  DOSQL_ASSIGN_OR_RETURN(const std::vector<FoundRow> blocking, find_blocking(waiting.row.values()));
  const Resolution* const resolution =
      context_.settle(counts_, {.kind = kind_of_refusal(),
                                .table = table_.name,
                                .key = key_json(waiting.row.values(), waiting.rowid.value_or(0)),
                                .base = waiting.base ? row_json(waiting.base->values()) : "null",
                                .main = blocking.empty() ? "null" : row_json(blocking[0].row.values()),
                                .branch = row_json(waiting.row.values())});
  if (resolution == nullptr || resolution->take == Resolution::Take::kOurs) {
    if (!waiting.ours) return {};
    return statements_
        .insert(TableStatements::Columns::kAll, hidden_rowid(waiting.ours->rowid), waiting.ours->row.values())
        .and_then([](Effect) { return Status(); });
  }
  if (resolution->take == Resolution::Take::kDelete) {
    if (waiting.ours) ++counts_.deleted;
    return {};
  }
  RowCopy row(waiting.row);
  std::span<const FoundRow> in_the_way = blocking;
  if (resolution->take != Resolution::Take::kTheirs) {
    in_the_way = {};
    DOSQL_ASSIGN_OR_RETURN(row, resolved_row(row.values(), resolution->value, all_columns_));
  }
  DOSQL_ASSIGN_OR_RETURN(const Effect effect, insert_in_place_of(in_the_way, waiting, row.values()));
  if (effect == Effect::kConstraint) {
    return Error(ErrorCode::kConstraint,
                 fmt::format("what was decided about row {} of {} is not possible: {}",
                             key_json(row.values(), waiting.rowid.value_or(0)), table_.name,
                             statements_.constraint_text()));
  }
  ++(waiting.ours ? counts_.updated : counts_.inserted);
  return {};
}

// The rows that have the same values where only one may.
Result<std::vector<FoundRow>> TableMerge::find_blocking(Values row) {
  if (!by_unique_keys_) {
    DOSQL_ASSIGN_OR_RETURN(const std::vector<UniqueKey> keys, unique_keys(context_.connection, table_));
    by_unique_keys_.emplace();
    for (const UniqueKey& key : keys) {
      MergedTable table = table_;
      table.key = key.columns;
      by_unique_keys_->push_back(std::make_unique<ByUniqueKey>(context_.connection, std::move(table),
                                                               context_.encoding, key.condition));
    }
  }
  std::vector<FoundRow> blocking;
  for (const std::unique_ptr<ByUniqueKey>& by_key : *by_unique_keys_) {
    if (!by_key->table.has_key(row)) continue;
    DOSQL_ASSIGN_OR_RETURN(std::optional<FoundRow> found, by_key->statements.find({.key_of = row}));
    if (found) blocking.push_back(*std::move(found));
  }
  return blocking;
}

// Takes out no more of them than it must: a partial index may have nothing against the row.
Result<Effect> TableMerge::insert_in_place_of(std::span<const FoundRow> blocking, const Waiting& waiting,
                                              Values row) {
  // A column that they lack has its DEFAULT, but where something was decided about it.
  const bool lacks =
      !waiting.ours && std::ranges::all_of(table_.changes.theirs_lacks, [&](std::uint32_t column) {
        return diff::same_value(row[column], waiting.row.values()[column]);
      });
  const auto columns = lacks ? TableStatements::Columns::kTheirs : TableStatements::Columns::kAll;
  const auto insert = [&] { return statements_.insert(columns, waiting.rowid, row); };
  DOSQL_ASSIGN_OR_RETURN(Effect effect, insert());
  for (const FoundRow& other : blocking) {
    if (effect != Effect::kConstraint) break;
    DOSQL_RETURN_IF_ERROR(erase(other, address_of(other)));
    DOSQL_ASSIGN_OR_RETURN(effect, insert());
  }
  return effect;
}

// --- New keys ---

Result<NewNumbers> TableMerge::choose_new_numbers(MergeContext& context, const MergedTable& table,
                                                  merge::KeyedChanges& changes) {
  TableStatements statements(context.connection, table, context.encoding);
  std::vector<std::int64_t> taken;
  std::int64_t highest = 0;
  KeyedChange change;
  while (true) {
    DOSQL_ASSIGN_OR_RETURN(const bool found, changes.next(change));
    if (!found) break;
    if (change.in_base) continue;
    highest = std::max(highest, change.rowid_theirs);
    DOSQL_ASSIGN_OR_RETURN(const std::optional<FoundRow> ours,
                           statements.find({.rowid = change.rowid_theirs}));
    if (ours && !merge::same_row(ours->row.values(), change.theirs)) taken.push_back(change.rowid_theirs);
  }
  NewNumbers numbers;
  if (taken.empty()) return numbers;
  std::string text =
      fmt::format("SELECT max({}) FROM main.{}", sql::quoted(table.rowid_name), sql::quoted(table.name));
  if (table.autoincrement) {
    text = fmt::format(
        "SELECT max(ifnull(({}), 0), ifnull((SELECT seq FROM main.sqlite_sequence WHERE name = ?1), 0))",
        text);
  }
  DOSQL_ASSIGN_OR_RETURN(OwnStatement most, OwnStatement::prepare(context.connection, text));
  if (table.autoincrement) most.bind(1, table.name);
  if (const int rc = most.step(); rc != SQLITE_ROW) return context.connection.error(rc);
  highest = std::max(highest, most.integer(0));
  if (highest > std::numeric_limits<std::int64_t>::max() - static_cast<std::int64_t>(taken.size())) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("{} has no numbers left for the rows that need a new one", table.name));
  }
  for (const std::int64_t key : taken) numbers[key] = ++highest;
  return numbers;
}

}  // namespace dosql::engine
