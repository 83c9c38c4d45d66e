// Virtual tables in a merge: their rows go through their modules, and what those keep them in is left to
// them.
#pragma once

#include <string>
#include <vector>

#include <dosql/result.h>

#include "engine/merge_changes.h"
#include "engine/merge_context.h"
#include "engine/schema_merge.h"
#include "engine/version_pair.h"

namespace dosql::engine {

// Rows of an FTS5 table that has its own content, and of an R-Tree, merge as other rows do. Any other table
// that they changed is a conflict of kind schema: what is in it cannot be told apart by rows. Errors: those
// of reading the versions, what SQLite reports.
Status merge_virtual_table(MergeContext& context, const MergeSource& source, VersionPair& theirs,
                           const VirtualTask& task);

// Whether what the module keeps a virtual table's content in differs, by the table's name in either version.
// Errors: those of reading the versions.
Result<bool> content_differs(VersionPair& pair, const std::string& table);

// FTS5 tables over the content of a table that the merge changed are built anew: what kept them in step was
// triggers. After the rows.
Status rebuild_text_indexes(MergeContext& context, VersionPair& theirs,
                            const std::vector<VirtualTask>& tasks);

}  // namespace dosql::engine
