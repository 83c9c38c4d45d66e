// Rows that one of several versions in common has, and that a side has under another number, while the other
// side has them under none, or under yet another one. What each base says of a number by itself is nothing of
// such a row: it would stay though a side deleted it, or come back, or be gone on both.
#pragma once

#include <dosql/result.h>

#include "engine/merge_changes.h"
#include "engine/merge_context.h"
#include "engine/schema_merge.h"
#include "engine/version_pair.h"

namespace dosql::engine {

// Adds them to context.effects, of the rows that theirs changed since this base and of all whose numbers
// belong to those; also rows that only one side has still, where the other one has another row under that
// number, and those of which it cannot be told. Does nothing where there is one base. REQUIRES: of
// context.brought, the runs are there; the rows are ours yet. Errors: those of the diff and of reading the
// versions.
Status find_moved_base_rows(MergeContext& context, const MergeSource& source, VersionPair& theirs,
                            const MergedSchema& merged);

}  // namespace dosql::engine
