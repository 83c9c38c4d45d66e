#include "engine/kept_references.h"

#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "engine/our_rows.h"
#include "engine/rebased_changes.h"
#include "engine/row_identity.h"
#include "engine/version_rows.h"

namespace dosql::engine {

Result<bool> KeptReferences::can_be_found(const MergedTable& parent, std::int64_t number) const {
  for (const TableTask& task : merged_.tables) {
    const FollowedReferences references(context_, source_, merged_, keys_, task.merged);
    for (std::uint32_t i = 0; i < task.merged.columns.size(); ++i) {
      if (!references.refers_to(i, parent)) continue;
      if (context_.by_content.contains(task.merged.name) || !task.merged.places) return false;
      for (const version::ReadPoint& version : {source_.base, source_.theirs}) {
        DOSQL_ASSIGN_OR_RETURN(const auto rows,
                               context_.identity->rows().find_all(version, task.merged, i, number));
        if (!rows) return false;
      }
    }
  }
  return true;
}

Status KeptReferences::follow(VersionPair& theirs) {
  if (context_.several_bases || context_.only_changes) return {};
  for (const TableTask& task : merged_.tables) {
    if (context_.by_content.contains(task.merged.name)) continue;
    FollowedReferences references(context_, source_, merged_, keys_, task.merged);
    if (references.empty()) continue;
    for (std::uint32_t i = 0; i < task.merged.columns.size(); ++i)
      DOSQL_RETURN_IF_ERROR(follow_numbers(references, task.merged, i));
    DOSQL_RETURN_IF_ERROR(follow_changed(references, task, theirs));
  }
  return {};
}

Status KeptReferences::follow_numbers(FollowedReferences& references, const MergedTable& child,
                                      std::uint32_t column) {
  for (const auto& [parent, number] : numbers_) {
    if (!references.refers_to(column, *parent)) continue;
    DOSQL_ASSIGN_OR_RETURN(std::vector<RowPair> rows, find(child, column, number));
    for (RowPair& row : rows) DOSQL_RETURN_IF_ERROR(add_instead(references, child, std::move(row)));
  }
  for (const auto& [taken, in_theirs] : taken_) {
    if (!references.refers_to(column, *taken.first)) continue;
    DOSQL_ASSIGN_OR_RETURN(std::vector<RowPair> rows, find(child, column, taken.second));
    for (RowPair& row : rows) DOSQL_RETURN_IF_ERROR(add_turned(child, column, in_theirs, std::move(row)));
  }
  return {};
}

Result<std::vector<RowPair>> KeptReferences::find(const MergedTable& child, std::uint32_t column,
                                                  std::int64_t number) {
  std::vector<RowPair> found;
  if (!child.places) return found;
  VersionRows& rows = context_.identity->rows();
  DOSQL_ASSIGN_OR_RETURN(const auto all, rows.find_all(source_.theirs, child, column, number));
  if (!all) return found;
  const Brought& brought = context_.brought[child.name];
  for (const VersionRows::Row& row : *all) {
    const bool has_key = child.has_key(row.row.values());
    const std::string key = child.key_json(row.row.values(), row.rowid, context_.encoding);
    if (has_key ? brought.followed.contains(key) : brought.taken_apart.contains(row.rowid)) continue;
    RowAddress address{.rowid = row.rowid};
    if (has_key) address.key_of = row.row.values();
    DOSQL_ASSIGN_OR_RETURN(const VersionRows::Found in_base, rows.find_merged(source_.base, child, address));
    if (!in_base.row || !diff::same_value(in_base.row->values()[column], row.row.values()[column])) continue;
    RowPair& pair = found.emplace_back();
    pair.base = in_base.row;
    pair.theirs = row.row;
    pair.rowid_base = pair.rowid_theirs = row.rowid;
  }
  return found;
}

Brought& KeptReferences::take_apart(const MergedTable& child, const RowPair& pair) {
  Brought& brought = context_.brought[child.name];
  const std::span<const diff::Field> base = pair.base->values();
  if (child.has_key(base)) {
    brought.followed.insert(child.key_json(base, pair.rowid_base, context_.encoding));
  } else {
    brought.taken_apart.insert(pair.rowid_base);
  }
  return brought;
}

Status KeptReferences::add_instead(FollowedReferences& references, const MergedTable& child, RowPair pair) {
  Brought& brought = take_apart(child, pair);
  DOSQL_RETURN_IF_ERROR(references.follow(pair));
  brought.instead.push_back(std::move(pair));
  return {};
}

Status KeptReferences::add_turned(const MergedTable& child, std::uint32_t column,
                                  std::optional<std::int64_t> in_theirs, RowPair pair) {
  std::vector<diff::Field> base(pair.base->values().begin(), pair.base->values().end());
  RowAddress address{.rowid = pair.rowid_base};
  if (child.has_key(base)) address.key_of = base;
  DOSQL_ASSIGN_OR_RETURN(const std::optional<FoundRow> ours, OurRows(context_, child).find(address));
  if (ours && diff::same_value(ours->row.values()[column], base[column])) return {};
  Brought& brought = take_apart(child, pair);
  base[column] = {};
  if (in_theirs) {
    base[column].type = diff::FieldType::kInteger;
    base[column].integer = *in_theirs;
  }
  pair.base = RowCopy(base);
  brought.instead.push_back(std::move(pair));
  return {};
}

// Keys that follow are another matter (FollowedReferences::find_keys).
Status KeptReferences::follow_changed(FollowedReferences& references, const TableTask& task,
                                      VersionPair& theirs) {
  DOSQL_ASSIGN_OR_RETURN(merge::KeyedChanges all, theirs.changes(task.base, task.theirs, task.merged));
  RebasedChanges changes(context_, task.merged, std::move(all));
  std::vector<RowPair> moved;
  merge::KeyedChange change;
  while (true) {
    DOSQL_ASSIGN_OR_RETURN(const bool found, changes.next(change));
    if (!found || changes.is_instead() || changes.rebased() != nullptr) break;
    if (!change.in_base || !change.in_theirs) continue;
    DOSQL_ASSIGN_OR_RETURN(const bool is_moved, references.refers_to_moved(change.base));
    if (!is_moved) continue;
    RowPair& pair = moved.emplace_back();
    pair.base.emplace(change.base);
    pair.theirs.emplace(change.theirs);
    pair.rowid_base = change.rowid_base;
    pair.rowid_theirs = change.rowid_theirs;
  }
  for (RowPair& pair : moved) DOSQL_RETURN_IF_ERROR(add_instead(references, task.merged, std::move(pair)));
  return {};
}

}  // namespace dosql::engine
