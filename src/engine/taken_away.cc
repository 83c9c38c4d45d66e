#include "engine/taken_away.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "engine/number_groups.h"
#include "engine/our_rows.h"
#include "engine/rebased_changes.h"
#include "engine/row_identity.h"
#include "merge/row_merge.h"

namespace dosql::engine {
namespace {

using version::ReadPoint;

class TakenAway {
 public:
  TakenAway(MergeContext& context, const MergeSource& source, const MergedTable& table)
      : context_(context),
        source_(source),
        table_(table),
        followed_(table.followed()),
        ours_(context, table) {
    for (const Brought::Run& one : context.brought.at(table.name).runs) {
      groups_.add(table.name, one.run);
      // What the open transaction brought is in no version.
      const bool came_from_elsewhere = raw(one.run.source) != 0 && one.run.source != version::kLostSource;
      if (one.in_ours && !one.pending && came_from_elsewhere) runs_.push_back(one);
    }
  }

  bool has_any() const { return !runs_.empty(); }

  Status find(RebasedChanges changes) {
    merge::KeyedChange change;
    while (true) {
      DOSQL_ASSIGN_OR_RETURN(const bool found, changes.next(change));
      if (!found) return {};
      if (change.in_base || !change.in_theirs || changes.rebased() != nullptr) continue;
      DOSQL_ASSIGN_OR_RETURN(const bool is_one, was_deleted(change));
      if (is_one)
        context_.taken_away[table_.name].insert(
            table_.key_json(change.theirs, change.rowid_theirs, context_.encoding));
    }
  }

 private:
  // What commits note of a row with a key are the numbers in that.
  Result<bool> was_deleted(const merge::KeyedChange& change) {
    const bool has_key = table_.has_key(change.theirs);
    if (!has_key && context_.brought.at(table_.name).meeting(change.rowid_theirs) != Meeting::kTwoRows)
      return false;
    const std::vector<std::int64_t> numbers = table_.numbers_of(change.theirs, change.rowid_theirs);
    RowAddress row{.rowid = change.rowid_theirs};
    if (has_key) row.key_of = change.theirs;
    std::optional<bool> is_there;
    for (const Brought::Run& one : runs_) {
      const auto noted = std::ranges::find_if(
          numbers, [&](std::int64_t number) { return version::has_there(one.run, number); });
      if (noted == numbers.end()) continue;
      if (!is_there) {
        DOSQL_ASSIGN_OR_RETURN(const std::optional<FoundRow> ours, ours_.find(row));
        is_there = ours && (has_key || merge::same_row(ours->row.values(), change.theirs));
        if (!*is_there && !has_key) {
          DOSQL_ASSIGN_OR_RETURN(is_there, is_elsewhere(change.rowid_theirs));
        }
      }
      if (*is_there) return false;
      RowAddress here = row;
      if (!has_key) here.rowid = version::number_here(one.run, *noted);
      DOSQL_ASSIGN_OR_RETURN(const bool brought, has_brought(one.commit, row, here));
      if (brought) return true;
    }
    return false;
  }

  // Whether ours has the row under another number, or may have it.
  Result<bool> is_elsewhere(std::int64_t number) {
    for (const std::int64_t other : groups_.find(table_.name, number).numbers) {
      if (other == number) continue;
      DOSQL_ASSIGN_OR_RETURN(const std::optional<FoundRow> ours, ours_.find({.rowid = other}));
      if (!ours) continue;
      DOSQL_ASSIGN_OR_RETURN(const SameRow same, ours_.compare(source_.theirs, {.rowid = number},
                                                               {.rowid = other}, &source_.base));
      if (same != SameRow::kNo) return true;
    }
    return false;
  }

  // A note may say too much. Where it cannot be told, the row may be that one.
  Result<bool> has_brought(const ReadPoint& commit, const RowAddress& row, const RowAddress& here) {
    DOSQL_ASSIGN_OR_RETURN(const VersionRows::Found found,
                           context_.identity->rows().find(commit, followed_, here));
    if (!found.row) return false;
    DOSQL_ASSIGN_OR_RETURN(const SameRow same, context_.identity->compare(followed_, row, source_.theirs,
                                                                          here, {commit}, &source_.base));
    return same != SameRow::kNo;
  }

  MergeContext& context_;
  const MergeSource& source_;
  const MergedTable& table_;
  const MergedTable followed_;
  OurRows ours_;
  NumberGroups groups_;
  std::vector<Brought::Run> runs_;
};

}  // namespace

Status find_taken_away(MergeContext& context, const MergeSource& source, VersionPair& theirs,
                       const MergedSchema& merged) {
  // Who picks what was undone wants to have it.
  if (context.identity == nullptr || context.only_changes) return {};
  for (const TableTask& task : merged.tables) {
    const MergedTable& table = task.merged;
    const bool is_known = !table.rowid_name.empty() || table.rowid_column || !table.known_by_rowid();
    if (!context.brought.contains(table.name) || !is_known || context.by_content.contains(table.name))
      continue;
    TakenAway rows(context, source, table);
    if (!rows.has_any()) continue;
    DOSQL_ASSIGN_OR_RETURN(merge::KeyedChanges all, theirs.changes(task.base, task.theirs, table));
    DOSQL_RETURN_IF_ERROR(rows.find(RebasedChanges(context, table, std::move(all))));
  }
  return {};
}

}  // namespace dosql::engine
