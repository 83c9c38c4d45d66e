#include "engine/renamed_schema.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <map>
#include <memory>

#include "diff/schema.h"
#include "sql/lexer.h"
#include "sql/stored_definition.h"

namespace dosql::engine {
namespace {

using diff::SchemaEntry;
using sql::quoted;

struct Close {
  void operator()(sqlite3* db) const { sqlite3_close(db); }
};
using Database = std::unique_ptr<sqlite3, Close>;

bool run(const Database& db, const std::string& sql) {
  return sqlite3_exec(db.get(), sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK;
}

// The module of a virtual table may not be there: a table with its columns does as well.
std::string plain_definition(const SchemaEntry& entry, const VersionSchema& schema) {
  if (sql::table_definition(entry.sql)) return entry.sql;
  const TableShape* const table = schema.find(entry.name);
  std::string columns;
  for (std::size_t i = 0; table != nullptr && i < table->columns.size(); ++i)
    columns += (i == 0 ? "" : ", ") + quoted(table->columns[i].name);
  return fmt::format("CREATE TABLE {}({})", quoted(entry.name), columns);
}

// A table that had to give its name to another one, and what it is called instead.
using MadeRoom = std::map<std::string, std::string>;

void rename(const Database& db, const NameChange& change, std::size_t number, bool to_end,
            MadeRoom& made_room) {
  const std::string between = fmt::format("dosql_table_{}", number);
  const std::string table = quoted(to_end ? between : change.table);
  for (std::size_t i = 0; i < change.columns.size(); ++i) {
    const std::string name = fmt::format("dosql_column_{}", i);
    const auto& [from, to] = change.columns[i];
    run(db, fmt::format("ALTER TABLE {} RENAME COLUMN {} TO {}", table, quoted(to_end ? name : from),
                        quoted(to_end ? to : name)));
  }
  const auto rename_to = [&](const std::string& from, const std::string& to) {
    return run(db, fmt::format("ALTER TABLE {} RENAME TO {}", from, quoted(to)));
  };
  if (!to_end) {
    rename_to(table, between);
  } else if (!rename_to(table, change.new_table)) {
    // What has the name here goes, or is called otherwise in the end.
    const std::string other = fmt::format("dosql_other_table_{}", number);
    if (rename_to(quoted(change.new_table), other)) made_room[diff::folded(change.new_table)] = other;
    rename_to(table, change.new_table);
  }
}

using Name = std::pair<std::string, std::string>;  // type, name
struct Text {
  std::string table;
  std::string sql;
};

std::map<Name, Text> read(const Database& db) {
  std::map<Name, Text> texts;
  const auto take = [](void* to, int, char** values, char**) {
    const auto text = [](const char* value) { return std::string(value == nullptr ? "" : value); };
    (*static_cast<std::map<Name, Text>*>(to))[{text(values[0]), text(values[1])}] = {text(values[2]),
                                                                                     text(values[3])};
    return 0;
  };
  sqlite3_exec(db.get(), "SELECT type, name, tbl_name, sql FROM sqlite_schema", take, &texts, nullptr);
  return texts;
}

Result<std::map<Name, Text>> renamed(const VersionSchema& schema, std::span<const NameChange> changes,
                                     MadeRoom& made_room) {
  sqlite3* opened = nullptr;
  const int rc = sqlite3_open_v2(":memory:", &opened, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, nullptr);
  const Database db(opened);
  if (rc != SQLITE_OK) return Error(ErrorCode::kOutOfMemory, "no database in memory could be opened");
  // What does not compile does not hinder a rename.
  run(db, "PRAGMA writable_schema = ON");
  for (const bool tables : {true, false}) {
    for (const SchemaEntry& entry : schema.entries) {
      if ((entry.type == "table") == tables && !entry.sql.empty())
        run(db, tables ? plain_definition(entry, schema) : entry.sql);
    }
  }
  // Names may have been exchanged.
  for (const bool to_end : {false, true}) {
    for (std::size_t i = 0; i < changes.size(); ++i) rename(db, changes[i], i, to_end, made_room);
  }
  return read(db);
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

Result<std::vector<SchemaEntry>> renamed_entries(const VersionSchema& schema,
                                                 std::span<const NameChange> changes) {
  std::vector<SchemaEntry> entries;
  for (const SchemaEntry& entry : schema.entries) {
    if (entry.type != "table" && !entry.sql.empty()) entries.push_back(entry);
  }
  if (changes.empty() || entries.empty()) return entries;
  using Texts = std::map<Name, Text>;
  MadeRoom made_room;
  DOSQL_ASSIGN_OR_RETURN(const Texts texts, renamed(schema, changes, made_room));
  for (SchemaEntry& entry : entries) {
    const auto found = texts.find({entry.type, entry.name});
    if (found == texts.end()) continue;
    entry.table = found->second.table;
    entry.sql = found->second.sql;
  }
  return entries;
}

Result<std::string> renamed_definition(const VersionSchema& schema, const std::string& table,
                                       std::span<const NameChange> changes) {
  const auto own = std::ranges::find(changes, table, &NameChange::table);
  using Texts = std::map<Name, Text>;
  MadeRoom made_room;
  DOSQL_ASSIGN_OR_RETURN(const Texts texts, renamed(schema, changes, made_room));
  const auto other = made_room.find(diff::folded(table));
  const std::string& in_the_end = other != made_room.end() ? other->second : table;
  const auto found = texts.find({"table", own != changes.end() ? own->new_table : in_the_end});
  if (found != texts.end()) return found->second.sql;
  const auto entry = std::ranges::find_if(
      schema.entries, [&](const SchemaEntry& one) { return one.type == "table" && one.name == table; });
  return entry != schema.entries.end() ? entry->sql : std::string();
}

}  // namespace dosql::engine
