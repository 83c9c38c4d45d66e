// Merging one branch into another, whoever asks: a statement or the API.
#pragma once

#include <string_view>
#include <vector>

#include <dosql/merge.h>
#include <dosql/result.h>

#include "base/ids.h"
#include "engine/merge_context.h"
#include "version/version_store.h"

namespace dosql::engine {

class ConnectionState;

// Merges the newest version of `source` into the connection's branch. A fast-forward takes effect at once and
// is as durable on return as the connection's `synchronous` says. Errors: kBranchNotFound, kInvalidArgument,
// kReadOnly, kBusy, kInterrupted, those of writing.
Result<MergeResult> merge(ConnectionState& connection, std::string_view source, const MergeOptions& options);

// How the message of a commit begins that REVERT made.
inline constexpr std::string_view kRevertMessage = "revert of ";

// Undoes what the commit that made `commit` did. Errors: as above, kVersionNotFound (no commit did).
Result<MergeResult> revert(ConnectionState& connection, const version::ReadPoint& commit,
                           const PickOptions& options);
// Does what the commit that has that LSN did, on whatever branch. Errors: as above, kVersionNotFound.
Result<MergeResult> cherry_pick(ConnectionState& connection, Lsn lsn, const PickOptions& options);

// Of any of the three with STRATEGY manual that met conflicts. Errors: kNotFound (none waits for the
// connection's branch), kInvalidArgument (inside a transaction).
Result<std::vector<MergeConflict>> waiting_conflicts(ConnectionState& connection);
Status resolve_conflict(ConnectionState& connection, std::int64_t id, const Resolution& resolution);
// Merges again, with the decisions at hand. Errors: those of merge(). With conflicts that nothing was decided
// about nothing is changed: they wait now, in place of those that waited before.
Result<MergeResult> complete_merge(ConnectionState& connection, std::string_view message);
Status abort_merge(ConnectionState& connection);

}  // namespace dosql::engine
