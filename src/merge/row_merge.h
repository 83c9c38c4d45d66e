// Three versions of one row become one.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "diff/record.h"
#include "merge/conflict.h"

namespace dosql::merge {

// A row's values, one for each column of the merged table; none: the version does not have the row.
using RowValues = std::optional<std::span<const diff::Field>>;

// Ours is the version that the merge changes, theirs the one whose changes since base are brought in.
struct RowVersions {
  RowValues base;
  RowValues ours;
  RowValues theirs;
};

// Whose value stands where both sides changed one.
enum class Preference : std::uint8_t { kNone, kOurs, kTheirs };

// What SQLite, not the user, chose as the key of a row: two inserted rows of one key are different rows.
enum class KeyOrigin : std::uint8_t { kUser, kCounter };

// What has to be done to our row.
enum class RowAction : std::uint8_t { kKeep, kInsert, kUpdate, kDelete };

struct RowOutcome {
  RowAction action = RowAction::kKeep;
  // Of an update: the columns that take their value; ascending.
  std::vector<std::uint32_t> columns;
  // Only without a preference. The action is what is not in question: nothing, or an update of columns that
  // only they changed.
  std::optional<ConflictKind> conflict;
  // Of an update against an update, or an insert against an insert: the columns in question; ascending.
  std::vector<std::uint32_t> conflicting;
};

// Replaces `outcome`, whose memory is used again. REQUIRES: all rows have the same number of values.
void merge_row(const RowVersions& versions, KeyOrigin key, Preference preference, RowOutcome& outcome);

// Whether all values are the same. REQUIRES: as above.
bool same_row(std::span<const diff::Field> a, std::span<const diff::Field> b);

}  // namespace dosql::merge
