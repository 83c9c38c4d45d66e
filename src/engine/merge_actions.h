// Merging one branch into another, whoever asks: a statement or the API.
#pragma once

#include <string_view>

#include <dosql/merge.h>
#include <dosql/result.h>

namespace dosql::engine {

class ConnectionState;

// Merges the newest version of `source` into the connection's branch. A fast-forward takes effect at once and
// is as durable on return as the connection's `synchronous` says. Errors: kBranchNotFound, kInvalidArgument,
// kReadOnly, kBusy, kInterrupted, those of writing.
Result<MergeResult> merge(ConnectionState& connection, std::string_view source, const MergeOptions& options);

}  // namespace dosql::engine
