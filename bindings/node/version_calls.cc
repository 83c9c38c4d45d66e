// Asynchronous calls about versions: branches, snapshots, points in time. What they give are rows, whose
// columns are named as the properties of the objects that JavaScript makes of them.

#include <fmt/format.h>

#include "bindings/node/call.h"

namespace dosql::node {
namespace {

// branch(handle, name, pointKind, pointValue)
napi_value branch(Call& call) {
  auto name = call.text(1, "a branch's name");
  if (!name) return call.fail(name.error());
  auto from = call.point(2);
  if (!from) return call.fail(from.error());
  return submit(call, "",
                [name = *std::move(name), from = *std::move(from)](OpenConnection& opened, Outcome&) {
                  return opened.connection().branch(name, {.from = from});
                });
}

// checkout(handle, name)
napi_value checkout(Call& call) {
  auto name = call.text(1, "a branch's name");
  if (!name) return call.fail(name.error());
  return submit(call, "", [name = *std::move(name)](OpenConnection& opened, Outcome&) {
    return opened.connection().checkout(name);
  });
}

// currentBranch(handle)
napi_value current_branch(Call& call) {
  static const ColumnNames kNames = column_names({"name"});
  return submit(call, "", [](OpenConnection& opened, Outcome& outcome) {
    outcome.columns = kNames;
    outcome.rows.text(opened.connection().current_branch());
    return Status();
  });
}

// deleteBranch(handle, name, force)
napi_value delete_branch(Call& call) {
  auto name = call.text(1, "a branch's name");
  if (!name) return call.fail(name.error());
  return submit(call, "", [name = *std::move(name), force = call.truth(2)](OpenConnection& opened, Outcome&) {
    return opened.connection().delete_branch(name, {.force = force});
  });
}

// listBranches(handle)
napi_value list_branches(Call& call) {
  static const ColumnNames kNames =
      column_names({"name", "version", "lsn", "parent", "forkVersion", "created", "current"});
  return submit(call, "", [](OpenConnection& opened, Outcome& outcome) {
    outcome.columns = kNames;
    RowBatch& rows = outcome.rows;
    for (const BranchInfo& branch : opened.connection().list_branches()) {
      rows.text(branch.name);
      put_unsigned(branch.head.version, rows);
      put_unsigned(branch.head.lsn, rows);
      branch.fork ? rows.text(branch.fork->branch) : rows.null();
      branch.fork ? put_unsigned(branch.fork->version, rows) : rows.null();
      branch.created ? put_time(*branch.created, rows) : rows.null();
      put_truth(branch.current, rows);
    }
    return Status();
  });
}

// compareBranches(handle, source, target)
napi_value compare_branches(Call& call) {
  static const ColumnNames kNames = column_names(
      {"source", "target", "sourceAhead", "sourceBehind", "diverged", "canFastForward", "mergeBase"});
  auto source = call.text(1, "a branch's name");
  if (!source) return call.fail(source.error());
  auto target = call.text(2, "a branch's name");
  if (!target) return call.fail(target.error());
  return submit(call, "",
                [source = *std::move(source), target = *std::move(target)](OpenConnection& opened,
                                                                           Outcome& outcome) -> Status {
                  DOSQL_ASSIGN_OR_RETURN(const BranchComparison found,
                                         opened.connection().compare_branches(source, target));
                  outcome.columns = kNames;
                  RowBatch& rows = outcome.rows;
                  rows.text(found.source);
                  rows.text(found.target);
                  put_unsigned(found.ahead, rows);
                  put_unsigned(found.behind, rows);
                  put_truth(found.diverged, rows);
                  put_truth(found.can_fast_forward, rows);
                  rows.text(found.merge_base.to_string());
                  return {};
                });
}

// createSnapshot(handle, name, pointKind, pointValue)
napi_value create_snapshot(Call& call) {
  auto name = call.text(1, "a snapshot's name");
  if (!name) return call.fail(name.error());
  auto at = call.point(2);
  if (!at) return call.fail(at.error());
  return submit(call, "", [name = *std::move(name), at = *std::move(at)](OpenConnection& opened, Outcome&) {
    return opened.connection().create_snapshot(name, {.at = at});
  });
}

// dropSnapshot(handle, name)
napi_value drop_snapshot(Call& call) {
  auto name = call.text(1, "a snapshot's name");
  if (!name) return call.fail(name.error());
  return submit(call, "", [name = *std::move(name)](OpenConnection& opened, Outcome&) {
    return opened.connection().drop_snapshot(name);
  });
}

// listSnapshots(handle)
napi_value list_snapshots(Call& call) {
  static const ColumnNames kNames = column_names({"name", "branch", "version", "lsn", "created"});
  return submit(call, "", [](OpenConnection& opened, Outcome& outcome) {
    outcome.columns = kNames;
    RowBatch& rows = outcome.rows;
    for (const SnapshotInfo& snapshot : opened.connection().list_snapshots()) {
      rows.text(snapshot.name);
      rows.text(snapshot.version.branch);
      put_unsigned(snapshot.version.version, rows);
      put_unsigned(snapshot.version.lsn, rows);
      put_time(snapshot.created, rows);
    }
    return Status();
  });
}

// resolve(handle, pointKind, pointValue): of no point, what the handle's next read would see
napi_value resolve(Call& call) {
  static const ColumnNames kNames = column_names({"branch", "version", "lsn"});
  auto point = call.point(1);
  if (!point) return call.fail(point.error());
  return submit(call, "", [point = *std::move(point)](OpenConnection& opened, Outcome& outcome) -> Status {
    DOSQL_ASSIGN_OR_RETURN(const VersionId version, opened.connection().resolve(point.value_or(current())));
    outcome.columns = kNames;
    outcome.rows.text(version.branch);
    put_unsigned(version.version, outcome.rows);
    put_unsigned(version.lsn, outcome.rows);
    return {};
  });
}

// distance(handle, branch, fromKind, fromValue, toKind, toValue): both points are counted on the branch
napi_value distance(Call& call) {
  static const ColumnNames kNames = column_names({"commits"});
  auto branch = call.text(1, "a branch's name");
  if (!branch) return call.fail(branch.error());
  auto from = call.point(2);
  if (!from) return call.fail(from.error());
  auto to = call.point(4);
  if (!to) return call.fail(to.error());
  if (!*from || !*to) return call.fail(Error(ErrorCode::kInvalidArgument, "two points in time are needed"));
  return submit(call, "",
                [branch = *std::move(branch), from = **std::move(from), to = **std::move(to)](
                    OpenConnection& opened, Outcome& outcome) -> Status {
                  // The handle stays on its branch.
                  DOSQL_ASSIGN_OR_RETURN(Connection other, opened.share().database().connect());
                  DOSQL_RETURN_IF_ERROR(other.checkout(branch));
                  DOSQL_ASSIGN_OR_RETURN(const std::int64_t commits, other.distance(from, to));
                  outcome.columns = kNames;
                  put_integer(commits, outcome.rows);
                  return {};
                });
}

}  // namespace

std::span<const NamedFunction> version_functions() {
  static constexpr NamedFunction kFunctions[] = {
      {"branch", branch},
      {"checkout", checkout},
      {"currentBranch", current_branch},
      {"deleteBranch", delete_branch},
      {"listBranches", list_branches},
      {"compareBranches", compare_branches},
      {"createSnapshot", create_snapshot},
      {"dropSnapshot", drop_snapshot},
      {"listSnapshots", list_snapshots},
      {"resolve", resolve},
      {"distance", distance},
  };
  return kFunctions;
}

}  // namespace dosql::node
