#include "engine/merge_actions.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "engine/connection_state.h"
#include "engine/held_head.h"
#include "engine/merge_staging.h"
#include "engine/own_statement.h"
#include "engine/time_points.h"
#include "engine/version_merge.h"

namespace dosql::engine {
namespace {

using version::ReadPoint;
using version::VersionStore;

// What is asked of every merge; `action` as a statement says it.
Status check_possible(ConnectionState& connection, std::string_view action, std::string_view message) {
  if (connection.fixed()) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("{} is not possible here: this connection stays at {}", action,
                             connection.session().fixed_at))
        .with_hint("open another connection");
  }
  if (message.size() > version::CommitMarks::kMessageBytesMax) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("the message of a merge has at most {} bytes, not {}",
                             version::CommitMarks::kMessageBytesMax, message.size()));
  }
  return {};
}

Status check_merge(ConnectionState& connection, const version::BranchInfo& source,
                   const MergeOptions& options) {
  DOSQL_RETURN_IF_ERROR(check_possible(connection, "MERGE BRANCH", options.message));
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

merge::Preference preference_of(MergeStrategy strategy) {
  switch (strategy) {
    case MergeStrategy::kOurs: return merge::Preference::kOurs;
    case MergeStrategy::kTheirs: return merge::Preference::kTheirs;
    default: return merge::Preference::kNone;
  }
}

// SQLite would go on reading what is no longer so.
Status refuse_running(ConnectionState& connection, std::string_view action) {
  for (sqlite3_stmt* statement = nullptr;
       (statement = sqlite3_next_stmt(connection.db(), statement)) != nullptr;) {
    const char* const sql = sqlite3_sql(statement);
    // An R-Tree keeps its pages open for as long as the transaction, by statements that have no text. It
    // closes them when a savepoint begins, as it does before anything is merged.
    if (sql == nullptr || sqlite3_stmt_busy(statement) == 0) continue;
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("{} while a statement is running is not possible: {}", action, sql))
        .with_hint("run it to its end, or reset it");
  }
  return {};
}

// PRAGMA query_only, outside of a transaction, which may have changed something before.
Result<bool> may_only_query(ConnectionState& connection) {
  if (sqlite3_get_autocommit(connection.db()) == 0) return false;
  DOSQL_ASSIGN_OR_RETURN(OwnStatement only, OwnStatement::prepare(connection, "PRAGMA query_only"));
  if (const int rc = only.step(); rc != SQLITE_ROW) return connection.error(rc);
  return only.integer(0) != 0;
}

// Where nothing may be written, on a handle that may write what is never committed.
Result<VersionMergeResult> try_merge(ConnectionState& connection, const VersionMerge& what) {
  if (what.keep) return merge_versions(connection, what);
  DOSQL_ASSIGN_OR_RETURN(const bool only_queries, may_only_query(connection));
  if (!connection.read_only() && !only_queries) return merge_versions(connection, what);
  DOSQL_ASSIGN_OR_RETURN(const auto trial,
                         ConnectionState::open_trial(connection.core(), connection.file().point()));
  int enforces_foreign_keys = 0;
  sqlite3_db_config(connection.db(), SQLITE_DBCONFIG_ENABLE_FKEY, -1, &enforces_foreign_keys);
  sqlite3_db_config(trial->db(), SQLITE_DBCONFIG_ENABLE_FKEY, enforces_foreign_keys, nullptr);
  // Who interrupts knows the connection's own handle only.
  constexpr int kSteps = 1'000;
  sqlite3_progress_handler(
      trial->db(), kSteps, [](void* db) { return sqlite3_is_interrupted(static_cast<sqlite3*>(db)); },
      connection.db());
  return merge_versions(*trial, what);
}

// `result` begins with what is known of it.
Result<MergeResult> merge_changed(ConnectionState& connection, const VersionMerge& what, MergeResult result) {
  DOSQL_ASSIGN_OR_RETURN(VersionMergeResult merged, try_merge(connection, what));
  result.tables.insert(result.tables.end(), merged.tables.begin(), merged.tables.end());
  result.already_merged = !merged.changes && merged.conflicts.empty();
  result.renumber_helps = !merged.conflicts.empty() && merged.conflicts[0].renumber_helps;
  for (Conflict& conflict : merged.conflicts) {
    result.conflicts.push_back({.id = static_cast<std::int64_t>(result.conflicts.size()) + 1,
                                .table = std::move(conflict.table),
                                .key = std::move(conflict.key),
                                .kind = std::string(merge::conflict_name(conflict.kind)),
                                .base = std::move(conflict.base),
                                .main = std::move(conflict.main),
                                .branch = std::move(conflict.branch)});
  }
  const bool committed =
      what.keep && merged.changes && result.conflicts.empty() && sqlite3_get_autocommit(connection.db()) != 0;
  if (committed) result.version = on_branch(connection, connection.file().point());
  return result;
}

Result<ReadPoint> parent_of(const VersionStore& store, const ReadPoint& commit) {
  if (commit.version == Version{0})
    return Error(ErrorCode::kVersionNotFound,
                 "the empty database is no commit that could be undone or picked");
  // Before main's first commit there is the empty database.
  if (commit.version == Version{1}) return ReadPoint{.branch = kMainBranch};
  return store.at_version(commit.branch, Version{raw(commit.version) - 1});
}

// The commit whose range of LSNs has this one.
Result<ReadPoint> commit_with(const VersionStore& store, Lsn lsn) {
  const auto exact = store.at_commit(lsn);
  if (exact && !is_hidden_branch(store.branch_info(exact->branch).name)) return *exact;
  for (const version::BranchInfo& branch : store.branches()) {
    if (is_hidden_branch(branch.name)) continue;
    const auto point = store.at_lsn(branch.id, branch.head.lsn < lsn ? branch.head.lsn : lsn);
    if (!point || point->version == Version{0}) continue;
    DOSQL_ASSIGN_OR_RETURN(const version::CommitInfo info, store.commit_info(point->branch, point->version));
    if (info.first_lsn < lsn && lsn <= info.last_lsn) return *point;
  }
  return Error(ErrorCode::kVersionNotFound, fmt::format("no commit has the LSN {}", raw(lsn)));
}

Status refuse_in_transaction(const ConnectionState& connection, std::string_view action) {
  if (sqlite3_get_autocommit(connection.db()) != 0) return {};
  return Error(ErrorCode::kInvalidArgument,
               fmt::format("{} inside a transaction is not possible: what waits is no part of it", action))
      .with_hint("COMMIT or ROLLBACK first");
}

Status refuse_another_staging(ConnectionState& connection) {
  DOSQL_RETURN_IF_ERROR(refuse_in_transaction(connection, "STRATEGY manual"));
  DOSQL_ASSIGN_OR_RETURN(const auto waiting,
                         MergeStaging::find_waiting(connection.core(), connection.branch_name()));
  if (!waiting) return {};
  DOSQL_ASSIGN_OR_RETURN(const StagedMerge merge, waiting->merge());
  return Error(ErrorCode::kInvalidArgument,
               fmt::format("a {} of '{}' is waiting already for its conflicts to be resolved",
                           kind_name(merge.kind), merge.source))
      .with_hint("COMPLETE MERGE ends it, ABORT MERGE forgets it");
}

// `find`: find_waiting(), or find() for what was kept of a merge that is done meanwhile, too.
Result<std::unique_ptr<MergeStaging>> need_staging(ConnectionState& connection,
                                                   decltype(&MergeStaging::find) find) {
  DOSQL_RETURN_IF_ERROR(connection.catch_up());
  DOSQL_ASSIGN_OR_RETURN(auto staging, find(connection.core(), connection.branch_name()));
  if (!staging) return Error(ErrorCode::kNotFound, "no merge is waiting for decisions");
  staging->write_as(connection.session());
  return staging;
}

Status drop_staging(ConnectionState& connection) {
  return MergeStaging::drop(connection.core().store(), connection.branch_name(),
                            connection.session().durability());
}

// Undone with the transaction, as what a statement decides.
Status resolve_in_transaction(ConnectionState& connection, std::int64_t id, const Resolution& resolution) {
  DOSQL_ASSIGN_OR_RETURN(OwnStatement decide,
                         OwnStatement::prepare(connection, "SELECT dosql_resolve_conflict(?1, ?2)"));
  const std::string text = resolution_text(resolution);
  decide.bind(1, id);
  decide.bind(2, std::string_view(text));
  const int rc = decide.run();
  return rc == SQLITE_DONE ? Status() : Status(connection.error(rc));
}

// By what a conflict is about: the same conflict, with the same values, may come in another order.
using ConflictName = std::tuple<std::string, std::string, std::string>;
ConflictName name_of(const MergeConflict& conflict) { return {conflict.table, conflict.key, conflict.kind}; }

class Decisions {
 public:
  explicit Decisions(std::vector<StagedConflict> staged) {
    for (StagedConflict& one : staged) staged_.emplace(name_of(one.conflict), std::move(one));
  }

  // Null: nothing was decided, or about other values.
  const Resolution* find(const Conflict& conflict) const {
    const auto found =
        staged_.find({conflict.table, conflict.key, std::string(merge::conflict_name(conflict.kind))});
    if (found == staged_.end() || !found->second.resolution) return nullptr;
    const MergeConflict& then = found->second.conflict;
    const bool same =
        then.base == conflict.base && then.main == conflict.main && then.branch == conflict.branch;
    return same ? &*found->second.resolution : nullptr;
  }

  // All conflicts that there are: those that nothing was decided about, in the order of `open`, and those
  // that something was. Who has their ids goes on with them.
  std::vector<StagedConflict> with(const std::vector<MergeConflict>& open) const {
    std::vector<StagedConflict> all;
    std::set<ConflictName> open_names;
    std::int64_t last = 0;
    for (const auto& [name, staged] : staged_) last = std::max(last, staged.conflict.id);
    for (const MergeConflict& conflict : open) {
      const ConflictName name = name_of(conflict);
      const auto known = staged_.find(name);
      all.push_back({conflict});
      all.back().conflict.id = known != staged_.end() ? known->second.conflict.id : ++last;
      open_names.insert(name);
    }
    for (const auto& [name, staged] : staged_) {
      if (staged.resolution && !open_names.contains(name)) all.push_back(staged);
    }
    return all;
  }

 private:
  std::map<ConflictName, StagedConflict> staged_;
};

Status stage(ConnectionState& connection, const StagedMerge& merge,
             const std::vector<MergeConflict>& conflicts) {
  std::vector<StagedConflict> staged;
  for (const MergeConflict& conflict : conflicts) staged.push_back({conflict});
  return MergeStaging::stage(connection, merge, staged);
}

version::MergeMark mark_of(const ReadPoint& theirs, bool squash) {
  return {.kind = squash ? version::MergeKind::kSquash : version::MergeKind::kParent,
          .branch = theirs.branch,
          .version = theirs.version,
          .lsn = theirs.lsn};
}

// How a version is related to what the connection sees: a version, and what the open transaction has merged
// into it. Of the commits that are ahead it is only sure whether there are any.
Result<version::LineageComparison> compare_with_seen(ConnectionState& connection, const ReadPoint& theirs) {
  const VersionStore& store = connection.core().store();
  DOSQL_ASSIGN_OR_RETURN(version::LineageComparison lineage,
                         store.compare(theirs, connection.file().point()));
  std::vector<ReadPoint>& bases = lineage.bases;
  const auto contains = [&](const ReadPoint& version, const ReadPoint& other) -> Result<bool> {
    DOSQL_ASSIGN_OR_RETURN(const version::LineageComparison both, store.compare(other, version));
    return both.ahead == 0;
  };
  for (const version::MergeMark& mark : connection.file().marks().merges) {
    DOSQL_ASSIGN_OR_RETURN(const ReadPoint merged, store.at_commit(mark.lsn));
    DOSQL_ASSIGN_OR_RETURN(const version::LineageComparison beside, store.compare(theirs, merged));
    if (beside.ahead == 0) lineage.ahead = 0;
    for (const ReadPoint& base : beside.bases) {
      bool known = false;
      for (const ReadPoint& other : bases) {
        DOSQL_ASSIGN_OR_RETURN(const bool in_other, contains(other, base));
        known = known || in_other;
      }
      if (known) continue;
      std::vector<ReadPoint> best{base};
      for (const ReadPoint& other : bases) {
        DOSQL_ASSIGN_OR_RETURN(const bool in_base, contains(base, other));
        if (!in_base) best.push_back(other);
      }
      bases = std::move(best);
    }
  }
  std::ranges::sort(bases, std::ranges::greater(), &ReadPoint::lsn);
  return lineage;
}

// Nobody writes to the target while this is decided and done: the connection has its writer slot.
Result<MergeResult> merge_held(ConnectionState& connection, const version::BranchInfo& source,
                               const MergeOptions& options) {
  VersionStore& store = connection.core().store();
  const ReadPoint target = connection.file().point();
  MergeResult result;
  result.version = on_branch(connection, target);
  DOSQL_ASSIGN_OR_RETURN(const version::LineageComparison lineage,
                         compare_with_seen(connection, source.head));
  if (lineage.ahead == 0) {
    result.already_merged = true;
    return result;
  }
  const bool in_transaction = sqlite3_get_autocommit(connection.db()) == 0;
  if (in_transaction || options.squash || !store.goes_through(source.head, target)) {
    DOSQL_RETURN_IF_ERROR(refuse_running(connection, "MERGE BRANCH"));
    VersionMerge what{.theirs = source.head,
                      .bases = lineage.bases,
                      .preference = preference_of(options.strategy),
                      .renumber = options.renumber,
                      .keep = !options.dry_run};
    what.marks.merges.push_back(mark_of(source.head, options.squash));
    what.marks.message = options.message;
    const bool waits = options.strategy == MergeStrategy::kManual && !options.dry_run;
    if (waits) DOSQL_RETURN_IF_ERROR(refuse_another_staging(connection));
    DOSQL_ASSIGN_OR_RETURN(MergeResult merged, merge_changed(connection, what, std::move(result)));
    if (waits && !merged.conflicts.empty()) {
      DOSQL_RETURN_IF_ERROR(stage(connection,
                                  {.source = source.name,
                                   .theirs = source.head.lsn,
                                   .squash = options.squash,
                                   .renumber = options.renumber,
                                   .message = options.message},
                                  merged.conflicts));
    }
    return merged;
  }
  result.fast_forward = true;
  if (options.dry_run) {
    result.version = on_branch(connection, source.head);
    return result;
  }
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

// What leads from one version to the next, or back, as something to be done to the connection's branch.
struct Step {
  StagedMerge::Kind kind;
  std::string_view action;  // as a statement says it
  ReadPoint commit;
  ReadPoint base;
  ReadPoint theirs;
};

std::string message_of(StagedMerge::Kind kind, const std::string& source) {
  if (kind == StagedMerge::Kind::kRevert) return fmt::format("{}{}", kRevertMessage, source);
  return fmt::format("{} of {}", kind_name(kind), source);
}

Result<MergeResult> apply_step(ConnectionState& connection, const Step& step, const PickOptions& options) {
  DOSQL_RETURN_IF_ERROR(check_possible(connection, step.action, options.message));
  DOSQL_RETURN_IF_ERROR(refuse_running(connection, step.action));
  HeldHead head(connection);
  DOSQL_RETURN_IF_ERROR(head.hold(!options.dry_run));
  DOSQL_RETURN_IF_ERROR(connection.file().await_point());
  const bool waits = options.strategy == MergeStrategy::kManual && !options.dry_run;
  if (waits) DOSQL_RETURN_IF_ERROR(refuse_another_staging(connection));
  StagedMerge staged{.kind = step.kind,
                     .source = version_id(connection.core().store(), step.commit).to_string(),
                     .theirs = step.theirs.lsn,
                     .base = step.base.lsn,
                     .message = options.message};
  if (staged.message.empty()) staged.message = message_of(step.kind, staged.source);
  VersionMerge what{.theirs = step.theirs,
                    .bases = {step.base},
                    .preference = preference_of(options.strategy),
                    .keep = !options.dry_run,
                    .only_changes = true,
                    .reverts = step.kind == StagedMerge::Kind::kRevert};
  what.marks.message = staged.message;
  DOSQL_ASSIGN_OR_RETURN(
      MergeResult result,
      merge_changed(connection, what,
                    {.action = step.kind, .version = on_branch(connection, connection.file().point())}));
  if (waits && !result.conflicts.empty()) DOSQL_RETURN_IF_ERROR(stage(connection, staged, result.conflicts));
  return result;
}

// Of what waits: what it is counted from in `target`; empty: that has it already.
Result<std::vector<ReadPoint>> bases_of(const VersionStore& store, const StagedMerge& staged,
                                        const ReadPoint& theirs, const ReadPoint& target) {
  if (staged.kind != StagedMerge::Kind::kMerge) {
    DOSQL_ASSIGN_OR_RETURN(const ReadPoint base, version_with(store, staged.base));
    return std::vector{base};
  }
  DOSQL_ASSIGN_OR_RETURN(version::LineageComparison lineage, store.compare(theirs, target));
  if (lineage.ahead == 0) return std::vector<ReadPoint>();
  return std::move(lineage.bases);
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
  DOSQL_RETURN_IF_ERROR(connection.file().await_point());
  return merge_held(connection, *source, options);
}

Result<MergeResult> revert(ConnectionState& connection, const ReadPoint& commit, const PickOptions& options) {
  DOSQL_ASSIGN_OR_RETURN(const ReadPoint parent, parent_of(connection.core().store(), commit));
  return apply_step(connection, {StagedMerge::Kind::kRevert, "REVERT", commit, commit, parent}, options);
}

Result<MergeResult> cherry_pick(ConnectionState& connection, Lsn lsn, const PickOptions& options) {
  DOSQL_RETURN_IF_ERROR(connection.catch_up());
  const VersionStore& store = connection.core().store();
  DOSQL_ASSIGN_OR_RETURN(const ReadPoint commit, commit_with(store, lsn));
  DOSQL_ASSIGN_OR_RETURN(const ReadPoint parent, parent_of(store, commit));
  return apply_step(connection, {StagedMerge::Kind::kPick, "CHERRY PICK", commit, parent, commit}, options);
}

Result<std::vector<MergeConflict>> waiting_conflicts(ConnectionState& connection) {
  DOSQL_ASSIGN_OR_RETURN(const auto staging, need_staging(connection, &MergeStaging::find_waiting));
  DOSQL_ASSIGN_OR_RETURN(std::vector<StagedConflict> staged, staging->conflicts());
  std::vector<MergeConflict> conflicts;
  for (StagedConflict& one : staged) conflicts.push_back(std::move(one.conflict));
  return conflicts;
}

Status resolve_conflict(ConnectionState& connection, std::int64_t id, const Resolution& resolution) {
  if (connection.read_only()) return read_only_error(connection.session());
  if (sqlite3_get_autocommit(connection.db()) == 0) return resolve_in_transaction(connection, id, resolution);
  DOSQL_ASSIGN_OR_RETURN(const auto staging, need_staging(connection, &MergeStaging::find_waiting));
  return staging->resolve(id, resolution);
}

Result<MergeResult> complete_merge(ConnectionState& connection, std::string_view message) {
  DOSQL_RETURN_IF_ERROR(refuse_in_transaction(connection, "COMPLETE MERGE"));
  DOSQL_RETURN_IF_ERROR(refuse_running(connection, "COMPLETE MERGE"));
  VersionStore& store = connection.core().store();
  DOSQL_ASSIGN_OR_RETURN(const auto staging, need_staging(connection, &MergeStaging::find));
  DOSQL_ASSIGN_OR_RETURN(const StagedMerge staged, staging->merge());
  DOSQL_ASSIGN_OR_RETURN(std::vector<StagedConflict> conflicts, staging->conflicts());
  DOSQL_ASSIGN_OR_RETURN(const ReadPoint theirs, version_with(store, staged.theirs));
  HeldHead head(connection);
  DOSQL_RETURN_IF_ERROR(head.hold(true));
  const ReadPoint target = connection.file().point();
  DOSQL_ASSIGN_OR_RETURN(const std::vector<ReadPoint> bases, bases_of(store, staged, theirs, target));
  MergeResult result{.action = staged.kind, .version = on_branch(connection, target)};
  if (bases.empty()) {
    result.already_merged = true;
    DOSQL_RETURN_IF_ERROR(drop_staging(connection));
    return result;
  }
  const Decisions decisions(std::move(conflicts));
  VersionMerge what{.theirs = theirs,
                    .bases = bases,
                    .renumber = staged.renumber,
                    .only_changes = staged.kind != StagedMerge::Kind::kMerge,
                    .reverts = staged.kind == StagedMerge::Kind::kRevert,
                    .resolution = [&](const Conflict& conflict) { return decisions.find(conflict); }};
  what.marks.message = message.empty() ? staged.message : std::string(message);
  // What was undone or picked is not contained in the branch for that.
  if (staged.kind == StagedMerge::Kind::kMerge) what.marks.merges.push_back(mark_of(theirs, staged.squash));
  DOSQL_ASSIGN_OR_RETURN(result, merge_changed(connection, what, std::move(result)));
  if (result.conflicts.empty()) {
    DOSQL_RETURN_IF_ERROR(drop_staging(connection));
  } else {
    const std::vector<StagedConflict> waiting = decisions.with(result.conflicts);
    DOSQL_RETURN_IF_ERROR(staging->replace_conflicts(waiting));
    for (std::size_t i = 0; i < result.conflicts.size(); ++i) result.conflicts[i].id = waiting[i].conflict.id;
  }
  return result;
}

Status abort_merge(ConnectionState& connection) {
  if (connection.read_only()) return read_only_error(connection.session());
  DOSQL_RETURN_IF_ERROR(refuse_in_transaction(connection, "ABORT MERGE"));
  DOSQL_RETURN_IF_ERROR(refuse_running(connection, "ABORT MERGE"));
  DOSQL_RETURN_IF_ERROR(need_staging(connection, &MergeStaging::find).and_then(ignore_result));
  return drop_staging(connection);
}

}  // namespace dosql::engine
