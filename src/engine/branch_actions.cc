#include "engine/branch_actions.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <mutex>

#include "base/time_text.h"
#include "engine/connection_state.h"
#include "engine/merge_staging.h"
#include "engine/time_points.h"
#include "sql/branch_name.h"
#include "sql/name_token.h"
#include "sql/time_point.h"

namespace dosql::engine {
namespace {

using version::ReadPoint;
using version::VersionStore;

Status refuse_in_transaction(const ConnectionState& connection, std::string_view action) {
  if (sqlite3_get_autocommit(connection.db()) != 0) return {};
  return Error(ErrorCode::kInvalidArgument,
               fmt::format("{} inside a transaction is not possible: a rollback would not undo it", action))
      .with_hint("COMMIT or ROLLBACK first");
}

std::string commits_text(std::uint64_t commits) {
  return commits == 1 ? "a commit" : fmt::format("{} commits", commits);
}

// REQUIRES: the mutex of the uses is held.
Status refuse_in_use(ConnectionState& connection, const version::BranchInfo& branch) {
  const int on_it = connection.core().branch_uses().connections_on(branch.name);
  if (on_it == 0) return {};
  const auto refused = [&](std::string_view why) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("branch '{}' cannot be dropped: {}", branch.name, why));
  };
  if (branch.id == connection.file().branch() && !connection.fixed())
    return refused("this connection is on it").with_hint("CHECKOUT another branch first");
  return refused(fmt::format("{} other connection{} on it", on_it, on_it == 1 ? " is" : "s are"));
}

Status refuse_unmerged(const VersionStore& store, const version::BranchInfo& branch) {
  const std::uint64_t unmerged = store.unmerged_commits().at(branch.id);
  if (unmerged == 0) return {};
  DOSQL_ASSIGN_OR_RETURN(const version::CommitInfo newest, store.commit_info(branch.id, branch.head.version));
  return Error(ErrorCode::kBranchNotMerged,
               fmt::format("branch '{}' has {} that no other branch contains (newest: {}@{}, {})",
                           branch.name, commits_text(unmerged), branch.name, raw(branch.head.version),
                           time_text(newest.timestamp_us)))
      .with_hint(fmt::format("DROP BRANCH {} FORCE drops it all the same", sql::written_name(branch.name)));
}

Result<version::BranchInfo> need_branch(const VersionStore& store, std::string_view name) {
  if (auto branch = store.find_branch(name)) return *std::move(branch);
  return branch_not_found(store, name);
}

}  // namespace

Status create_branch(ConnectionState& connection, const std::string& name, const ReadPoint& from) {
  DOSQL_RETURN_IF_ERROR(refuse_in_transaction(connection, "CREATE BRANCH"));
  DOSQL_RETURN_IF_ERROR(sql::check_branch_name(name));
  return connection.core()
      .store()
      .create_branch(name, from, connection.session().durability())
      .and_then(ignore_result);
}

Status drop_branch(ConnectionState& connection, std::string_view name, const DropBranch& how) {
  DOSQL_RETURN_IF_ERROR(refuse_in_transaction(connection, "DROP BRANCH"));
  VersionStore& store = connection.core().store();
  BranchUses& uses = connection.core().branch_uses();
  std::unique_lock lock(uses.mutex());
  const auto branch = need_branch(store, name);
  if (!branch) return how.if_exists ? Status() : Status(branch.error());
  if (branch->is_main())
    return Error(ErrorCode::kInvalidArgument, "branch 'main' cannot be dropped")
        .with_hint("every other branch can be");
  if (uses.dropping(branch->name)) return branch_being_dropped(branch->name);
  DOSQL_RETURN_IF_ERROR(refuse_in_use(connection, *branch));
  const BranchUses::Drop drop(uses, branch->name);
  lock.unlock();
  if (!how.force) DOSQL_RETURN_IF_ERROR(refuse_unmerged(store, *branch));
  DOSQL_RETURN_IF_ERROR(MergeStaging::drop(store, branch->name, connection.session().durability()));
  return store.drop_branch(branch->id, connection.session().durability());
}

Status create_snapshot(ConnectionState& connection, const std::string& name, const ReadPoint& at) {
  DOSQL_RETURN_IF_ERROR(refuse_in_transaction(connection, "CREATE SNAPSHOT"));
  if (name.empty() || name.size() > 255)
    return Error(ErrorCode::kInvalidArgument, "the name of a snapshot has 1 to 255 bytes");
  if (sql::is_version_id(name)) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("a snapshot cannot be called '{}': that names a version already", name));
  }
  if (at.version == Version{0})
    return Error(ErrorCode::kVersionNotFound, "there is nothing to label: the database has no versions yet");
  return connection.core().store().create_snapshot(name, at, connection.session().durability());
}

Status drop_snapshot(ConnectionState& connection, const std::string& name) {
  DOSQL_RETURN_IF_ERROR(refuse_in_transaction(connection, "DROP SNAPSHOT"));
  version::VersionStore& store = connection.core().store();
  if (!store.find_snapshot(name)) return snapshot_not_found(store, name);
  return store.drop_snapshot(name, connection.session().durability());
}

Result<BranchComparison> compare_branches(const VersionStore& store, std::string_view source,
                                          std::string_view target) {
  DOSQL_ASSIGN_OR_RETURN(const version::BranchInfo from, need_branch(store, source));
  DOSQL_ASSIGN_OR_RETURN(const version::BranchInfo to, need_branch(store, target));
  DOSQL_ASSIGN_OR_RETURN(const version::LineageComparison lineage, store.compare(from.head, to.head));
  BranchComparison result{.source = from.name,
                          .target = to.name,
                          .ahead = lineage.ahead,
                          .behind = lineage.behind,
                          .merge_base = version_id(store, lineage.bases.front())};
  result.diverged = result.ahead > 0 && result.behind > 0;
  result.can_fast_forward = result.ahead > 0 && store.goes_through(from.head, to.head);
  return result;
}

Result<std::int64_t> distance(const VersionStore& store, const ReadPoint& from, const ReadPoint& to) {
  if (!store.goes_through(to, from) && !store.goes_through(from, to)) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("{} and {} are on different lines: neither goes back to the other",
                             version_id(store, from).to_string(), version_id(store, to).to_string()))
        .with_hint("comparing the two branches counts from the version where they part");
  }
  return static_cast<std::int64_t>(raw(to.version) - raw(from.version));
}

}  // namespace dosql::engine
