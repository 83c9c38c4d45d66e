#include "engine/schema_merge.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>

#include "base/json_text.h"
#include "engine/column_matching.h"
#include "engine/connection_state.h"
#include "engine/own_statement.h"
#include "engine/row_json.h"
#include "engine/undo.h"
#include "sql/lexer.h"
#include "sql/stored_definition.h"

namespace dosql::engine {
namespace {

using diff::SchemaEntry;
using merge::ConflictKind;
using sql::quoted;
using sql::same_definition;

using Matches = std::vector<std::optional<std::size_t>>;

const std::string kNothing;

// SQLite keeps them for itself; their content is no user's.
bool is_internal(std::string_view name) { return sql::equals_ignoring_case(name.substr(0, 7), "sqlite_"); }

bool is_mergeable(const TableShape* table) {
  return table == nullptr || (!table->shadow && !is_internal(table->name));
}

std::string sql_json(const std::string& sql) { return sql.empty() ? "null" : json_string(sql); }

// What is not a column of the rows: what the table computes.
bool has_value(const ColumnShape& column) { return column.generated == Generated::kNo && !column.hidden; }

std::string free_rowid_name(const TableShape& table) {
  if (table.kind == TableKind::kWithoutRowid) return {};
  if (table.rowid_column) return table.columns[*table.rowid_column].name;
  for (const char* const name : {"rowid", "_rowid_", "oid"}) {
    if (!table.find_column(name)) return name;
  }
  return {};
}

std::string failed(const std::string& what, const Error& error) {
  return fmt::format("{}: {}", what, error.message());
}

}  // namespace

// What they did to a table, as ALTER TABLE says it; columns by their index.
struct SchemaMerge::Alteration {
  Matches matches;                       // of base in theirs
  Matches ours_of_base;                  // of base in ours
  bool done = false;                     // to ours, too
  std::vector<std::size_t> new_in_ours;  // those that ours did not have
};

std::vector<SchemaMerge::Trio> SchemaMerge::trios() const {
  std::vector<Trio> trios;
  std::vector<Trio> added;
  for (const TablePair& pair : their_pair_.tables().pairs) {
    Trio trio{.base = pair.before, .theirs = pair.after};
    if (pair.before == nullptr) {
      trio.ours = ours_.find(pair.after->name);
    } else {
      const auto found = std::ranges::find_if(our_pair_.tables().pairs, [&](const TablePair& p) {
        return p.before != nullptr && p.before->name == pair.before->name;
      });
      if (found != our_pair_.tables().pairs.end()) trio.ours = found->after;
    }
    if (is_mergeable(trio.base) && is_mergeable(trio.theirs) && is_mergeable(trio.ours))
      (trio.base != nullptr ? trios : added).push_back(trio);
  }
  trios.insert(trios.end(), added.begin(), added.end());
  return trios;
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

SchemaMerge::Decision SchemaMerge::decide(const std::string& name, const std::string& base,
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
  return resolution->take == Resolution::Take::kTheirs ? Decision::kTheirs : Decision::kOurs;
}

Status SchemaMerge::create(const std::string& sql, const std::string& name) {
  return run_own(context_.connection, sql::with_created_name(sql, "main." + quoted(name)));
}

// --- Tables ---

Result<MergedSchema> SchemaMerge::merge_tables() {
  DOSQL_RETURN_IF_ERROR(drop_gone());
  MergedSchema merged;
  for (const Trio& trio : trios()) DOSQL_RETURN_IF_ERROR(merge_table(trio, merged));
  return merged;
}

Status SchemaMerge::merge_table(const Trio& trio, MergedSchema& merged) {
  if (trio.theirs == nullptr) return trio.ours == nullptr ? Status() : merge_dropped_by_theirs(trio);
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
  DOSQL_RETURN_IF_ERROR(create(definition(theirs_, trio.theirs), trio.theirs->name));
  add_plain_task(nullptr, trio.theirs, trio.theirs, merged);
  return {};
}

Status SchemaMerge::merge_both_created(const Trio& trio, MergedSchema& merged) {
  const std::string& ours = definition(ours_, trio.ours);
  const std::string& theirs = definition(theirs_, trio.theirs);
  if (same_definition(ours, theirs)) {
    add_plain_task(nullptr, trio.ours, trio.theirs, merged);
    return {};
  }
  switch (decide(trio.theirs->name, "", ours, theirs)) {
    case Decision::kTheirs: return replace_emptied(trio, merged);
    default: return {};
  }
}

Status SchemaMerge::merge_dropped_by_theirs(const Trio& trio) {
  const std::string& base = definition(base_, trio.base);
  const std::string& ours = definition(ours_, trio.ours);
  bool we_changed = context_.has_own_changes || !same_definition(base, ours);
  if (!we_changed) {
    DOSQL_ASSIGN_OR_RETURN(we_changed, our_pair_.rows_differ(trio.base, trio.ours));
  }
  if (we_changed && decide(trio.ours->name, base, ours, "") != Decision::kTheirs) return {};
  return run_own(context_.connection, fmt::format("DROP TABLE main.{}", quoted(trio.ours->name)));
}

Status SchemaMerge::merge_dropped_by_us(const Trio& trio, MergedSchema& merged) {
  const std::string& base = definition(base_, trio.base);
  const std::string& theirs = definition(theirs_, trio.theirs);
  if (same_definition(base, theirs)) {
    DOSQL_ASSIGN_OR_RETURN(const bool they_changed, their_pair_.rows_differ(trio.base, trio.theirs));
    if (!they_changed) return {};
  }
  if (decide(trio.theirs->name, base, "", theirs) != Decision::kTheirs) return {};
  return create_table(trio, merged);
}

// Ours goes, with its rows; theirs comes.
Status SchemaMerge::replace_emptied(const Trio& trio, MergedSchema& merged) {
  DOSQL_RETURN_IF_ERROR(
      run_own(context_.connection, fmt::format("DROP TABLE main.{}", quoted(trio.ours->name))));
  return create_table(trio, merged);
}

Status SchemaMerge::merge_definitions(const Trio& trio, MergedSchema& merged) {
  const std::string& base = definition(base_, trio.base);
  const std::string& ours = definition(ours_, trio.ours);
  const std::string& theirs = definition(theirs_, trio.theirs);
  if (trio.theirs->kind == TableKind::kVirtual) {
    if (same_definition(base, theirs) || same_definition(ours, theirs)) {
      merged.virtual_tables.push_back({trio.base, trio.theirs, trio.ours->name});
      return {};
    }
    if (!same_definition(base, ours) && decide(trio.ours->name, base, ours, theirs) != Decision::kTheirs)
      return {};
    return replace_emptied(trio, merged);
  }
  Alteration alteration;
  alteration.matches = match_columns(*trio.base, *trio.theirs);
  alteration.ours_of_base = match_columns(*trio.base, *trio.ours);
  if (same_definition(base, theirs) || same_definition(ours, theirs)) {
    add_task(trio, alteration, merged);
    return {};
  }
  DOSQL_ASSIGN_OR_RETURN(const bool altered, alter(trio, alteration));
  if (altered) {
    add_task(trio, alteration, merged);
    return {};
  }
  if (same_definition(base, ours)) return replace_table(trio, merged);
  switch (decide(trio.ours->name, base, ours, theirs)) {
    case Decision::kTheirs: return replace_table(trio, merged);
    default: break;
  }
  alteration.new_in_ours.clear();
  add_task(trio, alteration, merged);
  return {};
}

// False: what they did to the table cannot be said, or not be done to ours. Then nothing was done.
Result<bool> SchemaMerge::alter(const Trio& trio, Alteration& alteration) {
  const auto base = sql::table_definition(definition(base_, trio.base));
  const auto theirs = sql::table_definition(definition(theirs_, trio.theirs));
  const auto ours = sql::table_definition(definition(ours_, trio.ours));
  if (!base || !theirs || !ours) return false;
  if (base->columns.size() != trio.base->columns.size() ||
      theirs->columns.size() != trio.theirs->columns.size() ||
      ours->columns.size() != trio.ours->columns.size())
    return false;
  std::vector<std::string> steps;
  if (!sql::equals_ignoring_case(trio.base->name, trio.theirs->name) &&
      !sql::equals_ignoring_case(trio.ours->name, trio.theirs->name)) {
    const bool taken = ours_.find(trio.theirs->name) != nullptr;
    if (!sql::equals_ignoring_case(trio.ours->name, trio.base->name) || taken) return false;
    steps.push_back(
        fmt::format("ALTER TABLE main.{} RENAME TO {}", quoted(trio.ours->name), quoted(trio.theirs->name)));
  }
  const std::string& name = steps.empty() ? trio.ours->name : trio.theirs->name;
  const std::string place = "main." + quoted(name);
  std::vector<bool> kept(trio.theirs->columns.size());
  std::size_t last = 0;
  bool renamed = false;
  for (std::size_t i = 0; i < trio.base->columns.size(); ++i) {
    const std::optional<std::size_t> there = alteration.matches[i];
    const std::optional<std::size_t> here = alteration.ours_of_base[i];
    const std::string& old_name = trio.base->columns[i].name;
    if (!there) {
      if (here) {
        steps.push_back(
            fmt::format("ALTER TABLE {} DROP COLUMN {}", place, quoted(trio.ours->columns[*here].name)));
      }
      continue;
    }
    if (*there < last || !same_definition(base->columns[i].rest, theirs->columns[*there].rest)) return false;
    last = *there;
    kept[*there] = true;
    const std::string& new_name = trio.theirs->columns[*there].name;
    if (sql::equals_ignoring_case(old_name, new_name)) continue;
    renamed = true;
    if (!here) return false;
    const std::string& our_name = trio.ours->columns[*here].name;
    if (sql::equals_ignoring_case(our_name, new_name)) continue;
    if (!sql::equals_ignoring_case(our_name, old_name) || trio.ours->find_column(new_name)) return false;
    steps.push_back(
        fmt::format("ALTER TABLE {} RENAME COLUMN {} TO {}", place, quoted(our_name), quoted(new_name)));
  }
  if (!same_definition(base->options, theirs->options)) return false;
  if (base->constraints.size() != theirs->constraints.size()) return false;
  // A renamed column has another name in the constraints too.
  if (!renamed && !std::ranges::equal(base->constraints, theirs->constraints, same_definition)) return false;
  for (std::size_t i = 0; i < kept.size(); ++i) {
    if (kept[i]) continue;
    if (i < last) return false;
    if (const auto here = trio.ours->find_column(trio.theirs->columns[i].name)) {
      if (!same_definition(theirs->columns[i].rest, ours->columns[*here].rest)) return false;
      continue;
    }
    alteration.new_in_ours.push_back(i);
    steps.push_back(fmt::format("ALTER TABLE {} ADD COLUMN {}", place, theirs->columns[i].text));
  }
  DOSQL_RETURN_IF_ERROR(run_own(context_.connection, "SAVEPOINT dosql_alter"));
  for (const std::string& step : steps) {
    const Status done = run_own(context_.connection, step);
    if (done) continue;
    const Status undone = undo_savepoint(context_.connection, "dosql_alter");
    const bool refused =
        done.error().code() == ErrorCode::kSql || done.error().code() == ErrorCode::kConstraint;
    // Such a failure may have ended the transaction, and the savepoint with it.
    if (!refused) return done.error();
    DOSQL_RETURN_IF_ERROR(undone);
    return false;
  }
  DOSQL_RETURN_IF_ERROR(run_own(context_.connection, "RELEASE dosql_alter"));
  alteration.done = true;
  return true;
}

// Ours gets their definition and keeps its rows, as far as the columns are the same.
Status SchemaMerge::replace_table(const Trio& trio, MergedSchema& merged) {
  const std::string made = "dosql_merged_table";
  const Matches matches = match_columns(*trio.ours, *trio.theirs);
  std::string from;
  std::string to;
  for (std::size_t i = 0; i < matches.size(); ++i) {
    if (!matches[i] || !has_value(trio.ours->columns[i]) || !has_value(trio.theirs->columns[*matches[i]]))
      continue;
    const std::string comma = from.empty() ? "" : ", ";
    from += comma + quoted(trio.ours->columns[i].name);
    to += comma + quoted(trio.theirs->columns[*matches[i]].name);
  }
  // Rows without another key keep their rowids.
  const std::string our_rowid = free_rowid_name(*trio.ours);
  const std::string their_rowid = free_rowid_name(*trio.theirs);
  if (!our_rowid.empty() && !their_rowid.empty() && !trio.ours->rowid_column && !trio.theirs->rowid_column) {
    from += (from.empty() ? "" : ", ") + quoted(our_rowid);
    to += (to.empty() ? "" : ", ") + quoted(their_rowid);
  }
  std::vector<std::string> steps;
  std::vector<std::pair<std::string, std::string>> ours_again;
  for (const SchemaEntry& entry : ours_.entries) {
    const bool of_table = sql::equals_ignoring_case(entry.table, trio.ours->name) && !entry.sql.empty();
    if (of_table && (entry.type == "index" || entry.type == "trigger"))
      ours_again.emplace_back(entry.type, entry.name);
  }
  steps.push_back(sql::with_created_name(definition(theirs_, trio.theirs), "main." + made));
  if (!from.empty()) {
    steps.push_back(fmt::format("INSERT OR ABORT INTO main.{} ({}) SELECT {} FROM main.{}", made, to, from,
                                quoted(trio.ours->name)));
  }
  steps.push_back(fmt::format("DROP TABLE main.{}", quoted(trio.ours->name)));
  steps.push_back(fmt::format("ALTER TABLE main.{} RENAME TO {}", made, quoted(trio.theirs->name)));
  for (const auto& [type, name] : ours_again) {
    DOSQL_ASSIGN_OR_RETURN(const std::optional<std::string> sql, live_definition(type, name));
    if (sql) steps.push_back(sql::with_created_name(*sql, "main." + quoted(name)));
  }
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
  add_plain_task(trio.base, trio.theirs, trio.theirs, merged);
  return {};
}

// --- Which columns the rows have ---

void SchemaMerge::add_plain_task(const TableShape* base, const TableShape* ours, const TableShape* theirs,
                                 MergedSchema& merged) const {
  if (theirs->kind == TableKind::kVirtual) {
    merged.virtual_tables.push_back({base, theirs, theirs->name});
    return;
  }
  Alteration alteration;
  if (base != nullptr) {
    alteration.matches = match_columns(*base, *theirs);
    alteration.ours_of_base = match_columns(*base, *ours);
  }
  add_task({base, ours, theirs}, alteration, merged);
}

void SchemaMerge::add_task(const Trio& trio, const Alteration& alteration, MergedSchema& merged) const {
  TableTask task{.base = trio.base, .theirs = trio.theirs, .merged = {}};
  MergedTable& table = task.merged;
  const bool renamed_by_them = trio.base != nullptr &&
                               !sql::equals_ignoring_case(trio.base->name, trio.theirs->name) &&
                               sql::equals_ignoring_case(trio.base->name, trio.ours->name);
  table.name = renamed_by_them ? trio.theirs->name : trio.ours->name;
  table.autoincrement = trio.ours->autoincrement;
  std::vector<std::optional<std::uint32_t>> places(trio.ours->columns.size());
  const auto add = [&](const ColumnShape& column, const std::string& name, std::optional<std::size_t> in_base,
                       std::optional<std::size_t> in_theirs) {
    if (in_base && !has_value(trio.base->columns[*in_base])) in_base.reset();
    if (in_theirs && !has_value(trio.theirs->columns[*in_theirs])) in_theirs.reset();
    const auto absent = merge::absent_column(in_theirs ? trio.theirs->columns[*in_theirs].stored.missing
                                                       : column.stored.missing);
    table.changes.base.push_back(in_base ? trio.base->columns[*in_base].stored : absent);
    table.changes.theirs.push_back(in_theirs ? trio.theirs->columns[*in_theirs].stored : absent);
    if (!in_theirs) table.changes.theirs_lacks.push_back(static_cast<std::uint32_t>(table.columns.size()));
    table.columns.push_back({name, column.affinity, column.collation, in_theirs.has_value()});
  };
  for (std::size_t i = 0; i < trio.ours->columns.size(); ++i) {
    const ColumnShape& column = trio.ours->columns[i];
    if (!has_value(column)) continue;
    std::optional<std::size_t> in_base;
    for (std::size_t b = 0; b < alteration.ours_of_base.size(); ++b) {
      if (alteration.ours_of_base[b] == i) in_base = b;
    }
    std::optional<std::size_t> in_theirs;
    if (in_base) {
      in_theirs = alteration.matches[*in_base];
      // They dropped it, and so it was dropped here.
      if (!in_theirs && alteration.done) continue;
    } else {
      in_theirs = trio.theirs->find_column(column.name);
    }
    const bool takes_name = in_base && in_theirs && alteration.done &&
                            sql::equals_ignoring_case(column.name, trio.base->columns[*in_base].name);
    places[i] = static_cast<std::uint32_t>(table.columns.size());
    add(column, takes_name ? trio.theirs->columns[*in_theirs].name : column.name, in_base, in_theirs);
  }
  for (const std::size_t added : alteration.new_in_ours) {
    const ColumnShape& column = trio.theirs->columns[added];
    if (has_value(column)) add(column, column.name, std::nullopt, added);
  }
  if (trio.ours->rowid_column) {
    table.rowid_column = places[*trio.ours->rowid_column];
  } else {
    for (const KeyPart& part : trio.ours->key) {
      if (places[part.column]) table.key.push_back({*places[part.column], part.collation});
    }
  }
  table.rowid_name =
      table.rowid_column ? table.columns[*table.rowid_column].name : free_rowid_name(*trio.ours);
  merged.tables.push_back(std::move(task));
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
  for (const SchemaEntry& entry : base_.entries) {
    if (entry.type == "table" || entry.sql.empty()) continue;
    if (entry_of(theirs_, entry.type, entry.name) != nullptr) continue;
    const SchemaEntry* const ours = entry_of(ours_, entry.type, entry.name);
    if (ours == nullptr) continue;
    if (!same_definition(entry.sql, ours->sql) &&
        decide(entry.name, entry.sql, ours->sql, "") != Decision::kTheirs)
      continue;
    DOSQL_RETURN_IF_ERROR(
        run_own(context_.connection, fmt::format("DROP {} main.{}", entry.type, quoted(entry.name))));
  }
  return {};
}

Status SchemaMerge::merge_rest() {
  for (const SchemaEntry& entry : theirs_.entries) {
    if (entry.type == "table" || entry.sql.empty()) continue;
    DOSQL_RETURN_IF_ERROR(merge_object(entry));
  }
  return {};
}

Status SchemaMerge::merge_object(const SchemaEntry& theirs) {
  const SchemaEntry* const base = entry_of(base_, theirs.type, theirs.name);
  const SchemaEntry* const ours = entry_of(ours_, theirs.type, theirs.name);
  DOSQL_ASSIGN_OR_RETURN(const std::optional<std::string> live, live_definition(theirs.type, theirs.name));
  if (live && same_definition(*live, theirs.sql)) return {};
  const bool they_changed = base == nullptr || !same_definition(base->sql, theirs.sql);
  if (!they_changed) return {};
  const std::string& base_sql = base == nullptr ? kNothing : base->sql;
  const std::string& our_sql = ours == nullptr ? kNothing : ours->sql;
  const bool we_changed = base == nullptr ? ours != nullptr : !same_definition(base_sql, our_sql);
  if (we_changed && decide(theirs.name, base_sql, our_sql, theirs.sql) != Decision::kTheirs) return {};
  if (live) {
    DOSQL_RETURN_IF_ERROR(
        run_own(context_.connection, fmt::format("DROP {} main.{}", theirs.type, quoted(theirs.name))));
  }
  const Status created = create(theirs.sql, theirs.name);
  if (created || theirs.type != "index" || created.error().code() != ErrorCode::kConstraint) return created;
  // Of the rows that came together some have the same values.
  context_.settle(context_.counts_of(theirs.table), {.kind = ConflictKind::kUnique,
                                                     .table = theirs.table,
                                                     .key = json_string(theirs.name),
                                                     .base = "null",
                                                     .main = "null",
                                                     .branch = json_string(theirs.sql)});
  return {};
}

}  // namespace dosql::engine
