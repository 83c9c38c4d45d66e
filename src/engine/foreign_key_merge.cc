#include "engine/foreign_key_merge.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <utility>

#include "base/json_text.h"
#include "diff/row.h"
#include "engine/connection_state.h"
#include "engine/doubtful_numbers.h"
#include "engine/own_statement.h"
#include "engine/row_json.h"
#include "sql/lexer.h"

namespace dosql::engine {
namespace {

using diff::Field;
using merge::KeyedChange;
using sql::equals_ignoring_case;
using sql::quoted;

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

// c refers to something.
std::string refers_text(const ForeignKey& key) {
  std::string text;
  for (const std::string& column : key.child_columns)
    text += fmt::format("{}c.{} IS NOT NULL", text.empty() ? "" : " AND ", quoted(column));
  return text;
}

// c refers to no p. As SQLite has it, a value is compared as its parent's column compares values: by the
// affinity of that, which the + leaves to it, and by its collation.
std::string dangling_text(const ForeignKey& key) {
  if (!key.has_parent) return refers_text(key);
  std::string match;
  for (std::size_t i = 0; i < key.child_columns.size(); ++i) {
    match += fmt::format("{}p.{} = +c.{}", match.empty() ? "" : " AND ", quoted(key.parent_columns[i]),
                         quoted(key.child_columns[i]));
  }
  return fmt::format("{} AND NOT EXISTS (SELECT 1 FROM main.{} AS p WHERE {})", refers_text(key),
                     quoted(key.parent), match);
}

// A row of a table that is known by its name only, as a conflict shows it.
class ShownTable {
 public:
  static Result<ShownTable> read(ConnectionState& connection, const std::string& name) {
    DOSQL_ASSIGN_OR_RETURN(
        OwnStatement rows,
        OwnStatement::prepare(
            connection,
            "SELECT c.name, c.pk, (SELECT t.wr FROM pragma_table_list(?1) AS t WHERE t.schema = 'main') "
            "FROM pragma_table_info(?1, 'main') AS c ORDER BY c.cid"));
    rows.bind(1, std::string_view(name));
    ShownTable table;
    std::map<std::int64_t, std::size_t> key;
    bool has_rowid = true;
    int rc = SQLITE_OK;
    while ((rc = rows.step()) == SQLITE_ROW) {
      if (rows.integer(1) > 0) key[rows.integer(1)] = table.columns_.size();
      table.columns_.push_back(rows.text(0));
      has_rowid = rows.integer(2) == 0;
    }
    if (rc != SQLITE_DONE) return connection.error(rc);
    for (const auto& [position, column] : key) table.key_.push_back(column);
    for (const char* const rowid : {"rowid", "_rowid_", "oid"}) {
      if (has_rowid && table.rowid_name_.empty() && !table.find(rowid)) table.rowid_name_ = rowid;
    }
    return table;
  }

  // What to select, of a table `c`; first the rowid, where it has one.
  std::string select_text() const {
    std::string text = rowid_name_.empty() ? "0" : "c." + rowid_name_;
    for (const std::string& column : columns_) text += ", c." + quoted(column);
    return text;
  }
  std::string key_json(const OwnStatement& row, diff::TextEncoding encoding) const {
    const auto is_null = [&](std::size_t column) { return row.is_null(static_cast<int>(column) + 1); };
    if (key_.empty() || std::ranges::any_of(key_, is_null)) return std::to_string(row.integer(0));
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
      const Field value = column ? row.value(static_cast<int>(*column) + 1) : Field{};
      const std::string& parent = key.parent_columns[i];
      if (i > 0) text += ',';
      // A PRIMARY KEY that is gone has no name.
      text +=
          json_string(key.parent + (parent.empty() ? "" : "." + parent)) + ":" + value_json(value, encoding);
    }
    return text + "}";
  }

  // What a row is found by again: its rowid, or its key.
  std::vector<std::string> address_columns() const {
    if (!rowid_name_.empty()) return {rowid_name_};
    std::vector<std::string> names;
    for (const std::size_t column : key_) names.push_back(columns_[column]);
    return names;
  }
  std::string where_text(std::string_view prefix, int first_parameter) const {
    std::string text;
    for (const std::string& column : address_columns()) {
      text += fmt::format("{}{}{} IS ?{}", text.empty() ? "" : " AND ", prefix, quoted(column),
                          first_parameter++);
    }
    return text;
  }
  RowCopy address_of(const OwnStatement& row) const {
    std::vector<Field> values;
    if (!rowid_name_.empty()) {
      values.push_back(row.value(0));
    } else {
      for (const std::size_t column : key_) values.push_back(row.value(static_cast<int>(column) + 1));
    }
    return RowCopy(values);
  }
  // All columns.
  RowCopy row_of(const OwnStatement& row) const {
    std::vector<Field> values;
    for (std::size_t i = 0; i < columns_.size(); ++i) values.push_back(row.value(static_cast<int>(i) + 1));
    return RowCopy(values);
  }
  std::optional<std::size_t> find(std::string_view name) const {
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      if (equals_ignoring_case(columns_[i], name)) return i;
    }
    return std::nullopt;
  }

 private:
  std::vector<std::string> columns_;
  std::vector<std::size_t> key_;
  std::string rowid_name_;  // empty: it has none, or hides it behind columns of all its names
};

enum class Whose : std::uint8_t { kTheirs, kOurs };

// A row of `key.child` that refers to nothing, or to what may be another row than the one that is meant.
struct Dangling {
  const ForeignKey& key;
  const ShownTable& table;
  Whose whose;
  bool in_doubt;
  RowCopy address;
  RowCopy row;
  Conflict conflict;
};

class ForeignKeyCheck {
 public:
  ForeignKeyCheck(MergeContext& context, const ForeignKeys& keys) : context_(context), keys_(keys) {}

  // All rows of the child table.
  Status check_all(const ForeignKey& key, Whose whose);
  // What the merge made rows of this table refer to.
  Status check_children(const ForeignKey& key, const VerifiedTable& verified);
  // What refers to rows of this table that went.
  Status check_parents(const ForeignKey& key, const VerifiedTable& verified);
  Status check_touched(const MergedTable& table, const TouchedRows& touched);
  // What the merge made rows of this table refer to by numbers in doubt, and what of ours does.
  Status find_doubtful(const ForeignKey& key, const VerifiedTable& verified);
  Status find_doubtful(const MergedTable& table, const DoubtfulReference& ours);
  Status find_doubtful_contents(const ForeignKey& key, const MergedTable& table,
                                std::span<const std::uint32_t> columns,
                                std::span<const NumberRuns* const> runs);
  Status settle_doubtful();
  // What refers to rows that decisions about other rows removed or changed.
  Status check_decided();

 private:
  // A row that is no longer what it was: all columns of its table.
  struct Gone {
    std::string table;
    RowCopy row;
  };
  using Columns = std::optional<std::vector<std::uint32_t>>;

  Result<const ShownTable*> shown(const std::string& table);
  Result<OwnStatement> prepare(const ForeignKey& key, const std::string& condition);
  Status check_came(const ForeignKey& key, const MergedTable& table, std::span<const TouchedRows::Row> came);
  Status check_gone(const ForeignKey& key, const Columns& columns, std::span<const RowCopy> gone);
  Result<OwnStatement> prepare_for_parents(const ForeignKey& key);
  Status find_for_parent(const ForeignKey& key, const std::vector<std::uint32_t>& columns,
                         std::span<const Field> parent, OwnStatement& find);
  Result<OwnStatement> prepare_doubtful(const ForeignKey& key, const MergedTable& table, bool has_no_key);
  Status find_doubtful_row(OwnStatement& rows, const ForeignKey& key, const MergedTable& table, Whose whose,
                           const RowAddress& address, std::span<const Field> row);
  RowAddress address_now(const MergedTable& table, const KeyedChange& change) const;
  Status find(const ForeignKey& key, Whose whose, OwnStatement& rows, bool in_doubt = false);
  Status settle_found();
  Status settle(const Dangling& dangling);
  Status change(const Dangling& dangling, const std::string& json);
  Result<std::vector<std::string>> broken_references(const Dangling& dangling, const RowCopy& address);
  Status verify_decided(const Dangling& dangling, const RowCopy& address);
  Result<OwnStatement> run_on_row(const std::string& sql, const Dangling& dangling,
                                  std::span<const NamedField> values);

  MergeContext& context_;
  const ForeignKeys& keys_;
  std::map<std::string, ShownTable> shown_;
  std::vector<Dangling> found_;
  std::set<RowName> known_;  // rows about which there is a conflict
  std::vector<Gone> gone_;
};

Result<const ShownTable*> ForeignKeyCheck::shown(const std::string& table) {
  auto found = shown_.find(table);
  if (found == shown_.end()) {
    DOSQL_ASSIGN_OR_RETURN(ShownTable read, ShownTable::read(context_.connection, table));
    found = shown_.emplace(table, std::move(read)).first;
  }
  return &found->second;
}

// --- Finding ---

// The rows of the child for which the condition holds, if they refer to nothing.
Result<OwnStatement> ForeignKeyCheck::prepare(const ForeignKey& key, const std::string& condition) {
  DOSQL_ASSIGN_OR_RETURN(const ShownTable* const table, shown(key.child));
  return OwnStatement::prepare(
      context_.connection,
      fmt::format("SELECT {} FROM main.{} AS c WHERE {}{}{}", table->select_text(), quoted(key.child),
                  condition, condition.empty() ? "" : " AND ", dangling_text(key)));
}

Status ForeignKeyCheck::find(const ForeignKey& key, Whose whose, OwnStatement& rows, bool in_doubt) {
  DOSQL_ASSIGN_OR_RETURN(const ShownTable* const table, shown(key.child));
  int rc = SQLITE_OK;
  while ((rc = rows.step()) == SQLITE_ROW) {
    const std::string text = table->row_json(rows, context_.encoding);
    found_.push_back({.key = key,
                      .table = *table,
                      .whose = whose,
                      .in_doubt = in_doubt,
                      .address = table->address_of(rows),
                      .row = table->row_of(rows),
                      .conflict = {.kind = merge::ConflictKind::kForeignKey,
                                   .table = key.child,
                                   .key = table->key_json(rows, context_.encoding),
                                   .base = table->reference_json(key, rows, context_.encoding),
                                   .main = whose == Whose::kOurs ? text : "null",
                                   .branch = whose == Whose::kTheirs ? text : "null"}});
  }
  return rc == SQLITE_DONE ? Status() : Status(context_.connection.error(rc));
}

Status ForeignKeyCheck::check_all(const ForeignKey& key, Whose whose) {
  DOSQL_ASSIGN_OR_RETURN(OwnStatement rows, prepare(key, ""));
  DOSQL_RETURN_IF_ERROR(find(key, whose, rows));
  return settle_found();
}

Status ForeignKeyCheck::check_children(const ForeignKey& key, const VerifiedTable& verified) {
  const MergedTable& table = verified.table;
  const Columns columns = find_columns(table, key.child_columns);
  if (!columns) return {};
  const std::vector<NumberReference> references = keys_.renumbered(context_, table);
  DOSQL_ASSIGN_OR_RETURN(OwnStatement by_key, prepare(key, table.where_text("c.", false, 1)));
  std::optional<OwnStatement> by_rowid;
  if (!table.known_by_rowid() && !table.rowid_name.empty()) {
    DOSQL_ASSIGN_OR_RETURN(by_rowid, prepare(key, table.where_text("c.", true, 1)));
  }
  DOSQL_ASSIGN_OR_RETURN(RebasedChanges changes, verified.changes());
  KeyedChange change;
  while (true) {
    DOSQL_ASSIGN_OR_RETURN(const bool found, changes.next(change));
    if (!found) break;
    const auto refers_anew = [&](std::uint32_t column) { return is_anew(change, column); };
    if (!change.in_theirs || std::ranges::none_of(*columns, refers_anew)) continue;
    renumber(references, table, change);
    const RowAddress address = address_now(table, change);
    OwnStatement& rows = by_rowid && address.key_of.empty() ? *by_rowid : by_key;
    bind_address(rows, table, address, context_.encoding, 1);
    DOSQL_RETURN_IF_ERROR(find(key, Whose::kTheirs, rows));
  }
  return settle_found();
}

// Where a row of theirs is now. REQUIRES: its references follow already.
RowAddress ForeignKeyCheck::address_now(const MergedTable& table, const KeyedChange& change) const {
  RowAddress address{.key_of = change.in_theirs ? change.theirs : change.base,
                     .rowid = change.in_base ? change.rowid_base : change.rowid_theirs};
  const bool has_no_key =
      !table.known_by_rowid() && !table.rowid_name.empty() && !table.has_key(address.key_of);
  if (has_no_key) address.key_of = {};
  if (change.in_base) return address;
  const auto moved = context_.moved_rowids.find(table.name);
  if (moved == context_.moved_rowids.end()) return address;
  if (const auto other = moved->second.find(address.rowid); other != moved->second.end())
    address.rowid = other->second;
  return address;
}

// --- References in doubt ---

// A row that is there, and refers to what it is known to have referred to.
Result<OwnStatement> ForeignKeyCheck::prepare_doubtful(const ForeignKey& key, const MergedTable& table,
                                                       bool has_no_key) {
  DOSQL_ASSIGN_OR_RETURN(const ShownTable* const child, shown(key.child));
  int parameter = 1 + static_cast<int>(has_no_key || table.known_by_rowid() ? 1 : table.key.size());
  std::string condition = table.where_text("c.", has_no_key, 1);
  for (const std::string& column : key.child_columns)
    condition += fmt::format(" AND c.{} IS ?{}", quoted(column), parameter++);
  return OwnStatement::prepare(context_.connection,
                               fmt::format("SELECT {} FROM main.{} AS c WHERE {}", child->select_text(),
                                           quoted(key.child), condition));
}

Status ForeignKeyCheck::find_doubtful_row(OwnStatement& rows, const ForeignKey& key, const MergedTable& table,
                                          Whose whose, const RowAddress& address,
                                          std::span<const Field> row) {
  int parameter = bind_address(rows, table, address, context_.encoding, 1);
  const Columns columns = find_columns(table, key.child_columns);
  for (const std::uint32_t column : *columns) rows.bind(parameter++, row[column], context_.encoding);
  return find(key, whose, rows, true);
}

Status ForeignKeyCheck::find_doubtful(const ForeignKey& key, const VerifiedTable& verified) {
  const MergedTable& table = verified.table;
  const Columns columns = find_columns(table, key.child_columns);
  const std::vector<const NumberRuns*> runs = keys_.doubtful(context_, key, &Doubts::ours);
  if (!columns || runs.empty()) return {};
  if (context_.by_content.contains(table.name)) return find_doubtful_contents(key, table, *columns, runs);
  const std::vector<NumberReference> references = keys_.renumbered(context_, table);
  std::optional<OwnStatement> by_key_or_rowid[2];
  DOSQL_ASSIGN_OR_RETURN(RebasedChanges changes, verified.changes());
  KeyedChange change;
  while (true) {
    DOSQL_ASSIGN_OR_RETURN(const bool found, changes.next(change));
    if (!found) return {};
    if (!change.in_theirs) continue;
    const std::vector<Field> before = change.theirs;
    const auto refers_anew = [&](std::uint32_t column) { return is_anew(change, column); };
    std::vector<std::uint32_t> anew;
    std::ranges::copy_if(*columns, std::back_inserter(anew), refers_anew);
    renumber(references, table, change);
    const bool follows = std::ranges::any_of(*columns, [&](std::uint32_t column) {
      return !diff::same_value(before[column], change.theirs[column]);
    });
    bool in_doubt = false;
    for (std::size_t i = 0; i < columns->size(); ++i) {
      // The rest of a key of which a part followed is in no doubt by itself.
      if (follows && !keys_.is_number(context_, key.parent, key.parent_columns[i])) continue;
      const std::uint32_t column = (*columns)[i];
      const Field& now = change.theirs[column];
      const bool is_new = std::ranges::find(anew, column) != anew.end();
      const bool is_kept = is_new && runs[i] != nullptr && diff::same_value(before[column], now);
      const auto number = is_kept ? number_meant(now, context_.encoding) : std::nullopt;
      in_doubt = in_doubt || (number && runs[i]->contains(*number));
    }
    if (!in_doubt) continue;
    const RowAddress address = address_now(table, change);
    const bool has_no_key = !table.known_by_rowid() && address.key_of.empty();
    std::optional<OwnStatement>& rows = by_key_or_rowid[has_no_key];
    if (!rows) {
      DOSQL_ASSIGN_OR_RETURN(rows, prepare_doubtful(key, table, has_no_key));
    }
    DOSQL_RETURN_IF_ERROR(find_doubtful_row(*rows, key, table, Whose::kTheirs, address, change.theirs));
  }
}

// The same of rows that were counted: those that came.
Status ForeignKeyCheck::find_doubtful_contents(const ForeignKey& key, const MergedTable& table,
                                               std::span<const std::uint32_t> columns,
                                               std::span<const NumberRuns* const> runs) {
  const auto touched = context_.touched.find(table.name);
  if (touched == context_.touched.end()) return {};
  DOSQL_ASSIGN_OR_RETURN(OwnStatement rows, prepare_doubtful(key, table, false));
  for (const TouchedRows::Row& came : touched->second.came) {
    const std::span<const Field> row = came.row.values();
    bool in_doubt = false;
    for (std::size_t i = 0; i < columns.size(); ++i) {
      const auto number = number_meant(row[columns[i]], context_.encoding);
      in_doubt = in_doubt || (runs[i] != nullptr && number && runs[i]->contains(*number));
    }
    if (!in_doubt) continue;
    DOSQL_RETURN_IF_ERROR(find_doubtful_row(rows, key, table, Whose::kTheirs, {.rowid = came.rowid}, row));
  }
  return {};
}

Status ForeignKeyCheck::find_doubtful(const MergedTable& table, const DoubtfulReference& ours) {
  const std::span<const Field> row = ours.row.row.values();
  const bool has_no_key = !table.known_by_rowid() && !table.has_key(row);
  DOSQL_ASSIGN_OR_RETURN(OwnStatement rows, prepare_doubtful(*ours.key, table, has_no_key));
  const RowAddress address{.key_of = has_no_key ? std::span<const Field>() : row, .rowid = ours.row.rowid};
  return find_doubtful_row(rows, *ours.key, table, Whose::kOurs, address, row);
}

// Both are objects.
void add_reference(const std::string& one, std::string& all) {
  if (all.contains(one.substr(1, one.size() - 2))) return;
  all.back() = ',';
  all += one.substr(1);
}

// One conflict for each row, which shows all of its references that are in doubt.
Status ForeignKeyCheck::settle_doubtful() {
  std::vector<Dangling> rows;
  for (Dangling& one : std::exchange(found_, {})) {
    const auto same = std::ranges::find_if(rows, [&](const Dangling& other) {
      return other.conflict.table == one.conflict.table && other.conflict.key == one.conflict.key;
    });
    if (same == rows.end()) {
      rows.push_back(std::move(one));
    } else {
      add_reference(one.conflict.base, same->conflict.base);
    }
  }
  found_ = std::move(rows);
  return settle_found();
}

// What refers to one parent, where an index finds it; else all children.
Result<OwnStatement> ForeignKeyCheck::prepare_for_parents(const ForeignKey& key) {
  std::string condition;
  int parameter = 1;
  for (const std::string& column : key.child_columns) {
    if (!key.child_has_index) break;
    condition += fmt::format("{}c.{} = ?{}", condition.empty() ? "" : " AND ", quoted(column), parameter++);
  }
  return prepare(key, condition);
}

Status ForeignKeyCheck::find_for_parent(const ForeignKey& key, const std::vector<std::uint32_t>& columns,
                                        std::span<const Field> parent, OwnStatement& rows) {
  if (key.child_has_index) {
    for (std::size_t i = 0; i < columns.size(); ++i)
      rows.bind(static_cast<int>(i) + 1, parent[columns[i]], context_.encoding);
  }
  return find(key, Whose::kOurs, rows);
}

Status ForeignKeyCheck::check_parents(const ForeignKey& key, const VerifiedTable& verified) {
  const Columns columns = find_columns(verified.table, key.parent_columns);
  if (!columns) return {};
  DOSQL_ASSIGN_OR_RETURN(OwnStatement rows, prepare_for_parents(key));
  DOSQL_ASSIGN_OR_RETURN(RebasedChanges changes, verified.changes());
  KeyedChange change;
  while (true) {
    DOSQL_ASSIGN_OR_RETURN(const bool found, changes.next(change));
    if (!found) break;
    const auto same = [&](std::uint32_t column) {
      return diff::same_value(change.base[column], change.theirs[column]);
    };
    if (!change.in_base || (change.in_theirs && std::ranges::all_of(*columns, same))) continue;
    DOSQL_RETURN_IF_ERROR(find_for_parent(key, *columns, change.base, rows));
    // Without an index one look at all children costs less than one for each parent.
    if (!key.child_has_index) break;
  }
  return settle_found();
}

Status ForeignKeyCheck::check_came(const ForeignKey& key, const MergedTable& table,
                                   std::span<const TouchedRows::Row> came) {
  std::optional<OwnStatement> by_key_or_rowid[2];
  for (const TouchedRows::Row& one : came) {
    const bool has_no_key = !table.known_by_rowid() && !table.has_key(one.row.values());
    if (has_no_key && table.rowid_name.empty()) continue;
    std::optional<OwnStatement>& rows = by_key_or_rowid[has_no_key];
    if (!rows) {
      DOSQL_ASSIGN_OR_RETURN(rows, prepare(key, table.where_text("c.", has_no_key, 1)));
    }
    const RowAddress address{.key_of = has_no_key ? std::span<const Field>() : one.row.values(),
                             .rowid = one.rowid};
    bind_address(*rows, table, address, context_.encoding, 1);
    DOSQL_RETURN_IF_ERROR(find(key, Whose::kTheirs, *rows));
  }
  return settle_found();
}

Status ForeignKeyCheck::check_gone(const ForeignKey& key, const Columns& columns,
                                   std::span<const RowCopy> gone) {
  if (!columns || gone.empty()) return {};
  DOSQL_ASSIGN_OR_RETURN(OwnStatement rows, prepare_for_parents(key));
  for (const RowCopy& one : gone) {
    DOSQL_RETURN_IF_ERROR(find_for_parent(key, *columns, one.values(), rows));
    if (!key.child_has_index) break;
  }
  return settle_found();
}

Status ForeignKeyCheck::check_touched(const MergedTable& table, const TouchedRows& touched) {
  for (const ForeignKey* const key : keys_.from(table.name))
    DOSQL_RETURN_IF_ERROR(check_came(*key, table, touched.came));
  for (const ForeignKey* const key : keys_.to(table.name))
    DOSQL_RETURN_IF_ERROR(check_gone(*key, find_columns(table, key->parent_columns), touched.gone));
  return {};
}

Status ForeignKeyCheck::check_decided() {
  while (!gone_.empty()) {
    for (const Gone& one : std::exchange(gone_, {})) {
      DOSQL_ASSIGN_OR_RETURN(const ShownTable* const table, shown(one.table));
      for (const ForeignKey* const key : keys_.to(one.table)) {
        Columns columns(std::in_place);
        for (const std::string& name : key->parent_columns) {
          const auto column = table->find(name);
          if (column && columns) columns->push_back(static_cast<std::uint32_t>(*column));
          if (!column) columns.reset();
        }
        DOSQL_RETURN_IF_ERROR(check_gone(*key, columns, {&one.row, 1}));
      }
    }
  }
  return {};
}

// --- Deciding ---

// What is found in more than one way is settled once, and shows all that the row refers to in vain.
Status ForeignKeyCheck::settle_found() {
  for (Dangling& dangling : std::exchange(found_, {})) {
    if (!known_.insert({dangling.conflict.table, dangling.conflict.key}).second) continue;
    DOSQL_ASSIGN_OR_RETURN(const std::vector<std::string> broken,
                           broken_references(dangling, dangling.address));
    for (const std::string& one : broken) add_reference(one, dangling.conflict.base);
    dangling.in_doubt = dangling.in_doubt && broken.empty();
    DOSQL_RETURN_IF_ERROR(settle(dangling));
  }
  return {};
}

Status ForeignKeyCheck::settle(const Dangling& dangling) {
  const std::string& child = dangling.key.child;
  TableMergeCounts& counts = context_.counts_of(child);
  const Resolution* const resolution = context_.settle(counts, dangling.conflict);
  if (resolution == nullptr) return {};
  using Take = Resolution::Take;
  const bool keeps = resolution->take == (dangling.whose == Whose::kOurs ? Take::kOurs : Take::kTheirs);
  if (keeps && dangling.in_doubt) return {};
  if (keeps) {
    return Error(ErrorCode::kConstraint,
                 fmt::format("row {} of {} cannot stay as it is: it refers to {}, which is gone",
                             dangling.conflict.key, child, dangling.conflict.base))
        .with_hint(
            "its conflict of kind foreign_key takes 'delete', which deletes the row, or JSON that "
            "makes it refer to something else, or to nothing");
  }
  gone_.push_back({child, dangling.row});
  if (resolution->take == Take::kValue) {
    // What came by the merge is counted.
    if (dangling.whose == Whose::kOurs) ++counts.updated;
    return change(dangling, resolution->value);
  }
  ++counts.deleted;
  return run_on_row(
             fmt::format("DELETE FROM main.{} WHERE {}", quoted(child), dangling.table.where_text("", 1)),
             dangling, {})
      .and_then(ignore_result);
}

Status ForeignKeyCheck::change(const Dangling& dangling, const std::string& json) {
  const std::string alone = dangling.key.child_columns.size() == 1 ? dangling.key.child_columns[0] : "";
  DOSQL_ASSIGN_OR_RETURN(const std::vector<NamedField> values,
                         fields_of_json(context_.connection, json, alone, [&](std::string_view name) {
                           return dangling.table.find(name).has_value();
                         }));
  std::string set;
  int parameter = 1;
  for (const NamedField& value : values)
    set += fmt::format("{}{} = ?{}", set.empty() ? "" : ", ", quoted(value.name), parameter++);
  if (set.empty()) return verify_decided(dangling, dangling.address);
  std::string address;
  for (const std::string& column : dangling.table.address_columns())
    address += (address.empty() ? "" : ", ") + quoted(column);
  DOSQL_ASSIGN_OR_RETURN(OwnStatement changed,
                         run_on_row(fmt::format("UPDATE OR ABORT main.{} SET {} WHERE {} RETURNING {}",
                                                quoted(dangling.key.child), set,
                                                dangling.table.where_text("", parameter), address),
                                    dangling, values));
  std::vector<Field> now;
  for (int i = 0; i < static_cast<int>(dangling.address.values().size()); ++i)
    now.push_back(changed.value(i));
  const RowCopy kept(now);
  changed.reset();
  return verify_decided(dangling, kept);
}

// What the row refers to that is not there, by each of its keys.
Result<std::vector<std::string>> ForeignKeyCheck::broken_references(const Dangling& dangling,
                                                                    const RowCopy& address) {
  std::vector<std::string> broken;
  for (const ForeignKey* const key : keys_.from(dangling.key.child)) {
    DOSQL_ASSIGN_OR_RETURN(OwnStatement row, prepare(*key, dangling.table.where_text("c.", 1)));
    int parameter = 1;
    for (const Field& part : address.values()) row.bind(parameter++, part, context_.encoding);
    const int rc = row.step();
    if (rc == SQLITE_DONE) continue;
    if (rc != SQLITE_ROW) return context_.connection.error(rc);
    broken.push_back(dangling.table.reference_json(*key, row, context_.encoding));
  }
  return broken;
}

// The row has to refer to something by all of its keys.
Status ForeignKeyCheck::verify_decided(const Dangling& dangling, const RowCopy& address) {
  DOSQL_ASSIGN_OR_RETURN(const std::vector<std::string> broken, broken_references(dangling, address));
  if (broken.empty()) return {};
  return Error(ErrorCode::kConstraint,
               fmt::format(
                   "what was decided about row {} of {} is not possible: it refers to {}, which is not there",
                   dangling.conflict.key, dangling.key.child, broken.front()))
      .with_hint(
          "JSON gives all columns that refer to something their values at once: {\"a\": 1, \"b\": "
          "null}; 'delete' deletes the row");
}

// Gives the statement on what it returns, if it does.
Result<OwnStatement> ForeignKeyCheck::run_on_row(const std::string& sql, const Dangling& dangling,
                                                 std::span<const NamedField> values) {
  DOSQL_ASSIGN_OR_RETURN(OwnStatement statement, OwnStatement::prepare(context_.connection, sql));
  int parameter = 1;
  for (const NamedField& value : values)
    statement.bind(parameter++, value.value.values()[0], context_.encoding);
  for (const Field& part : dangling.address.values()) statement.bind(parameter++, part, context_.encoding);
  const int rc = statement.step();
  if (rc != SQLITE_DONE && rc != SQLITE_ROW) return context_.connection.error(rc);
  return statement;
}

bool same_names(const std::vector<std::string>& some, const std::vector<std::string>& others) {
  return std::ranges::equal(some, others,
                            [](const auto& a, const auto& b) { return equals_ignoring_case(a, b); });
}

bool same_key(const ForeignKey& a, const ForeignKey& b) {
  return a.has_parent == b.has_parent && equals_ignoring_case(a.child, b.child) &&
         equals_ignoring_case(a.parent, b.parent) && same_names(a.child_columns, b.child_columns) &&
         same_names(a.parent_columns, b.parent_columns);
}

}  // namespace

Status verify_foreign_keys(MergeContext& context, const ForeignKeys& before, const ForeignKeys& now,
                           const std::vector<VerifiedTable>& tables,
                           const std::vector<DoubtfulReference>& doubtful) {
  ForeignKeyCheck check(context, now);
  std::set<const ForeignKey*> looked_at;
  for (const ForeignKey& key : now.all()) {
    const auto is_it = [&](const ForeignKey& other) { return same_key(key, other); };
    const bool is_about_new_rows = std::ranges::any_of(tables, [&](const VerifiedTable& verified) {
      return verified.replaced && (equals_ignoring_case(verified.table.name, key.child) ||
                                   equals_ignoring_case(verified.table.name, key.parent));
    });
    if (!is_about_new_rows && std::ranges::any_of(before.all(), is_it)) continue;
    looked_at.insert(&key);
    const bool is_new = std::ranges::any_of(tables, [&](const VerifiedTable& verified) {
      return verified.is_new && equals_ignoring_case(verified.table.name, key.child);
    });
    DOSQL_RETURN_IF_ERROR(check.check_all(key, is_new ? Whose::kTheirs : Whose::kOurs));
  }
  for (const VerifiedTable& verified : tables) {
    for (const ForeignKey* const key : now.from(verified.table.name)) {
      if (!looked_at.contains(key)) DOSQL_RETURN_IF_ERROR(check.check_children(*key, verified));
    }
    for (const ForeignKey* const key : now.to(verified.table.name)) {
      if (!looked_at.contains(key)) DOSQL_RETURN_IF_ERROR(check.check_parents(*key, verified));
    }
    const auto touched = context.touched.find(verified.table.name);
    if (touched != context.touched.end())
      DOSQL_RETURN_IF_ERROR(check.check_touched(verified.table, touched->second));
  }
  for (const VerifiedTable& verified : tables) {
    for (const ForeignKey* const key : now.from(verified.table.name))
      DOSQL_RETURN_IF_ERROR(check.find_doubtful(*key, verified));
    for (const DoubtfulReference& ours : doubtful) {
      if (equals_ignoring_case(ours.key->child, verified.table.name))
        DOSQL_RETURN_IF_ERROR(check.find_doubtful(verified.table, ours));
    }
  }
  DOSQL_RETURN_IF_ERROR(check.settle_doubtful());
  return check.check_decided();
}

}  // namespace dosql::engine
