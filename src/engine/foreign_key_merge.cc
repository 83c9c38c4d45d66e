#include "engine/foreign_key_merge.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "base/json_text.h"
#include "diff/row.h"
#include "engine/connection_state.h"
#include "engine/own_statement.h"
#include "engine/row_json.h"
#include "sql/lexer.h"

namespace dosql::engine {
namespace {

using diff::Field;
using diff::FieldType;
using merge::KeyedChange;
using sql::equals_ignoring_case;
using sql::quoted;

std::optional<std::uint32_t> find_column(const MergedTable& table, std::string_view name) {
  for (std::uint32_t i = 0; i < table.columns.size(); ++i) {
    if (equals_ignoring_case(table.columns[i].name, name)) return i;
  }
  return std::nullopt;
}

std::optional<std::vector<std::uint32_t>> find_columns(const MergedTable& table,
                                                       const std::vector<std::string>& names) {
  std::vector<std::uint32_t> columns;
  for (const std::string& name : names) {
    const auto column = find_column(table, name);
    if (!column) return std::nullopt;
    columns.push_back(*column);
  }
  return columns;
}

// c refers to no p.
std::string dangling_text(const ForeignKey& key) {
  std::string text;
  std::string match;
  for (std::size_t i = 0; i < key.child_columns.size(); ++i) {
    const std::string child = "c." + quoted(key.child_columns[i]);
    text += child + " IS NOT NULL AND ";
    match += (match.empty() ? "" : " AND ") + ("p." + quoted(key.parent_columns[i])) + " = " + child;
  }
  return fmt::format("{}NOT EXISTS (SELECT 1 FROM main.{} AS p WHERE {})", text, quoted(key.parent), match);
}

// A row of a table that is known by its name only, as a conflict shows it.
class ShownTable {
 public:
  static Result<ShownTable> read(ConnectionState& connection, const std::string& name) {
    DOSQL_ASSIGN_OR_RETURN(
        OwnStatement rows,
        OwnStatement::prepare(connection, "SELECT name, pk FROM pragma_table_info(?1, 'main') ORDER BY cid"));
    rows.bind(1, std::string_view(name));
    ShownTable table;
    std::map<std::int64_t, std::size_t> key;
    int rc = SQLITE_OK;
    while ((rc = rows.step()) == SQLITE_ROW) {
      if (rows.integer(1) > 0) key[rows.integer(1)] = table.columns_.size();
      table.columns_.push_back(rows.text(0));
    }
    if (rc != SQLITE_DONE) return connection.error(rc);
    for (const auto& [position, column] : key) table.key_.push_back(column);
    return table;
  }

  // What to select, of a table `c`; first the rowid of a table that has no other key.
  std::string select_text() const {
    std::string text = key_.empty() ? "c.rowid" : "0";
    for (const std::string& column : columns_) text += ", c." + quoted(column);
    return text;
  }
  std::string key_json(const OwnStatement& row, diff::TextEncoding encoding) const {
    if (key_.empty()) return std::to_string(row.integer(0));
    if (key_.size() == 1) return value_json(row.value(static_cast<int>(key_[0]) + 1), encoding);
    std::string text = "[";
    for (const std::size_t column : key_)
      text += (text.size() > 1 ? "," : "") + value_json(row.value(static_cast<int>(column) + 1), encoding);
    return text + "]";
  }
  std::string row_json(const OwnStatement& row, diff::TextEncoding encoding) const {
    std::string text = "{";
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      if (i > 0) text += ',';
      text += json_string(columns_[i]) + ":" + value_json(row.value(static_cast<int>(i) + 1), encoding);
    }
    return text + "}";
  }
  // What the row refers to: {"parent.id": 7}
  std::string reference_json(const ForeignKey& key, const OwnStatement& row,
                             diff::TextEncoding encoding) const {
    std::string text = "{";
    for (std::size_t i = 0; i < key.child_columns.size(); ++i) {
      const auto column = find(key.child_columns[i]);
      const Field value =
          column == columns_.end() ? Field{} : row.value(static_cast<int>(column - columns_.begin()) + 1);
      if (i > 0) text += ',';
      text += json_string(key.parent + "." + key.parent_columns[i]) + ":" + value_json(value, encoding);
    }
    return text + "}";
  }
  bool has_column(std::string_view name) const { return find(name) != columns_.end(); }
  // The row that a statement is on, by its key.
  std::string where_text(int first_parameter) const {
    if (key_.empty()) return fmt::format("rowid = ?{}", first_parameter);
    std::string text;
    for (const std::size_t column : key_)
      text += fmt::format("{}{} IS ?{}", text.empty() ? "" : " AND ", quoted(columns_[column]),
                          first_parameter++);
    return text;
  }
  RowCopy key_of(const OwnStatement& row) const {
    std::vector<Field> values;
    if (key_.empty()) values.push_back(row.value(0));
    for (const std::size_t column : key_) values.push_back(row.value(static_cast<int>(column) + 1));
    return RowCopy(values);
  }

 private:
  std::vector<std::string>::const_iterator find(std::string_view name) const {
    return std::ranges::find_if(
        columns_, [&](const std::string& column) { return equals_ignoring_case(column, name); });
  }

  std::vector<std::string> columns_;
  std::vector<std::size_t> key_;
};

enum class Whose : std::uint8_t { kTheirs, kOurs };

// A row of `key.child` that refers to none.
struct Dangling {
  const ForeignKey& key;
  const ShownTable& table;
  Whose whose;
  RowCopy address;
  Conflict conflict;
};

Dangling dangling_of(const MergeContext& context, const ForeignKey& key, const ShownTable& table, Whose whose,
                     const OwnStatement& row) {
  const std::string shown = table.row_json(row, context.encoding);
  return {.key = key,
          .table = table,
          .whose = whose,
          .address = table.key_of(row),
          .conflict = {.kind = merge::ConflictKind::kForeignKey,
                       .table = key.child,
                       .key = table.key_json(row, context.encoding),
                       .base = table.reference_json(key, row, context.encoding),
                       .main = whose == Whose::kOurs ? shown : "null",
                       .branch = whose == Whose::kTheirs ? shown : "null"}};
}

Status run_on_row(MergeContext& context, const std::string& sql, const RowCopy& address,
                  std::span<const NamedField> values) {
  DOSQL_ASSIGN_OR_RETURN(OwnStatement statement, OwnStatement::prepare(context.connection, sql));
  int parameter = 1;
  for (const NamedField& value : values)
    statement.bind(parameter++, value.value.values()[0], context.encoding);
  for (const Field& part : address.values()) statement.bind(parameter++, part, context.encoding);
  const int rc = statement.run();
  return rc == SQLITE_DONE ? Status() : Status(context.connection.error(rc));
}

Status settle(MergeContext& context, TableMergeCounts& counts, const Dangling& dangling) {
  const Resolution* const resolution = context.settle(counts, dangling.conflict);
  if (resolution == nullptr) return {};
  const std::string table = "main." + quoted(dangling.key.child);
  using Take = Resolution::Take;
  const bool keeps = resolution->take == (dangling.whose == Whose::kOurs ? Take::kOurs : Take::kTheirs);
  if (keeps) {
    return Error(ErrorCode::kConstraint,
                 fmt::format("row {} of {} cannot stay as it is: it refers to {}, which is gone",
                             dangling.conflict.key, dangling.key.child, dangling.conflict.base));
  }
  if (resolution->take != Take::kValue) {
    ++counts.deleted;
    return run_on_row(context, fmt::format("DELETE FROM {} WHERE {}", table, dangling.table.where_text(1)),
                      dangling.address, {});
  }
  const std::string alone = dangling.key.child_columns.size() == 1 ? dangling.key.child_columns[0] : "";
  DOSQL_ASSIGN_OR_RETURN(
      const std::vector<NamedField> values,
      fields_of_json(context.connection, resolution->value, alone,
                     [&](std::string_view name) { return dangling.table.has_column(name); }));
  std::string set;
  int parameter = 1;
  for (const NamedField& value : values)
    set += fmt::format("{}{} = ?{}", set.empty() ? "" : ", ", quoted(value.name), parameter++);
  if (set.empty()) return {};
  ++counts.updated;
  return run_on_row(
      context,
      fmt::format("UPDATE OR ABORT {} SET {} WHERE {}", table, set, dangling.table.where_text(parameter)),
      dangling.address, values);
}

Result<std::vector<Dangling>> find_dangling(MergeContext& context, const ForeignKey& key,
                                            const ShownTable& table, Whose whose, OwnStatement& rows) {
  std::vector<Dangling> found;
  int rc = SQLITE_OK;
  while ((rc = rows.step()) == SQLITE_ROW) found.push_back(dangling_of(context, key, table, whose, rows));
  if (rc != SQLITE_DONE) return context.connection.error(rc);
  return found;
}

// What the merge made rows of this table refer to.
Status verify_children(MergeContext& context, const ForeignKey& key, const MergedTable& table,
                       std::span<const NumberReference> references, TableMergeCounts& counts,
                       const OpenChanges& open) {
  const auto columns = find_columns(table, key.child_columns);
  if (!columns) return {};
  DOSQL_ASSIGN_OR_RETURN(const ShownTable shown, ShownTable::read(context.connection, key.child));
  const std::string text =
      fmt::format("SELECT {} FROM main.{} AS c WHERE {} AND {}", shown.select_text(), quoted(key.child),
                  table.where_text("c.", false, 1), dangling_text(key));
  DOSQL_ASSIGN_OR_RETURN(OwnStatement find, OwnStatement::prepare(context.connection, text));
  DOSQL_ASSIGN_OR_RETURN(merge::KeyedChanges changes, open());
  const auto moved = context.moved_rowids.find(table.name);
  KeyedChange change;
  std::vector<Dangling> all;
  while (true) {
    DOSQL_ASSIGN_OR_RETURN(const bool found, changes.next(change));
    if (!found) break;
    const auto same = [&](std::uint32_t column) {
      return diff::same_value(change.base[column], change.theirs[column]);
    };
    if (!change.in_theirs || (change.in_base && std::ranges::all_of(*columns, same))) continue;
    renumber(references, table, change);
    RowAddress address{.key_of = change.in_base ? change.base : change.theirs,
                       .rowid = change.in_base ? change.rowid_base : change.rowid_theirs};
    if (moved != context.moved_rowids.end() && !change.in_base) {
      if (const auto other = moved->second.find(address.rowid); other != moved->second.end())
        address.rowid = other->second;
    }
    bind_address(find, table, address, context.encoding, 1);
    DOSQL_ASSIGN_OR_RETURN(std::vector<Dangling> dangling,
                           find_dangling(context, key, shown, Whose::kTheirs, find));
    std::ranges::move(dangling, std::back_inserter(all));
  }
  for (const Dangling& dangling : all) DOSQL_RETURN_IF_ERROR(settle(context, counts, dangling));
  return {};
}

// What refers to rows of this table that went.
Status verify_parents(MergeContext& context, const ForeignKey& key, const MergedTable& table,
                      TableMergeCounts& counts, const OpenChanges& open) {
  const auto columns = find_columns(table, key.parent_columns);
  if (!columns) return {};
  DOSQL_ASSIGN_OR_RETURN(const ShownTable shown, ShownTable::read(context.connection, key.child));
  std::string text = fmt::format("SELECT {} FROM main.{} AS c WHERE {}", shown.select_text(),
                                 quoted(key.child), dangling_text(key));
  if (key.child_has_index) {
    for (std::size_t i = 0; i < columns->size(); ++i) {
      text += fmt::format(" AND c.{} = ?{} COLLATE {}", quoted(key.child_columns[i]), i + 1,
                          quoted(table.columns[(*columns)[i]].collation));
    }
  }
  DOSQL_ASSIGN_OR_RETURN(OwnStatement find, OwnStatement::prepare(context.connection, text));
  DOSQL_ASSIGN_OR_RETURN(merge::KeyedChanges changes, open());
  KeyedChange change;
  std::vector<Dangling> all;
  bool any_gone = false;
  while (true) {
    DOSQL_ASSIGN_OR_RETURN(const bool found, changes.next(change));
    if (!found) break;
    const auto same = [&](std::uint32_t column) {
      return diff::same_value(change.base[column], change.theirs[column]);
    };
    if (!change.in_base || (change.in_theirs && std::ranges::all_of(*columns, same))) continue;
    any_gone = true;
    if (!key.child_has_index) break;
    for (std::size_t i = 0; i < columns->size(); ++i)
      find.bind(static_cast<int>(i) + 1, change.base[(*columns)[i]], context.encoding);
    DOSQL_ASSIGN_OR_RETURN(std::vector<Dangling> dangling,
                           find_dangling(context, key, shown, Whose::kOurs, find));
    std::ranges::move(dangling, std::back_inserter(all));
  }
  // Without an index one look at all children costs less than one for each parent.
  if (any_gone && !key.child_has_index) {
    DOSQL_ASSIGN_OR_RETURN(all, find_dangling(context, key, shown, Whose::kOurs, find));
  }
  // The other way round they may have been found already.
  std::set<std::string> known;
  if (!all.empty()) {
    for (const Conflict& conflict : context.conflicts) {
      if (conflict.kind == merge::ConflictKind::kForeignKey && conflict.table == key.child)
        known.insert(conflict.key);
    }
  }
  for (const Dangling& dangling : all) {
    if (known.insert(dangling.conflict.key).second) DOSQL_RETURN_IF_ERROR(settle(context, counts, dangling));
  }
  return {};
}

}  // namespace

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
      "AND EXISTS (SELECT 1 FROM main.sqlite_schema AS p WHERE p.type = 'table' AND p.name = f.\"table\" "
      "COLLATE NOCASE) "
      "ORDER BY s.rowid, f.id, f.seq";
  DOSQL_ASSIGN_OR_RETURN(OwnStatement rows, OwnStatement::prepare(connection, kKeys));
  std::int64_t id = -1;
  int rc = SQLITE_OK;
  while ((rc = rows.step()) == SQLITE_ROW) {
    const std::string child = rows.text(0);
    if (keys_.empty() || keys_.back().child != child || rows.integer(1) != id)
      keys_.push_back({.child = child, .parent = rows.text(2), .child_columns = {}, .parent_columns = {}});
    id = rows.integer(1);
    ForeignKey& key = keys_.back();
    key.child_columns.push_back(rows.text(3));
    key.parent_columns.push_back(rows.text(4));
    key.child_has_index = key.child_has_index || rows.integer(5) != 0;
  }
  if (rc != SQLITE_DONE) return connection.error(rc);
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

std::vector<NumberReference> ForeignKeys::renumbered(const MergeContext& context,
                                                     const MergedTable& table) const {
  std::vector<NumberReference> references;
  for (const auto& [parent, keys] : context.new_keys) {
    if (parent == table.name) references.push_back({*table.rowid_column, &keys.numbers});
    for (const ForeignKey* const key : from(table.name)) {
      const bool by_number = key->child_columns.size() == 1 && equals_ignoring_case(key->parent, parent) &&
                             equals_ignoring_case(key->parent_columns[0], keys.column);
      const auto column = by_number ? find_column(table, key->child_columns[0]) : std::nullopt;
      // A key that refers to a parent's is renumbered with that.
      if (column && (parent != table.name || *column != *table.rowid_column))
        references.push_back({*column, &keys.numbers});
    }
  }
  return references;
}

Status verify_foreign_keys(MergeContext& context, const ForeignKeys& keys, const MergedTable& table,
                           TableMergeCounts& counts, const OpenChanges& changes) {
  const std::vector<NumberReference> references = keys.renumbered(context, table);
  for (const ForeignKey* const key : keys.from(table.name))
    DOSQL_RETURN_IF_ERROR(verify_children(context, *key, table, references, counts, changes));
  for (const ForeignKey* const key : keys.to(table.name))
    DOSQL_RETURN_IF_ERROR(verify_parents(context, *key, table, counts, changes));
  return {};
}

}  // namespace dosql::engine
