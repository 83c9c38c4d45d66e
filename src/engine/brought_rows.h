// Rows that both sides have and base has not, though only one of them inserted it: the other got it from a
// CHERRY PICK, a REVERT or a decision in a merge, whose commit says so (version/moved_numbers.h, decision
// 040).
#pragma once

#include <dosql/result.h>

#include "engine/merge_changes.h"
#include "engine/merge_context.h"
#include "engine/schema_merge.h"
#include "engine/version_pair.h"

namespace dosql::engine {

// Tells, of rows of theirs that base has not, which of them ours has, too, be it under another number, and of
// which of those that meet another content under their number that cannot be told: these are in doubt. Looks
// at the tables of which noted commits say that they brought rows, and in no version but for rows that have
// such numbers. REQUIRES: context.brought has the runs; the rows are ours yet. Errors: those of the diff and
// of reading the versions.
Status find_brought(MergeContext& context, const MergeSource& source, VersionPair& theirs,
                    const MergedSchema& merged);

}  // namespace dosql::engine
