// Whether what two versions have under one number is one row.
//
// A number can be given again: where x inserted a row 5 and deleted it, and main inserted another one, main
// has its own also when it has merged x, and what was forked off x in between has x's. No version shows that,
// but the ones on the way do. So a row is traced back: along the line of its version, over each merge on it.
// It was there before a merge, or it came from a version that was merged. Two of them are one row if they
// come to one version. On a line without merges a number is one row's: what SQLite, or the user, gives again
// on one branch counts as the same.
//
// Of rows that met under one number in a merge it is that merge that says so (version/moved_numbers.h).
#pragma once

#include <optional>
#include <vector>

#include <dosql/result.h>

#include "engine/merged_table.h"
#include "engine/version_rows.h"
#include "version/version_store.h"

namespace dosql::engine {

// A version, or one that is still being made: what it stands on, and has merged.
struct RowSide {
  version::ReadPoint point;
  std::vector<version::ReadPoint> merged = {};
};

// Whether merges came in where the ways from what both have in common to them part. If not, what they have
// under one number is one row. Reads nothing.
bool may_be_others(version::VersionStore& store, const version::ReadPoint& version, const RowSide& side);

// REQUIRES: both have the row. Where versions on the way do not know the table by this key, it is one row.
// Errors: those of VersionRows.
Result<bool> is_same_row(version::VersionStore& store, VersionRows& rows, const MergedTable& table,
                         const RowAddress& row, const version::ReadPoint& version, const RowSide& side);

}  // namespace dosql::engine
