#include "merge/row_merge.h"

#include <algorithm>

#include "diff/row.h"

namespace dosql::merge {
namespace {

using diff::Field;
using diff::same_value;

// They deleted the row.
void merge_delete(const RowVersions& versions, Preference preference, RowOutcome& outcome) {
  if (!versions.ours) return;
  if (same_row(*versions.base, *versions.ours) || preference == Preference::kTheirs) {
    outcome.action = RowAction::kDelete;
  } else if (preference == Preference::kNone) {
    outcome.conflict = ConflictKind::kUpdateDelete;
  }
}

// They have the row, and we do not.
void merge_without_ours(const RowVersions& versions, Preference preference, RowOutcome& outcome) {
  if (!versions.base || preference == Preference::kTheirs) {
    outcome.action = RowAction::kInsert;
  } else if (preference == Preference::kNone) {
    outcome.conflict = ConflictKind::kDeleteUpdate;
  }
}

void take_cell(std::uint32_t column, Preference preference, RowOutcome& outcome) {
  if (preference == Preference::kOurs) return;
  (preference == Preference::kTheirs ? outcome.columns : outcome.conflicting).push_back(column);
}

// Both have the row.
void merge_cells(const RowVersions& versions, Preference preference, RowOutcome& outcome) {
  const std::span<const Field> ours = *versions.ours;
  const std::span<const Field> theirs = *versions.theirs;
  for (std::uint32_t column = 0; column < ours.size(); ++column) {
    if (same_value(ours[column], theirs[column])) continue;
    if (!versions.base) {
      take_cell(column, preference, outcome);
      continue;
    }
    const Field& base = (*versions.base)[column];
    if (same_value(base, theirs[column])) continue;
    if (same_value(base, ours[column])) {
      outcome.columns.push_back(column);
    } else {
      take_cell(column, preference, outcome);
    }
  }
  if (!outcome.columns.empty()) outcome.action = RowAction::kUpdate;
}

}  // namespace

bool same_row(std::span<const Field> a, std::span<const Field> b) {
  return std::ranges::equal(a, b, same_value);
}

void merge_row(const RowVersions& versions, KeyOrigin key, Preference preference, RowOutcome& outcome) {
  outcome.action = RowAction::kKeep;
  outcome.columns.clear();
  outcome.conflict.reset();
  outcome.conflicting.clear();
  if (!versions.theirs) {
    if (versions.base) merge_delete(versions, preference, outcome);
    return;
  }
  if (versions.base && same_row(*versions.base, *versions.theirs)) return;
  if (!versions.ours) return merge_without_ours(versions, preference, outcome);
  merge_cells(versions, preference, outcome);
  if (outcome.conflicting.empty()) return;
  outcome.conflict = versions.base                ? ConflictKind::kUpdateUpdate
                     : key == KeyOrigin::kCounter ? ConflictKind::kKeyCollision
                                                  : ConflictKind::kInsertInsert;
}

}  // namespace dosql::merge
