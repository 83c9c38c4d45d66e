// Rows of the sides that are others than what base has under their number, since that was given again on the
// way: which of them a merge could take for one (row_identity.h).
#pragma once

#include <dosql/result.h>

#include "engine/foreign_keys.h"
#include "engine/merge_changes.h"
#include "engine/merge_context.h"
#include "engine/schema_merge.h"
#include "engine/version_pair.h"

namespace dosql::engine {

// Adds their numbers to those in doubt. Looks at rows of base that theirs changed, and of these at our side
// where ours changed them too, and at rows that theirs newly refers to; only where merges, or commits that
// brought rows, came behind base, or of a CHERRY PICK or REVERT, and in tables whose rows are known by
// numbers, or by references to such. REQUIRES: the rows are ours yet. Errors: those of the diff and of
// reading the versions.
Status find_strangers(MergeContext& context, const MergeSource& source, VersionPair& theirs,
                      const MergedSchema& merged, const ForeignKeys& keys);

}  // namespace dosql::engine
