// What a Connection offers about branches, snapshots and points in time.

#include <dosql/connection.h>

#include "engine/branch_actions.h"
#include "engine/connection_state.h"
#include "engine/merge_actions.h"
#include "engine/merge_staging.h"
#include "engine/time_points.h"

namespace dosql {
namespace {

using engine::ConnectionState;
using version::ReadPoint;

Result<ReadPoint> point_or_newest(ConnectionState& state, const std::optional<TimePoint>& point) {
  if (point) return engine::resolve(state, *point);
  return state.newest();
}

Timestamp time_of(TimestampUs timestamp_us) { return Timestamp{std::chrono::microseconds{timestamp_us}}; }

BranchInfo describe(const version::BranchInfo& branch) {
  const auto on = [](const std::string& name, const ReadPoint& point) {
    return VersionId{.branch = name, .version = raw(point.version), .lsn = raw(point.lsn)};
  };
  BranchInfo info;
  info.name = branch.name;
  info.head = on(branch.name, branch.head);
  if (branch.is_main()) return info;
  info.fork = on(branch.parent_name, branch.fork);
  info.created = time_of(branch.created_us);
  return info;
}

}  // namespace

Status Connection::branch(const std::string& name, const BranchOptions& options) {
  DOSQL_ASSIGN_OR_RETURN(const ReadPoint from, point_or_newest(*state_, options.from));
  return engine::create_branch(*state_, name, from);
}

Status Connection::checkout(std::string_view name) { return state_->checkout(name); }

std::string_view Connection::current_branch() const { return state_->branch_name(); }

Status Connection::delete_branch(std::string_view name, const DeleteBranchOptions& options) {
  return engine::drop_branch(*state_, name, {.force = options.force});
}

std::vector<BranchInfo> Connection::list_branches() const {
  state_->catch_up().ignore("what was there before is still right");
  const version::VersionStore& store = state_->core().store();
  std::vector<BranchInfo> infos;
  for (const version::BranchInfo& branch : store.branches()) {
    if (engine::is_hidden_branch(branch.name)) continue;
    infos.push_back(describe(branch));
    infos.back().current = !fixed() && branch.id == store.current(state_->file().branch());
  }
  return infos;
}

Result<MergeResult> Connection::merge(std::string_view source, const MergeOptions& options) {
  return engine::merge(*state_, source, options);
}

Result<std::vector<MergeConflict>> Connection::conflicts() { return engine::waiting_conflicts(*state_); }

Status Connection::resolve_conflict(std::int64_t id, const ConflictResolution& resolution) {
  using Take = ConflictResolution::Take;
  engine::Resolution decided{.take = engine::Resolution::Take::kValue, .value = resolution.value};
  if (resolution.take == Take::kMain) decided.take = engine::Resolution::Take::kOurs;
  if (resolution.take == Take::kBranch) decided.take = engine::Resolution::Take::kTheirs;
  if (resolution.take == Take::kDelete) decided.take = engine::Resolution::Take::kDelete;
  return engine::resolve_conflict(*state_, id, decided);
}

Result<MergeResult> Connection::complete_merge(const std::string& message) {
  return engine::complete_merge(*state_, message);
}

Status Connection::abort_merge() { return engine::abort_merge(*state_); }

Result<MergeResult> Connection::revert(const TimePoint& commit, const PickOptions& options) {
  DOSQL_ASSIGN_OR_RETURN(const ReadPoint point, engine::resolve(*state_, commit));
  return engine::revert(*state_, point, options);
}

Result<MergeResult> Connection::cherry_pick(std::uint64_t lsn, const PickOptions& options) {
  return engine::cherry_pick(*state_, Lsn{lsn}, options);
}

Status Connection::create_snapshot(const std::string& name, const SnapshotOptions& options) {
  DOSQL_ASSIGN_OR_RETURN(const ReadPoint at, point_or_newest(*state_, options.at));
  return engine::create_snapshot(*state_, name, at);
}

Status Connection::drop_snapshot(const std::string& name) { return engine::drop_snapshot(*state_, name); }

std::vector<SnapshotInfo> Connection::list_snapshots() const {
  state_->catch_up().ignore("what was there before is still right");
  const version::VersionStore& store = state_->core().store();
  std::vector<SnapshotInfo> infos;
  for (const version::NamedSnapshot& snapshot : store.snapshots()) {
    infos.push_back({.name = snapshot.name,
                     .version = engine::version_id(store, snapshot.point),
                     .created = time_of(snapshot.created_us)});
  }
  return infos;
}

Result<BranchComparison> Connection::compare_branches(std::string_view source,
                                                      std::string_view target) const {
  DOSQL_RETURN_IF_ERROR(state_->catch_up());
  return engine::compare_branches(state_->core().store(), source, target);
}

Result<VersionId> Connection::resolve(const TimePoint& point) {
  DOSQL_ASSIGN_OR_RETURN(const ReadPoint version, engine::resolve(*state_, point));
  return engine::version_id(state_->core().store(), version);
}

Result<std::int64_t> Connection::distance(const TimePoint& from, const TimePoint& to) {
  DOSQL_ASSIGN_OR_RETURN(const ReadPoint begin, engine::resolve(*state_, from));
  DOSQL_ASSIGN_OR_RETURN(const ReadPoint end, engine::resolve(*state_, to));
  return engine::distance(state_->core().store(), begin, end);
}

Result<Connection> Connection::as_of(const TimePoint& point) {
  DOSQL_ASSIGN_OR_RETURN(const ReadPoint version, engine::resolve(*state_, point));
  DOSQL_ASSIGN_OR_RETURN(auto state, ConnectionState::open(state_->core(), version));
  return Connection(std::move(state));
}

bool Connection::fixed() const { return state_->fixed(); }

}  // namespace dosql
