// What is done to rows of which the versions in common do not simply say what became of them.
//
// With several bases the merge is done from each of them, and undone. Rows about which they disagree, and
// those in conflict, are counted from what the bases are merged (virtual_base.h). Where that cannot be told,
// a row about which they disagree is a conflict of kind `base`. Rows that only a hidden rowid tells apart are
// counted by what is in them (content_merge.h), also where there is one base, and a merge came behind it.
#pragma once

#include <optional>

#include <dosql/result.h>

#include "engine/merge_context.h"
#include "engine/schema_bases.h"
#include "engine/version_merge.h"

namespace dosql::engine {

MergeContext context_of(ConnectionState& connection, const VersionMerge& what, OwnChanges own_changes);

// Which of several bases tables, indexes, views and triggers are counted from; none: their schemas are the
// same, or there is one. What is disputed between them is so only where the merge makes something else of it
// from each. REQUIRES and errors as below.
Result<std::optional<SchemaBases>> find_schema_bases(ConnectionState& connection, const VersionMerge& what,
                                                     const MergeContext& context);

// Says in the context which rows are left alone, counted from another base or by their content. REQUIRES: as
// merge_changes(). Errors: those of merge_changes() and of reading the versions.
Status settle_bases(ConnectionState& connection, const VersionMerge& what, MergeContext& context);

}  // namespace dosql::engine
