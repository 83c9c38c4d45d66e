// Rows that a CHERRY PICK or REVERT brought to our side, which then deleted them, and that come with what is
// merged (decision 040). For the base, which has none of them, they would be new.
#pragma once

#include <dosql/result.h>

#include "engine/merge_changes.h"
#include "engine/merge_context.h"
#include "engine/schema_merge.h"
#include "engine/version_pair.h"

namespace dosql::engine {

// Says so in the context, of rows that are known by a number. Reads nothing where ours brought nothing since
// base. REQUIRES: find_brought(); the rows are ours yet. Errors: those of the diff and of reading the
// versions.
Status find_taken_away(MergeContext& context, const MergeSource& source, VersionPair& theirs,
                       const MergedSchema& merged);

}  // namespace dosql::engine
