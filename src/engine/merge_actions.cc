#include "engine/merge_actions.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include "engine/connection_state.h"
#include "engine/held_head.h"
#include "engine/time_points.h"

namespace dosql::engine {
namespace {

using version::ReadPoint;
using version::VersionStore;

Status check_merge(ConnectionState& connection, const version::BranchInfo& source,
                   const MergeOptions& options) {
  if (connection.fixed()) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("MERGE BRANCH is not possible here: this connection stays at {}",
                             connection.session().fixed_at))
        .with_hint("open another connection");
  }
  if (options.message.size() > version::CommitMarks::kMessageBytesMax) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("the message of a merge has at most {} bytes, not {}",
                             version::CommitMarks::kMessageBytesMax, options.message.size()));
  }
  if (source.name == connection.branch_name()) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("branch '{}' cannot be merged into itself", source.name))
        .with_hint("CHECKOUT the branch that is to get its changes");
  }
  return {};
}

VersionId on_branch(const ConnectionState& connection, const ReadPoint& point) {
  return {.branch = connection.branch_name(), .version = raw(point.version), .lsn = raw(point.lsn)};
}

// Nobody writes to the target while this is decided and done: the connection has its writer slot.
Result<MergeResult> merge_held(ConnectionState& connection, const version::BranchInfo& source,
                               const MergeOptions& options) {
  VersionStore& store = connection.core().store();
  const ReadPoint target = connection.file().point();
  MergeResult result;
  result.version = on_branch(connection, target);
  DOSQL_ASSIGN_OR_RETURN(const version::LineageComparison lineage, store.compare(source.head, target));
  if (lineage.ahead == 0) {
    result.already_merged = true;
    return result;
  }
  const bool in_transaction = sqlite3_get_autocommit(connection.db()) == 0;
  if (in_transaction || options.squash || !store.goes_through(source.head, target)) {
    return Error(ErrorCode::kInvalidArgument,
                 "MERGE BRANCH where both branches have commits of their own, with SQUASH or inside a "
                 "transaction is not part of this release");
  }
  result.fast_forward = true;
  if (options.dry_run) return result;
  if (connection.file().locked()) {
    return Error(ErrorCode::kInvalidArgument, "MERGE BRANCH while a statement is running is not possible")
        .with_hint("run it to its end, or reset it");
  }
  if (connection.read_only()) return Error(ErrorCode::kReadOnly, "the database is open for reading only");
  const auto durability = connection.session().durability();
  DOSQL_ASSIGN_OR_RETURN(const version::BranchInfo now,
                         store.fast_forward(connection.file().branch(), source.head, durability));
  result.version = on_branch(connection, now.head);
  return result;
}

}  // namespace

Result<MergeResult> merge(ConnectionState& connection, std::string_view name, const MergeOptions& options) {
  VersionStore& store = connection.core().store();
  DOSQL_RETURN_IF_ERROR(connection.catch_up());
  const auto source = store.find_branch(name);
  if (!source) return branch_not_found(store, name);
  DOSQL_RETURN_IF_ERROR(check_merge(connection, *source, options));
  HeldHead head(connection);
  DOSQL_RETURN_IF_ERROR(head.hold(!options.dry_run));
  return merge_held(connection, *source, options);
}

}  // namespace dosql::engine
