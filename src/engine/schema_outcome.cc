#include "engine/schema_outcome.h"

#include <sqlite3.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "diff/schema.h"
#include "engine/connection_state.h"
#include "engine/own_statement.h"

namespace dosql::engine {
namespace {

// A table or view.
struct Owner {
  std::string name;
  // Of its own definition and of its indexes and triggers. A constraint's index has no text of its own.
  std::set<std::string> definitions;
};
// By their folded names.
using Owners = std::map<std::string, Owner>;

void add(const std::string& owner, std::string_view type, const std::string& name, const std::string& sql,
         Owners& owners) {
  if (sql.empty() || diff::folded(owner).starts_with("sqlite_")) return;
  Owner& found = owners[diff::folded(owner)];
  if (type == "table" || type == "view") found.name = name;
  found.definitions.insert(sql);
}

// By the names that they have in the end.
Owners owners_before(const VersionSchema& schema, std::span<const NameChange> names) {
  Owners owners;
  for (const diff::SchemaEntry& entry : schema.entries) {
    const TableShape* const table = schema.find(entry.table);
    if (table != nullptr && table->shadow) continue;
    const auto renamed = std::ranges::find(names, diff::folded(entry.table),
                                           [](const NameChange& one) { return diff::folded(one.table); });
    add(renamed != names.end() ? renamed->new_table : entry.table, entry.type, entry.name, entry.sql, owners);
  }
  return owners;
}

Result<std::set<std::string>> shadow_tables(ConnectionState& connection) {
  DOSQL_ASSIGN_OR_RETURN(
      OwnStatement names,
      OwnStatement::prepare(connection,
                            "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'shadow'"));
  std::set<std::string> all;
  int rc = SQLITE_OK;
  while ((rc = names.step()) == SQLITE_ROW) all.insert(diff::folded(names.text(0)));
  if (rc != SQLITE_DONE) return connection.error(rc);
  return all;
}

Result<Owners> owners_now(ConnectionState& connection) {
  DOSQL_ASSIGN_OR_RETURN(const std::set<std::string> shadows, shadow_tables(connection));
  DOSQL_ASSIGN_OR_RETURN(
      OwnStatement entries,
      OwnStatement::prepare(connection, "SELECT tbl_name, type, name, sql FROM main.sqlite_schema"));
  Owners owners;
  int rc = SQLITE_OK;
  while ((rc = entries.step()) == SQLITE_ROW) {
    if (shadows.contains(diff::folded(entries.text(0)))) continue;
    add(entries.text(0), entries.text(1), entries.text(2), entries.text(3), owners);
  }
  if (rc != SQLITE_DONE) return connection.error(rc);
  return owners;
}

}  // namespace

Status tell_schema_changes(MergeContext& context, const VersionSchema& before,
                           std::span<const NameChange> names) {
  const Owners then = owners_before(before, names);
  DOSQL_ASSIGN_OR_RETURN(const Owners now, owners_now(context.connection));
  for (const auto& [name, owner] : then) {
    if (!now.contains(name)) context.counts_of(owner.name).schema = "drop";
  }
  for (const auto& [name, owner] : now) {
    const auto found = then.find(name);
    if (found == then.end()) {
      context.counts_of(owner.name).schema = "create";
    } else if (diff::folded(found->second.name) != name) {
      context.counts_of(owner.name).schema = "rename";
    } else if (found->second.definitions != owner.definitions) {
      context.counts_of(owner.name).schema = "alter";
    }
  }
  return {};
}

}  // namespace dosql::engine
