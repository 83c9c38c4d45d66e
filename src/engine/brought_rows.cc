#include "engine/brought_rows.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "engine/connection_state.h"
#include "engine/rebased_changes.h"
#include "engine/row_identity.h"
#include "engine/table_statements.h"
#include "merge/row_merge.h"

namespace dosql::engine {
namespace {

using merge::KeyedChange;
using version::ReadPoint;

using Run = version::MovedRun;

bool has_there(const Run& run, std::int64_t number) { return run.first <= number && number <= run.last; }
// A run may be of all numbers there are: signed ones would overflow.
std::uint64_t distance(std::int64_t from, std::int64_t to) {
  return static_cast<std::uint64_t>(to) - static_cast<std::uint64_t>(from);
}
std::int64_t behind(std::int64_t from, std::uint64_t distance) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(from) + distance);
}

bool has_here(const Run& run, std::int64_t number) {
  return run.now <= number && distance(run.now, number) <= distance(run.first, run.last);
}
// REQUIRES: the one has it here, the other there.
std::int64_t number_there(const Run& run, std::int64_t here) {
  return behind(run.first, distance(run.now, here));
}
std::int64_t number_here(const Run& run, std::int64_t there) {
  return behind(run.now, distance(run.first, there));
}

class MeetingRows {
 public:
  MeetingRows(MergeContext& context, const MergeSource& source, const MergedTable& table, Brought& brought)
      : context_(context),
        base_(source.base),
        their_side_{source.theirs},
        table_(table),
        brought_(brought),
        statements_(context.connection, table, context.encoding) {}

  Status find(RebasedChanges changes) {
    KeyedChange change;
    while (true) {
      DOSQL_ASSIGN_OR_RETURN(const bool found, changes.next(change));
      if (!found) return {};
      if (change.in_base || !change.in_theirs || table_.has_key(change.theirs)) continue;
      if (changes.rebased() != nullptr && changes.rebased()->takes_theirs) continue;
      const std::int64_t number = change.rowid_theirs;
      if (!is_noted(number)) continue;
      DOSQL_ASSIGN_OR_RETURN(const std::optional<FoundRow> here, statements_.find({.rowid = number}));
      if (here && merge::same_row(here->row.values(), change.theirs)) continue;
      DOSQL_RETURN_IF_ERROR(settle(number, here.has_value()));
    }
  }

 private:
  // Where ours has a row of another version.
  struct Place {
    std::optional<std::int64_t> number = {};
    bool unknown = false;
    // Of whom it was noted that it has the row from a version that is no longer there.
    bool lost_ours = false;
    bool lost_theirs = false;

    // A row of a branch that was dropped and forgotten nobody has but who brought it, too.
    bool may_be() const { return unknown || (lost_ours && lost_theirs); }
  };

  bool is_noted(std::int64_t number) const {
    return context_.only_changes || std::ranges::any_of(brought_.runs, [&](const Brought::Run& one) {
             return has_there(one.run, number) || (one.in_theirs && has_here(one.run, number));
           });
  }

  Status settle(std::int64_t number, bool meets) {
    Place place;
    // What is picked or brought back may be there, since it was merged or as it came back before.
    if (context_.only_changes) DOSQL_RETURN_IF_ERROR(look_at_ours(their_side_.point, number, place));
    DOSQL_RETURN_IF_ERROR(look_for(their_side_.point, number, place));
    for (const Brought::Run& one : brought_.runs) {
      const bool moved = one.in_theirs && one.run.now != one.run.first && has_here(one.run, number);
      if (!place.number && moved) DOSQL_RETURN_IF_ERROR(look_for_source(one, number, place));
    }
    if (place.number && *place.number != number) {
      // A row of base: what theirs has under that number is what became of it.
      DOSQL_ASSIGN_OR_RETURN(const VersionRows::Found in_base,
                             context_.identity->rows().find(base_, table_, {.rowid = *place.number}));
      if (in_base.row) return {};
    }
    if (place.number) {
      brought_.meetings[number] = Meeting::kOneRow;
      if (*place.number != number) brought_.elsewhere[number] = *place.number;
    } else if (meets && place.may_be()) {
      brought_.meetings[number] = Meeting::kUnknown;
      context_.doubts[table_.name].ours.add(number);
    }
    return {};
  }

  // Of a row that theirs brought, under another number.
  Status look_for_source(const Brought::Run& one, std::int64_t number, Place& place) {
    const std::int64_t there = number_there(one.run, number);
    DOSQL_ASSIGN_OR_RETURN(const std::optional<ReadPoint> source, source_of(one, there, place));
    if (!source) return {};
    DOSQL_ASSIGN_OR_RETURN(const SameRow still, compare(number, one.commit, their_side_));
    if (still == SameRow::kUnknown) place.unknown = true;
    if (still != SameRow::kYes) return {};
    DOSQL_RETURN_IF_ERROR(look_for(*source, there, place));
    if (!place.number) DOSQL_RETURN_IF_ERROR(look_at_ours(*source, there, place));
    return {};
  }

  Status look_for(const ReadPoint& version, std::int64_t number, Place& place) {
    for (const Brought::Run& one : brought_.runs) {
      if (place.number || !has_there(one.run, number)) continue;
      if (raw(one.run.source) == 0) {
        // Merges are on the ways that are traced.
        DOSQL_RETURN_IF_ERROR(look_at_ours(version, number, place));
        continue;
      }
      DOSQL_ASSIGN_OR_RETURN(const std::optional<ReadPoint> source, source_of(one, number, place));
      if (!source) continue;
      if (one.in_ours) {
        DOSQL_RETURN_IF_ERROR(look_from(one, *source, version, number, place));
      } else if (one.run.now == one.run.first) {
        DOSQL_ASSIGN_OR_RETURN(const SameRow same, compare(number, *source, {version}));
        if (same == SameRow::kUnknown) place.unknown = true;
        if (same == SameRow::kYes) DOSQL_RETURN_IF_ERROR(look_at_ours(*source, number, place));
      }
    }
    return {};
  }

  // Of a row that ours brought from `source`, if it is the one.
  Status look_from(const Brought::Run& one, const ReadPoint& source, const ReadPoint& version,
                   std::int64_t number, Place& place) {
    DOSQL_ASSIGN_OR_RETURN(const SameRow same, compare(number, source, {version}));
    if (same == SameRow::kNo) return {};
    if (same == SameRow::kUnknown) {
      place.unknown = true;
      return {};
    }
    const std::int64_t now = number_here(one.run, number);
    DOSQL_ASSIGN_OR_RETURN(const std::optional<FoundRow> ours, statements_.find({.rowid = now}));
    if (one.pending || (!ours && now != number)) {
      place.number = now;
      return {};
    }
    if (ours) DOSQL_RETURN_IF_ERROR(look_at_ours(one.commit, now, place));
    // A merge gave it another number since.
    place.unknown = place.unknown || (ours && !place.number);
    return {};
  }

  // Whether ours has that row of the version.
  Status look_at_ours(const ReadPoint& version, std::int64_t number, Place& place) {
    DOSQL_ASSIGN_OR_RETURN(const std::optional<FoundRow> ours, statements_.find({.rowid = number}));
    if (!ours) return {};
    DOSQL_ASSIGN_OR_RETURN(const SameRow same, compare(number, version, context_.our_side));
    if (same == SameRow::kUnknown) place.unknown = true;
    if (same == SameRow::kYes) place.number = number;
    return {};
  }

  // None: it is not there, or has no such row.
  Result<std::optional<ReadPoint>> source_of(const Brought::Run& one, std::int64_t number, Place& place) {
    std::optional<ReadPoint> found;
    if (one.run.source == version::kLostSource) {
      place.unknown = true;
      return found;
    }
    const auto source = context_.connection.core().store().at_commit(one.run.source);
    if (!source) {
      place.lost_ours = place.lost_ours || one.in_ours;
      place.lost_theirs = place.lost_theirs || one.in_theirs;
      return found;
    }
    DOSQL_ASSIGN_OR_RETURN(const VersionRows::Found row,
                           context_.identity->rows().find(*source, table_, {.rowid = number}));
    place.unknown = place.unknown || !row.known;
    if (row.row) found = *source;
    return found;
  }

  Result<SameRow> compare(std::int64_t number, const ReadPoint& version, const RowSide& side) {
    return context_.identity->compare(table_, {.rowid = number}, version, side, &base_);
  }

  MergeContext& context_;
  const ReadPoint base_;
  const RowSide their_side_;
  const MergedTable& table_;
  Brought& brought_;
  TableStatements statements_;
};

}  // namespace

Status find_brought(MergeContext& context, const MergeSource& source, VersionPair& theirs,
                    const MergedSchema& merged) {
  if (context.identity == nullptr) return {};
  for (const TableTask& task : merged.tables) {
    if (context.only_changes) context.brought[task.merged.name];
    const auto found = context.brought.find(task.merged.name);
    const bool is_known = !task.merged.rowid_name.empty() || task.merged.rowid_column;
    if (found == context.brought.end() || !is_known || context.by_content.contains(task.merged.name))
      continue;
    DOSQL_ASSIGN_OR_RETURN(merge::KeyedChanges all, theirs.changes(task.base, task.theirs, task.merged));
    DOSQL_RETURN_IF_ERROR(MeetingRows(context, source, task.merged, found->second)
                              .find(RebasedChanges(context, task.merged, std::move(all))));
  }
  return {};
}

}  // namespace dosql::engine
