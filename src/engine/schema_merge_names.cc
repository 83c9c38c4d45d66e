// The part of SchemaMerge about names: what gets which, and what follows.

#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "engine/connection_state.h"
#include "engine/own_statement.h"
#include "engine/schema_merge.h"
#include "engine/trigger_check.h"
#include "engine/undo.h"
#include "sql/lexer.h"
#include "sql/stored_definition.h"

namespace dosql::engine {

using diff::SchemaEntry;
using sql::quoted;

// A name may be that of a column which gets another one itself.
void SchemaMerge::add_renames(const std::string& table,
                              const std::vector<std::pair<std::string, std::string>>& renames,
                              std::vector<Step>& steps) {
  const auto add = [&](const std::string& from, const std::string& to) {
    steps.push_back({.sql = fmt::format("ALTER TABLE main.{} RENAME COLUMN {} TO {}", quoted(table),
                                        quoted(from), quoted(to)),
                     .kind = StepKind::kRename,
                     .table = table,
                     .new_column = to});
  };
  const bool meet = std::ranges::any_of(renames, [&](const auto& one) {
    return std::ranges::any_of(
        renames, [&](const auto& other) { return sql::equals_ignoring_case(one.second, other.first); });
  });
  const auto between = [](std::size_t i) { return fmt::format("dosql_renamed_{}", i); };
  for (std::size_t i = 0; i < renames.size() && meet; ++i) add(renames[i].first, between(i));
  for (std::size_t i = 0; i < renames.size(); ++i)
    add(meet ? between(i) : renames[i].first, renames[i].second);
}

// What they gave other names, of tables and columns: what speaks of it says so in its definition.
Result<const sql::Renames*> SchemaMerge::their_renames(std::size_t from) {
  Base& base = bases_[from];
  if (base.their_renames) return &*base.their_renames;
  sql::Renames renames;
  for (const TablePair& pair : base.theirs->tables().pairs) {
    if (pair.before == nullptr || pair.after == nullptr || pair.before->kind == TableKind::kVirtual) continue;
    if (pair.renamed()) renames.emplace_back(pair.before->name, pair.after->name);
    DOSQL_ASSIGN_OR_RETURN(const ColumnMatches matches,
                           columns_.match(base.point(), *pair.before, their_point_, *pair.after));
    NameChange change = name_change(*pair.before, matches, *pair.after);
    std::ranges::move(change.columns, std::back_inserter(renames));
  }
  return &base.their_renames.emplace(std::move(renames));
}

// Which names a side gave to tables of base and their columns.
Result<const std::vector<NameChange>*> SchemaMerge::changes_of(std::size_t from, VersionPair* Base::*side) {
  Base& base = bases_[from];
  auto& known = side == &Base::ours ? base.our_changes : base.their_changes;
  if (known) return &*known;
  const VersionPair& sides = *(base.*side);
  std::vector<NameChange> changes;
  for (const TablePair& pair : sides.tables().pairs) {
    if (pair.before == nullptr || pair.after == nullptr) continue;
    if (pair.before->kind == TableKind::kVirtual || !is_mergeable(pair.before)) continue;
    DOSQL_ASSIGN_OR_RETURN(const ColumnMatches matches,
                           columns_.match(sides.before(), *pair.before, sides.after(), *pair.after));
    NameChange change = name_change(*pair.before, matches, *pair.after);
    if (!change.columns.empty() || change.table != change.new_table) changes.push_back(std::move(change));
  }
  return &known.emplace(std::move(changes));
}

Result<std::string> SchemaMerge::followed_definition(const Trio& trio, OwnNames own) {
  const TableShape& theirs = *trio.theirs;
  if (theirs.kind == TableKind::kVirtual) return definition(theirs_, &theirs);
  DOSQL_ASSIGN_OR_RETURN(const std::vector<NameChange>* const all, changes_of(trio.from, &Base::ours));
  std::vector<NameChange> changes = *all;
  const std::vector<TablePair>& pairs = bases_[trio.from].theirs->tables().pairs;
  std::erase_if(changes, [&](NameChange& change) {
    const auto pair = std::ranges::find_if(pairs, [&](const TablePair& one) {
      return one.before != nullptr && one.before->name == change.table;
    });
    const TableShape* const there = pair != pairs.end() ? pair->after : nullptr;
    if (there == nullptr || (own == OwnNames::kTheirs && sql::equals_ignoring_case(there->name, theirs.name)))
      return true;
    if (pair->renamed()) change.table = change.new_table = there->name;
    std::erase_if(change.columns, [&](const auto& column) { return !there->find_column(column.first); });
    return change.columns.empty() && change.table == change.new_table;
  });
  if (changes.empty()) return definition(theirs_, &theirs);
  return renamed_definition(theirs_, theirs.name, changes);
}

// --- Names that go from table to table ---

const std::string& SchemaMerge::live_name(const TableShape& ours) const {
  const auto found = new_names_.find(&ours);
  return found != new_names_.end() ? found->second : ours.name;
}

// Where they gave a table of ours the name of another one that has another name there: all of these get their
// names before anything else is done, since none can get its own while the other has it. Where that is not
// possible, the name is a conflict like any other that is taken.
Status SchemaMerge::exchange_names(const std::vector<Trio>& tables) {
  using sql::equals_ignoring_case;
  std::vector<Trio> moves;
  for (const Trio& trio : tables) {
    if (trio.base == nullptr || trio.ours == nullptr || trio.theirs == nullptr) continue;
    if (trio.ours->kind == TableKind::kVirtual || trio.theirs->kind == TableKind::kVirtual) continue;
    if (equals_ignoring_case(trio.base->name, trio.theirs->name)) continue;
    if (equals_ignoring_case(trio.base->name, trio.ours->name)) moves.push_back(trio);
  }
  const auto holder = [&](const std::string& name) {
    return std::ranges::find_if(
        moves, [&](const Trio& move) { return equals_ignoring_case(move.ours->name, name); });
  };
  // Of what has no way out of its name nothing can get that name either.
  while (std::erase_if(moves, [&](const Trio& move) {
           const bool is_taken = std::ranges::any_of(ours_.entries, [&](const SchemaEntry& entry) {
             return entry.type != "trigger" && equals_ignoring_case(entry.name, move.theirs->name);
           });
           return is_taken && holder(move.theirs->name) == moves.end();
         }) > 0) {
  }
  const auto meets_another = [&](const Trio& move) {
    return holder(move.theirs->name) != moves.end() || std::ranges::any_of(moves, [&](const Trio& other) {
             return equals_ignoring_case(other.theirs->name, move.ours->name);
           });
  };
  std::vector<Trio> meeting;
  std::ranges::copy_if(moves, std::back_inserter(meeting), meets_another);
  std::vector<Step> steps;
  for (const bool to_end : {false, true}) {
    for (std::size_t i = 0; i < meeting.size(); ++i) {
      DOSQL_ASSIGN_OR_RETURN(const std::string between, free_name(fmt::format("dosql_renamed_table_{}", i)));
      steps.push_back(
          rename_table(to_end ? between : meeting[i].ours->name, to_end ? meeting[i].theirs->name : between));
      steps.back().our_table = meeting[i].ours->name;
    }
  }
  DOSQL_ASSIGN_OR_RETURN(const bool done, run_steps(steps));
  for (const Trio& move : meeting) {
    if (done) new_names_[move.ours] = move.theirs->name;
  }
  return {};
}

// --- Steps ---

SchemaMerge::Step SchemaMerge::rename_table(const std::string& from, const std::string& to) {
  return {.sql = fmt::format("ALTER TABLE main.{} RENAME TO {}", quoted(from), quoted(to)),
          .kind = StepKind::kRename,
          .table = from,
          .our_table = from,
          .new_table = to};
}

Status SchemaMerge::run_step(const Step& step) {
  if (step.kind == StepKind::kRename) return rename(step);
  if (step.kind == StepKind::kDropColumn) return drop_column(step);
  return run_own(context_.connection, step.sql);
}

// What speaks of the column is taken away. SQLite names one at a time.
Status SchemaMerge::drop_column(const Step& step) {
  while (true) {
    Status done = run_own(context_.connection, step.sql);
    if (done || done.error().code() != ErrorCode::kSql) return done;
    const std::optional<Hindrance> found = find_hindrance(done.error().message(), step.dropped);
    if (!found) return done;
    hindrances_.push_back(*found);
    DOSQL_RETURN_IF_ERROR(drop(found->entry->type, found->entry->name));
  }
}

std::optional<SchemaMerge::Hindrance> SchemaMerge::find_hindrance(const std::string& problem,
                                                                  std::size_t column) const {
  for (const SchemaEntry& entry : ours_.entries) {
    if (entry.type == "table" || entry.sql.empty()) continue;
    const bool known =
        std::ranges::any_of(hindrances_, [&](const Hindrance& one) { return one.entry == &entry; });
    if (known) continue;
    const std::string start = fmt::format("error in {} {}", entry.type, entry.name);
    if (problem.find(start + " after drop column:") != std::string::npos)
      return Hindrance{&entry, column, false};
    if (problem.find(start + ":") != std::string::npos) return Hindrance{&entry, column, true};
  }
  return std::nullopt;
}

// What is not decided here merge_rest() makes anew, or something else of it.
Result<SchemaMerge::Decision> SchemaMerge::decide_hindrance(const Hindrance& hindrance) {
  const SchemaEntry& ours = *hindrance.entry;
  if (hindrance.was_broken || is_undecided(ours.name)) return Decision::kUndecided;
  const SchemaEntry* const theirs = entry_of(theirs_, ours.type, ours.name);
  const SchemaEntry* const base =
      is_disputed(ours.type, ours.name) ? nullptr : entry_in_base(ours.type, ours.name);
  if (theirs != nullptr && base != nullptr) {
    // Only they changed it.
    if (sql::same_definition(base->sql, ours.sql)) return Decision::kUndecided;
    DOSQL_ASSIGN_OR_RETURN(const bool only_renamed,
                           is_only_renamed(base_of(ours.type, ours.name), *base, ours, &Base::ours));
    if (only_renamed) return Decision::kUndecided;
  }
  DOSQL_ASSIGN_OR_RETURN(const Decision decision, decide(ours.name, base == nullptr ? "" : base->sql,
                                                         ours.sql, theirs == nullptr ? "" : theirs->sql));
  if (decision == Decision::kTheirs) dropped_by_them_.insert(ours.type + " " + diff::folded(ours.name));
  return decision;
}

// Where something of ours that speaks of a dropped column stays, the column does. False: nothing was done.
Result<bool> SchemaMerge::run_alter(std::vector<Step> steps, Alteration& alteration) {
  hindrances_.clear();
  const TempTriggers::Definitions temp_triggers = temp_triggers_.definitions();
  DOSQL_RETURN_IF_ERROR(run_own(context_.connection, "SAVEPOINT dosql_columns"));
  DOSQL_ASSIGN_OR_RETURN(bool done, run_steps(steps));
  for (const Hindrance& hindrance : done ? std::exchange(hindrances_, {}) : std::vector<Hindrance>()) {
    DOSQL_ASSIGN_OR_RETURN(const Decision decision, decide_hindrance(hindrance));
    if (decision == Decision::kOurs) alteration.kept.insert(hindrance.column);
  }
  if (!alteration.kept.empty()) {
    DOSQL_RETURN_IF_ERROR(undo_savepoint(context_.connection, "dosql_columns"));
    temp_triggers_.restore(temp_triggers);
    std::erase_if(steps, [&](const Step& step) {
      return step.kind == StepKind::kDropColumn && alteration.kept.contains(step.dropped);
    });
    return run_steps(steps);
  }
  DOSQL_RETURN_IF_ERROR(run_own(context_.connection, "RELEASE dosql_columns"));
  return done;
}

// What speaks of a table that has gone meanwhile is no reason not to rename another one: with this setting
// SQLite leaves such a definition as it is.
Status SchemaMerge::rename(const Step& step) {
  std::vector<StuckTrigger> stuck;
  if (!step.new_column.empty()) DOSQL_RETURN_IF_ERROR(refuse_taken_name(step));
  if (!step.new_table.empty()) {
    DOSQL_ASSIGN_OR_RETURN(stuck, take_stuck_triggers(step.our_table));
  }
  sqlite3* const db = context_.connection.db();
  int before = 0;
  sqlite3_db_config(db, SQLITE_DBCONFIG_WRITABLE_SCHEMA, -1, &before);
  sqlite3_db_config(db, SQLITE_DBCONFIG_WRITABLE_SCHEMA, 1, nullptr);
  Status done = temp_triggers_.follow(step.sql);
  if (done) done = run_own(context_.connection, step.sql);
  sqlite3_db_config(db, SQLITE_DBCONFIG_WRITABLE_SCHEMA, before, nullptr);
  DOSQL_RETURN_IF_ERROR(done);
  for (const StuckTrigger& trigger : stuck) {
    // Else merge_rest() makes it anew.
    if (!trigger.was_stuck) continue;
    DOSQL_RETURN_IF_ERROR(create(sql::with_trigger_table(trigger.sql, quoted(step.new_table)), trigger.name));
  }
  return {};
}

// A trigger of the table that is left as it is would be one of no table, which SQLite takes for damage.
Result<std::vector<SchemaMerge::StuckTrigger>> SchemaMerge::take_stuck_triggers(const std::string& table) {
  ConnectionState& connection = context_.connection;
  std::vector<StuckTrigger> stuck;
  for (const SchemaEntry& entry : ours_.entries) {
    if (entry.type != "trigger" || !sql::equals_ignoring_case(entry.table, table)) continue;
    DOSQL_ASSIGN_OR_RETURN(std::string problem, trigger_problem(connection, entry.name));
    if (!problem.empty()) stuck.push_back({entry.name, entry.sql, std::move(problem)});
  }
  if (stuck.empty()) return stuck;
  DOSQL_ASSIGN_OR_RETURN(const auto before, ConnectionState::open(connection.core(), our_point_));
  for (StuckTrigger& trigger : stuck) {
    DOSQL_ASSIGN_OR_RETURN(const std::string old_problem, trigger_problem(*before, trigger.name));
    trigger.was_stuck = trigger.problem == old_problem;
    DOSQL_RETURN_IF_ERROR(drop("trigger", trigger.name));
  }
  return stuck;
}

// With that setting SQLite gives two columns one name, too.
Status SchemaMerge::refuse_taken_name(const Step& step) const {
  DOSQL_ASSIGN_OR_RETURN(OwnStatement find,
                         OwnStatement::prepare(context_.connection,
                                               "SELECT 1 FROM pragma_table_xinfo(?1, 'main') WHERE "
                                               "name = ?2 COLLATE NOCASE"));
  find.bind(1, std::string_view(step.table));
  find.bind(2, std::string_view(step.new_column));
  const int rc = find.step();
  if (rc == SQLITE_DONE) return {};
  if (rc != SQLITE_ROW) return context_.connection.error(rc);
  return Error(ErrorCode::kSql, fmt::format("duplicate column name: {}", step.new_column));
}

// A column may stand in the definition of another one that is dropped, too: then that one has to go first.
// False: it has been tried behind all others.
bool SchemaMerge::postpone_drop(Step step, std::size_t tried, std::deque<Step>& left) {
  if (step.kind != StepKind::kDropColumn) return false;
  const auto other =
      std::ranges::find_if(left, [](const Step& one) { return one.kind != StepKind::kDropColumn; });
  if (tried >= static_cast<std::size_t>(other - left.begin())) return false;
  left.insert(other, std::move(step));
  return true;
}

// False: one of them cannot be done, and nothing was.
Result<bool> SchemaMerge::run_steps(const std::vector<Step>& steps) {
  DOSQL_RETURN_IF_ERROR(run_own(context_.connection, "SAVEPOINT dosql_alter"));
  const TempTriggers::Definitions temp_triggers = temp_triggers_.definitions();
  std::deque<Step> left(steps.begin(), steps.end());
  std::size_t tried = 0;  // since one was done
  while (!left.empty()) {
    Step step = std::move(left.front());
    left.pop_front();
    const Status done = run_step(step);
    if (done) {
      tried = 0;
      continue;
    }
    const bool refused =
        done.error().code() == ErrorCode::kSql || done.error().code() == ErrorCode::kConstraint;
    if (refused && postpone_drop(std::move(step), tried, left)) {
      ++tried;
      continue;
    }
    const Status undone = undo_savepoint(context_.connection, "dosql_alter");
    temp_triggers_.restore(temp_triggers);
    // Such a failure may have ended the transaction, and the savepoint with it.
    if (!refused) return done.error();
    DOSQL_RETURN_IF_ERROR(undone);
    return false;
  }
  DOSQL_RETURN_IF_ERROR(run_own(context_.connection, "RELEASE dosql_alter"));
  return true;
}

// What speaks of ours follows it to its new names, where SQLite can tell what does. False: nothing was done.
Result<bool> SchemaMerge::rename_for_replacing(const TableShape& ours, const TableShape& theirs,
                                               const ColumnMatches& matches) {
  std::vector<Step> steps;
  if (!sql::equals_ignoring_case(live_name(ours), theirs.name))
    steps.push_back(rename_table(live_name(ours), theirs.name));
  add_renames(theirs.name, name_change(ours, matches, theirs).columns, steps);
  if (steps.empty()) return true;
  return run_steps(steps);
}

}  // namespace dosql::engine
