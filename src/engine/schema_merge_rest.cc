// The half of SchemaMerge that comes after the rows: indexes, views and triggers, and whether the schema can
// be as a whole.

#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>

#include "base/json_text.h"
#include "engine/connection_state.h"
#include "engine/equal_rows.h"
#include "engine/own_statement.h"
#include "engine/schema_merge.h"
#include "engine/trigger_check.h"
#include "engine/undo.h"
#include "sql/lexer.h"
#include "sql/stored_definition.h"

namespace dosql::engine {
namespace {

using diff::SchemaEntry;
using merge::ConflictKind;
using sql::quoted;
using sql::same_definition;

}  // namespace

Status SchemaMerge::merge_rest() {
  std::vector<std::vector<RenamedEntry>> bases;
  for (const Base& base : bases_) {
    DOSQL_ASSIGN_OR_RETURN(bases.emplace_back(), renamed_entries(base.schema(), base.names));
  }
  DOSQL_ASSIGN_OR_RETURN(const std::vector<RenamedEntry> ours, renamed_entries(ours_, our_names_));
  DOSQL_ASSIGN_OR_RETURN(const std::vector<RenamedEntry> theirs, renamed_entries(theirs_, their_names_));
  const auto find = [](const std::vector<RenamedEntry>& entries, const RenamedEntry& wanted) {
    const auto found = std::ranges::find_if(entries, [&](const RenamedEntry& one) {
      return one.type == wanted.type && sql::equals_ignoring_case(one.name, wanted.name);
    });
    return found == entries.end() ? nullptr : &*found;
  };
  const auto find_in_base = [&](const RenamedEntry& wanted) {
    return is_disputed(wanted.type, wanted.name) ? nullptr
                                                 : find(bases[base_of(wanted.type, wanted.name)], wanted);
  };
  std::vector<Object> objects;
  // A trigger may be one of a view.
  for (const std::string_view type : {"index", "view", "trigger"}) {
    for (const RenamedEntry& entry : theirs) {
      if (entry.type == type)
        objects.push_back({entry.type, entry.name, find_in_base(entry), find(ours, entry), &entry});
    }
    for (const RenamedEntry& entry : ours) {
      if (entry.type == type && find(theirs, entry) == nullptr)
        objects.push_back({entry.type, entry.name, find_in_base(entry), &entry, nullptr});
    }
  }
  for (const Object& object : objects) DOSQL_RETURN_IF_ERROR(merge_object(object));
  return settle_problems(objects);
}

// One text may be about two columns of a name, of which one has gone.
bool SchemaMerge::is_same(const RenamedEntry& a, const RenamedEntry& b) {
  return a.lost == b.lost && same_definition(a.sql, b.sql);
}

// What the object is to be; null: not there.
Result<const RenamedEntry*> SchemaMerge::wanted(const Object& object) {
  const RenamedEntry* const base = object.base;
  const RenamedEntry* const ours = object.ours;
  const RenamedEntry* const theirs = object.theirs;
  // drop_gone() or make_room() has decided about it.
  if (theirs == nullptr)
    return dropped_by_them_.contains(object.type + " " + diff::folded(object.name)) ? nullptr : ours;
  if (ours != nullptr && is_same(*ours, *theirs)) return ours;
  const bool disputed = is_disputed(object.type, object.name);
  const bool they_changed = disputed || base == nullptr || !is_same(*base, *theirs);
  if (ours == nullptr && back_.contains(diff::folded(theirs->table))) return theirs;
  if (!they_changed) return ours;
  const bool we_changed = base == nullptr ? ours != nullptr : ours == nullptr || !is_same(*base, *ours);
  if (!we_changed && !disputed) return theirs;
  if (is_undecided(object.name)) return ours;
  DOSQL_ASSIGN_OR_RETURN(const Decision decision, decide(object.name, base == nullptr ? "" : base->sql,
                                                         ours == nullptr ? "" : ours->sql, theirs->sql));
  return decision == Decision::kTheirs ? theirs : ours;
}

Status SchemaMerge::merge_object(const Object& object) {
  DOSQL_ASSIGN_OR_RETURN(const RenamedEntry* const wanted, this->wanted(object));
  DOSQL_ASSIGN_OR_RETURN(const std::optional<std::string> live, live_definition(object.type, object.name));
  if (wanted == nullptr) return live ? drop(object.type, object.name) : Status();
  if (live && !wanted->lost && same_definition(*live, wanted->sql)) return {};
  if (live && wanted == object.ours && !wanted->lost) {
    // Where a table got a whole new definition, and a name, what speaks of it has not followed.
    const SchemaEntry* const before = entry_of(ours_, object.type, object.name);
    if (before == nullptr || !same_definition(*live, before->sql)) return {};
    if (same_definition(before->sql, wanted->sql)) return {};
  }
  if (object.type != "view") {
    // That the table goes has been decided.
    DOSQL_ASSIGN_OR_RETURN(const auto table, live_definition("table", wanted->table));
    DOSQL_ASSIGN_OR_RETURN(const auto view, live_definition("view", wanted->table));
    if (!table && !view) return {};
  }
  if (live) DOSQL_RETURN_IF_ERROR(drop(object.type, object.name));
  if (!live && object.type != "trigger") {
    DOSQL_ASSIGN_OR_RETURN(const bool free, make_room(object.name, wanted->sql));
    if (!free) return {};
  }
  const Status created = wanted->lost ? Error(ErrorCode::kSql, "it speaks of a table or column that has gone")
                                      : create(wanted->sql, object.name);
  if (created) return {};
  const ErrorCode code = created.error().code();
  if (code != ErrorCode::kSql && code != ErrorCode::kConstraint) return created;
  DOSQL_RETURN_IF_ERROR(refused(object, *wanted, created.error()));
  if (!live || wanted != object.theirs || object.ours == nullptr || is_undecided(object.name)) return {};
  // It is not taken, so ours stays.
  if (object.ours->lost) return cannot_be(object, "main", created.error());
  const Status kept = create(object.ours->sql, object.name);
  return kept ? kept : cannot_be(object, "main", kept.error());
}

// It cannot be: rows that came together have the same values, or there is no such column any more.
Status SchemaMerge::refused(const Object& object, const RenamedEntry& wanted, const Error& error) {
  const bool is_theirs = &wanted == object.theirs;
  Decision decision = Decision::kUndecided;
  if (is_theirs && error.code() == ErrorCode::kConstraint) {
    DOSQL_ASSIGN_OR_RETURN(const std::string rows,
                           equal_rows_json(context_.connection, wanted.table, wanted.sql, context_.encoding));
    const Resolution* const resolution =
        context_.settle(context_.counts_of(wanted.table), {.kind = ConflictKind::kUnique,
                                                           .table = wanted.table,
                                                           .key = json_string(object.name),
                                                           .base = "null",
                                                           .main = rows,
                                                           .branch = json_string(wanted.sql)});
    if (resolution != nullptr)
      decision = resolution->take == Resolution::Take::kOurs ? Decision::kOurs : Decision::kTheirs;
  } else if (!is_undecided(object.name)) {
    DOSQL_ASSIGN_OR_RETURN(decision, decide(object.name, object.base == nullptr ? "" : object.base->sql,
                                            object.ours == nullptr ? "" : object.ours->sql,
                                            object.theirs == nullptr ? "" : object.theirs->sql));
  }
  // Without it is what the other side has.
  const bool other_side = decision == (is_theirs ? Decision::kOurs : Decision::kTheirs);
  if (decision == Decision::kUndecided || other_side) return {};
  return cannot_be(object, is_theirs ? "the branch" : "main", error);
}

Error SchemaMerge::cannot_be(const Object& object, std::string_view side, const Error& error) {
  return Error(error.code(), fmt::format("{} {} cannot be as {} has it: {}", object.type, object.name, side,
                                         error.message()))
      .with_hint("change it, or what it is about, on one of the branches first");
}

// What SQLite has against the schema as a whole, as it says it when a column is renamed; empty: nothing.
Result<std::string> SchemaMerge::find_problem() const {
  DOSQL_ASSIGN_OR_RETURN(const std::string name, free_name("dosql_check"));
  sqlite3* const db = context_.connection.db();
  DOSQL_RETURN_IF_ERROR(run_own(context_.connection, "SAVEPOINT dosql_check"));
  int legacy = 0;
  sqlite3_db_config(db, SQLITE_DBCONFIG_LEGACY_ALTER_TABLE, -1, &legacy);
  sqlite3_db_config(db, SQLITE_DBCONFIG_LEGACY_ALTER_TABLE, 0, nullptr);
  const Status made = run_own(context_.connection, fmt::format("CREATE TABLE main.{}(a)", quoted(name)));
  const Status renamed =
      run_own(context_.connection, fmt::format("ALTER TABLE main.{} RENAME COLUMN a TO b", quoted(name)));
  sqlite3_db_config(db, SQLITE_DBCONFIG_LEGACY_ALTER_TABLE, legacy, nullptr);
  const Status undone = undo_savepoint(context_.connection, "dosql_check");
  // What failed may have ended the transaction, and the savepoint with it.
  DOSQL_RETURN_IF_ERROR(made);
  if (!renamed && renamed.error().code() != ErrorCode::kSql) return renamed.error();
  DOSQL_RETURN_IF_ERROR(undone);
  if (renamed) return std::string();
  return renamed.error().message();
}

// A view or trigger that only the combination of both sides makes useless.
Status SchemaMerge::settle_problems(const std::vector<Object>& objects) {
  if (!they_changed_something() || !old_problem_.empty()) return {};
  std::set<std::string> settled;
  while (true) {
    DOSQL_ASSIGN_OR_RETURN(const std::string problem, find_problem());
    if (problem.empty()) return settle_triggers(objects);
    const auto guilty = std::ranges::find_if(objects, [&](const Object& object) {
      return problem.find(fmt::format("error in {} {}:", object.type, object.name)) != std::string::npos;
    });
    if (guilty == objects.end()) {
      return Error(ErrorCode::kSql, "the merged schema cannot be: " + problem)
          .with_hint("change it, or what it is about, on one of the branches first");
    }
    if (is_undecided(guilty->name)) {
      DOSQL_RETURN_IF_ERROR(drop(guilty->type, guilty->name));
      continue;
    }
    // Else neither side's can be.
    if (!settled.insert(guilty->name).second)
      return cannot_be(*guilty, "main", Error(ErrorCode::kSql, problem));
    DOSQL_RETURN_IF_ERROR(settle_problem(*guilty, problem));
  }
}

bool SchemaMerge::is_theirs(const Object& object) {
  return object.theirs != nullptr &&
         (object.ours == nullptr || !same_definition(object.ours->sql, object.theirs->sql));
}

Status SchemaMerge::settle_problem(const Object& object, const std::string& problem) {
  const bool theirs = is_theirs(object);
  DOSQL_RETURN_IF_ERROR(
      refused(object, theirs ? *object.theirs : *object.ours, Error(ErrorCode::kSql, problem)));
  DOSQL_RETURN_IF_ERROR(drop(object.type, object.name));
  if (theirs && object.ours != nullptr) return create(object.ours->sql, object.name);
  return {};
}

// There is a conflict about it already.
bool SchemaMerge::is_undecided(const std::string& name) const {
  return std::ranges::any_of(context_.conflicts, [&](const Conflict& conflict) {
    return conflict.kind == ConflictKind::kSchema && sql::equals_ignoring_case(conflict.table, name);
  });
}

// What SQLite says only when something fires the trigger; of one that could run where it comes from.
Status SchemaMerge::settle_triggers(const std::vector<Object>& objects) {
  ConnectionState& connection = context_.connection;
  for (const Object& object : objects) {
    if (object.type != "trigger" || is_undecided(object.name)) continue;
    DOSQL_ASSIGN_OR_RETURN(std::string problem, trigger_problem(connection, object.name));
    if (problem.empty()) continue;
    DOSQL_ASSIGN_OR_RETURN(problem, trigger_problem_alone(connection, object.name));
    if (problem.empty()) continue;
    const version::ReadPoint& from = is_theirs(object) ? their_point_ : our_point_;
    DOSQL_ASSIGN_OR_RETURN(const auto there, ConnectionState::open(connection.core(), from));
    DOSQL_ASSIGN_OR_RETURN(const std::string before, trigger_problem(*there, object.name));
    if (!before.empty()) continue;
    DOSQL_RETURN_IF_ERROR(
        settle_problem(object, fmt::format("error in trigger {}: {}", object.name, problem)));
  }
  return {};
}

}  // namespace dosql::engine
