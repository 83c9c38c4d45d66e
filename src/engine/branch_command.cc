#include "engine/branch_command.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <chrono>
#include <utility>

#include "base/json_text.h"
#include "engine/branch_actions.h"
#include "engine/connection_state.h"
#include "engine/merge_actions.h"
#include "engine/row_json.h"
#include "engine/time_points.h"
#include "sql/branch_name.h"

namespace dosql::engine {
namespace {

using sql::StatementKind;
using version::ReadPoint;

std::string_view part(std::string_view text, sql::Span span) {
  return text.substr(span.begin, span.end - span.begin);
}

bool is_about_snapshots(StatementKind kind) {
  return kind == StatementKind::kCreateSnapshot || kind == StatementKind::kDropSnapshot;
}

// A row for each table, or one row where there is none.
constexpr std::string_view kMergeRows = DOSQL_OWN_SQL R"(
    SELECT value->>0 AS outcome, value->>1 AS version, value->>2 AS "table", value->>3 AS schema,
      value->>4 AS inserted, value->>5 AS updated, value->>6 AS deleted, value->>7 AS conflicts
    FROM json_each(?1))";

// Of a DRY RUN; then a row for each conflict, as dosql_conflicts would have it.
constexpr std::string_view kDryRunRows = DOSQL_OWN_SQL R"(
    SELECT value->>0 AS outcome, value->>1 AS version, value->>2 AS "table", value->>3 AS schema,
      value->>4 AS inserted, value->>5 AS updated, value->>6 AS deleted, value->>7 AS conflicts,
      value->>8 AS key, value->>9 AS kind, value->>10 AS base, value->>11 AS main, value->>12 AS branch
    FROM json_each(?1))";

// What a statement does, as it is said of what it would do and of what it did.
struct Verb {
  std::string_view would;
  std::string_view done;
};
Verb verb_of(MergeAction action) {
  switch (action) {
    case MergeAction::kMerge: break;
    case MergeAction::kRevert: return {"revert", "reverted"};
    case MergeAction::kPick: return {"pick", "picked"};
  }
  return {"merge", "merged"};
}

std::string outcome_of(const MergeResult& result, const MergeOptions& options) {
  const Verb verb = verb_of(result.action);
  if (result.already_merged) return fmt::format("already {}", verb.done);
  if (result.fast_forward) return options.dry_run ? "would fast-forward" : "fast-forward";
  if (!result.conflicts.empty()) return options.dry_run ? "would conflict" : "waits for decisions";
  return options.dry_run ? fmt::format("would {}", verb.would) : std::string(verb.done);
}

// The statement makes a version, but not yet: nobody knows its number.
bool is_made_later(const MergeResult& result, const MergeOptions& options, bool in_transaction) {
  if (result.already_merged || result.fast_forward || !result.conflicts.empty()) return false;
  return options.dry_run || in_transaction;
}

// `version`: the branch's, as JSON.
std::string json_rows(const MergeResult& result, const MergeOptions& options, const std::string& version) {
  const std::string start = fmt::format("{}, {}", json_string(outcome_of(result, options)), version);
  if (result.tables.empty()) return fmt::format("[[{}]]", start);
  std::string rows;
  for (const TableMergeCounts& table : result.tables) {
    const std::string schema = table.schema.empty() ? "null" : json_string(table.schema);
    rows += fmt::format("{}[{}, {}, {}, {}, {}, {}, {}]", rows.empty() ? "" : ", ", start,
                        json_string(table.table), schema, table.inserted, table.updated, table.deleted,
                        table.conflicts);
  }
  if (!options.dry_run) return fmt::format("[{}]", rows);
  for (const MergeConflict& conflict : result.conflicts) {
    rows += fmt::format(", [{}, {}, null, null, null, null, null", start, json_string(conflict.table));
    for (const std::string* const text :
         {&conflict.key, &conflict.kind, &conflict.base, &conflict.main, &conflict.branch})
      rows += ", " + json_string(*text);
    rows += ']';
  }
  return fmt::format("[{}]", rows);
}

Error at(sql::Span span, Error error) { return std::move(error).with_sql_offset(span.begin); }

// A number, "current" with one behind it, or the word that begins another kind of point: no name of a branch,
// most likely.
bool is_meant_as_point(std::string_view name) {
  for (const std::string_view word : {"version", "lsn", "timestamp", "snapshot"}) {
    if (sql::equals_ignoring_case(name, word)) return true;
  }
  if (name.substr(0, 7).size() == 7 && sql::equals_ignoring_case(name.substr(0, 7), "current"))
    name.remove_prefix(7);
  return name.find_first_not_of("0123456789-") == std::string_view::npos;
}

Error no_point(std::string_view name, std::string_view branch) {
  return Error(ErrorCode::kBranchNotFound,
               fmt::format("'{}' is no point: no branch and no snapshot has that name", name))
      .with_hint(
          fmt::format("points are {}@2 (a version), VERSION CURRENT [- n], LSN n, TIMESTAMP '...', and the "
                      "names of branches and snapshots",
                      branch));
}

// DOSQL_MERGE_CONFLICT, naming what was not done, and the first of the conflicts. REQUIRES: there are some.
Error conflict_error(const MergeResult& result) {
  const std::vector<MergeConflict>& conflicts = result.conflicts;
  const MergeConflict& first = conflicts[0];
  const std::string count =
      conflicts.size() == 1 ? "there is a conflict" : fmt::format("there are {} conflicts", conflicts.size());
  return Error(
      ErrorCode::kMergeConflict,
      fmt::format("nothing was {}: {}{} {} in {}, key {}", verb_of(result.action).done, count,
                  conflicts.size() == 1 ? ":" : ", the first is", first.kind, first.table, first.key));
}

// What can be done about conflicts depends on the statement that met them.
std::string conflict_hint(StatementKind kind, const MergeResult& result) {
  const bool is_collision =
      result.conflicts[0].kind == merge::conflict_name(merge::ConflictKind::kKeyCollision);
  if (kind == StatementKind::kMergeBranch && is_collision && result.renumber_helps) {
    return "both sides inserted a row with that number: RENUMBER keeps both, the branch's under a new one "
           "that its foreign keys follow";
  }
  switch (kind) {
    case StatementKind::kMergeBranch:
      return "DRY RUN shows them; STRATEGY manual lets you decide each, ours or theirs decide most";
    case StatementKind::kCompleteMerge:
      return "SELECT * FROM dosql_conflicts shows them, SELECT dosql_resolve_conflict(id, 'ours') decides "
             "one";
    default:
      return "what it would change is otherwise here: DRY RUN shows where; STRATEGY manual lets you decide "
             "each, ours or theirs decide most";
  }
}

}  // namespace

Result<BranchCommand> BranchCommand::make(std::string_view sql, const sql::Recognition& recognition) {
  const sql::BranchStatement& statement = *recognition.statement;
  if (statement.name && statement.name->text && !is_about_snapshots(statement.kind)) {
    if (Status good = sql::check_branch_name(*statement.name->text); !good)
      return std::move(good).error().with_sql_offset(statement.name->span.begin);
  }
  return BranchCommand(std::string(sql.substr(0, recognition.end)), statement);
}

std::string BranchCommand::select_text() const {
  const std::string_view name =
      !statement_.name || statement_.name->text ? "NULL" : part(text_, statement_.name->span);
  std::string_view point = "NULL";
  // Without an expression it is VERSION CURRENT: no offset, which NULL is not.
  if (statement_.point && !statement_.point->name) {
    const sql::Span operand = operand_of(text_, *statement_.point);
    point = operand.empty() ? "0" : part(text_, operand);
  }
  const auto variable = [this](const std::optional<sql::StatementText>& said) -> std::string_view {
    return said && !said->text ? part(text_, said->span) : "NULL";
  };
  const sql::MergeClauses& merge = statement_.merge;
  std::string options[] = {fmt::format("{} AS strategy", variable(merge.strategy)),
                           fmt::format("{} AS message", variable(merge.message))};
  // SQLite numbers variables as they come.
  if (merge.strategy && merge.message && merge.message->span.begin < merge.strategy->span.begin)
    std::swap(options[0], options[1]);
  return fmt::format(DOSQL_OWN_SQL
                     "SELECT name, point, strategy, message FROM (SELECT {} AS name, {} AS point, {}, {})",
                     name, point, options[0], options[1]);
}

std::string BranchCommand::rows_text() const {
  if (!merges()) return "";
  return std::string(statement_.merge.dry_run ? kDryRunRows : kMergeRows);
}

Result<std::string> BranchCommand::text_of(const sql::StatementText& said, const Value& value,
                                           std::string_view what) const {
  if (said.text) return *said.text;
  if (value.type() != Value::Type::kText)
    return at(said.span, Error(ErrorCode::kInvalidArgument, fmt::format("a {} must be text", what)));
  return value.text();
}

Result<MergeOptions> BranchCommand::merge_options(const Input& input) const {
  const sql::MergeClauses& said = statement_.merge;
  MergeOptions options;
  options.squash = said.squash;
  options.renumber = said.renumber;
  options.dry_run = said.dry_run;
  if (said.strategy) {
    DOSQL_ASSIGN_OR_RETURN(const std::string word, text_of(*said.strategy, input.strategy, "strategy"));
    const auto strategy = sql::merge_strategy(word);
    if (!strategy) {
      return at(said.strategy->span,
                Error(ErrorCode::kInvalidArgument,
                      fmt::format("'{}' is no strategy: auto, ours, theirs or manual is", word)));
    }
    options.strategy = *strategy;
  }
  if (said.message) {
    DOSQL_ASSIGN_OR_RETURN(options.message, text_of(*said.message, input.message, "message"));
  }
  return options;
}

// The version that the statement's point names; without one, the newest of the connection's branch.
Result<ReadPoint> BranchCommand::point_of(ConnectionState& connection, const Value& value) const {
  if (!statement_.point) return connection.newest();
  const sql::TimePoint& point = *statement_.point;
  // A variable alone may name anything.
  const bool anything = point.kind == sql::PointKind::kTimestamp && point.has_variables &&
                        point.expression.begin == point.span.begin && value.type() == Value::Type::kText;
  const version::VersionStore& store = connection.core().store();
  if (point.kind == sql::PointKind::kBranch && point.name && point.expression == point.span &&
      !store.find_branch(*point.name)) {
    if (const auto snapshot = store.find_snapshot(*point.name)) return snapshot->point;
    if (is_meant_as_point(*point.name))
      return at(point.span, no_point(*point.name, connection.branch_name()));
  }
  const bool negated = operand_of(text_, point) != point.expression;
  auto found = anything
                   ? resolve_named_point(connection, value.text())
                   : resolve_time_point(connection, point.kind, point.name, negated ? minus(value) : value);
  if (!found) return at(point.span, std::move(found).error());
  return found;
}

Result<std::string> BranchCommand::run(ConnectionState& connection, const Input& input) const {
  std::string name;
  if (statement_.name) {
    DOSQL_ASSIGN_OR_RETURN(name, text_of(*statement_.name, input.name, "name"));
  }
  const auto begun = std::chrono::steady_clock::now();
  auto done = merges()
                  ? run_merge(connection, name, input)
                  : run_named(connection, name, input.point).and_then([] { return Result<std::string>(""); });
  if (connection.hooks().traces())
    connection.hooks().trace_own(text_, std::chrono::steady_clock::now() - begun);
  if (done || done.error().sql_offset()) return done;
  // What a transaction is in the way of is the statement, whatever its name.
  const bool in_transaction = sqlite3_get_autocommit(connection.db()) == 0;
  const bool is_checkout = statement_.kind == StatementKind::kCheckout;
  const bool is_words = (in_transaction && !is_checkout) || !statement_.name;
  return at(is_words ? statement_.words : statement_.name->span, std::move(done).error());
}

Result<std::string> BranchCommand::run_merge(ConnectionState& connection, const std::string& name,
                                             const Input& input) const {
  DOSQL_ASSIGN_OR_RETURN(const MergeOptions options, merge_options(input));
  DOSQL_ASSIGN_OR_RETURN(const MergeResult result, merged(connection, name, options, input));
  const bool waits = options.strategy == MergeStrategy::kManual;
  if (!result.conflicts.empty() && !options.dry_run && !waits)
    return conflict_error(result).with_hint(conflict_hint(statement_.kind, result));
  const bool in_transaction = sqlite3_get_autocommit(connection.db()) == 0;
  const bool later = is_made_later(result, options, in_transaction);
  return json_rows(result, options, later ? "null" : json_string(result.version.to_string()));
}

bool BranchCommand::merges() const {
  switch (statement_.kind) {
    case StatementKind::kMergeBranch:
    case StatementKind::kCompleteMerge:
    case StatementKind::kRevert:
    case StatementKind::kCherryPick: return true;
    default: return false;
  }
}

Result<MergeResult> BranchCommand::merged(ConnectionState& connection, const std::string& name,
                                          const MergeOptions& options, const Input& input) const {
  if (statement_.kind == StatementKind::kMergeBranch) return merge(connection, name, options);
  if (statement_.kind == StatementKind::kCompleteMerge) return complete_merge(connection, options.message);
  const PickOptions picking{
      .strategy = options.strategy, .message = options.message, .dry_run = options.dry_run};
  if (statement_.kind == StatementKind::kCherryPick) {
    if (input.point.type() != Value::Type::kInteger || input.point.integer() < 0)
      return at(statement_.point->span,
                Error(ErrorCode::kInvalidArgument, "an LSN is a whole number from 0 on"));
    return cherry_pick(connection, Lsn{static_cast<std::uint64_t>(input.point.integer())}, picking);
  }
  DOSQL_ASSIGN_OR_RETURN(const ReadPoint commit, point_of(connection, input.point));
  return revert(connection, commit, picking);
}

Status BranchCommand::run_named(ConnectionState& connection, const std::string& name,
                                const Value& point) const {
  switch (statement_.kind) {
    case StatementKind::kCheckout: return connection.checkout(name);
    case StatementKind::kAbortMerge: return abort_merge(connection);
    case StatementKind::kCreateBranch: {
      if (statement_.if_not_exists && connection.core().store().find_branch(name)) return {};
      DOSQL_ASSIGN_OR_RETURN(const ReadPoint from, point_of(connection, point));
      return create_branch(connection, name, from);
    }
    case StatementKind::kDropBranch:
      return drop_branch(connection, name, {.force = statement_.force, .if_exists = statement_.if_exists});
    case StatementKind::kCreateSnapshot: {
      DOSQL_ASSIGN_OR_RETURN(const ReadPoint labelled, point_of(connection, point));
      return create_snapshot(connection, name, labelled);
    }
    default: return drop_snapshot(connection, name);
  }
}

}  // namespace dosql::engine
