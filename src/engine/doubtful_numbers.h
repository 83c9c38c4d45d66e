// Which numbers of rows are in doubt in a merge, and which are for later ones (version/moved_numbers.h,
// decision 036).
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include <dosql/result.h>

#include "diff/record.h"
#include "diff/schema.h"

#include "engine/foreign_key_merge.h"
#include "engine/merge_changes.h"
#include "engine/merge_context.h"
#include "engine/schema_merge.h"
#include "engine/version_pair.h"

namespace dosql::engine {

// The number that a reference means to a column of numbers: '5' and 5.0 are 5 there. None: it can be none of
// those.
std::optional<std::int64_t> number_meant(const diff::Field& reference, diff::TextEncoding encoding);

// From what the noted commits say, and what rows tell where they are traced (strangers.h, brought_rows.h), by
// the merged names of tables. A merge reads nothing where nothing was merged, picked or reverted behind base.
// REQUIRES: the rows are ours yet. Errors: those of pairing tables, of the diff and of reading the versions.
Status find_doubts(MergeContext& context, const MergeSource& source, VersionPair& theirs,
                   const MergedSchema& merged, const ForeignKeys& keys);

// Rows of ours that since base were inserted, or changed, so that they refer to a number under which theirs
// changed a row of base, and that is in doubt there. Errors: what SQLite reports. REQUIRES: find_doubts();
// the rows are ours yet, the tables merged.
Result<std::vector<DoubtfulReference>> find_doubtful_references(MergeContext& context,
                                                                const MergeSource& source,
                                                                const ForeignKeys& keys,
                                                                const MergedSchema& merged);

// Once all rows are merged: adds what got other numbers, and what is still in doubt, to what the commit says.
void note_numbers(MergeContext& context);

}  // namespace dosql::engine
