#include "engine/schema_merge.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <iterator>

#include "base/json_text.h"
#include "engine/connection_state.h"
#include "engine/own_statement.h"
#include "engine/row_json.h"
#include "engine/undo.h"
#include "engine/virtual_merge.h"
#include "sql/lexer.h"
#include "sql/stored_definition.h"

namespace dosql::engine {
namespace {

using diff::SchemaEntry;
using merge::ConflictKind;
using sql::quoted;
using sql::same_definition;

const std::string kNothing;

std::string sql_json(const std::string& sql) { return sql.empty() ? "null" : json_string(sql); }

// Whether rows of the one are none of the other, however alike they look: there is no column in common, or
// nothing by which a row of the one could be found in the other.
bool is_another(const TableShape& base, const ColumnMatches& matches, const TableShape& now) {
  // A NULL in its key leaves a row nothing but its rowid, which may not be there.
  const auto has_column = [&](std::size_t column) {
    const auto found = std::ranges::find(matches, std::optional(column));
    if (found == matches.end() || base.kind != TableKind::kWithoutRowid) return found != matches.end();
    const auto place = static_cast<std::size_t>(found - matches.begin());
    return std::ranges::find(base.key, place, &KeyPart::column) != base.key.end();
  };
  if (std::ranges::none_of(matches, [](const auto& match) { return match.has_value(); })) return true;
  if (now.rowid_column) return !has_column(*now.rowid_column);
  if (now.key.empty()) return !base.key.empty() || base.rowid_column.has_value();
  return !std::ranges::all_of(now.key, has_column, &KeyPart::column);
}

std::string failed(const std::string& what, const Error& error) {
  return fmt::format("{}: {}", what, error.message());
}

}  // namespace

// SQLite keeps some for itself; their content is no user's.
bool SchemaMerge::is_mergeable(const TableShape* table) {
  return table == nullptr ||
         (!table->shadow && !sql::equals_ignoring_case(table->name.substr(0, 7), "sqlite_"));
}

const SchemaEntry* SchemaMerge::entry_of(const VersionSchema& schema, std::string_view type,
                                         std::string_view name) {
  const auto found = std::ranges::find_if(schema.entries, [&](const SchemaEntry& entry) {
    return entry.type == type && sql::equals_ignoring_case(entry.name, name);
  });
  return found == schema.entries.end() ? nullptr : &*found;
}

const std::string& SchemaMerge::definition(const VersionSchema& schema, const TableShape* table) {
  if (table == nullptr) return kNothing;
  const SchemaEntry* const entry = entry_of(schema, "table", table->name);
  return entry == nullptr ? kNothing : entry->sql;
}

Result<SchemaMerge::Decision> SchemaMerge::decide(const std::string& name, const std::string& base,
                                                  const std::string& ours, const std::string& theirs) {
  if (context_.preference == merge::Preference::kOurs) return Decision::kOurs;
  if (context_.preference == merge::Preference::kTheirs) return Decision::kTheirs;
  const Resolution* const resolution =
      context_.settle(context_.counts_of(name), {.kind = ConflictKind::kSchema,
                                                 .table = name,
                                                 .key = json_string(name),
                                                 .base = sql_json(base),
                                                 .main = sql_json(ours),
                                                 .branch = sql_json(theirs)});
  if (resolution == nullptr) return Decision::kUndecided;
  if (resolution->take == Resolution::Take::kOurs) return Decision::kOurs;
  if (resolution->take == Resolution::Take::kTheirs) return Decision::kTheirs;
  return Error(
      ErrorCode::kInvalidArgument,
      fmt::format("{} takes a side: its conflict is of kind schema, which ours or theirs resolves", name));
}

Result<bool> SchemaMerge::make_room(const std::string& name, const std::string& theirs) {
  DOSQL_ASSIGN_OR_RETURN(OwnStatement find,
                         OwnStatement::prepare(context_.connection,
                                               "SELECT type, ifnull(sql, '') FROM main.sqlite_schema WHERE "
                                               "name = ?1 COLLATE NOCASE AND type <> 'trigger'"));
  find.bind(1, std::string_view(name));
  const int rc = find.step();
  if (rc == SQLITE_DONE) return true;
  if (rc != SQLITE_ROW) return context_.connection.error(rc);
  const std::string type = find.text(0);
  const std::string sql = find.text(1);
  find.reset();
  DOSQL_ASSIGN_OR_RETURN(const Decision decision, decide(name, "", sql, theirs));
  if (decision != Decision::kTheirs) return false;
  // Of what base has the branch may have made something else that is still to come.
  const bool is_of_base = type == "table" && std::ranges::any_of(followed_, [&](const TableShape* table) {
                            return sql::equals_ignoring_case(live_name(*table), name);
                          });
  const bool in_base =
      std::ranges::any_of(bases_, [&](const Base& base) { return base.schema().find(name) != nullptr; });
  if (is_of_base || in_base) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("{} cannot be what the branch calls so: {} {} is in the way", name, type, name))
        .with_hint("rename one of them on its branch first");
  }
  dropped_by_them_.insert(type + " " + diff::folded(name));
  DOSQL_RETURN_IF_ERROR(drop(type, name));
  return true;
}

// Whether an index or trigger of the table was added or changed since base.
Result<bool> SchemaMerge::objects_changed(const VersionSchema& now, const TableShape& table,
                                          VersionPair* Base::*side) {
  for (const SchemaEntry& entry : now.entries) {
    if (entry.type == "table" || entry.sql.empty() || !sql::equals_ignoring_case(entry.table, table.name))
      continue;
    const SchemaEntry* const before = entry_in_base(entry.type, entry.name);
    if (before == nullptr) return true;
    if (same_definition(before->sql, entry.sql)) continue;
    DOSQL_ASSIGN_OR_RETURN(const bool only_renamed,
                           is_only_renamed(base_of(entry.type, entry.name), *before, entry, side));
    if (!only_renamed) return true;
  }
  return false;
}

Status SchemaMerge::create(const std::string& sql, const std::string& name) {
  // Written as it was, it is the same text on both sides.
  const std::string_view written = sql::created_name(sql);
  const bool is_named_so = sql::equals_ignoring_case(sql::unquoted(written), name);
  return run_own(context_.connection,
                 sql::with_created_name(sql, "main." + (is_named_so ? std::string(written) : quoted(name))));
}

// A view's triggers have gone with it.
Status SchemaMerge::drop(std::string_view type, const std::string& name) {
  return run_own(context_.connection, fmt::format("DROP {} IF EXISTS main.{}", type, quoted(name)));
}

// What is not a column of the rows: what the table computes.
bool SchemaMerge::has_value(const ColumnShape& column) {
  return column.generated == Generated::kNo && !column.hidden;
}

// --- Tables ---

Result<MergedSchema> SchemaMerge::merge_tables() {
  if (they_changed_something()) {
    DOSQL_ASSIGN_OR_RETURN(old_problem_, find_problem());
  }
  DOSQL_RETURN_IF_ERROR(drop_gone());
  MergedSchema merged;
  const std::vector<Trio> tables = trios();
  DOSQL_RETURN_IF_ERROR(exchange_names(tables));
  // What goes makes room for another one of its name.
  for (const bool goes : {true, false}) {
    for (const Trio& trio : tables) {
      if ((trio.theirs == nullptr) == goes) DOSQL_RETURN_IF_ERROR(merge_table(trio, merged));
    }
  }
  return merged;
}

Status SchemaMerge::merge_table(const Trio& trio, MergedSchema& merged) {
  if (trio.theirs == nullptr) {
    const bool is_gone = trio.base != nullptr && trio.ours != nullptr;
    return is_gone ? merge_dropped_by_theirs(trio, merged) : Status();
  }
  if (trio.base == nullptr && trio.ours != nullptr) {
    // Ours may have been called so before it followed theirs.
    DOSQL_ASSIGN_OR_RETURN(const auto there, live_definition("table", trio.ours->name));
    if (!there) return create_table({.theirs = trio.theirs}, merged);
  }
  if (trio.base == nullptr)
    return trio.ours == nullptr ? create_table(trio, merged) : merge_both_created(trio, merged);
  if (trio.ours == nullptr) return merge_dropped_by_us(trio, merged);
  return merge_definitions(trio, merged);
}

Status SchemaMerge::create_table(const Trio& trio, MergedSchema& merged) {
  const std::string& sql = definition(theirs_, trio.theirs);
  DOSQL_ASSIGN_OR_RETURN(const bool free, make_room(trio.theirs->name, sql));
  if (!free) return {};
  DOSQL_ASSIGN_OR_RETURN(const std::string followed, followed_definition(trio, OwnNames::kTheirs));
  DOSQL_RETURN_IF_ERROR(create(followed, trio.theirs->name));
  return add_plain_task({.theirs = trio.theirs}, merged);
}

Status SchemaMerge::merge_both_created(const Trio& trio, MergedSchema& merged) {
  const std::string& ours = definition(ours_, trio.ours);
  const std::string& theirs = definition(theirs_, trio.theirs);
  if (same_definition(ours, theirs)) {
    return add_plain_task(trio, merged);
  }
  DOSQL_ASSIGN_OR_RETURN(const Decision decision, decide(trio.theirs->name, "", ours, theirs));
  return decision == Decision::kTheirs ? replace_emptied(trio, merged) : Status();
}

Result<bool> SchemaMerge::changed(const VersionSchema& now, const Trio& trio, VersionPair* Base::*side) {
  const TableShape& table = side == &Base::ours ? *trio.ours : *trio.theirs;
  if (!same_definition(definition_in_base(trio), definition(now, &table))) return true;
  DOSQL_ASSIGN_OR_RETURN(const bool with_objects, objects_changed(now, table, side));
  if (with_objects) return true;
  return rows_changed(trio, table, side);
}

// One side dropped the table, and it was decided that it stays: the version of that side has none of its
// rows.
void SchemaMerge::note_all_brought(const std::string& table) {
  if (!context_.only_changes) context_.moved[table].all_brought = true;
}

// Theirs is null, or another table.
Status SchemaMerge::merge_dropped_by_theirs(const Trio& trio, MergedSchema& merged) {
  bool we_changed = context_.own_changes.may_touch(trio.ours->name) || trio.disputed;
  if (!we_changed) {
    DOSQL_ASSIGN_OR_RETURN(we_changed, changed(ours_, trio, &Base::ours));
  }
  if (we_changed) {
    DOSQL_ASSIGN_OR_RETURN(const Decision decision,
                           decide(trio.ours->name, definition_in_base(trio), definition(ours_, trio.ours),
                                  definition(theirs_, trio.theirs)));
    if (decision != Decision::kTheirs) {
      note_all_brought(live_name(*trio.ours));
      return {};
    }
  }
  if (trio.theirs != nullptr) return replace_emptied(trio, merged);
  return run_own(context_.connection, fmt::format("DROP TABLE main.{}", quoted(live_name(*trio.ours))));
}

// Ours is null, or another table.
Status SchemaMerge::merge_dropped_by_us(const Trio& trio, MergedSchema& merged) {
  bool they_changed = trio.disputed;
  if (!they_changed) {
    DOSQL_ASSIGN_OR_RETURN(they_changed, changed(theirs_, trio, &Base::theirs));
  }
  if (!they_changed) return note_names_of_gone(trio);
  DOSQL_ASSIGN_OR_RETURN(const Decision decision,
                         decide(trio.theirs->name, definition_in_base(trio), definition(ours_, trio.ours),
                                definition(theirs_, trio.theirs)));
  if (decision != Decision::kTheirs) return {};
  note_all_brought(trio.theirs->name);
  back_.insert(diff::folded(trio.theirs->name));
  return trio.ours != nullptr ? replace_emptied(trio, merged) : create_table(trio, merged);
}

// Ours goes, with its rows; theirs comes, if its name is free.
Status SchemaMerge::replace_emptied(const Trio& trio, MergedSchema& merged) {
  if (!sql::equals_ignoring_case(live_name(*trio.ours), trio.theirs->name)) {
    DOSQL_ASSIGN_OR_RETURN(const bool free, make_room(trio.theirs->name, definition(theirs_, trio.theirs)));
    if (!free) return {};
  }
  DOSQL_RETURN_IF_ERROR(
      run_own(context_.connection, fmt::format("DROP TABLE main.{}", quoted(live_name(*trio.ours)))));
  return create_table(trio, merged);
}

Status SchemaMerge::merge_definitions(const Trio& trio, MergedSchema& merged) {
  const std::string& base = definition_in_base(trio);
  const std::string& ours = definition(ours_, trio.ours);
  const std::string& theirs = definition(theirs_, trio.theirs);
  if (trio.theirs->kind == TableKind::kVirtual) {
    if (same_definition(base, theirs) || same_definition(ours, theirs)) {
      merged.virtual_tables.push_back({rows_of(trio), trio.theirs, trio.ours->name});
      return {};
    }
    if (!same_definition(base, ours) || trio.disputed) {
      DOSQL_ASSIGN_OR_RETURN(const Decision decision, decide(trio.ours->name, base, ours, theirs));
      if (decision != Decision::kTheirs) return {};
    }
    return replace_emptied(trio, merged);
  }
  DOSQL_ASSIGN_OR_RETURN(Alteration alteration, compare(trio));
  // Dropped, and another one was made under the name.
  const bool ours_is_another = is_another(*trio.base, alteration.ours_of_base, *trio.ours);
  const bool theirs_is_another = is_another(*trio.base, alteration.matches, *trio.theirs);
  if (ours_is_another && theirs_is_another)
    return merge_both_created({.ours = trio.ours, .theirs = trio.theirs}, merged);
  if (theirs_is_another) return merge_dropped_by_theirs(trio, merged);
  if (ours_is_another) return merge_dropped_by_us(trio, merged);
  // The same text may be about another column of the name.
  const bool they_changed = !same_definition(base, theirs) || !is_identity(alteration.matches);
  const bool we_changed = !same_definition(base, ours) || !is_identity(alteration.ours_of_base);
  const bool both_alike = same_definition(ours, theirs) && is_identity(alteration.theirs_of_ours);
  if (both_alike || (!they_changed && !trio.disputed)) return add_task(trio, alteration, merged);
  const auto keep_ours = [&] {
    alteration.new_in_ours.clear();
    return add_task(trio, alteration, merged);
  };
  const bool renamed = !sql::equals_ignoring_case(trio.base->name, trio.theirs->name) &&
                       !sql::equals_ignoring_case(live_name(*trio.ours), trio.theirs->name);
  if (renamed) {
    DOSQL_ASSIGN_OR_RETURN(const bool free, make_room(trio.theirs->name, theirs));
    if (!free) return keep_ours();
  }
  if (!trio.disputed) {
    DOSQL_ASSIGN_OR_RETURN(const bool altered, alter(trio, alteration));
    if (altered) return add_task(trio, alteration, merged);
  }
  // What stays of ours may be against what they did to the other columns.
  if (we_changed || trio.disputed || !alteration.kept.empty()) {
    DOSQL_ASSIGN_OR_RETURN(const Decision decision, decide(trio.ours->name, base, ours, theirs));
    return decision == Decision::kTheirs ? replace_table(trio, merged) : keep_ours();
  }
  DOSQL_RETURN_IF_ERROR(run_own(context_.connection, "SAVEPOINT dosql_replace"));
  const TempTriggers::Definitions temp_triggers = temp_triggers_.definitions();
  const Status replaced = replace_table(trio, merged);
  if (replaced) return run_own(context_.connection, "RELEASE dosql_replace");
  const ErrorCode code = replaced.error().code();
  if (code != ErrorCode::kSql && code != ErrorCode::kConstraint) return replaced;
  // Rows of ours are against it.
  DOSQL_RETURN_IF_ERROR(undo_savepoint(context_.connection, "dosql_replace"));
  temp_triggers_.restore(temp_triggers);
  DOSQL_ASSIGN_OR_RETURN(const Decision decision, decide(trio.ours->name, base, ours, theirs));
  return decision == Decision::kTheirs ? replaced : keep_ours();
}

Result<SchemaMerge::Alteration> SchemaMerge::compare(const Trio& trio) {
  Alteration alteration;
  if (trio.base != nullptr) {
    DOSQL_ASSIGN_OR_RETURN(BaseColumns columns, columns_of(trio.from, trio));
    alteration.matches = std::move(columns.theirs);
    alteration.ours_of_base = std::move(columns.ours);
  }
  DOSQL_ASSIGN_OR_RETURN(alteration.theirs_of_ours,
                         columns_.match(our_point_, *trio.ours, their_point_, *trio.theirs));
  if (trio.from != row_base_) {
    DOSQL_ASSIGN_OR_RETURN(alteration.rows, columns_of(row_base_, trio));
  }
  return alteration;
}

// It has their name by now. Made anew by a REVERT or CHERRY PICK, it would be another table for later merges.
Result<bool> SchemaMerge::was_only_named_otherwise(const Trio& trio, const ColumnMatches& matches) {
  NameChange names = name_change(*trio.ours, matches, *trio.theirs);
  if (!is_identity(matches) || !names.columns.empty()) return false;
  DOSQL_ASSIGN_OR_RETURN(const auto live, live_definition("table", trio.theirs->name));
  DOSQL_ASSIGN_OR_RETURN(const std::string wanted, followed_definition(trio, OwnNames::kTheirs));
  if (!live) return false;
  const std::string name = quoted(trio.theirs->name);
  if (!same_definition(sql::with_created_name(*live, name), sql::with_created_name(wanted, name)))
    return false;
  our_names_.push_back(std::move(names));
  return true;
}

// Ours gets their definition and keeps its rows, as far as the columns are the same. Its indexes and triggers
// have gone with it: merge_rest() makes them anew.
Status SchemaMerge::replace_table(const Trio& trio, MergedSchema& merged) {
  DOSQL_ASSIGN_OR_RETURN(const std::string made, free_name("dosql_merged_table"));
  DOSQL_ASSIGN_OR_RETURN(const ColumnMatches matches,
                         columns_.match(our_point_, *trio.ours, their_point_, *trio.theirs));
  DOSQL_ASSIGN_OR_RETURN(const bool renamed, rename_for_replacing(*trio.ours, *trio.theirs, matches));
  if (renamed) {
    DOSQL_ASSIGN_OR_RETURN(const bool done, was_only_named_otherwise(trio, matches));
    if (done) return add_plain_task(trio, merged);
  }
  const std::string& our_name = renamed ? trio.theirs->name : live_name(*trio.ours);
  std::string from;
  std::string to;
  for (std::size_t i = 0; i < matches.size(); ++i) {
    if (!matches[i] || !has_value(trio.ours->columns[i]) || !has_value(trio.theirs->columns[*matches[i]]))
      continue;
    const std::string comma = from.empty() ? "" : ", ";
    const std::string& new_name = trio.theirs->columns[*matches[i]].name;
    from += comma + quoted(renamed ? new_name : trio.ours->columns[i].name);
    to += comma + quoted(new_name);
  }
  // Rows without another key keep their rowids.
  const std::string our_rowid = trio.ours->rowid_name();
  const std::string their_rowid = trio.theirs->rowid_name();
  if (!our_rowid.empty() && !their_rowid.empty() && !trio.ours->rowid_column && !trio.theirs->rowid_column) {
    from += (from.empty() ? "" : ", ") + quoted(our_rowid);
    to += (to.empty() ? "" : ", ") + quoted(their_rowid);
  }
  std::vector<std::string> steps;
  DOSQL_ASSIGN_OR_RETURN(const std::string followed, followed_definition(trio, OwnNames::kTheirs));
  steps.push_back(sql::with_created_name(followed, "main." + made));
  if (!from.empty()) {
    steps.push_back(fmt::format("INSERT OR ABORT INTO main.{} ({}) SELECT {} FROM main.{}", made, to, from,
                                quoted(our_name)));
  }
  steps.push_back(fmt::format("DROP TABLE main.{}", quoted(our_name)));
  steps.push_back(fmt::format("ALTER TABLE main.{} RENAME TO {}", made, quoted(trio.theirs->name)));
  // Views and triggers that name the table go on naming it.
  int legacy = 0;
  sqlite3_db_config(context_.connection.db(), SQLITE_DBCONFIG_LEGACY_ALTER_TABLE, -1, &legacy);
  sqlite3_db_config(context_.connection.db(), SQLITE_DBCONFIG_LEGACY_ALTER_TABLE, 1, nullptr);
  Status done;
  for (const std::string& step : steps) {
    done = run_own(context_.connection, step);
    if (!done) break;
  }
  sqlite3_db_config(context_.connection.db(), SQLITE_DBCONFIG_LEGACY_ALTER_TABLE, legacy, nullptr);
  if (!done) {
    const std::string what =
        fmt::format("table {} cannot take the definition that the branch gave it", trio.ours->name);
    return Error(done.error().code(), failed(what, done.error()));
  }
  our_names_.push_back(name_change(*trio.ours, matches, *trio.theirs));
  return add_plain_task(trio, merged);
}

// --- Whose rows are merged ---

Status SchemaMerge::add_plain_task(const Trio& trio, MergedSchema& merged) {
  if (trio.theirs->kind == TableKind::kVirtual) {
    merged.virtual_tables.push_back({rows_of(trio), trio.theirs, trio.theirs->name});
    return {};
  }
  Alteration alteration;
  std::vector<std::string> restored;
  const Trio taken{.base = trio.base,
                   .ours = trio.theirs,
                   .theirs = trio.theirs,
                   .from = trio.from,
                   .disputed = trio.disputed,
                   .taken = true,
                   .bases = trio.bases};
  if (trio.from != row_base_) {
    DOSQL_ASSIGN_OR_RETURN(alteration.rows, columns_of(row_base_, taken));
  }
  if (trio.base != nullptr) {
    DOSQL_ASSIGN_OR_RETURN(BaseColumns columns, columns_of(trio.from, trio));
    alteration.matches = std::move(columns.theirs);
    for (std::size_t i = 0; i < columns.ours.size() && trio.ours != nullptr; ++i) {
      if (columns.ours[i] || !alteration.matches[i]) continue;
      // All that it holds is new to ours.
      const std::size_t there = *alteration.matches[i];
      restored.push_back(trio.theirs->columns[there].name);
      alteration.matches[i].reset();
      if (!alteration.rows) continue;
      for (ColumnMatches* const matches : {&alteration.rows->ours, &alteration.rows->theirs})
        std::ranges::replace(*matches, std::optional(there), std::optional<std::size_t>());
    }
    alteration.ours_of_base = alteration.matches;
  }
  for (std::size_t i = 0; i < trio.theirs->columns.size(); ++i) alteration.theirs_of_ours.emplace_back(i);
  DOSQL_RETURN_IF_ERROR(add_task(taken, alteration, merged));
  MergedTable& table = merged.tables.back().merged;
  for (std::uint32_t i = 0; i < table.columns.size(); ++i) {
    if (std::ranges::find(restored, table.columns[i].name) != restored.end()) table.restored.push_back(i);
  }
  return {};
}

Status SchemaMerge::add_task(const Trio& trio, const Alteration& alteration, MergedSchema& merged) {
  merged.tables.push_back(task_of(trio, alteration));
  return note_names(trio, alteration, merged.tables.back().merged.name);
}

// What the columns of all three are called from now on.
Status SchemaMerge::note_names(const Trio& trio, const Alteration& alteration, const std::string& table) {
  NameChange base{.table = trio.base == nullptr ? "" : trio.base->name, .new_table = table, .columns = {}};
  NameChange ours{.table = trio.ours->name, .new_table = table, .columns = {}};
  NameChange theirs{.table = trio.theirs->name, .new_table = table, .columns = {}};
  const auto add = [](NameChange& change, const std::string& from, const std::string& to) {
    if (!sql::equals_ignoring_case(from, to)) change.columns.emplace_back(from, to);
  };
  std::vector<std::string> our_columns;
  std::vector<std::string> their_columns;
  for (const ColumnShape& column : trio.theirs->columns) their_columns.push_back(column.name);
  for (std::size_t i = 0; i < trio.ours->columns.size(); ++i) {
    const std::string& our_name = trio.ours->columns[i].name;
    const auto in_base = std::ranges::find(alteration.ours_of_base, std::optional(i));
    const auto in_theirs = alteration.theirs_of_ours[i];
    std::string name = our_name;
    if (in_base != alteration.ours_of_base.end()) {
      const auto place = static_cast<std::size_t>(in_base - alteration.ours_of_base.begin());
      const std::string& base_name = trio.base->columns[place].name;
      if (alteration.done && in_theirs && sql::equals_ignoring_case(our_name, base_name))
        name = trio.theirs->columns[*in_theirs].name;
      add(base, base_name, name);
    }
    if (in_theirs) {
      add(theirs, trio.theirs->columns[*in_theirs].name, name);
      their_columns[*in_theirs] = name;
    }
    add(ours, our_name, name);
    our_columns.push_back(name);
  }
  const auto keep = [](std::vector<NameChange>& all, NameChange change) {
    if (change.table.empty()) return;
    if (change.columns.empty() && sql::equals_ignoring_case(change.table, change.new_table)) return;
    all.push_back(std::move(change));
  };
  keep(bases_[trio.from].names, std::move(base));
  if (!trio.taken) keep(our_names_, std::move(ours));
  keep(their_names_, std::move(theirs));
  for (std::size_t i = 0; i < trio.bases.size(); ++i) {
    if (i != trio.from) DOSQL_RETURN_IF_ERROR(note_names_in(i, trio, table, our_columns, their_columns));
  }
  return {};
}

// --- Indexes, views and triggers ---

Result<std::optional<std::string>> SchemaMerge::live_definition(std::string_view type,
                                                                const std::string& name) const {
  DOSQL_ASSIGN_OR_RETURN(OwnStatement find,
                         OwnStatement::prepare(context_.connection,
                                               "SELECT sql FROM main.sqlite_schema WHERE type = ?1 AND "
                                               "name = ?2 COLLATE NOCASE"));
  find.bind(1, type);
  find.bind(2, std::string_view(name));
  const int rc = find.step();
  if (rc == SQLITE_DONE) return std::optional<std::string>();
  if (rc != SQLITE_ROW) return context_.connection.error(rc);
  std::optional<std::string> sql = find.text(0);
  find.reset();
  return sql;
}

// What they dropped, before the tables and columns that it is about are.
Status SchemaMerge::drop_gone() {
  std::set<const SchemaEntry*> done;
  for (std::size_t from = 0; from < bases_.size(); ++from) {
    for (const SchemaEntry& entry : bases_[from].schema().entries) {
      if (entry.type == "table" || entry.sql.empty()) continue;
      if (entry_of(theirs_, entry.type, entry.name) != nullptr) continue;
      const SchemaEntry* const ours = entry_of(ours_, entry.type, entry.name);
      const bool disputed = is_disputed(entry.type, entry.name);
      if (!disputed && entry_in_base(entry.type, entry.name) != &entry) continue;
      if (ours == nullptr || !done.insert(ours).second) continue;
      DOSQL_RETURN_IF_ERROR(drop_gone(from, entry, *ours, disputed));
    }
  }
  return {};
}

Status SchemaMerge::drop_gone(std::size_t from, const SchemaEntry& entry, const SchemaEntry& ours,
                              bool disputed) {
  const bool takes_along = entry.type == "view" && std::ranges::any_of(ours_.entries, [&](const auto& one) {
                             return one.type == "trigger" &&
                                    sql::equals_ignoring_case(one.table, entry.name) &&
                                    entry_in_base("trigger", one.name) == nullptr;
                           });
  bool we_changed = disputed || takes_along;
  if (!we_changed && !same_definition(entry.sql, ours.sql)) {
    // Where a table or column was renamed, the text says it.
    DOSQL_ASSIGN_OR_RETURN(const bool only_renamed, is_only_renamed(from, entry, ours, &Base::ours));
    we_changed = !only_renamed;
  }
  if (we_changed) {
    DOSQL_ASSIGN_OR_RETURN(const Decision decision,
                           decide(entry.name, disputed ? "" : entry.sql, ours.sql, ""));
    if (decision != Decision::kTheirs) return {};
  }
  dropped_by_them_.insert(entry.type + " " + diff::folded(entry.name));
  return drop(entry.type, entry.name);
}

// Whether a side says what base says, under the names that it gave to tables and columns.
Result<bool> SchemaMerge::is_only_renamed(std::size_t from, const SchemaEntry& base, const SchemaEntry& now,
                                          VersionPair* Base::*side) {
  DOSQL_ASSIGN_OR_RETURN(const std::vector<NameChange>* const changes, changes_of(from, side));
  DOSQL_ASSIGN_OR_RETURN(const std::vector<RenamedEntry> entries,
                         renamed_entries(bases_[from].schema(), *changes));
  return std::ranges::any_of(entries, [&](const RenamedEntry& entry) {
    return entry.type == base.type && entry.name == base.name && !entry.lost &&
           same_definition(entry.sql, now.sql);
  });
}

Result<std::string> SchemaMerge::free_name(const std::string& wanted) const {
  std::string name = wanted;
  const auto taken = [&](const VersionSchema& schema) {
    return std::ranges::any_of(schema.entries, [&](const SchemaEntry& entry) {
      return sql::equals_ignoring_case(entry.name, name);
    });
  };
  while (taken(ours_) || taken(theirs_)) name += "_";
  return name;
}

}  // namespace dosql::engine
