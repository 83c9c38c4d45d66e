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
#include "engine/undo.h"
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

constexpr std::uint8_t kFromBoth = version::kFromMerged | version::kFromParent;

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

RowPair row_pair(const KeyedChange& change) {
  RowPair row{.rowid_base = change.rowid_base, .rowid_theirs = change.rowid_theirs};
  if (change.in_base) row.base.emplace(change.base);
  if (change.in_theirs) row.theirs.emplace(change.theirs);
  return row;
}

KeyOrigin key_origin(const MergedTable& table) {
  return table.rowid_column ? KeyOrigin::kCounter : KeyOrigin::kUser;
}

bool is_about_uniqueness(int code) {
  // Modules of virtual tables say no more than SQLITE_CONSTRAINT, and mean a rowid that is taken.
  return code == SQLITE_CONSTRAINT || code == SQLITE_CONSTRAINT_UNIQUE ||
         code == SQLITE_CONSTRAINT_PRIMARYKEY || code == SQLITE_CONSTRAINT_ROWID;
}

// FTS5 says what its own table of rows said, or that there was something.
bool may_be_about_rowid(int code) {
  return code == SQLITE_CONSTRAINT || code == SQLITE_CONSTRAINT_ROWID || code == SQLITE_CONSTRAINT_PRIMARYKEY;
}

TouchedRows* find_touched(MergeContext& context, const std::string& table) {
  const auto found = context.touched.find(table);
  return found == context.touched.end() ? nullptr : &found->second;
}

// Rows that are counted by content are known by nothing else.
const Doubts* find_doubts(const MergeContext& context, const std::string& table) {
  const auto found = context.doubts.find(table);
  return found == context.doubts.end() || context.by_content.contains(table) ? nullptr : &found->second;
}

std::vector<std::uint32_t> differing_columns(std::span<const Field> a, std::span<const Field> b) {
  std::vector<std::uint32_t> columns;
  for (std::uint32_t i = 0; i < a.size(); ++i) {
    if (!diff::same_value(a[i], b[i])) columns.push_back(i);
  }
  return columns;
}

}  // namespace

bool is_anew(const KeyedChange& change, std::uint32_t column) {
  if (change.anew) return std::ranges::find(*change.anew, column) != change.anew->end();
  return !change.in_base || !diff::same_value(change.base[column], change.theirs[column]);
}

void renumber(std::span<const NumberReference> references, const MergedTable& table, KeyedChange& change) {
  for (const NumberReference& reference : references) {
    Field& value = change.theirs[reference.column];
    if (value.type != FieldType::kInteger || !is_anew(change, reference.column)) continue;
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
      touched_(find_touched(context, table.name)),
      doubts_(find_doubts(context, table.name)),
      brought_(context.find_brought(table.name)),
      statements_(context.connection, table, context.encoding),
      all_columns_(table.columns.size()) {
  std::iota(all_columns_.begin(), all_columns_.end(), 0U);
  if (context.effects != nullptr) context.effects->tables.try_emplace(table.name, table);
}

Status TableMerge::run(const NextChange& next) {
  KeyedChange change;
  while (true) {
    DOSQL_ASSIGN_OR_RETURN(const bool found, next(change));
    if (!found) break;
    DOSQL_RETURN_IF_ERROR(take(change));
  }
  return place_waiting();
}

Status TableMerge::take(KeyedChange& change) {
  if (!context_.left_alone.empty() && context_.left_alone.contains(name_of(change))) return {};
  preference_ = preference_about(change);
  current_ = &change;
  if (context_.effects != nullptr) {
    DOSQL_ASSIGN_OR_RETURN(const std::optional<FoundRow> ours, statements_.find(address_of(change)));
    current_ours_ = row_json(values_of(ours));
    current_name_ = name_of(change);
    current_pair_ = row_pair(change);
  }
  if (!change.in_theirs) return take_delete(change);
  if (!references_.empty() || brought_ != nullptr)
    their_numbers_ = table_.numbers_of(change.theirs, change.rowid_theirs);
  meeting_ = Meeting::kTwoRows;
  if (brought_ != nullptr && !change.in_base && !table_.has_key(change.theirs)) meet(change);
  // It may be another row of which nothing would be left.
  if (meeting_ == Meeting::kUnknown && preference_ == Preference::kTheirs) preference_ = Preference::kNone;
  const bool was_here = was_taken_away(change);
  follow(change);
  if (change.in_base) return take_update(change);
  return was_here ? bring_back(change) : insert_new(change);
}

bool TableMerge::was_taken_away(const KeyedChange& change) const {
  const auto keys = context_.taken_away.find(table_.name);
  return !change.in_base && keys != context_.taken_away.end() &&
         keys->second.contains(key_json(change.theirs, change.rowid_theirs));
}

// Ours had the row, and deleted it. What has its number there by now is another one.
Status TableMerge::bring_back(const KeyedChange& change) {
  if (preference_ == Preference::kOurs) return {};
  if (preference_ == Preference::kTheirs) return insert_new(change);
  RowOutcome outcome;
  outcome.conflict = ConflictKind::kDeleteUpdate;
  return decide(change, std::nullopt, outcome, key_origin(table_));
}

// What ours has under another number has no other one there.
void TableMerge::meet(KeyedChange& change) {
  meeting_ = brought_->meeting(change.rowid_theirs);
  const auto elsewhere = brought_->elsewhere.find(change.rowid_theirs);
  if (table_.rowid_column || elsewhere == brought_->elsewhere.end()) return;
  note_other_row(change.rowid_theirs, version::kFromMerged);
  change.rowid_theirs = elsewhere->second;
}

// A key of which a part follows is another row's in theirs from now on.
void TableMerge::follow(KeyedChange& change) {
  std::vector<std::pair<std::uint32_t, std::int64_t>> before;
  for (const NumberReference& reference : references_) {
    const bool in_key =
        reference.column == table_.rowid_column ||
        std::ranges::find(table_.key, reference.column, &MergedTable::Key::column) != table_.key.end();
    if (in_key) before.emplace_back(reference.column, change.theirs[reference.column].integer);
  }
  renumber(references_, table_, change);
  for (const auto& [column, number] : before) {
    if (change.theirs[column].integer == number) continue;
    context_.moved[table_.name].from_merged.add(number);
    if (column == table_.rowid_column) note_went(number, change.theirs[column].integer);
    const bool was_there = column == table_.rowid_column && meeting_ == Meeting::kOneRow;
    if (!was_there) note_other_row(change.theirs[column].integer, kFromBoth);
  }
}

// --- Rows that their numbers need not tell apart ---

bool TableMerge::in_doubt(Values row, std::int64_t rowid) const {
  if (doubts_ == nullptr) return false;
  const auto doubtful = [&](std::int64_t number) {
    return doubts_->ours.contains(number) || doubts_->theirs.contains(number);
  };
  if (brought_ != nullptr && table_.known_by_rowid() && brought_->told.contains(rowid)) return false;
  if (!table_.has_key(row)) return doubtful(rowid);
  if (brought_ != nullptr && !brought_->told_keys.empty() &&
      brought_->told_keys.contains(key_json(row, rowid)))
    return false;
  return std::ranges::any_of(table_.key, [&](const MergedTable::Key& part) {
    const Field& value = row[part.column];
    return value.type == FieldType::kInteger && doubtful(value.integer);
  });
}

// Two rows met under one number, and it was decided whose it is from now on.
void TableMerge::note_other_row(const KeyedChange& change, version::MovedFrom from) {
  if (!table_.has_key(change.theirs)) note_other_row(change.rowid_theirs, from);
  for (const MergedTable::Key& part : table_.key) {
    const Field& value = change.theirs[part.column];
    if (value.type == FieldType::kInteger) note_other_row(value.integer, from);
  }
}

void TableMerge::note_other_row(std::int64_t number, std::uint8_t from) {
  MovedNotes& notes = context_.moved[table_.name];
  if ((from & version::kFromMerged) != 0) notes.from_merged.add(number);
  if ((from & version::kFromParent) != 0) notes.from_parent.add(number);
}

// Under which it came, where it came so: a row of base is one that ours does not have any more.
std::vector<std::int64_t> TableMerge::brought_numbers(const KeyedChange& change) const {
  if (!change.in_base && !context_.only_changes) return {};
  const bool follows = !references_.empty() || brought_ != nullptr;
  return follows ? their_numbers_ : table_.numbers_of(change.theirs, change.rowid_theirs);
}

// Right after the row was put there.
void TableMerge::note_brought(std::span<const std::int64_t> numbers, Values row) {
  if (numbers.empty()) return;
  MovedNotes& notes = context_.moved[table_.name];
  const bool by_rowid = !table_.has_key(row);
  for (const std::int64_t number : numbers) {
    const std::int64_t now = by_rowid ? sqlite3_last_insert_rowid(context_.connection.db()) : number;
    const bool went = now != number && !context_.only_changes;
    (went ? notes.went : notes.brought)[number] = now;
  }
}

// A row that has the number in theirs. What is picked is noted when it is there.
void TableMerge::note_went(std::int64_t number, std::int64_t now) {
  if (!context_.only_changes) context_.moved[table_.name].went[number] = now;
}

// It took the place of another one.
void TableMerge::note_replaced(const KeyedChange& change) {
  for (const std::int64_t number : brought_numbers(change))
    context_.moved[table_.name].brought[number] = number;
}

// A row of base that theirs deleted, and that was decided to stay.
void TableMerge::note_kept(const std::optional<FoundRow>& ours) {
  if (!ours || context_.only_changes) return;
  for (const std::int64_t number : table_.numbers_of(ours->row.values(), ours->rowid))
    context_.moved[table_.name].brought[number] = number;
}

// Whether ours may be another row than the one that they changed.
Result<bool> TableMerge::meets_another(const KeyedChange& change) {
  if (!in_doubt(change.base, change.rowid_base)) return false;
  DOSQL_ASSIGN_OR_RETURN(const std::optional<FoundRow> ours, statements_.find(address_of(change)));
  return ours && !merge::same_row(ours->row.values(), change.base) &&
         !merge::same_row(ours->row.values(), change.theirs);
}

// --- Addresses and texts ---

RowName TableMerge::name_of(const KeyedChange& change) const {
  return {table_.name, key_json(change.in_base ? change.base : change.theirs,
                                change.in_base ? change.rowid_base : change.rowid_theirs)};
}

Preference TableMerge::preference_about(const KeyedChange& change) const {
  if (context_.effects != nullptr) return Preference::kNone;
  if (context_.preference == Preference::kTheirs && doubts_ != nullptr && change.in_base) {
    const std::vector<std::int64_t> numbers = table_.numbers_of(change.base, change.rowid_base);
    const auto is_stranger = [&](std::int64_t number) { return doubts_->strangers.contains(number); };
    if (std::ranges::any_of(numbers, is_stranger)) return Preference::kNone;
  }
  if (context_.rebased.empty()) return context_.preference;
  const auto rebased = context_.rebased.find(name_of(change));
  const bool takes_theirs = rebased != context_.rebased.end() && rebased->second.takes_theirs;
  return takes_theirs ? Preference::kTheirs : context_.preference;
}

void TableMerge::note(RowValues now, std::span<const std::uint32_t> columns) {
  if (context_.effects != nullptr)
    context_.effects->rows[current_name_] = {row_json(now, columns), current_pair_, current_ours_};
}

// `columns`: those in which theirs would be taken.
void TableMerge::note_conflict(std::span<const std::uint32_t> columns) {
  if (context_.effects == nullptr) return;
  context_.effects->rows[current_name_] = {row_json(theirs_of(*current_), columns), current_pair_,
                                           current_ours_, true};
}

// Of one that is known when the others are done.
void TableMerge::note_waiting(const Waiting& waiting, bool in_conflict) {
  if (context_.effects != nullptr)
    context_.effects->rows[waiting.name] = {row_json(waiting.row.values()), waiting.change, waiting.was_ours,
                                            in_conflict};
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

std::string TableMerge::row_json(RowValues row, std::span<const std::uint32_t> columns) const {
  return row ? table_.row_json(*row, columns, context_.encoding) : "null";
}

// None is null, one is that row, and several are an array.
std::string TableMerge::rows_json(std::span<const FoundRow> rows) const {
  std::vector<std::string> all;
  for (const FoundRow& row : rows) all.push_back(row_json(row.row.values()));
  return engine::rows_json(all);
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
  note(std::nullopt);
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
  const auto is_restored = [&](std::uint32_t column) {
    return std::ranges::find(table_.restored, column) != table_.restored.end();
  };
  if (std::ranges::all_of(changed_, is_restored)) {
    DOSQL_ASSIGN_OR_RETURN(const std::optional<FoundRow> ours, statements_.find(address_of(change)));
    if (!ours) return {};
  }
  DOSQL_ASSIGN_OR_RETURN(const bool another, meets_another(change));
  if (another) {
    KeyedChange stranger = change;
    stranger.in_base = false;
    return merge_with_ours(stranger, KeyOrigin::kCounter);
  }
  if (!exactly) return merge_with_ours(change);
  DOSQL_ASSIGN_OR_RETURN(const Effect effect,
                         statements_.update(address_of(change), changed_, change.base, change.theirs));
  if (effect != Effect::kDone) return merge_with_ours(change);
  ++counts_.updated;
  note(change.theirs, changed_);
  return {};
}

Status TableMerge::insert_new(const KeyedChange& change) {
  DOSQL_ASSIGN_OR_RETURN(const Effect effect,
                         statements_.insert(TableStatements::Columns::kTheirs,
                                            hidden_rowid(change.rowid_theirs), change.theirs));
  if (effect == Effect::kDone) {
    ++counts_.inserted;
    note_brought(brought_numbers(change), change.theirs);
    // A row that comes back: what it refers to may be gone, though the change has nothing to do with that.
    if (change.in_base) note_came(std::nullopt, change.theirs);
    note(change.theirs);
    return {};
  }
  const int code = statements_.constraint_code();
  const bool met_itself = meeting_ != Meeting::kTwoRows && !change.in_base;
  const bool is_known = table_.known_by_rowid() || table_.has_key(change.theirs) || met_itself;
  if (is_known && is_about_uniqueness(code)) {
    DOSQL_ASSIGN_OR_RETURN(
        const std::optional<FoundRow> ours,
        statements_.find({.key_of = table_.has_key(change.theirs) ? Values(change.theirs) : Values(),
                          .rowid = change.rowid_theirs}));
    if (ours && merge::same_row(ours->row.values(), change.theirs)) return {};
    // A number that nobody sees: the row gets another one.
    const bool stranger = table_.known_by_rowid() && !table_.rowid_column;
    if (ours && met_itself) return merge_with_ours(change, KeyOrigin::kCounter);
    if (ours && !stranger) return merge_with_ours(change);
  }
  return refused(change, std::nullopt, change.theirs);
}

Status TableMerge::merge_with_ours(const KeyedChange& change) {
  return merge_with_ours(change, key_origin(table_));
}

Status TableMerge::merge_with_ours(const KeyedChange& change, KeyOrigin origin) {
  DOSQL_ASSIGN_OR_RETURN(const std::optional<FoundRow> ours, statements_.find(address_of(change)));
  const RowVersions versions{base_of(change), values_of(ours), theirs_of(change)};
  RowOutcome outcome;
  merge::merge_row(versions, origin, preference_, outcome);
  const bool met = !change.in_base && ours && origin == KeyOrigin::kCounter && meeting_ != Meeting::kOneRow;
  if (met && preference_ == Preference::kOurs) note_other_row(change, version::kFromMerged);
  if (met && preference_ == Preference::kTheirs) {
    note_other_row(change, version::kFromParent);
    note_replaced(change);
  }
  const bool is_kept = !change.in_theirs && outcome.action == RowAction::kKeep && !outcome.conflict;
  if (is_kept) note_kept(ours);
  return outcome.conflict ? decide(change, ours, outcome, origin) : apply(change, ours, outcome);
}

Status TableMerge::decide(const KeyedChange& change, const std::optional<FoundRow>& ours,
                          const RowOutcome& outcome, KeyOrigin origin) {
  const bool only_cells = outcome.conflict == ConflictKind::kUpdateUpdate;
  const std::span<const std::uint32_t> shown = only_cells ? outcome.conflicting : all_columns_;
  const RowAddress address = address_of(change);
  const bool are_two = outcome.conflict == ConflictKind::kKeyCollision && !current_->in_base &&
                       meeting_ == Meeting::kTwoRows && table_.rowid_column;
  const Resolution* const resolution =
      context_.settle(counts_, {.kind = *outcome.conflict,
                                .table = table_.name,
                                .key = key_json(change.in_base ? change.base : change.theirs, address.rowid),
                                .base = row_json(base_of(change), shown),
                                .main = row_json(values_of(ours), shown),
                                .branch = row_json(theirs_of(change), shown),
                                .renumber_helps = are_two && !context_.renumber});
  RowOutcome theirs;
  merge::merge_row({base_of(change), values_of(ours), theirs_of(change)}, origin, Preference::kTheirs,
                   theirs);
  if (resolution == nullptr) {
    DOSQL_RETURN_IF_ERROR(apply(change, ours, outcome));
    note_conflict(theirs.action == RowAction::kUpdate ? theirs.columns : all_columns_);
    return {};
  }
  if (outcome.conflict == ConflictKind::kKeyCollision && meeting_ != Meeting::kOneRow) {
    if (resolution->take != Resolution::Take::kTheirs) note_other_row(change, version::kFromMerged);
    if (resolution->take != Resolution::Take::kOurs) {
      note_other_row(change, version::kFromParent);
      note_replaced(change);
    }
  }
  const bool stays =
      resolution->take == Resolution::Take::kOurs || resolution->take == Resolution::Take::kValue;
  if (outcome.conflict == ConflictKind::kUpdateDelete && stays) note_kept(ours);
  if (resolution->take == Resolution::Take::kOurs) return apply(change, ours, outcome);
  if (resolution->take == Resolution::Take::kTheirs) return apply(change, ours, theirs);
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
  const auto column_called = [&](std::string_view name) {
    return std::ranges::find_if(
        table_.columns, [&](const MergedColumn& one) { return sql::equals_ignoring_case(one.name, name); });
  };
  const auto has_column = [&](std::string_view name) { return column_called(name) != table_.columns.end(); };
  DOSQL_ASSIGN_OR_RETURN(const std::vector<NamedField> fields,
                         fields_of_json(context_.connection, std::string(json), alone, has_column));
  std::vector<Field> values(row.begin(), row.end());
  for (const NamedField& field : fields) {
    const auto column = column_called(field.name);
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
  note_gone(ours);
  note(std::nullopt);
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
    note_changed(change, ours, row, columns);
    note(row, columns);
    return {};
  }
  DOSQL_ASSIGN_OR_RETURN(const Effect effect,
                         statements_.insert(TableStatements::Columns::kAll, std::nullopt, row));
  if (effect == Effect::kConstraint) return refused(change, ours, row);
  ++counts_.inserted;
  note_brought(brought_numbers(change), row);
  note_came(ours, row);
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
    waiting.name = name_of(change);
    if (!ours) waiting.brings = brought_numbers(change);
    if (context_.effects != nullptr) {
      waiting.name = current_name_;
      waiting.change = current_pair_;
      waiting.was_ours = current_ours_;
    }
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
  if (resolution == nullptr) note_conflict(all_columns_);
  if (resolution == nullptr || resolution->take == Resolution::Take::kOurs) return {};
  if (resolution->take == Resolution::Take::kDelete) return ours ? erase(*ours, address) : Status();
  RowCopy decided(row);
  if (resolution->take == Resolution::Take::kTheirs) {
    // Columns that they do not have stay as ours has them.
    std::vector<Field> values(row.begin(), row.end());
    for (const std::uint32_t column : all_columns_) {
      if (table_.columns[column].in_theirs) values[column] = change.theirs[column];
    }
    decided.assign(values);
  }
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
    if (effect == Effect::kDone) {
      ++counts_.updated;
      note_changed(change, ours, decided.values(), columns);
    }
  } else {
    DOSQL_ASSIGN_OR_RETURN(
        effect, statements_.insert(TableStatements::Columns::kAll, std::nullopt, decided.values()));
    if (effect == Effect::kDone) {
      ++counts_.inserted;
      note_brought(brought_numbers(change), decided.values());
      note_came(ours, decided.values());
    }
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

// What they do not have gets its DEFAULT, unless the row was ours.
TableStatements::Columns TableMerge::columns_of(const Waiting& waiting) {
  return waiting.ours ? TableStatements::Columns::kAll : TableStatements::Columns::kTheirs;
}

Status TableMerge::place(const Waiting& waiting) {
  DOSQL_ASSIGN_OR_RETURN(const Effect effect, insert_waiting(columns_of(waiting), waiting.rowid,
                                                             waiting.row.values(), !waiting.ours));
  if (effect == Effect::kConstraint) return settle_refused(waiting);
  ++(waiting.ours ? counts_.updated : counts_.inserted);
  note_brought(waiting.brings, waiting.row.values());
  if (waiting.ours) note_gone(*waiting.ours);
  note_came(waiting.ours, waiting.row.values());
  note_waiting(waiting, false);
  return {};
}

// Where another row has the rowid, which nobody sees, the row gets another one.
Result<Effect> TableMerge::insert_waiting(TableStatements::Columns columns, std::optional<std::int64_t> rowid,
                                          Values row, bool is_theirs) {
  DOSQL_ASSIGN_OR_RETURN(Effect effect, statements_.insert(columns, rowid, row));
  if (effect != Effect::kConstraint || !rowid || !may_be_about_rowid(statements_.constraint_code()))
    return effect;
  DOSQL_ASSIGN_OR_RETURN(effect, statements_.insert(columns, std::nullopt, row));
  if (effect == Effect::kDone) {
    const std::int64_t now = sqlite3_last_insert_rowid(context_.connection.db());
    context_.moved_rowids[table_.name][*rowid] = now;
    if (!table_.has_key(row)) {
      note_other_row(*rowid, kFromBoth);
      note_other_row(now, kFromBoth);
      if (is_theirs) note_went(*rowid, now);
    }
  }
  return effect;
}

Status TableMerge::settle_refused(const Waiting& waiting) {
  const ConflictKind kind = kind_of_refusal();
  DOSQL_ASSIGN_OR_RETURN(const std::vector<FoundRow> in_the_way, find_all_in_the_way(waiting));
  const Conflict conflict{.kind = kind,
                          .table = table_.name,
                          .key = key_json(waiting.row.values(), waiting.rowid.value_or(0)),
                          .base = waiting.base ? row_json(waiting.base->values()) : "null",
                          .main = rows_json(in_the_way),
                          .branch = row_json(waiting.row.values())};
  const Resolution* const resolution = context_.settle(counts_, conflict);
  if (resolution == nullptr) note_waiting(waiting, true);
  if (resolution == nullptr || resolution->take == Resolution::Take::kOurs)
    return waiting.ours ? put_back(waiting, conflict, resolution != nullptr) : Status();
  if (resolution->take == Resolution::Take::kDelete) {
    if (!waiting.ours) return {};
    ++counts_.deleted;
    note_gone(*waiting.ours);
    return {};
  }
  const bool takes_theirs = resolution->take == Resolution::Take::kTheirs;
  RowCopy row(waiting.row);
  auto columns = columns_of(waiting);
  if (!takes_theirs) {
    DOSQL_ASSIGN_OR_RETURN(row, resolved_row(row.values(), resolution->value, all_columns_));
    for (const std::uint32_t column : differing_columns(waiting.row.values(), row.values())) {
      if (!table_.columns[column].in_theirs) columns = TableStatements::Columns::kAll;
    }
  }
  DOSQL_ASSIGN_OR_RETURN(const Effect effect,
                         takes_theirs ? insert_in_place_of_others(waiting, row.values())
                                      : insert_waiting(columns, waiting.rowid, row.values(), !waiting.ours));
  if (effect == Effect::kConstraint) {
    return Error(ErrorCode::kConstraint,
                 fmt::format("what was decided about row {} of {} is not possible: {}",
                             key_json(row.values(), waiting.rowid.value_or(0)), table_.name,
                             statements_.constraint_text()));
  }
  ++(waiting.ours ? counts_.updated : counts_.inserted);
  note_brought(waiting.brings, row.values());
  if (waiting.ours) note_gone(*waiting.ours);
  note_came(waiting.ours, row.values());
  return {};
}

// Another row may have taken meanwhile what it made room for: that row has to know that ours stays.
Status TableMerge::put_back(const Waiting& waiting, const Conflict& conflict, bool decided) {
  const Values ours = waiting.ours->row.values();
  DOSQL_ASSIGN_OR_RETURN(const Effect effect, insert_waiting(TableStatements::Columns::kAll,
                                                             hidden_rowid(waiting.ours->rowid), ours, false));
  if (effect != Effect::kConstraint) return {};
  context_.not_put_back[waiting.name] = decided ? std::nullopt : std::optional(conflict);
  return {};
}

// --- What foreign keys have to be asked about ---

void TableMerge::note_gone(const FoundRow& ours) {
  if (touched_ == nullptr || touched_->parent_columns.empty()) return;
  touched_->gone.push_back(ours.row);
}

// Right after it was put there.
void TableMerge::note_came(const std::optional<FoundRow>& ours, Values row) {
  if (touched_ == nullptr || touched_->child_columns.empty()) return;
  std::int64_t rowid = ours ? ours->rowid : sqlite3_last_insert_rowid(context_.connection.db());
  if (ours && table_.rowid_column) rowid = row[*table_.rowid_column].integer;
  touched_->came.push_back({RowCopy(row), rowid});
}

// Where a column does what a row of base does in theirs, that can be seen in the change.
void TableMerge::note_changed(const KeyedChange& change, const std::optional<FoundRow>& ours, Values row,
                              std::span<const std::uint32_t> columns) {
  if (touched_ == nullptr) return;
  const auto is_seen = [&](std::uint32_t column) {
    return change.in_base && (!change.in_theirs || is_anew(change, column));
  };
  const auto gone = [&](std::uint32_t column) {
    return touched_->parent_columns.contains(column) &&
           !(is_seen(column) && diff::same_value(change.base[column], ours->row.values()[column]));
  };
  const auto came = [&](std::uint32_t column) {
    return touched_->child_columns.contains(column) &&
           !(change.in_theirs && is_seen(column) && diff::same_value(change.theirs[column], row[column]));
  };
  if (ours && std::ranges::any_of(columns, gone)) note_gone(*ours);
  if (std::ranges::any_of(columns, came)) note_came(ours, row);
}

// A row that has the same values where only one may.
Result<std::optional<FoundRow>> TableMerge::find_in_the_way(const Waiting& waiting, Values row) {
  if (table_.is_virtual || !is_about_uniqueness(statements_.constraint_code()))
    return std::optional<FoundRow>();
  return statements_.find_in_the_way(columns_of(waiting), row);
}

// Each constraint may have another one: who decides has to see them all, since theirs takes them all out.
Result<std::vector<FoundRow>> TableMerge::find_all_in_the_way(const Waiting& waiting) {
  std::vector<FoundRow> found;
  DOSQL_ASSIGN_OR_RETURN(const std::optional<FoundRow> first, find_in_the_way(waiting, waiting.row.values()));
  if (!first) return found;
  DOSQL_RETURN_IF_ERROR(run_own(context_.connection, "SAVEPOINT dosql_in_the_way"));
  const Status tried = take_out_all_in_the_way(waiting, found);
  const Status undone = undo_savepoint(context_.connection, "dosql_in_the_way");
  DOSQL_RETURN_IF_ERROR(tried);
  DOSQL_RETURN_IF_ERROR(undone);
  // Which constraint is asked first is nobody's business.
  std::ranges::sort(found, {},
                    [&](const FoundRow& row) { return std::pair(row.rowid, row_json(row.row.values())); });
  return found;
}

// One after the other, since SQLite names one row at a time.
Status TableMerge::take_out_all_in_the_way(const Waiting& waiting, std::vector<FoundRow>& found) {
  const Values row = waiting.row.values();
  while (true) {
    DOSQL_ASSIGN_OR_RETURN(const Effect effect, statements_.insert(columns_of(waiting), std::nullopt, row));
    if (effect != Effect::kConstraint) return {};
    DOSQL_ASSIGN_OR_RETURN(const std::optional<FoundRow> other, find_in_the_way(waiting, row));
    if (!other) return {};
    DOSQL_ASSIGN_OR_RETURN(const Effect gone, statements_.erase(address_of(*other), other->row.values()));
    if (gone != Effect::kDone) return {};
    found.push_back(*other);
  }
}

// Takes out no more of them than it must.
Result<Effect> TableMerge::insert_in_place_of_others(const Waiting& waiting, Values row) {
  while (true) {
    DOSQL_ASSIGN_OR_RETURN(const Effect effect,
                           insert_waiting(columns_of(waiting), waiting.rowid, row, !waiting.ours));
    if (effect != Effect::kConstraint) return effect;
    DOSQL_ASSIGN_OR_RETURN(const std::optional<FoundRow> other, find_in_the_way(waiting, row));
    if (!other) return effect;
    DOSQL_RETURN_IF_ERROR(erase(*other, address_of(*other)));
  }
}

// --- New keys ---

Result<NewNumbers> TableMerge::choose_new_numbers(
    MergeContext& context, const MergedTable& table, RebasedChanges& changes,
    const std::function<Result<std::int64_t>()>& highest_given) {
  TableStatements statements(context.connection, table, context.encoding);
  const Brought* const brought = context.find_brought(table.name);
  NewNumbers numbers;
  std::vector<std::int64_t> taken;
  std::int64_t highest = 0;
  KeyedChange change;
  while (true) {
    DOSQL_ASSIGN_OR_RETURN(const bool found, changes.next(change));
    if (!found) break;
    // What they did to a row of base is not to meet another one under its number.
    if (change.in_base) highest = std::max(highest, change.rowid_base);
    if (!change.in_theirs) continue;
    highest = std::max(highest, change.rowid_theirs);
    // One about which it was decided takes the place of ours.
    if (change.in_base || (changes.rebased() != nullptr && changes.rebased()->takes_theirs)) continue;
    // What need not be two rows would be there twice.
    if (brought != nullptr && brought->meeting(change.rowid_theirs) != Meeting::kTwoRows) continue;
    DOSQL_ASSIGN_OR_RETURN(const std::optional<FoundRow> ours,
                           statements.find({.rowid = change.rowid_theirs}));
    if (ours && !merge::same_row(ours->row.values(), change.theirs)) taken.push_back(change.rowid_theirs);
  }
  if (taken.empty()) return numbers;
  // Of a row that ours deleted, too: what refers to it elsewhere is not to mean another one.
  DOSQL_ASSIGN_OR_RETURN(const std::int64_t given, highest_given());
  highest = std::max(highest, given);
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
  // Nor is it to meet what a third branch has given.
  if (table.autoincrement) {
    ConnectionState& connection = context.connection;
    highest = std::max(highest, connection.core().counters().floor(connection.file(), table.name));
  }
  if (highest > std::numeric_limits<std::int64_t>::max() - static_cast<std::int64_t>(taken.size())) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("{} has no numbers left for the rows that need a new one", table.name))
        .with_hint(fmt::format("new numbers are above all that were given, of which {} is the highest: give "
                               "the branch's rows free ones there, and merge then",
                               highest));
  }
  for (const std::int64_t key : taken) numbers[key] = ++highest;
  return numbers;
}

}  // namespace dosql::engine
