// What can be done to branches and snapshots, whoever asks: a statement or the API.
//
// They take effect at once, are as durable on return as the connection's `synchronous` says, and are refused
// inside a transaction (kInvalidArgument): a rollback would not undo them.
#pragma once

#include <string>
#include <string_view>

#include <dosql/connection.h>
#include <dosql/result.h>

#include "version/version_store.h"

namespace dosql::engine {

class ConnectionState;

// Errors: kInvalidArgument (no name for a branch), kAlreadyExists, those of writing.
Status create_branch(ConnectionState& connection, const std::string& name, const version::ReadPoint& from);

struct DropBranch {
  bool force = false;      // also when it has commits that no other branch contains
  bool if_exists = false;  // a missing one is no error
};
// Errors: kBranchNotFound, kBranchNotMerged, kInvalidArgument (it is main, or a connection is on it), those
// of writing.
Status drop_branch(ConnectionState& connection, std::string_view name, const DropBranch& how);

// Errors: kInvalidArgument (no name for a snapshot), kAlreadyExists, kVersionNotFound (the database is
// empty), those of writing.
Status create_snapshot(ConnectionState& connection, const std::string& name, const version::ReadPoint& at);
// Errors: kNotFound, those of writing.
Status drop_snapshot(ConnectionState& connection, const std::string& name);

// Errors: kBranchNotFound.
Result<BranchComparison> compare_branches(const version::VersionStore& store, std::string_view source,
                                          std::string_view target);

// How many commits lead from one to the other; negative when `to` is the older. Errors: kInvalidArgument
// (neither goes back to the other).
Result<std::int64_t> distance(const version::VersionStore& store, const version::ReadPoint& from,
                              const version::ReadPoint& to);

}  // namespace dosql::engine
