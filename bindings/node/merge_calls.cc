// Asynchronous calls that merge. What came of a merge is a list of values (packages/dosql/src/merge.ts reads
// it).

#include "bindings/node/call.h"

namespace dosql::node {
namespace {

void put_conflicts(const std::vector<MergeConflict>& conflicts, RowBatch& values) {
  for (const MergeConflict& conflict : conflicts) {
    put_integer(conflict.id, values);
    for (const std::string* const text :
         {&conflict.table, &conflict.key, &conflict.kind, &conflict.base, &conflict.main, &conflict.branch})
      values.text(*text);
  }
}

std::string_view name_of(MergeAction action) {
  switch (action) {
    case MergeAction::kMerge: break;
    case MergeAction::kRevert: return "revert";
    case MergeAction::kPick: return "pick";
  }
  return "merge";
}

// What was done, whether it was merged already, whether it was a fast-forward, whether renumbering helps,
// branch, version and LSN, the number of tables, for each its name, what became of its schema and four
// counts, and the conflicts.
void put_result(const MergeResult& result, Outcome& outcome) {
  outcome.columns = one_column();
  RowBatch& values = outcome.rows;
  values.text(name_of(result.action));
  put_truth(result.already_merged, values);
  put_truth(result.fast_forward, values);
  put_truth(result.renumber_helps, values);
  values.text(result.version.branch);
  put_unsigned(result.version.version, values);
  put_unsigned(result.version.lsn, values);
  put_unsigned(result.tables.size(), values);
  for (const TableMergeCounts& table : result.tables) {
    values.text(table.table);
    values.text(table.schema);
    for (const std::uint64_t count : {table.inserted, table.updated, table.deleted, table.conflicts})
      put_unsigned(count, values);
  }
  put_conflicts(result.conflicts, values);
}

napi_value submit_merge(Call& call, std::function<Result<MergeResult>(Connection&)> merge) {
  return submit(call, "", [merge = std::move(merge)](OpenConnection& opened, Outcome& outcome) -> Status {
    DOSQL_ASSIGN_OR_RETURN(const MergeResult result, merge(opened.connection()));
    put_result(result, outcome);
    return {};
  });
}

Result<MergeStrategy> strategy_of(const std::string& name) {
  if (name == "auto") return MergeStrategy::kAuto;
  if (name == "ours") return MergeStrategy::kOurs;
  if (name == "theirs") return MergeStrategy::kTheirs;
  if (name == "manual") return MergeStrategy::kManual;
  return Error(ErrorCode::kInvalidArgument, "'" + name + "' is no strategy of a merge")
      .with_hint("auto, ours, theirs, manual");
}

Result<MergeOptions> merge_options(Call& call) {
  DOSQL_ASSIGN_OR_RETURN(const std::string strategy, call.text(2, "the strategy of a merge"));
  MergeOptions options;
  DOSQL_ASSIGN_OR_RETURN(options.strategy, strategy_of(strategy));
  options.squash = call.truth(3);
  options.renumber = call.truth(4);
  options.dry_run = call.truth(5);
  DOSQL_ASSIGN_OR_RETURN(options.message, call.text(6, "the message of a merge"));
  return options;
}

// strategy, dryRun, message: three arguments from `first` on
Result<PickOptions> pick_options(Call& call, std::size_t first) {
  DOSQL_ASSIGN_OR_RETURN(const std::string strategy, call.text(first, "the strategy of a merge"));
  PickOptions options;
  DOSQL_ASSIGN_OR_RETURN(options.strategy, strategy_of(strategy));
  options.dry_run = call.truth(first + 1);
  DOSQL_ASSIGN_OR_RETURN(options.message, call.text(first + 2, "the message of a merge"));
  return options;
}

// merge(handle, source, strategy, squash, renumber, dryRun, message)
napi_value merge(Call& call) {
  auto source = call.text(1, "a branch's name");
  if (!source) return call.fail(source.error());
  auto options = merge_options(call);
  if (!options) return call.fail(options.error());
  return submit_merge(call, [source = *std::move(source), options = *std::move(options)](
                                Connection& connection) { return connection.merge(source, options); });
}

// conflicts(handle): a list of values, seven for each that waits
napi_value conflicts(Call& call) {
  return submit(call, "", [](OpenConnection& opened, Outcome& outcome) -> Status {
    DOSQL_ASSIGN_OR_RETURN(const std::vector<MergeConflict> found, opened.connection().conflicts());
    outcome.columns = one_column();
    put_conflicts(found, outcome.rows);
    return {};
  });
}

Result<ConflictResolution> resolution_of(Call& call) {
  using Take = ConflictResolution::Take;
  DOSQL_ASSIGN_OR_RETURN(const std::string take, call.text(2, "what is taken"));
  if (take == "ours") return ConflictResolution{.take = Take::kMain, .value = ""};
  if (take == "theirs") return ConflictResolution{.take = Take::kBranch, .value = ""};
  if (take == "delete") return ConflictResolution{.take = Take::kDelete, .value = ""};
  DOSQL_ASSIGN_OR_RETURN(std::string json, call.text(3, "the value of a resolution"));
  return ConflictResolution{.take = Take::kValue, .value = std::move(json)};
}

// resolveConflict(handle, id, 'ours' | 'theirs' | 'delete' | 'value', json)
napi_value resolve_conflict(Call& call) {
  const auto id = integer_of(call.env(), call.argument(1));
  if (!id)
    return call.fail(Error(ErrorCode::kInvalidArgument, "the id of a conflict must be a whole number"));
  auto resolution = resolution_of(call);
  if (!resolution) return call.fail(resolution.error());
  return submit(call, "", [id = *id, resolution = *std::move(resolution)](OpenConnection& opened, Outcome&) {
    return opened.connection().resolve_conflict(id, resolution);
  });
}

// completeMerge(handle, message)
napi_value complete_merge(Call& call) {
  auto message = call.text(1, "the message of a merge");
  if (!message) return call.fail(message.error());
  return submit_merge(call, [message = *std::move(message)](Connection& connection) {
    return connection.complete_merge(message);
  });
}

// abortMerge(handle)
napi_value abort_merge(Call& call) {
  return submit(call, "", [](OpenConnection& opened, Outcome&) { return opened.connection().abort_merge(); });
}

// revert(handle, pointKind, pointValue, strategy, dryRun, message)
napi_value revert(Call& call) {
  auto point = call.point(1);
  if (!point) return call.fail(point.error());
  if (!*point) return call.fail(Error(ErrorCode::kInvalidArgument, "the commit to revert is needed"));
  auto options = pick_options(call, 3);
  if (!options) return call.fail(options.error());
  return submit_merge(call, [point = **std::move(point), options = *std::move(options)](
                                Connection& connection) { return connection.revert(point, options); });
}

// cherryPick(handle, lsn, strategy, dryRun, message)
napi_value cherry_pick(Call& call) {
  auto lsn = call.lsn(1);
  if (!lsn) return call.fail(lsn.error());
  auto options = pick_options(call, 2);
  if (!options) return call.fail(options.error());
  return submit_merge(call, [lsn = *lsn, options = *std::move(options)](Connection& connection) {
    return connection.cherry_pick(lsn, options);
  });
}

}  // namespace

std::span<const NamedFunction> merge_functions() {
  static constexpr NamedFunction kFunctions[] = {
      {"merge", merge},
      {"conflicts", conflicts},
      {"resolveConflict", resolve_conflict},
      {"completeMerge", complete_merge},
      {"abortMerge", abort_merge},
      {"revert", revert},
      {"cherryPick", cherry_pick},
  };
  return kFunctions;
}

}  // namespace dosql::node
