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

class MeetingRows {
 public:
  MeetingRows(MergeContext& context, const MergeSource& source, const MergedTable& table, Brought& brought)
      : context_(context), their_side_{source.theirs}, table_(table), brought_(brought) {}

  Status find(RebasedChanges changes) {
    TableStatements ours(context_.connection, table_, context_.encoding);
    KeyedChange change;
    while (true) {
      DOSQL_ASSIGN_OR_RETURN(const bool found, changes.next(change));
      if (!found) return {};
      if (change.in_base || !change.in_theirs || table_.has_key(change.theirs)) continue;
      if (changes.rebased() != nullptr && changes.rebased()->takes_theirs) continue;
      const std::int64_t number = change.rowid_theirs;
      if (!is_noted(number)) continue;
      DOSQL_ASSIGN_OR_RETURN(const std::optional<FoundRow> here, ours.find({.rowid = number}));
      if (!here || merge::same_row(here->row.values(), change.theirs)) continue;
      DOSQL_ASSIGN_OR_RETURN(const Meeting meeting, meeting_of(number));
      if (meeting == Meeting::kTwoRows) continue;
      brought_.meetings[number] = meeting;
      if (meeting != Meeting::kOneRow) context_.doubts[table_.name].ours.add(number);
    }
  }

 private:
  bool is_noted(std::int64_t number) const {
    return std::ranges::any_of(brought_.runs, [&](const Brought::Run& run) { return covers(run, number); });
  }
  static bool covers(const Brought::Run& run, std::int64_t number) {
    return run.first <= number && number <= run.last;
  }

  Result<Meeting> meeting_of(std::int64_t number) {
    bool lost_ours = false;
    bool lost_theirs = false;
    bool unknown = false;
    for (const Brought::Run& run : brought_.runs) {
      if (!covers(run, number)) continue;
      if (run.source == version::kLostSource) {
        unknown = true;
        continue;
      }
      if (raw(run.source) == 0) {
        // Merges are on the ways that are traced.
        DOSQL_ASSIGN_OR_RETURN(const SameRow same, compare(number, their_side_.point, context_.our_side));
        if (same == SameRow::kYes) return Meeting::kOneRow;
        unknown = unknown || same == SameRow::kUnknown;
        continue;
      }
      const auto source = context_.connection.core().store().at_commit(run.source);
      if (!source) {
        lost_ours = lost_ours || run.in_ours;
        lost_theirs = lost_theirs || run.in_theirs;
        continue;
      }
      DOSQL_ASSIGN_OR_RETURN(const Meeting meeting, meeting_from(number, *source, run.in_ours));
      if (meeting == Meeting::kOneRow || meeting == Meeting::kElsewhere) return meeting;
      unknown = unknown || meeting == Meeting::kUnknown;
    }
    // Of a branch that was dropped and forgotten nobody has a row but who brought it, too.
    unknown = unknown || (lost_ours && lost_theirs);
    return unknown ? Meeting::kUnknown : Meeting::kTwoRows;
  }

  // Of a row that one of the sides has from that version.
  Result<Meeting> meeting_from(std::int64_t number, const ReadPoint& source, bool to_ours) {
    DOSQL_ASSIGN_OR_RETURN(const VersionRows::Found row,
                           context_.identity->rows().find(source, table_, {.rowid = number}));
    if (!row.known) return Meeting::kUnknown;
    if (!row.row) return Meeting::kTwoRows;
    DOSQL_ASSIGN_OR_RETURN(const SameRow ours, compare(number, source, context_.our_side));
    DOSQL_ASSIGN_OR_RETURN(const SameRow theirs, compare(number, source, their_side_));
    if (ours == SameRow::kYes && theirs == SameRow::kYes) return Meeting::kOneRow;
    const SameRow other_side = to_ours ? theirs : ours;
    if (other_side == SameRow::kNo) return Meeting::kTwoRows;
    const SameRow own_side = to_ours ? ours : theirs;
    if (other_side == SameRow::kYes && own_side == SameRow::kNo)
      return to_ours ? Meeting::kElsewhere : Meeting::kTwoRows;
    return Meeting::kUnknown;
  }

  Result<SameRow> compare(std::int64_t number, const ReadPoint& version, const RowSide& side) {
    return context_.identity->compare(table_, {.rowid = number}, version, side);
  }

  MergeContext& context_;
  const RowSide their_side_;
  const MergedTable& table_;
  Brought& brought_;
};

}  // namespace

Status find_brought(MergeContext& context, const MergeSource& source, VersionPair& theirs,
                    const MergedSchema& merged) {
  if (context.identity == nullptr) return {};
  for (const TableTask& task : merged.tables) {
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
