#include "engine/renamed_schema.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string_view>

#include "diff/schema.h"
#include "engine/sqlite_value.h"
#include "sql/lexer.h"
#include "sql/stored_definition.h"

namespace dosql::engine {
namespace {

using diff::SchemaEntry;
using sql::quoted;
using NewName = std::pair<std::string, std::string>;  // of a column: from, to

struct Close {
  void operator()(sqlite3* db) const { sqlite3_close(db); }
};
using Database = std::unique_ptr<sqlite3, Close>;

// The module of a virtual table may not be there: a table with its columns does as well.
std::string plain_definition(const SchemaEntry& entry, const VersionSchema& schema) {
  if (sql::table_definition(entry.sql)) return entry.sql;
  const TableShape* const table = schema.find(entry.name);
  std::string columns;
  for (std::size_t i = 0; table != nullptr && i < table->columns.size(); ++i)
    columns += (i == 0 ? "" : ", ") + quoted(table->columns[i].name);
  return fmt::format("CREATE TABLE {}({})", quoted(entry.name), columns);
}

using Name = std::pair<std::string, std::string>;  // type, name
struct Text {
  std::string table;
  std::string sql;
};
using Texts = std::map<Name, Text>;

bool contains_folded(const std::string& text, const std::string& folded) {
  return diff::folded(text).find(folded) != std::string::npos;
}

// What nothing of the schema, nor of what it is to be called, has in it: what has it at the end speaks of
// something that has no name there.
std::string unused_prefix(const VersionSchema& schema, std::span<const NameChange> changes) {
  std::string prefix = "dosql_between_";
  const auto is_used = [&](const std::string& text) { return contains_folded(text, prefix); };
  const auto is_used_in = [&](const NameChange& change) {
    return is_used(change.new_table) || std::ranges::any_of(change.columns, is_used, &NewName::second);
  };
  while (std::ranges::any_of(schema.entries, is_used, &SchemaEntry::sql) ||
         std::ranges::any_of(schema.entries, is_used, &SchemaEntry::name) ||
         std::ranges::any_of(changes, is_used_in))
    prefix += "_";
  return prefix;
}

// A database in memory that has the schema only, in which SQLite renames.
class Scratch {
 public:
  static Result<Scratch> make(const VersionSchema& schema, std::span<const NameChange> changes) {
    sqlite3* opened = nullptr;
    const int rc = sqlite3_open_v2(":memory:", &opened, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, nullptr);
    Database db(opened);
    if (rc != SQLITE_OK) return Error(ErrorCode::kOutOfMemory, "no database in memory could be opened");
    return Scratch(std::move(db), schema, unused_prefix(schema, changes));
  }

  void create_tables() { create(true); }
  void create_rest() { create(false); }

  // False: not all of it could be done, and what there is now is of no use. What cannot follow is left out.
  bool rename(std::span<const NameChange> all) {
    std::vector<NameChange> changes;
    for (const NameChange& change : all) {
      const auto same = [&](const NameChange& one) { return is_same(one.table, change.table); };
      if (exists(change.table) && std::ranges::none_of(changes, same)) changes.push_back(change);
    }
    for (std::size_t i = 0; i < changes.size(); ++i) {
      if (!rename_columns(changes[i], i)) return false;
    }
    return rename_tables(changes);
  }

  // Gives a table back the name that another one has by now; that one goes. REQUIRES: there are tables only.
  bool give_back(const std::string& table) {
    const auto found = made_room_.find(diff::folded(table));
    if (found == made_room_.end()) return true;
    return run(fmt::format("DROP TABLE {}", quoted(table))) && run(rename_table(found->second, table));
  }

  Texts texts() const {
    Texts texts;
    const auto take = [](void* to, int, char** values, char**) {
      const auto text = [](const char* value) { return std::string(value == nullptr ? "" : value); };
      (*static_cast<Texts*>(to))[{text(values[0]), text(values[1])}] = {text(values[2]), text(values[3])};
      return 0;
    };
    sqlite3_exec(db_.get(), "SELECT type, name, tbl_name, sql FROM sqlite_schema", take, &texts, nullptr);
    return texts;
  }

  bool has_between_name(const std::string& text) const { return contains_folded(text, prefix_); }
  // It could be compiled, but not under the new names.
  bool is_stuck(const Name& name) const { return stuck_.contains(name); }

 private:
  Scratch(Database db, const VersionSchema& schema, std::string prefix)
      : db_(std::move(db)), schema_(&schema), prefix_(std::move(prefix)) {}

  static bool is_same(const std::string& a, const std::string& b) { return sql::equals_ignoring_case(a, b); }

  bool run(const std::string& sql) {
    return sqlite3_exec(db_.get(), sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK;
  }

  // With this setting SQLite's own tables can be made, and what does not compile.
  void create(bool tables) {
    run("PRAGMA writable_schema = ON");
    for (const SchemaEntry& entry : schema_->entries) {
      if ((entry.type == "table") == tables && !entry.sql.empty())
        run(tables ? plain_definition(entry, *schema_) : entry.sql);
    }
    run("PRAGMA writable_schema = OFF");
  }

  bool exists(const std::string& name) const {
    bool found = false;
    const auto take = [](void* to, int, char**, char**) {
      *static_cast<bool*>(to) = true;
      return 0;
    };
    const std::string sql = fmt::format(
        "SELECT 1 FROM sqlite_schema WHERE type <> 'trigger' AND lower(name) = lower({})", literal(name));
    sqlite3_exec(db_.get(), sql.c_str(), take, &found, nullptr);
    return found;
  }

  static std::string rename_table(const std::string& from, const std::string& to) {
    return fmt::format("ALTER TABLE {} RENAME TO {}", quoted(from), quoted(to));
  }

  // SQLite refuses a rename because of the first view or trigger that it cannot compile, before or after.
  bool run_rename(const std::string& sql) {
    while (!run(sql)) {
      const std::string problem = sqlite3_errmsg(db_.get());
      const auto guilty = std::ranges::find_if(schema_->entries, [&](const SchemaEntry& entry) {
        const std::string start = fmt::format("error in {} {}", entry.type, entry.name);
        return entry.type != "table" && !left_out_.contains({entry.type, entry.name}) &&
               (problem.starts_with(start + ":") || problem.starts_with(start + " after "));
      });
      if (guilty == schema_->entries.end()) return false;
      if (problem.starts_with(fmt::format("error in {} {} after ", guilty->type, guilty->name)))
        stuck_.insert({guilty->type, guilty->name});
      leave_out(guilty->type, guilty->name);
    }
    return true;
  }

  void leave_out(const std::string& type, const std::string& name) {
    left_out_.insert({type, name});
    run(fmt::format("DROP {} {}", type, quoted(name)));
  }

  std::string between(std::string_view what, std::size_t number) {
    return fmt::format("{}{}_{}", prefix_, what, number);
  }

  // Where a name is that of another column, it goes by names in between: those columns that keep them are
  // gone where the change comes from.
  bool rename_columns(const NameChange& change, std::size_t number) {
    const TableShape* const table = schema_->find(change.table);
    if (table == nullptr) return change.columns.empty();
    const auto step = [&](const std::string& from, const std::string& to) {
      return run_rename(fmt::format("ALTER TABLE {} RENAME COLUMN {} TO {}", quoted(change.table),
                                    quoted(from), quoted(to)));
    };
    const auto is_new_name = [&](const std::string& name) {
      return std::ranges::any_of(change.columns,
                                 [&](const NewName& one) { return is_same(one.second, name); });
    };
    const auto is_renamed = [&](const std::string& name) {
      return std::ranges::any_of(change.columns,
                                 [&](const NewName& one) { return is_same(one.first, name); });
    };
    const std::string column = fmt::format("column_{}", number);
    bool meet = false;
    for (std::size_t i = 0; i < table->columns.size(); ++i) {
      const std::string& name = table->columns[i].name;
      if (!is_new_name(name)) continue;
      meet = true;
      if (!is_renamed(name) && !step(name, between(column + "_gone", i))) return false;
    }
    for (std::size_t i = 0; i < change.columns.size() && meet; ++i) {
      if (!step(change.columns[i].first, between(column, i))) return false;
    }
    for (std::size_t i = 0; i < change.columns.size(); ++i) {
      if (!step(meet ? between(column, i) : change.columns[i].first, change.columns[i].second)) return false;
    }
    return true;
  }

  bool rename_tables(std::vector<NameChange>& changes) {
    std::erase_if(changes, [](const NameChange& change) { return change.table == change.new_table; });
    bool meet = false;
    for (std::size_t i = 0; i < changes.size(); ++i) {
      const std::string& name = changes[i].new_table;
      if (!exists(name)) continue;
      meet = true;
      const auto is_it = [&](const NameChange& change) { return is_same(change.table, name); };
      if (std::ranges::none_of(changes, is_it) && !make_room(name, i)) return false;
    }
    for (std::size_t i = 0; i < changes.size() && meet; ++i) {
      if (!run_rename(rename_table(changes[i].table, between("table", i)))) return false;
    }
    for (std::size_t i = 0; i < changes.size(); ++i) {
      if (!run_rename(rename_table(meet ? between("table", i) : changes[i].table, changes[i].new_table)))
        return false;
    }
    return true;
  }

  // What has the name here goes, or is called otherwise in the end.
  bool make_room(const std::string& name, std::size_t number) {
    for (const SchemaEntry& entry : schema_->entries) {
      if (entry.type == "trigger" || !is_same(entry.name, name)) continue;
      if (entry.type != "table") {
        leave_out(entry.type, entry.name);
        continue;
      }
      const std::string other = between("table_gone", number);
      if (!run_rename(rename_table(name, other))) return false;
      made_room_[diff::folded(name)] = other;
    }
    return true;
  }

  Database db_;
  const VersionSchema* schema_;
  std::string prefix_;  // of all names in between
  std::set<Name> left_out_;
  std::set<Name> stuck_;
  std::map<std::string, std::string> made_room_;  // tables whose name another one got, and theirs now
};

// Of something that cannot be found in the scratch database.
std::string new_table_name(const std::string& table, std::span<const NameChange> changes) {
  const auto found = std::ranges::find_if(
      changes, [&](const NameChange& change) { return sql::equals_ignoring_case(change.table, table); });
  return found != changes.end() ? found->new_table : table;
}

// None: not with these changes.
Result<std::optional<std::string>> find_renamed_definition(const VersionSchema& schema,
                                                           const std::string& table,
                                                           std::span<const NameChange> changes) {
  DOSQL_ASSIGN_OR_RETURN(Scratch scratch, Scratch::make(schema, changes));
  scratch.create_tables();
  if (!scratch.rename(changes) || !scratch.give_back(table)) return std::optional<std::string>();
  const Texts texts = scratch.texts();
  const auto found = texts.find({"table", new_table_name(table, changes)});
  if (found == texts.end() || scratch.has_between_name(found->second.sql))
    return std::optional<std::string>();
  return std::optional(found->second.sql);
}

}  // namespace

NameChange name_change(const TableShape& from, const ColumnMatches& matches, const TableShape& to) {
  NameChange change{.table = from.name, .new_table = to.name, .columns = {}};
  for (std::size_t i = 0; i < matches.size(); ++i) {
    if (!matches[i] || sql::equals_ignoring_case(from.columns[i].name, to.columns[*matches[i]].name))
      continue;
    change.columns.emplace_back(from.columns[i].name, to.columns[*matches[i]].name);
  }
  return change;
}

Result<std::vector<RenamedEntry>> renamed_entries(const VersionSchema& schema,
                                                  std::span<const NameChange> changes) {
  std::vector<RenamedEntry> entries;
  for (const SchemaEntry& entry : schema.entries) {
    if (entry.type != "table" && !entry.sql.empty()) entries.push_back({entry});
  }
  if (changes.empty() || entries.empty()) return entries;
  DOSQL_ASSIGN_OR_RETURN(Scratch scratch, Scratch::make(schema, changes));
  scratch.create_tables();
  scratch.create_rest();
  const bool renamed = scratch.rename(changes);
  const Texts texts = scratch.texts();
  for (RenamedEntry& entry : entries) {
    const Name name(entry.type, entry.name);
    const auto found = texts.find(name);
    const bool is_there = renamed && found != texts.end();
    entry.table = is_there ? found->second.table : new_table_name(entry.table, changes);
    // Its table has gone.
    if (scratch.has_between_name(entry.table)) entry.table.clear();
    entry.lost =
        !renamed || scratch.is_stuck(name) || (is_there && scratch.has_between_name(found->second.sql));
    if (is_there && !entry.lost) entry.sql = found->second.sql;
  }
  return entries;
}

Result<std::string> renamed_definition(const VersionSchema& schema, const std::string& table,
                                       std::span<const NameChange> changes) {
  DOSQL_ASSIGN_OR_RETURN(std::optional<std::string> found, find_renamed_definition(schema, table, changes));
  if (found) return *std::move(found);
  // A column of its own may be in the way: what it refers to has its new name all the same.
  std::vector<NameChange> others(changes.begin(), changes.end());
  for (NameChange& change : others) {
    if (sql::equals_ignoring_case(change.table, table)) change.columns.clear();
  }
  DOSQL_ASSIGN_OR_RETURN(found, find_renamed_definition(schema, table, others));
  if (found) return *std::move(found);
  const auto entry = std::ranges::find_if(
      schema.entries, [&](const SchemaEntry& one) { return one.type == "table" && one.name == table; });
  return entry != schema.entries.end() ? entry->sql : std::string();
}

}  // namespace dosql::engine
