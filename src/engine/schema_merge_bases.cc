// The part of SchemaMerge about what it counts from: one base, or several.

#include <algorithm>
#include <map>

#include "engine/connection_state.h"
#include "engine/schema_bases.h"
#include "engine/schema_merge.h"
#include "engine/virtual_base.h"
#include "engine/virtual_merge.h"
#include "sql/lexer.h"
#include "sql/stored_definition.h"

namespace dosql::engine {

using diff::SchemaEntry;

// The other side of a table of base; null: it is gone.
const TableShape* SchemaMerge::follow(const VersionPair& pair, const TableShape& base,
                                      const VersionSchema& now) {
  const auto found = std::ranges::find_if(pair.tables().pairs, [&](const TablePair& one) {
    return one.before != nullptr && one.before->name == base.name;
  });
  const bool is_there = found != pair.tables().pairs.end() && found->after != nullptr;
  return is_there ? now.find(found->after->name) : nullptr;
}

// None: another base has it, too, and is asked before.
std::optional<SchemaMerge::Trio> SchemaMerge::trio_of(std::size_t base, const TableShape& table) const {
  Trio trio;
  std::size_t followed_from = base;
  if (context_.schema_bases == nullptr) {
    trio.bases = {&table};
  } else {
    const SchemaBases::Table& known = context_.schema_bases->table(base, table.name);
    for (std::size_t i = 0; i < bases_.size(); ++i) {
      if (i < base && !known.names[i].empty()) return std::nullopt;
      trio.bases.push_back(known.names[i].empty() ? nullptr : bases_[i].schema().find(known.names[i]));
    }
    trio.disputed = known.base == SchemaBases::kDisputed;
    trio.from = trio.disputed ? base : known.base;
    if (trio.bases[trio.from] != nullptr) followed_from = trio.from;
  }
  trio.base = trio.bases[trio.from];
  const TableShape& followed = *trio.bases[followed_from];
  trio.ours = follow(*bases_[followed_from].ours, followed, ours_);
  trio.theirs = follow(*bases_[followed_from].theirs, followed, theirs_);
  return trio;
}

std::vector<SchemaMerge::Trio> SchemaMerge::trios() {
  std::vector<Trio> trios;
  std::set<const TableShape*> their_followed;
  const auto add = [&](const Trio& trio) {
    if (is_mergeable(trio.base) && is_mergeable(trio.theirs) && is_mergeable(trio.ours))
      trios.push_back(trio);
  };
  for (std::size_t base = 0; base < bases_.size(); ++base) {
    for (const TablePair& pair : bases_[base].theirs->tables().pairs) {
      if (pair.before == nullptr) continue;
      const std::optional<Trio> trio = trio_of(base, *pair.before);
      if (!trio) continue;
      if (trio->ours != nullptr) followed_.push_back(trio->ours);
      if (trio->theirs != nullptr) their_followed.insert(trio->theirs);
      add(*trio);
    }
  }
  for (const TablePair& pair : bases_[0].theirs->tables().pairs) {
    if (pair.after == nullptr) continue;
    const TableShape* const theirs = theirs_.find(pair.after->name);
    if (their_followed.contains(theirs)) continue;
    // One of base under another name is not the one that they made.
    const TableShape* const ours = ours_.find(theirs->name);
    add({.ours = std::ranges::find(followed_, ours) == followed_.end() ? ours : nullptr, .theirs = theirs});
  }
  return trios;
}

const TableShape* SchemaMerge::rows_of(const Trio& trio) const {
  return trio.bases.empty() ? nullptr : trio.bases[row_base_];
}

Result<SchemaMerge::BaseColumns> SchemaMerge::columns_of(std::size_t base, const Trio& trio) {
  BaseColumns columns;
  const TableShape* const shape = trio.bases.empty() ? nullptr : trio.bases[base];
  if (shape == nullptr) return columns;
  const version::ReadPoint& from = bases_[base].point();
  if (trio.theirs != nullptr) {
    DOSQL_ASSIGN_OR_RETURN(columns.theirs, columns_.match(from, *shape, their_point_, *trio.theirs));
  }
  if (trio.taken) {
    columns.ours = columns.theirs;
  } else if (trio.ours != nullptr) {
    DOSQL_ASSIGN_OR_RETURN(columns.ours, columns_.match(from, *shape, our_point_, *trio.ours));
  }
  return columns;
}

// Empty where there is none, or the bases have several.
const std::string& SchemaMerge::definition_in_base(const Trio& trio) const {
  return definition(bases_[trio.from].schema(), trio.disputed ? nullptr : trio.base);
}

std::size_t SchemaMerge::base_of(std::string_view type, std::string_view name) const {
  return context_.schema_bases == nullptr ? 0 : context_.schema_bases->base_of(type, name);
}

bool SchemaMerge::is_disputed(std::string_view type, std::string_view name) const {
  return base_of(type, name) == SchemaBases::kDisputed;
}

// Of an index, view or trigger; null also where it is disputed.
const SchemaEntry* SchemaMerge::entry_in_base(std::string_view type, std::string_view name) const {
  if (is_disputed(type, name)) return nullptr;
  return entry_of(bases_[base_of(type, name)].schema(), type, name);
}

bool SchemaMerge::they_changed_something() const {
  return std::ranges::any_of(bases_, [&](const Base& base) {
    return !std::ranges::equal(base.schema().entries, theirs_.entries, {}, &SchemaEntry::sql,
                               &SchemaEntry::sql);
  });
}

// What the table and its columns are called in a base that it is not counted from.
Status SchemaMerge::note_names_in(std::size_t base, const Trio& trio, const std::string& table,
                                  const std::vector<std::string>& our_columns,
                                  const std::vector<std::string>& their_columns) {
  const TableShape* const shape = trio.bases[base];
  if (shape == nullptr) return {};
  DOSQL_ASSIGN_OR_RETURN(const BaseColumns columns, columns_of(base, trio));
  NameChange change{.table = shape->name, .new_table = table, .columns = {}};
  for (std::size_t i = 0; i < shape->columns.size(); ++i) {
    const std::string& name = shape->columns[i].name;
    const std::string& merged = columns.ours[i]     ? our_columns[*columns.ours[i]]
                                : columns.theirs[i] ? their_columns[*columns.theirs[i]]
                                                    : name;
    if (!sql::equals_ignoring_case(name, merged)) change.columns.emplace_back(name, merged);
  }
  if (!change.columns.empty() || !sql::equals_ignoring_case(change.table, change.new_table))
    bases_[base].names.push_back(std::move(change));
  return {};
}

// Ours has dropped it: what speaks of it is compared under the names that it has in theirs.
Status SchemaMerge::note_names_of_gone(const Trio& trio) {
  if (trio.theirs->kind == TableKind::kVirtual) return {};
  const Trio there{
      .ours = trio.theirs, .theirs = trio.theirs, .from = trio.from, .taken = true, .bases = trio.bases};
  std::vector<std::string> columns;
  for (const ColumnShape& column : trio.theirs->columns) columns.push_back(column.name);
  for (std::size_t i = 0; i < bases_.size(); ++i)
    DOSQL_RETURN_IF_ERROR(note_names_in(i, there, trio.theirs->name, columns, columns));
  return {};
}

// Rows that only were written again are the same. With several bases those are the same that are as these are
// merged; where that cannot be told, all have to be as in one of them.
Result<bool> SchemaMerge::rows_changed(const Trio& trio, const TableShape& now, VersionPair* Base::*side) {
  std::optional<VirtualBase> merged_bases;
  if (bases_.size() > 1 && context_.identity != nullptr) {
    merged_bases.emplace(context_.connection, *context_.identity, context_.schema_bases->points(),
                         their_point_, context_.our_side);
  }
  bool as_in_one = false;
  for (std::size_t i = 0; i < trio.bases.size(); ++i) {
    if (trio.bases[i] == nullptr) continue;
    DOSQL_ASSIGN_OR_RETURN(const RowsSince since, rows_since(i, *trio.bases[i], now, side, merged_bases));
    if (since == RowsSince::kChanged) return true;
    as_in_one = as_in_one || since == RowsSince::kSame;
  }
  return !as_in_one;
}

Result<SchemaMerge::RowsSince> SchemaMerge::rows_since(std::size_t from, const TableShape& base,
                                                       const TableShape& now, VersionPair* Base::*side,
                                                       std::optional<VirtualBase>& merged_bases) {
  VersionPair& pair = *(bases_[from].*side);
  if (now.kind == TableKind::kVirtual) {
    DOSQL_ASSIGN_OR_RETURN(const bool differs, content_differs(pair, now.name));
    return differs ? RowsSince::kUnknown : RowsSince::kSame;
  }
  Alteration alteration;
  DOSQL_ASSIGN_OR_RETURN(alteration.matches, columns_.match(pair.before(), base, pair.after(), now));
  alteration.ours_of_base = alteration.matches;
  for (std::size_t i = 0; i < now.columns.size(); ++i) alteration.theirs_of_ours.emplace_back(i);
  Trio trio{.base = &base, .ours = &now, .theirs = &now, .from = from, .taken = true, .bases = {}};
  trio.bases.resize(bases_.size());
  trio.bases[row_base_] = &base;
  TableTask task = task_of(trio, alteration);
  MergedTable::Places places = *task.merged.places;
  places.back().version = pair.after();
  task.merged.places = std::make_shared<const MergedTable::Places>(std::move(places));
  DOSQL_ASSIGN_OR_RETURN(merge::KeyedChanges changes, pair.changes(&base, &now, task.merged));
  merge::KeyedChange change;
  RowsSince since = RowsSince::kSame;
  while (true) {
    DOSQL_ASSIGN_OR_RETURN(const bool found, changes.next(change));
    if (!found) return since;
    const bool same = change.in_base && change.in_theirs && change.rowid_base == change.rowid_theirs &&
                      merge::same_row(change.base, change.theirs);
    if (same) continue;
    if (!merged_bases) return RowsSince::kChanged;
    DOSQL_ASSIGN_OR_RETURN(const VirtualBase::Row before,
                           merged_bases->find(task.merged, change.in_base ? change.base : change.theirs));
    if (!before.known) {
      since = RowsSince::kUnknown;
      continue;
    }
    const bool as_before = before.row.has_value() == change.in_theirs &&
                           (!before.row || merge::same_row(before.row->values(), change.theirs));
    if (!as_before) return RowsSince::kChanged;
  }
}

}  // namespace dosql::engine
