#include "engine/followed_references.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <utility>

#include "diff/row.h"
#include "engine/rebased_changes.h"
#include "engine/row_identity.h"
#include "merge/row_merge.h"
#include "sql/lexer.h"

namespace dosql::engine {

using diff::Field;
using diff::FieldType;
using merge::KeyedChange;
using sql::equals_ignoring_case;
using version::ReadPoint;

namespace {

bool moves(const version::MovedRun& run) {
  return run.now != run.first || run.source == version::kLostSource;
}

RowPair row_pair(const KeyedChange& change) {
  RowPair row{.rowid_base = change.rowid_base, .rowid_theirs = change.rowid_theirs};
  if (change.in_base) row.base.emplace(change.base);
  if (change.in_theirs) row.theirs.emplace(change.theirs);
  return row;
}

}  // namespace

bool may_have_moved(const MergeContext& context, const MergedTable& table) {
  const auto brought = context.brought.find(table.name);
  return brought != context.brought.end() &&
         std::ranges::any_of(brought->second.runs, [](const Brought::Run& one) { return moves(one.run); });
}

FollowedReferences::FollowedReferences(MergeContext& context, const MergeSource& source,
                                       const MergedSchema& merged, const ForeignKeys& keys,
                                       const MergedTable& table)
    : context_(context), source_(source), merged_(merged), keys_(keys), table_(table) {
  const bool any_moved = std::ranges::any_of(
      merged.tables, [&](const TableTask& task) { return may_have_moved(context, task.merged); });
  if (!any_moved) return;
  for (std::uint32_t i = 0; i < table.columns.size(); ++i)
    add(i, table, table.columns[i].name, keys.all().size());
}

// --- Which columns refer to which numbers ---

// `depth` references of it are left.
void FollowedReferences::add(std::uint32_t column, const MergedTable& table, const std::string& name,
                             std::size_t depth) {
  if (depth == 0) return;
  for (const ForeignKey* const key : keys_.from(table.name)) {
    const auto parent = std::ranges::find_if(merged_.tables, [&](const TableTask& task) {
      return equals_ignoring_case(task.merged.name, key->parent);
    });
    if (parent == merged_.tables.end()) continue;
    for (std::size_t i = 0; i < key->child_columns.size(); ++i) {
      if (equals_ignoring_case(key->child_columns[i], name))
        add_parent(column, *parent, key->parent_columns[i], depth - 1);
    }
  }
}

// A number that is a reference itself is that of the row to which it refers.
void FollowedReferences::add_parent(std::uint32_t column, const TableTask& parent, const std::string& name,
                                    std::size_t depth) {
  const MergedTable& table = parent.merged;
  const bool is_number =
      table.rowid_column && equals_ignoring_case(table.columns[*table.rowid_column].name, name);
  if (!is_number || keys_.number_is_reference(table)) return add(column, table, name, depth);
  if (!may_have_moved(context_, table)) return;
  Parent& found = parents_.try_emplace(&parent, context_, source_, parent).first->second;
  Parents& all = columns_[column];
  if (std::ranges::find(all, &found) == all.end()) all.push_back(&found);
}

bool FollowedReferences::is_in_key(std::uint32_t column) const {
  return std::ranges::find(table_.key, column, &MergedTable::Key::column) != table_.key.end();
}

bool FollowedReferences::in_key() const {
  return std::ranges::any_of(columns_, [&](const auto& one) { return is_in_key(one.first); });
}

bool FollowedReferences::refers_to(std::uint32_t column, const MergedTable& parent) const {
  const auto parents = columns_.find(column);
  return parents != columns_.end() && std::ranges::any_of(parents->second, [&](const Parent* one) {
           return &one->task.merged == &parent;
         });
}

std::string FollowedReferences::key_json(std::span<const Field> row) const {
  return table_.key_json(row, 0, context_.encoding);
}

Result<std::optional<FoundRow>> FollowedReferences::find_ours(std::span<const Field> row) {
  if (!ours_) ours_.emplace(context_, table_);
  return ours_->find({.key_of = row});
}

// --- What a number is on the other side ---

// Of several parents, those that moved it have to agree.
Result<std::optional<std::int64_t>> FollowedReferences::in_ours(const Parents& parents, std::int64_t number) {
  std::optional<std::int64_t> all = number;
  for (Parent* const parent : parents) {
    auto known = parent->in_ours.find(number);
    if (known == parent->in_ours.end()) {
      DOSQL_ASSIGN_OR_RETURN(const std::optional<std::int64_t> found, find_in_ours(*parent, number));
      known = parent->in_ours.emplace(number, found).first;
    }
    const std::optional<std::int64_t> one = known->second;
    if (!one || (*one != number && *all != number && *one != *all)) return std::optional<std::int64_t>();
    if (*one != number) all = one;
  }
  return all;
}

Result<std::optional<std::int64_t>> FollowedReferences::find_in_ours(Parent& parent, std::int64_t number) {
  NumberTraces& traces = parent.traces;
  if (!traces.is_noted(number)) return std::optional(number);
  const NumberTraces::Numbers numbers = traces.numbers_with(number);
  if (numbers.size() == 1 && !traces.is_lost(numbers)) return std::optional(number);
  DOSQL_ASSIGN_OR_RETURN(const VersionRows::Found in_base, traces.find(traces.base(), number));
  if (!in_base.known) return std::optional<std::int64_t>();
  if (!in_base.row) return std::optional(number);
  DOSQL_ASSIGN_OR_RETURN(const Counterpart ours, traces.find_in_ours(traces.base(), number, numbers));
  if (ours.number) return ours.sure ? ours.number : std::nullopt;
  return last_in_ours(parent, number);
}

// Where nothing else has its place by now.
Result<std::optional<std::int64_t>> FollowedReferences::last_in_ours(Parent& parent, std::int64_t number) {
  std::set<std::int64_t> numbers;
  for (const Brought::Run& one : parent.brought.runs) {
    if (one.in_ours && one.run.now != one.run.first && version::has_there(one.run, number))
      numbers.insert(version::number_here(one.run, number));
  }
  if (numbers.empty()) numbers.insert(number);
  if (numbers.size() > 1) return std::optional<std::int64_t>();
  DOSQL_ASSIGN_OR_RETURN(const std::optional<FoundRow> here,
                         parent.traces.ours().find({.rowid = *numbers.begin()}));
  return here ? std::nullopt : std::optional(*numbers.begin());
}

Result<FollowedReferences::Key> FollowedReferences::key_in_ours(std::span<const Field> row) {
  Key key = Key::kStays;
  for (const auto& [column, parents] : columns_) {
    if (!is_in_key(column) || row[column].type != FieldType::kInteger) continue;
    DOSQL_ASSIGN_OR_RETURN(const std::optional<std::int64_t> number, in_ours(parents, row[column].integer));
    if (!number) return Key::kUnknown;
    if (*number != row[column].integer) key = Key::kFollows;
  }
  return key;
}

Result<bool> FollowedReferences::means_the_same(const Parents& parents, std::int64_t number) {
  for (Parent* const parent : parents) {
    NumberTraces& traces = parent->traces;
    if (!traces.is_noted(number) || traces.numbers_with(number).size() == 1) continue;
    DOSQL_ASSIGN_OR_RETURN(const VersionRows::Found base, traces.find(traces.base(), number));
    DOSQL_ASSIGN_OR_RETURN(const VersionRows::Found theirs, traces.find(traces.theirs().point, number));
    if (!base.row || !theirs.row) continue;
    DOSQL_ASSIGN_OR_RETURN(const SameRow same,
                           traces.compare(traces.base(), number, traces.theirs(), number));
    if (same == SameRow::kNo) return false;
  }
  return true;
}

// Not what ours has as base has it, since theirs' numbers are taken there.
Status FollowedReferences::follow_anew(Parent& parent, std::int64_t number) {
  NumberTraces& traces = parent.traces;
  if (!traces.is_noted(number)) return {};
  const NumberTraces::Numbers numbers = traces.numbers_with(number);
  DOSQL_ASSIGN_OR_RETURN(const VersionRows::Found there, traces.find(traces.theirs().point, number));
  if (numbers.size() == 1 || !there.row) return {};
  DOSQL_ASSIGN_OR_RETURN(const bool changed, traces.ours_has_changed(numbers));
  if (!changed) return {};
  DOSQL_ASSIGN_OR_RETURN(const Counterpart ours, traces.find_in_ours(traces.theirs().point, number, numbers));
  if (!ours.number || !ours.sure || *ours.number == number) return {};
  DOSQL_ASSIGN_OR_RETURN(const VersionRows::Found in_base, traces.find(traces.base(), *ours.number));
  if (in_base.row) {
    DOSQL_ASSIGN_OR_RETURN(const SameRow same,
                           traces.compare(traces.base(), *ours.number, traces.theirs(), number));
    if (same != SameRow::kNo) return {};
  }
  // It may be written over by another one of theirs.
  DOSQL_ASSIGN_OR_RETURN(const VersionRows::Found meets, traces.find(traces.theirs().point, *ours.number));
  if (meets.row && context_.preference == merge::Preference::kTheirs) return {};
  parent.brought.elsewhere[number] = *ours.number;
  return {};
}

Status FollowedReferences::follow_new_key(std::span<const Field> row) {
  for (const auto& [column, parents] : columns_) {
    if (!is_in_key(column) || row[column].type != FieldType::kInteger) continue;
    for (Parent* const parent : parents) DOSQL_RETURN_IF_ERROR(follow_anew(*parent, row[column].integer));
  }
  return {};
}

Status FollowedReferences::follow(RowPair& row) {
  std::vector<Field> base(row.base->values().begin(), row.base->values().end());
  std::vector<Field> theirs;
  if (row.theirs) theirs.assign(row.theirs->values().begin(), row.theirs->values().end());
  std::vector<std::uint32_t> anew;
  for (std::uint32_t i = 0; i < base.size(); ++i) {
    bool stays = row.theirs && diff::same_value(base[i], theirs[i]);
    const auto parents = columns_.find(i);
    if (parents != columns_.end() && base[i].type == FieldType::kInteger) {
      const std::int64_t number = base[i].integer;
      if (stays) {
        DOSQL_ASSIGN_OR_RETURN(stays, means_the_same(parents->second, number));
      }
      DOSQL_ASSIGN_OR_RETURN(const std::optional<std::int64_t> ours, in_ours(parents->second, number));
      base[i].integer = ours.value_or(number);
      if (stays) theirs[i].integer = base[i].integer;
    }
    if (row.theirs && !stays) anew.push_back(i);
  }
  row.base = RowCopy(base);
  if (row.theirs) row.theirs = RowCopy(theirs);
  row.anew = std::move(anew);
  return {};
}

Result<bool> FollowedReferences::refers_to_moved(std::span<const Field> row) {
  bool moved = false;
  for (const auto& [column, parents] : columns_) {
    if (row[column].type != FieldType::kInteger) continue;
    DOSQL_ASSIGN_OR_RETURN(const auto number, in_ours(parents, row[column].integer));
    const bool stays = number == std::optional(row[column].integer);
    if (!stays && is_in_key(column)) return false;
    moved = moved || (!stays && number);
  }
  return moved;
}

Result<bool> FollowedReferences::only_follows(const RowPair& row) {
  if (!row.theirs) return false;
  const std::span<const Field> base = row.base->values();
  const std::span<const Field> theirs = row.theirs->values();
  for (std::uint32_t i = 0; i < base.size(); ++i) {
    if (diff::same_value(base[i], theirs[i])) continue;
    const auto parents = columns_.find(i);
    if (parents == columns_.end() || base[i].type != FieldType::kInteger) return false;
    for (Parent* const parent : parents->second) {
      const NumberTraces::Numbers numbers = parent->traces.numbers_with(base[i].integer);
      DOSQL_ASSIGN_OR_RETURN(const VersionRows::Found in_base, parent->traces.find(source_.base, numbers[0]));
      if (!in_base.row) return false;
      // Else theirs' numbers are taken.
      DOSQL_ASSIGN_OR_RETURN(const bool changed, parent->traces.ours_has_changed(numbers));
      if (!changed) return false;
      DOSQL_ASSIGN_OR_RETURN(const Counterpart there, parent->traces.find_in_theirs(numbers[0], numbers));
      const bool is_it = there.number && there.sure && theirs[i].type == FieldType::kInteger &&
                         *there.number == theirs[i].integer;
      if (!is_it) return false;
    }
  }
  return true;
}

// --- Keys ---

Status FollowedReferences::find_keys(VersionPair& theirs, const TableTask& task) {
  if (context_.effects != nullptr) context_.effects->with_followed_keys.insert(table_.name);
  for (auto& [parent, found] : parents_) DOSQL_RETURN_IF_ERROR(find_replaced(theirs, found));
  for (const auto& [column, parents] : columns_) {
    if (!is_in_key(column)) continue;
    for (Parent* const parent : parents) {
      for (const auto& [number, there] : parent->replaced)
        DOSQL_RETURN_IF_ERROR(look_at_replaced(column, *parent, number));
    }
  }
  if (!context_.several_bases) DOSQL_RETURN_IF_ERROR(add_replacing());
  DOSQL_ASSIGN_OR_RETURN(merge::KeyedChanges all, theirs.changes(task.base, task.theirs, table_));
  RebasedChanges changes(context_, table_, std::move(all));
  KeyedChange change;
  while (true) {
    DOSQL_ASSIGN_OR_RETURN(const bool found, changes.next(change));
    if (!found || changes.is_instead() || changes.rebased() != nullptr) return {};
    DOSQL_RETURN_IF_ERROR(look_at(change));
  }
}

Status FollowedReferences::look_at(const KeyedChange& change) {
  if (!table_.has_key(change.in_base ? change.base : change.theirs)) return {};
  if (!change.in_base) return follow_new_key(change.theirs);
  DOSQL_ASSIGN_OR_RETURN(const Key key, key_in_ours(change.base));
  if (key == Key::kStays) return {};
  // Each of several bases says by itself which row it is, and they may differ.
  if (key == Key::kUnknown || context_.several_bases) return settle(row_pair(change));
  RowPair row = row_pair(change);
  DOSQL_RETURN_IF_ERROR(follow(row));
  const std::string now = key_json(row.base->values());
  if (row.theirs && key_json(row.theirs->values()) != now) return settle(row_pair(change));
  if (!row.theirs) {
    // It need not have followed: ours may have it still as base has it.
    DOSQL_ASSIGN_OR_RETURN(const std::optional<FoundRow> here, find_ours(row.base->values()));
    DOSQL_ASSIGN_OR_RETURN(const std::optional<FoundRow> before, find_ours(change.base));
    if (!here && before) return settle(row_pair(change));
  }
  Brought& brought = context_.brought[table_.name];
  brought.followed.insert(key_json(change.base));
  brought.told_keys.insert(now);
  brought.instead.push_back(std::move(row));
  return {};
}

// Which row of ours is meant cannot be told: no strategy but ours decides that.
Status FollowedReferences::settle(const RowPair& row) {
  using Take = Resolution::Take;
  Brought& brought = context_.brought[table_.name];
  const std::span<const Field> base = row.base->values();
  const std::string key = key_json(base);
  brought.followed.insert(key);
  const bool stays =
      context_.preference == merge::Preference::kOurs || context_.left_alone.contains({table_.name, key});
  if (stays) return {};
  DOSQL_ASSIGN_OR_RETURN(const std::optional<FoundRow> here, find_ours(base));
  if (context_.effects != nullptr) {
    const auto json = [&](const RowCopy& one) { return table_.row_json(one.values(), context_.encoding); };
    context_.effects->rows[{table_.name, key}] = {row.theirs ? json(*row.theirs) : "null", row,
                                                  here ? json(here->row) : "null", true};
    context_.effects->tables.emplace(table_.name, table_);
  }
  const merge::ConflictKind kind = !row.theirs ? merge::ConflictKind::kUpdateDelete
                                   : here      ? merge::ConflictKind::kKeyCollision
                                               : merge::ConflictKind::kDeleteUpdate;
  const Resolution* const resolution = context_.settle(
      context_.counts_of(table_.name),
      {.kind = kind,
       .table = table_.name,
       .key = key,
       .base = table_.row_json(base, context_.encoding),
       .main = here ? table_.row_json(here->row.values(), context_.encoding) : "null",
       .branch = row.theirs ? table_.row_json(row.theirs->values(), context_.encoding) : "null"});
  if (resolution == nullptr || resolution->take == Take::kOurs) return {};
  const bool goes = resolution->take == Take::kDelete && !row.theirs;
  if (resolution->take != Take::kTheirs && !goes) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("row {} of {} takes a side: it cannot be told which row of main it is", key,
                             table_.name));
  }
  if (!here && !row.theirs) return {};
  brought.told_keys.insert(key);
  RowPair& taken = brought.instead.emplace_back(row);
  taken.base.reset();
  if (here) taken.base = here->row;
  return {};
}

// Ours deleted what theirs changed. Whether theirs stands.
Result<bool> FollowedReferences::settle_deleted(const std::string& key, const RowPair& row) {
  using Take = Resolution::Take;
  if (context_.preference != merge::Preference::kNone)
    return context_.preference == merge::Preference::kTheirs;
  const Resolution* const resolution = context_.settle(
      context_.counts_of(table_.name), {.kind = merge::ConflictKind::kDeleteUpdate,
                                        .table = table_.name,
                                        .key = key,
                                        .base = table_.row_json(row.base->values(), context_.encoding),
                                        .main = "null",
                                        .branch = table_.row_json(row.theirs->values(), context_.encoding)});
  if (resolution != nullptr && resolution->take == Take::kValue) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("row {} of {} takes a side: it has another key on each", key, table_.name));
  }
  return resolution != nullptr && resolution->take == Take::kTheirs;
}

// --- Keys of rows of base that have another number in theirs ---

Status FollowedReferences::find_replaced(VersionPair& theirs, Parent& parent) {
  const bool may_be = std::ranges::any_of(parent.brought.runs, [](const Brought::Run& one) {
    return one.in_theirs && one.run.now != one.run.first;
  });
  if (!may_be) return {};
  const TableTask& task = parent.task;
  DOSQL_ASSIGN_OR_RETURN(merge::KeyedChanges changes, theirs.changes(task.base, task.theirs, task.merged));
  KeyedChange change;
  while (true) {
    DOSQL_ASSIGN_OR_RETURN(const bool found, changes.next(change));
    if (!found) break;
    DOSQL_RETURN_IF_ERROR(add_replaced(change, parent));
  }
  // What base has in the place of one of them would be mixed with it.
  std::vector<std::int64_t> unclear;
  for (const auto& [number, there] : parent.replaced) {
    if (!there || parent.replaced.contains(*there)) continue;
    DOSQL_ASSIGN_OR_RETURN(const VersionRows::Found in_base, parent.traces.find(source_.base, *there));
    if (!in_base.known || in_base.row) unclear.push_back(number);
  }
  for (const std::int64_t number : unclear) parent.replaced.erase(number);
  return {};
}

Status FollowedReferences::add_replaced(const KeyedChange& change, Parent& parent) {
  NumberTraces& traces = parent.traces;
  const std::int64_t number = change.in_base ? change.rowid_base : change.rowid_theirs;
  if (!traces.is_noted(number)) return {};
  const NumberTraces::Numbers numbers = traces.numbers_with(number);
  if (numbers.size() == 1) return {};
  // The row that had the number may be just as the one that has it.
  for (const std::int64_t one : change.in_base ? NumberTraces::Numbers{number} : numbers) {
    if (parent.replaced.contains(one)) continue;
    DOSQL_ASSIGN_OR_RETURN(const VersionRows::Found in_base, traces.find(source_.base, one));
    if (!in_base.row) continue;
    DOSQL_ASSIGN_OR_RETURN(const Counterpart there, traces.find_in_theirs(one, numbers));
    const bool is_clear = there.sure && there.number != std::optional(one);
    if (is_clear && (there.number || change.in_theirs)) parent.replaced.emplace(one, there.number);
  }
  return {};
}

Result<std::optional<FollowedReferences::Rows>> FollowedReferences::rows_with(const ReadPoint& version,
                                                                              std::uint32_t column,
                                                                              std::int64_t number) {
  DOSQL_ASSIGN_OR_RETURN(std::optional<std::vector<VersionRows::Row>> found,
                         context_.identity->rows().find_all(version, table_, column, number));
  if (!found) return std::optional<Rows>();
  Rows rows;
  for (VersionRows::Row& row : *found) {
    std::string key = key_json(row.row.values());
    if (table_.has_key(row.row.values())) rows.emplace(std::move(key), std::move(row));
  }
  return std::optional(std::move(rows));
}

Status FollowedReferences::look_at_replaced(std::uint32_t column, Parent& parent, std::int64_t number) {
  const std::optional<std::int64_t> there = parent.replaced.at(number);
  DOSQL_ASSIGN_OR_RETURN(const std::optional<Rows> base, rows_with(source_.base, column, number));
  DOSQL_ASSIGN_OR_RETURN(std::optional<Rows> theirs,
                         rows_with(source_.theirs, column, there.value_or(number)));
  DOSQL_ASSIGN_OR_RETURN(std::optional<Rows> others, rows_with(source_.theirs, column, number));
  if (!base || !theirs || !others) return {};
  if (!there) theirs->clear();
  if (there && !context_.several_bases) DOSQL_RETURN_IF_ERROR(follow_anew(parent, *there));
  for (const auto& [key, row] : *base) DOSQL_RETURN_IF_ERROR(look_at_replaced_row(row.row, *theirs));
  for (auto& [key, row] : *others) {
    if (base->contains(key)) replacing_.emplace(key, std::move(row));
  }
  return {};
}

// What has in theirs the key of one of those, and is none of them.
Status FollowedReferences::add_replacing() {
  Brought& brought = context_.brought[table_.name];
  for (auto& [key, row] : replacing_) {
    if (taken_.contains(key) || !brought.followed.contains(key)) continue;
    DOSQL_RETURN_IF_ERROR(follow_new_key(row.row.values()));
    brought.instead.push_back({.theirs = std::move(row.row), .rowid_theirs = row.rowid});
  }
  return {};
}

std::vector<Field> FollowedReferences::replaced_row(std::span<const Field> row, bool& is_gone) const {
  std::vector<Field> now(row.begin(), row.end());
  for (const auto& [column, parents] : columns_) {
    if (row[column].type != FieldType::kInteger) continue;
    for (const Parent* const parent : parents) {
      const auto found = parent->replaced.find(row[column].integer);
      if (found == parent->replaced.end()) continue;
      if (found->second) now[column].integer = *found->second;
      is_gone = is_gone || (!found->second && is_in_key(column));
    }
  }
  return now;
}

Status FollowedReferences::look_at_replaced_row(const RowCopy& row, const Rows& theirs) {
  Brought& brought = context_.brought[table_.name];
  const std::string before = key_json(row.values());
  if (!looked_at_.insert(before).second) return {};
  bool is_gone = false;
  const std::vector<Field> there = replaced_row(row.values(), is_gone);
  const auto found = is_gone ? theirs.end() : theirs.find(key_json(there));
  RowPair pair{.base = row};
  if (found != theirs.end()) {
    pair.theirs = found->second.row;
    pair.rowid_theirs = found->second.rowid;
    taken_.insert(found->first);
  }
  const bool only_follows = pair.theirs && merge::same_row(there, found->second.row.values());
  if (context_.several_bases) {
    // Each of them says by itself which row it is. What neither side changed is what follows without that.
    DOSQL_ASSIGN_OR_RETURN(const std::optional<FoundRow> here, find_ours(row.values()));
    const bool stays = only_follows && here && merge::same_row(here->row.values(), row.values());
    return stays ? Status() : settle(pair);
  }
  DOSQL_ASSIGN_OR_RETURN(const Key key, key_in_ours(row.values()));
  if (key == Key::kUnknown) return settle(pair);
  brought.followed.insert(before);
  if (found != theirs.end()) brought.followed.insert(found->first);
  DOSQL_RETURN_IF_ERROR(follow(pair));
  DOSQL_ASSIGN_OR_RETURN(const std::optional<FoundRow> here, find_ours(pair.base->values()));
  if (!here && (only_follows || !pair.theirs)) return {};
  // Before others take its key: whoever came there later would be taken for it.
  if (!here) {
    DOSQL_ASSIGN_OR_RETURN(const bool comes, settle_deleted(before, pair));
    if (!comes) return {};
  }
  brought.told_keys.insert(key_json(pair.base->values()));
  if (!here) pair.base.reset();
  brought.instead.push_back(std::move(pair));
  return {};
}

}  // namespace dosql::engine
