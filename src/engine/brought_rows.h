// Rows that both sides have and base has not, though only one of them inserted it: the other got it from a
// CHERRY PICK, a REVERT or a decision in a merge, whose commit says so (version/moved_numbers.h, decision
// 040). And rows that have other numbers on one of the sides than in base, or than on the other side.
#pragma once

#include <dosql/result.h>

#include "engine/foreign_keys.h"
#include "engine/merge_changes.h"
#include "engine/merge_context.h"
#include "engine/schema_merge.h"
#include "engine/version_pair.h"

namespace dosql::engine {

// Finds the rows of theirs that base has not and ours has, be it under another number. Where that cannot be
// told of a row that meets another content under its number, this is in doubt. Where no foreign key is about
// the numbers, those that are other rows in base, theirs or ours are taken apart (Brought::instead). A merge
// looks at the tables, and the numbers, of which noted commits say that they brought them; a CHERRY PICK or
// REVERT at all rows that it inserts. REQUIRES: context.brought has the runs; the rows are ours yet. Errors:
// those of the diff and of reading the versions, and a decision that is none (kInvalidArgument).
Status find_brought(MergeContext& context, const MergeSource& source, VersionPair& theirs,
                    const MergedSchema& merged, const ForeignKeys& keys);

}  // namespace dosql::engine
