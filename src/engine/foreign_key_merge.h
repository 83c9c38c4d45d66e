// Whether what a merge did left rows that refer to nothing, or to what may be another row.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <dosql/result.h>

#include "engine/foreign_keys.h"
#include "engine/merge_context.h"
#include "engine/merged_table.h"
#include "engine/rebased_changes.h"
#include "engine/table_merge.h"
#include "merge/keyed_changes.h"

namespace dosql::engine {

// A table into which changes were brought.
struct VerifiedTable {
  const MergedTable& table;
  bool is_new = false;    // it was not there before the merge
  bool replaced = false;  // another one was, of which it may have no row
  std::function<Result<RebasedChanges>()> changes;
};

// A row of ours that refers to a number by which ours meant a row, and theirs brings another one under it.
struct DoubtfulReference {
  const ForeignKey* key = nullptr;
  TouchedRows::Row row;  // by the columns of the merged table
};

// Looks at what the merge did: the changes of these tables, what is noted in the context besides, and the
// keys that were not there `before`, or whose parent was: those rows that refer to nothing are conflicts, and
// so is what decisions about them leave. Rows that refer to a number in doubt are conflicts, too: incoming
// ones where it is on our side, and `doubtful` ones as far as they are still there. Errors: those of the
// changes, what SQLite reports, kConstraint (what was decided leaves a row that refers to nothing).
Status verify_foreign_keys(MergeContext& context, const ForeignKeys& before, const ForeignKeys& now,
                           const std::vector<VerifiedTable>& tables,
                           const std::vector<DoubtfulReference>& doubtful);

}  // namespace dosql::engine
