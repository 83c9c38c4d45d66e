// What a merge has done to the schema, as its result tells it.
#pragma once

#include <span>

#include <dosql/result.h>

#include "engine/merge_context.h"
#include "engine/renamed_schema.h"
#include "engine/table_shape.h"

namespace dosql::engine {

// Says in the context what became of each table and view: in the words of dosql_diff_schema, a table's
// indexes and triggers counting as it. What SQLite and virtual tables keep for themselves is left out.
// `before` is what the transaction began with, `names` what its tables are called by now. Errors: those of
// reading the schema.
Status tell_schema_changes(MergeContext& context, const VersionSchema& before,
                           std::span<const NameChange> names);

}  // namespace dosql::engine
