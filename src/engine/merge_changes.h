// Brings what changed between two versions into the open transaction of a connection.
#pragma once

#include <vector>

#include <dosql/result.h>

#include "engine/merge_context.h"
#include "version/version_store.h"

namespace dosql::engine {

// What is brought in are the changes from base to theirs. A merge has the common ancestor for its base, a
// cherry-pick the commit's parent; REVERT has the commit itself, and its parent for theirs.
struct MergeSource {
  version::ReadPoint base;
  version::ReadPoint theirs;
};

// Conflicts are in the context, which then says what cannot stay: the caller undoes it all, with a savepoint.
// On success the tables are merged, indexes and foreign keys hold (those where the connection enforces them).
// REQUIRES: a transaction that has the writer slot, no other statement of the connection running. Errors:
// kInvalidArgument (the transaction has changed the schema; two encodings of text), those of reading the
// versions, what SQLite reports.
Status merge_changes(MergeContext& context, const MergeSource& source);

}  // namespace dosql::engine
