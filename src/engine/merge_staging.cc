#include "engine/merge_staging.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <utility>

#include "engine/connection_state.h"
#include "engine/own_statement.h"
#include "engine/undo.h"
#include "sql/lexer.h"
#include "sql/sql_error.h"

namespace dosql::engine {
namespace {

// No name that a user can give begins like this.
constexpr std::string_view kHidden = "\x01";
constexpr std::size_t kNameBytesMax = 255;

std::string branch_of(std::string_view target) { return fmt::format("{}{}", kHidden, target); }

constexpr const char* kTables =
    "CREATE TABLE merge(source TEXT, theirs INTEGER, squash INTEGER, renumber INTEGER, message TEXT);"
    "CREATE TABLE conflict(id INTEGER PRIMARY KEY, \"table\" TEXT, key TEXT, kind TEXT, base TEXT, main "
    "TEXT, "
    "branch TEXT, resolution TEXT)";
// Besides, of a revert or a pick. Programs that know none of these find that nothing waits.
constexpr const char* kStepTable = "CREATE TABLE step(kind TEXT, base INTEGER)";

Status run(ConnectionState& state, OwnStatement& statement) {
  const int rc = statement.run();
  return rc == SQLITE_DONE ? Status() : Status(state.error(rc));
}

}  // namespace

bool is_hidden_branch(std::string_view name) { return name.starts_with(kHidden); }

std::uint32_t count_hidden_branches(const version::VersionStore& store) {
  const std::vector<version::BranchInfo> branches = store.branches();
  return static_cast<std::uint32_t>(std::ranges::count_if(
      branches, [](const version::BranchInfo& branch) { return is_hidden_branch(branch.name); }));
}

std::string_view kind_name(StagedMerge::Kind kind) {
  switch (kind) {
    case StagedMerge::Kind::kMerge: return "merge";
    case StagedMerge::Kind::kRevert: return "revert";
    case StagedMerge::Kind::kPick: break;
  }
  return "pick";
}

Result<version::ReadPoint> version_with(const version::VersionStore& store, Lsn lsn) {
  if (lsn == Lsn{0}) return version::ReadPoint{.branch = kMainBranch};
  return store.at_commit(lsn);
}

Resolution resolution_of(std::string_view text) {
  using Take = Resolution::Take;
  if (sql::equals_ignoring_case(text, "ours")) return {.take = Take::kOurs, .value = ""};
  if (sql::equals_ignoring_case(text, "theirs")) return {.take = Take::kTheirs, .value = ""};
  if (sql::equals_ignoring_case(text, "delete")) return {.take = Take::kDelete, .value = ""};
  return {.take = Take::kValue, .value = std::string(text)};
}

std::string resolution_text(const Resolution& resolution) {
  switch (resolution.take) {
    case Resolution::Take::kOurs: return "ours";
    case Resolution::Take::kTheirs: return "theirs";
    case Resolution::Take::kDelete: return "delete";
    case Resolution::Take::kValue: break;
  }
  return resolution.value;
}

Result<std::unique_ptr<MergeStaging>> MergeStaging::open(DatabaseCore& core, const std::string& branch) {
  DOSQL_ASSIGN_OR_RETURN(std::shared_ptr<ConnectionState> state, ConnectionState::open(core));
  DOSQL_RETURN_IF_ERROR(state->checkout(branch));
  return std::unique_ptr<MergeStaging>(new MergeStaging(std::move(state)));
}

Result<std::unique_ptr<MergeStaging>> MergeStaging::find(DatabaseCore& core, std::string_view target) {
  const std::string branch = branch_of(target);
  if (!core.store().find_branch(branch)) return std::unique_ptr<MergeStaging>();
  DOSQL_ASSIGN_OR_RETURN(std::unique_ptr<MergeStaging> staging, open(core, branch));
  // A process that ended while it staged left the branch empty.
  DOSQL_ASSIGN_OR_RETURN(OwnStatement tables,
                         OwnStatement::prepare(*staging->state_, "SELECT count(*) FROM main.sqlite_schema"));
  if (const int rc = tables.step(); rc != SQLITE_ROW) return staging->state_->error(rc);
  const std::int64_t count = tables.integer(0);
  const bool whole = count == 2 || count == 3;
  staging->is_step_ = count == 3;
  tables.reset();
  return whole ? std::move(staging) : nullptr;
}

Result<std::unique_ptr<MergeStaging>> MergeStaging::find_waiting(DatabaseCore& core,
                                                                 std::string_view target) {
  DOSQL_ASSIGN_OR_RETURN(std::unique_ptr<MergeStaging> staging, find(core, target));
  if (!staging || staging->is_step_) return staging;
  const version::VersionStore& store = core.store();
  DOSQL_ASSIGN_OR_RETURN(const StagedMerge merge, staging->merge());
  const auto theirs = store.at_commit(merge.theirs);
  const auto branch = store.find_branch(target);
  if (!theirs || !branch) return staging;
  DOSQL_ASSIGN_OR_RETURN(const version::LineageComparison lineage, store.compare(*theirs, branch->head));
  return lineage.ahead > 0 ? std::move(staging) : nullptr;
}

void MergeStaging::write_as(const Session& session) {
  state_->session().synchronous = session.synchronous;
  state_->session().busy_timeout_ms = session.busy_timeout_ms;
}

Status MergeStaging::stage(ConnectionState& target, const StagedMerge& merge,
                           const std::vector<StagedConflict>& conflicts) {
  version::VersionStore& store = target.core().store();
  const std::string branch = branch_of(target.branch_name());
  if (branch.size() > kNameBytesMax) {
    return Error(
        ErrorCode::kInvalidArgument,
        fmt::format("the name of branch '{}' is too long for a merge that waits", target.branch_name()));
  }
  const version::Durability durability = target.session().durability();
  DOSQL_RETURN_IF_ERROR(drop(store, target.branch_name(), durability));
  // It begins with the empty database.
  DOSQL_RETURN_IF_ERROR(
      store.create_branch(branch, {.branch = kMainBranch}, durability).and_then(ignore_result));
  DOSQL_ASSIGN_OR_RETURN(const std::unique_ptr<MergeStaging> staging, open(target.core(), branch));
  ConnectionState& state = *staging->state_;
  staging->write_as(target.session());
  DOSQL_RETURN_IF_ERROR(run_own(state, "BEGIN IMMEDIATE"));
  DOSQL_RETURN_IF_ERROR(run_own(state, kTables));
  {
    DOSQL_ASSIGN_OR_RETURN(OwnStatement insert,
                           OwnStatement::prepare(state, "INSERT INTO merge VALUES(?1, ?2, ?3, ?4, ?5)"));
    insert.bind(1, std::string_view(merge.source));
    insert.bind(2, static_cast<std::int64_t>(raw(merge.theirs)));
    insert.bind(3, std::int64_t{merge.squash});
    insert.bind(4, std::int64_t{merge.renumber});
    insert.bind(5, std::string_view(merge.message));
    DOSQL_RETURN_IF_ERROR(run(state, insert));
  }
  if (merge.kind != StagedMerge::Kind::kMerge) {
    DOSQL_RETURN_IF_ERROR(run_own(state, kStepTable));
    DOSQL_ASSIGN_OR_RETURN(OwnStatement insert,
                           OwnStatement::prepare(state, "INSERT INTO step VALUES(?1, ?2)"));
    insert.bind(1, kind_name(merge.kind));
    insert.bind(2, static_cast<std::int64_t>(raw(merge.base)));
    DOSQL_RETURN_IF_ERROR(run(state, insert));
  }
  DOSQL_RETURN_IF_ERROR(staging->write(conflicts));
  return run_own(state, "COMMIT");
}

Status MergeStaging::drop(version::VersionStore& store, std::string_view target,
                          version::Durability durability) {
  const auto branch = store.find_branch(branch_of(target));
  return branch ? store.drop_branch(branch->id, durability) : Status();
}

Status MergeStaging::write(const std::vector<StagedConflict>& conflicts) {
  DOSQL_ASSIGN_OR_RETURN(
      OwnStatement insert,
      OwnStatement::prepare(*state_,
                            "INSERT INTO conflict VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, nullif(?8, ''))"));
  for (const StagedConflict& staged : conflicts) {
    const MergeConflict& conflict = staged.conflict;
    const std::string resolution = staged.resolution ? resolution_text(*staged.resolution) : "";
    insert.bind(1, conflict.id);
    int parameter = 2;
    for (const std::string* const text : {&conflict.table, &conflict.key, &conflict.kind, &conflict.base,
                                          &conflict.main, &conflict.branch, &resolution})
      insert.bind(parameter++, std::string_view(*text));
    DOSQL_RETURN_IF_ERROR(run(*state_, insert));
  }
  return {};
}

Result<StagedMerge> MergeStaging::merge() {
  DOSQL_ASSIGN_OR_RETURN(OwnStatement row, OwnStatement::prepare(*state_, "SELECT * FROM merge"));
  if (const int rc = row.step(); rc != SQLITE_ROW) return state_->error(rc);
  StagedMerge merge{.source = row.text(0),
                    .theirs = Lsn{static_cast<std::uint64_t>(row.integer(1))},
                    .squash = row.integer(2) != 0,
                    .renumber = row.integer(3) != 0,
                    .message = row.text(4)};
  row.reset();
  if (!is_step_) return merge;
  DOSQL_ASSIGN_OR_RETURN(OwnStatement step, OwnStatement::prepare(*state_, "SELECT kind, base FROM step"));
  if (const int rc = step.step(); rc != SQLITE_ROW) return state_->error(rc);
  merge.kind = step.text(0) == kind_name(StagedMerge::Kind::kRevert) ? StagedMerge::Kind::kRevert
                                                                     : StagedMerge::Kind::kPick;
  merge.base = Lsn{static_cast<std::uint64_t>(step.integer(1))};
  step.reset();
  return merge;
}

Result<std::vector<StagedConflict>> MergeStaging::conflicts(const ConflictFilter& filter) {
  std::string condition;
  if (filter.id) condition += " AND id = ?1";
  if (filter.table) condition += " AND \"table\" = ?2";
  DOSQL_ASSIGN_OR_RETURN(
      OwnStatement rows,
      OwnStatement::prepare(*state_, fmt::format("SELECT * FROM conflict WHERE 1{} ORDER BY id", condition)));
  if (filter.id) rows.bind(1, *filter.id);
  if (filter.table) rows.bind(2, std::string_view(*filter.table));
  std::vector<StagedConflict> conflicts;
  int rc = SQLITE_OK;
  while ((rc = rows.step()) == SQLITE_ROW) {
    StagedConflict& staged = conflicts.emplace_back();
    staged.conflict = {.id = rows.integer(0),
                       .table = rows.text(1),
                       .key = rows.text(2),
                       .kind = rows.text(3),
                       .base = rows.text(4),
                       .main = rows.text(5),
                       .branch = rows.text(6)};
    if (!rows.is_null(7)) staged.resolution = resolution_of(rows.text(7));
  }
  if (rc != SQLITE_DONE) return state_->error(rc);
  return conflicts;
}

// A value that is what one side has means that side, which can do more than put the value: a row of main that
// is in the way goes, a definition is taken. Members come in any order, and 2.0 is 2, also in the rows of an
// array.
Result<std::string> MergeStaging::side_of(std::int64_t id, const std::string& json) {
  constexpr std::string_view kSides =
      "WITH side(name, json) AS (SELECT 'ours', main FROM conflict WHERE id = ?1 "
      "UNION ALL SELECT 'theirs', branch FROM conflict WHERE id = ?1) "
      "SELECT name FROM side WHERE NOT EXISTS "
      "(SELECT fullkey, atom, type IN ('array', 'object') FROM json_tree(?2) "
      "EXCEPT SELECT fullkey, atom, type IN ('array', 'object') FROM json_tree(side.json)) AND NOT EXISTS "
      "(SELECT fullkey, atom, type IN ('array', 'object') FROM json_tree(side.json) "
      "EXCEPT SELECT fullkey, atom, type IN ('array', 'object') FROM json_tree(?2))";
  DOSQL_ASSIGN_OR_RETURN(OwnStatement sides, OwnStatement::prepare(*state_, kSides));
  sides.bind(1, id);
  sides.bind(2, json);
  std::string side = json;
  int count = 0;
  int rc = SQLITE_OK;
  while ((rc = sides.step()) == SQLITE_ROW) side = ++count == 1 ? sides.text(0) : json;
  if (rc != SQLITE_DONE) return state_->error(rc);
  return side;
}

Status MergeStaging::check_json(std::int64_t id, const std::string& text) {
  if (!is_json_) {
    DOSQL_ASSIGN_OR_RETURN(is_json_,
                           OwnStatement::prepare(*state_, "SELECT json_valid(?1), json_error_position(?1)"));
  }
  is_json_->bind(1, std::string_view(text));
  const bool valid = is_json_->step() == SQLITE_ROW && is_json_->integer(0) != 0;
  const std::int64_t position = valid ? 0 : is_json_->integer(1);
  is_json_->reset();
  if (valid) return {};
  const bool is_meant_as_json = text.starts_with('{') || text.starts_with('[') || text.starts_with('"');
  std::string shown = sql::shortened(text);
  std::ranges::replace_if(
      shown, [](char c) { return c >= '\0' && c < ' '; }, '?');
  return Error(
             ErrorCode::kInvalidArgument,
             fmt::format("a conflict is resolved by ours, theirs, delete or a JSON value, not by {}", shown))
      .with_hint(is_meant_as_json
                     ? fmt::format("for conflict {}: it is no JSON from character {} on", id, position)
                     : "a text as a value stands in double quotes");
}

Status MergeStaging::check_decision(std::int64_t id, const Resolution& resolution) {
  DOSQL_ASSIGN_OR_RETURN(const std::vector<StagedConflict> found, conflicts({.id = id}));
  if (found.empty()) return Error(ErrorCode::kNotFound, fmt::format("there is no conflict {}", id));
  if (!check_) {
    const version::VersionStore& store = state_->core().store();
    DOSQL_ASSIGN_OR_RETURN(const StagedMerge waiting, merge());
    const auto target = store.find_branch(state_->branch_name().substr(kHidden.size()));
    DOSQL_ASSIGN_OR_RETURN(const version::ReadPoint theirs, version_with(store, waiting.theirs));
    check_.emplace(*state_, std::vector{target ? target->head : theirs, theirs});
  }
  return check_->check(found[0].conflict, resolution);
}

Result<Resolution> MergeStaging::check(std::int64_t id, const Resolution& resolution) {
  std::string text = resolution_text(resolution);
  if (resolution.take == Resolution::Take::kValue) {
    DOSQL_RETURN_IF_ERROR(check_json(id, text));
    DOSQL_ASSIGN_OR_RETURN(text, side_of(id, text));
  }
  const Resolution decided = resolution_of(text);
  DOSQL_RETURN_IF_ERROR(check_decision(id, decided));
  return decided;
}

Status MergeStaging::resolve(std::int64_t id, const Resolution& resolution) {
  DOSQL_ASSIGN_OR_RETURN(const Resolution decided, check(id, resolution));
  const std::string text = resolution_text(decided);
  if (!decide_) {
    DOSQL_ASSIGN_OR_RETURN(
        decide_, OwnStatement::prepare(*state_, "UPDATE conflict SET resolution = ?2 WHERE id = ?1"));
  }
  decide_->bind(1, id);
  decide_->bind(2, std::string_view(text));
  DOSQL_RETURN_IF_ERROR(run(*state_, *decide_));
  if (sqlite3_changes(state_->db()) > 0) return {};
  return Error(ErrorCode::kNotFound, fmt::format("there is no conflict {}", id));
}

Status MergeStaging::begin_decisions() { return run_own(*state_, "BEGIN IMMEDIATE"); }

Status MergeStaging::end_decisions(bool keep) {
  if (keep) return run_own(*state_, "COMMIT");
  roll_back(*state_);
  return {};
}

Status MergeStaging::replace_conflicts(const std::vector<StagedConflict>& conflicts) {
  DOSQL_RETURN_IF_ERROR(run_own(*state_, "BEGIN IMMEDIATE"));
  DOSQL_RETURN_IF_ERROR(run_own(*state_, "DELETE FROM conflict"));
  DOSQL_RETURN_IF_ERROR(write(conflicts));
  return run_own(*state_, "COMMIT");
}

}  // namespace dosql::engine
