#include "engine/foreign_keys.h"

#include <sqlite3.h>

#include <algorithm>
#include <set>

#include "engine/connection_state.h"
#include "engine/own_statement.h"
#include "sql/lexer.h"

namespace dosql::engine {
namespace {

using sql::equals_ignoring_case;

// How a column compares values; none: there is no such column.
struct Comparison {
  std::string_view kind;
  std::string collation;
  bool operator==(const Comparison&) const = default;
};

std::optional<Comparison> comparison_of(ConnectionState& connection, const std::string& table,
                                        const std::string& column) {
  const char* declared = nullptr;
  const char* collation = nullptr;
  // Without a column's name it would say whether there is the table.
  if (column.empty() ||
      sqlite3_table_column_metadata(connection.db(), "main", table.c_str(), column.c_str(), &declared,
                                    &collation, nullptr, nullptr, nullptr) != SQLITE_OK)
    return std::nullopt;
  const std::string_view type = declared == nullptr ? "" : declared;
  const auto has = [&](std::string_view word) {
    for (std::size_t i = 0; i + word.size() <= type.size(); ++i) {
      if (equals_ignoring_case(type.substr(i, word.size()), word)) return true;
    }
    return false;
  };
  const std::string_view kind = has("INT")                                  ? "number"
                                : has("CHAR") || has("CLOB") || has("TEXT") ? "text"
                                : type.empty() || has("BLOB")               ? "as it is"
                                : equals_ignoring_case(type, "ANY")         ? "any"
                                                                            : "number";
  Comparison comparison{.kind = kind, .collation = collation == nullptr ? "" : collation};
  std::ranges::transform(comparison.collation, comparison.collation.begin(),
                         [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
  return comparison;
}

}  // namespace

std::optional<std::uint32_t> find_column(const MergedTable& table, std::string_view name) {
  for (std::uint32_t i = 0; i < table.columns.size(); ++i) {
    if (equals_ignoring_case(table.columns[i].name, name)) return i;
  }
  return std::nullopt;
}

Status ForeignKeys::read(ConnectionState& connection) {
  // An implicit reference is to the PRIMARY KEY.
  constexpr std::string_view kKeys =
      "SELECT s.name, f.id, f.\"table\", f.\"from\", ifnull(f.\"to\", (SELECT p.name FROM "
      "pragma_table_info(f.\"table\", 'main') AS p WHERE p.pk = f.seq + 1)), "
      "EXISTS (SELECT 1 FROM pragma_index_list(s.name, 'main') AS i, pragma_index_xinfo(i.name, 'main') AS c "
      "WHERE c.seqno = 0 AND c.name = f.\"from\" COLLATE NOCASE AND NOT i.partial) "
      "OR EXISTS (SELECT 1 FROM pragma_table_info(s.name, 'main') AS k WHERE k.pk = 1 AND "
      "k.name = f.\"from\" COLLATE NOCASE) "
      "FROM main.sqlite_schema AS s, pragma_foreign_key_list(s.name, 'main') AS f WHERE s.type = 'table' "
      "AND NOT EXISTS (SELECT 1 FROM main.sqlite_schema AS v WHERE v.type = 'view' AND v.name = f.\"table\" "
      "COLLATE NOCASE) "
      "ORDER BY s.rowid, f.id, f.seq";
  DOSQL_ASSIGN_OR_RETURN(OwnStatement rows, OwnStatement::prepare(connection, kKeys));
  std::int64_t id = -1;
  int rc = SQLITE_OK;
  while ((rc = rows.step()) == SQLITE_ROW) {
    const std::string child = rows.text(0);
    if (keys_.empty() || keys_.back().child != child || rows.integer(1) != id) {
      keys_.push_back({.child = child,
                       .parent = rows.text(2),
                       .child_columns = {},
                       .parent_columns = {},
                       .has_parent = true});
    }
    id = rows.integer(1);
    ForeignKey& key = keys_.back();
    key.child_columns.push_back(rows.text(3));
    key.parent_columns.push_back(rows.text(4));
    key.child_has_index = key.child_has_index || rows.integer(5) != 0;
  }
  if (rc != SQLITE_DONE) return connection.error(rc);
  for (ForeignKey& key : keys_) {
    for (std::size_t i = 0; i < key.child_columns.size(); ++i) {
      const auto parent = comparison_of(connection, key.parent, key.parent_columns[i]);
      key.has_parent = key.has_parent && parent;
      // An index finds what it compares as the parent does.
      key.child_has_index =
          key.child_has_index && parent == comparison_of(connection, key.child, key.child_columns[i]);
    }
  }
  return {};
}

std::vector<const ForeignKey*> ForeignKeys::from(std::string_view child) const {
  std::vector<const ForeignKey*> found;
  for (const ForeignKey& key : keys_) {
    if (equals_ignoring_case(key.child, child)) found.push_back(&key);
  }
  return found;
}

std::vector<const ForeignKey*> ForeignKeys::to(std::string_view parent) const {
  std::vector<const ForeignKey*> found;
  for (const ForeignKey& key : keys_) {
    if (equals_ignoring_case(key.parent, parent)) found.push_back(&key);
  }
  return found;
}

bool ForeignKeys::number_is_reference(const MergedTable& table) const {
  const std::string& number = table.columns[*table.rowid_column].name;
  for (const ForeignKey* const key : from(table.name)) {
    for (std::size_t i = 0; i < key->child_columns.size(); ++i) {
      const bool to_itself = equals_ignoring_case(key->parent, table.name) &&
                             equals_ignoring_case(key->parent_columns[i], number);
      if (equals_ignoring_case(key->child_columns[i], number) && !to_itself) return true;
    }
  }
  return false;
}

// A column that refers to one that refers to a number follows that, too: `depth` references of it are left.
const NewNumbers* ForeignKeys::numbers_of(const MergeContext& context, std::string_view table,
                                          std::string_view column, std::size_t depth) const {
  for (const auto& [name, keys] : context.new_keys) {
    if (equals_ignoring_case(name, table) && equals_ignoring_case(keys.column, column)) return &keys.numbers;
  }
  if (depth == 0) return nullptr;
  for (const ForeignKey* const key : from(table)) {
    for (std::size_t i = 0; i < key->child_columns.size(); ++i) {
      if (!equals_ignoring_case(key->child_columns[i], column)) continue;
      const NewNumbers* const found = numbers_of(context, key->parent, key->parent_columns[i], depth - 1);
      if (found != nullptr) return found;
    }
  }
  return nullptr;
}

std::vector<NumberReference> ForeignKeys::renumbered(const MergeContext& context,
                                                     const MergedTable& table) const {
  std::vector<NumberReference> references;
  if (context.new_keys.empty()) return references;
  for (std::uint32_t column = 0; column < table.columns.size(); ++column) {
    const NewNumbers* const numbers =
        numbers_of(context, table.name, table.columns[column].name, keys_.size());
    if (numbers != nullptr) references.push_back({column, numbers});
  }
  return references;
}

bool ForeignKeys::is_number(const MergeContext& context, std::string_view table,
                            std::string_view column) const {
  const auto refers_by_it = [&](const ForeignKey* key) {
    return std::ranges::any_of(key->child_columns,
                               [&](const std::string& one) { return equals_ignoring_case(one, column); });
  };
  if (std::ranges::any_of(from(table), refers_by_it)) return true;
  const auto keys = std::ranges::find_if(
      context.doubts, [&](const auto& one) { return equals_ignoring_case(one.first, table); });
  return keys == context.doubts.end() || keys->second.key_columns.size() < 2;
}

// As numbers_of(): what a reference may mean is what the number that it refers to may be.
const NumberRuns* ForeignKeys::doubts_of(const MergeContext& context, std::string_view table,
                                         std::string_view column, NumberRuns Doubts::*kind,
                                         std::size_t depth) const {
  const auto called = [](std::string_view name) {
    return [name](std::string_view other) { return equals_ignoring_case(name, other); };
  };
  for (const auto& [name, doubts] : context.doubts) {
    if (!equals_ignoring_case(name, table) || (doubts.*kind).empty()) continue;
    if (std::ranges::any_of(doubts.key_columns, called(column))) return &(doubts.*kind);
  }
  if (depth == 0) return nullptr;
  for (const ForeignKey* const key : from(table)) {
    for (std::size_t i = 0; i < key->child_columns.size(); ++i) {
      if (!equals_ignoring_case(key->child_columns[i], column)) continue;
      const NumberRuns* const found =
          doubts_of(context, key->parent, key->parent_columns[i], kind, depth - 1);
      if (found != nullptr) return found;
    }
  }
  return nullptr;
}

std::vector<const NumberRuns*> ForeignKeys::doubtful(const MergeContext& context, const ForeignKey& key,
                                                     NumberRuns Doubts::*kind) const {
  std::vector<const NumberRuns*> runs;
  if (context.doubts.empty()) return runs;
  for (const std::string& column : key.parent_columns)
    runs.push_back(doubts_of(context, key.parent, column, kind, keys_.size()));
  if (std::ranges::all_of(runs, [](const NumberRuns* one) { return one == nullptr; })) runs.clear();
  return runs;
}

void ForeignKeys::watch(MergeContext& context, const MergedTable& table) const {
  const auto add = [&](const std::vector<std::string>& names, std::set<std::uint32_t>& watched) {
    for (const std::string& name : names) {
      if (const auto column = find_column(table, name)) watched.insert(*column);
    }
  };
  const auto children = from(table.name);
  const auto parents = to(table.name);
  if (children.empty() && parents.empty()) return;
  TouchedRows& touched = context.touched[table.name];
  for (const ForeignKey* const key : children) add(key->child_columns, touched.child_columns);
  for (const ForeignKey* const key : parents) add(key->parent_columns, touched.parent_columns);
}

}  // namespace dosql::engine
