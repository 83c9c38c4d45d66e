#include "engine/table_statements.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>

#include "engine/connection_state.h"
#include "sql/lexer.h"

namespace dosql::engine {
namespace {

using diff::Field;
using diff::FieldType;

// Compiled statements that are kept for sets of columns.
constexpr std::size_t kUpdatesMax = 64;

// SQLite counts what is chained by AND as nested, up to 1,000 levels; a table has up to 2,000 columns. So
// there are groups.
class Conditions {
 public:
  void add(std::string_view condition) {
    constexpr std::size_t kGroup = 100;
    text_ += count_++ % kGroup != 0 ? " AND " : text_.empty() ? "(" : ") AND (";
    text_ += condition;
  }
  // With an AND in front; empty: there are none.
  std::string text() const { return text_.empty() ? "" : " AND " + text_ + ")"; }

 private:
  std::string text_;
  std::size_t count_ = 0;
};

// Up to here a double holds every integer, so that SQLite stores a whole number in one way only.
constexpr std::int64_t kExactIntegerMax = std::int64_t{1} << 47;

}  // namespace

bool TableStatements::compares_exactly(std::uint32_t column, const Field& value) const {
  switch (value.type) {
    case FieldType::kInteger:
      return table_.columns[column].affinity != Affinity::kBlob && value.integer < kExactIntegerMax &&
             value.integer > -kExactIntegerMax;
    case FieldType::kReal: return table_.columns[column].affinity == Affinity::kReal;
    default: return true;
  }
}

// --- Compiling ---

Result<OwnStatement*> TableStatements::find_statement(bool by_rowid) {
  std::optional<OwnStatement>& statement = find_[by_rowid];
  if (!statement) {
    std::string text = "SELECT " + (table_.rowid_name.empty() ? "0" : sql::quoted(table_.rowid_name));
    for (const MergedColumn& column : table_.columns) text += ", " + sql::quoted(column.name);
    text +=
        fmt::format(" FROM main.{} WHERE {}", sql::quoted(table_.name), table_.where_text("", by_rowid, 1));
    DOSQL_ASSIGN_OR_RETURN(statement, OwnStatement::prepare(connection_, text));
  }
  return &*statement;
}

Result<OwnStatement*> TableStatements::erase_statement(bool by_rowid) {
  std::optional<OwnStatement>& statement = erase_[by_rowid];
  if (!statement) {
    int parameter = by_rowid || table_.known_by_rowid() ? 2 : static_cast<int>(table_.key.size()) + 1;
    std::string text = fmt::format("DELETE FROM main.{} WHERE {}", sql::quoted(table_.name),
                                   table_.where_text("", by_rowid, 1));
    Conditions same;
    for (const MergedColumn& column : table_.columns)
      same.add(fmt::format("{} IS ?{} COLLATE BINARY", sql::quoted(column.name), parameter++));
    text += same.text();
    DOSQL_ASSIGN_OR_RETURN(statement, OwnStatement::prepare(connection_, text));
  }
  return &*statement;
}

// Of a row that has none of them, and gets the defaults.
void TableStatements::no_columns(std::string& names, std::string& values) const {
  names = sql::quoted(table_.rowid_name);
  values = "NULL";
}

Result<OwnStatement*> TableStatements::insert_statement(Columns columns, bool with_rowid) {
  std::optional<OwnStatement>& statement = insert_[columns == Columns::kAll][with_rowid];
  if (!statement) {
    std::string names;
    std::string values;
    const auto add = [&](const std::string& name) {
      names += (names.empty() ? "" : ", ") + sql::quoted(name);
      values += values.empty() ? "?" : ", ?";
    };
    if (with_rowid) add(table_.rowid_name);
    for (const MergedColumn& column : table_.columns) {
      if (columns == Columns::kAll || column.in_theirs) add(column.name);
    }
    if (names.empty()) no_columns(names, values);
    // What the table's constraints say to do instead would lose rows.
    DOSQL_ASSIGN_OR_RETURN(
        statement,
        OwnStatement::prepare(connection_, fmt::format("INSERT OR ABORT INTO main.{} ({}) VALUES ({})",
                                                       sql::quoted(table_.name), names, values)));
  }
  return &*statement;
}

// The row itself, made to change to what it is, tells which one it is: whatever the index is made of.
Result<OwnStatement*> TableStatements::in_the_way_statement(Columns columns) {
  std::optional<OwnStatement>& statement = in_the_way_[columns == Columns::kAll];
  if (!statement) {
    std::string names;
    std::string values;
    std::string returned = table_.rowid_name.empty() ? "0" : sql::quoted(table_.rowid_name);
    for (const MergedColumn& column : table_.columns) {
      const std::string name = sql::quoted(column.name);
      returned += ", " + name;
      if (columns == Columns::kTheirs && !column.in_theirs) continue;
      values += names.empty() ? "?" : ", ?";
      names += (names.empty() ? "" : ", ") + name;
    }
    if (names.empty()) no_columns(names, values);
    const std::string same = sql::quoted(table_.columns[0].name);
    DOSQL_ASSIGN_OR_RETURN(
        statement,
        OwnStatement::prepare(
            connection_,
            fmt::format("INSERT INTO main.{} ({}) VALUES ({}) ON CONFLICT DO UPDATE SET {} = {} RETURNING {}",
                        sql::quoted(table_.name), names, values, same, same, returned)));
  }
  return &*statement;
}

Result<OwnStatement*> TableStatements::update_statement(bool by_rowid,
                                                        std::span<const std::uint32_t> columns) {
  Updates& updates = updates_[by_rowid];
  Updates::iterator& last = last_update_[by_rowid];
  if (last != updates.end() && std::ranges::equal(last->first, columns)) return &last->second;
  const std::vector<std::uint32_t> key(columns.begin(), columns.end());
  last = updates.find(key);
  if (last != updates.end()) return &last->second;
  std::string set;
  Conditions same;
  int parameter = 1;
  for (const std::uint32_t column : columns) {
    const std::string name = sql::quoted(table_.columns[column].name);
    set += fmt::format("{}{} = ?{}", set.empty() ? "" : ", ", name, parameter++);
    same.add(fmt::format("{} IS ?{} COLLATE BINARY", name, parameter++));
  }
  const std::string text = fmt::format("UPDATE OR ABORT main.{} SET {} WHERE {}{}", sql::quoted(table_.name),
                                       set, table_.where_text("", by_rowid, parameter), same.text());
  DOSQL_ASSIGN_OR_RETURN(OwnStatement statement, OwnStatement::prepare(connection_, text));
  if (updates.size() == kUpdatesMax) updates.clear();
  last = updates.emplace(key, std::move(statement)).first;
  return &last->second;
}

// --- Running ---

Result<Effect> TableStatements::run(OwnStatement& statement) {
  sqlite3* const db = connection_.db();
  const int rc = statement.run();
  if (rc == SQLITE_DONE) return sqlite3_changes64(db) == 0 ? Effect::kOtherRow : Effect::kDone;
  // An INTEGER PRIMARY KEY takes nothing else, which SQLite does not call a constraint.
  if ((rc & 0xff) != SQLITE_CONSTRAINT && rc != SQLITE_MISMATCH) return connection_.error(rc);
  constraint_code_ = sqlite3_extended_errcode(db);
  constraint_text_ = sqlite3_errmsg(db);
  return Effect::kConstraint;
}

Result<std::optional<FoundRow>> TableStatements::find(const RowAddress& row) {
  DOSQL_ASSIGN_OR_RETURN(OwnStatement* const statement, find_statement(row.key_of.empty()));
  bind(*statement, row, 1);
  const int rc = statement->step();
  if (rc == SQLITE_DONE) return std::optional<FoundRow>();
  if (rc != SQLITE_ROW) return connection_.error(rc);
  return std::optional(take_row(*statement));
}

FoundRow TableStatements::take_row(OwnStatement& statement) const {
  FoundRow found;
  found.rowid = statement.integer(0);
  std::vector<Field> values;
  for (std::size_t i = 0; i < table_.columns.size(); ++i)
    values.push_back(statement.value(static_cast<int>(i) + 1));
  found.row.assign(values);
  statement.reset();
  return found;
}

Result<std::optional<FoundRow>> TableStatements::find_in_the_way(Columns columns,
                                                                 std::span<const Field> values) {
  DOSQL_ASSIGN_OR_RETURN(OwnStatement* const statement, in_the_way_statement(columns));
  bind_values(*statement, columns, values, 1);
  const int rc = statement->step();
  if (rc == SQLITE_ROW) return std::optional(take_row(*statement));
  if ((rc & 0xff) == SQLITE_CONSTRAINT) return std::optional<FoundRow>();
  return connection_.error(rc);
}

Result<Effect> TableStatements::update(const RowAddress& row, std::span<const std::uint32_t> columns,
                                       std::span<const Field> from, std::span<const Field> to) {
  DOSQL_ASSIGN_OR_RETURN(OwnStatement* const statement, update_statement(row.key_of.empty(), columns));
  int parameter = 1;
  for (const std::uint32_t column : columns) {
    statement->bind(parameter++, to[column], encoding_);
    statement->bind(parameter++, from[column], encoding_);
  }
  bind(*statement, row, parameter);
  return run(*statement);
}

Result<Effect> TableStatements::erase(const RowAddress& row, std::span<const Field> from) {
  DOSQL_ASSIGN_OR_RETURN(OwnStatement* const statement, erase_statement(row.key_of.empty()));
  int parameter = bind(*statement, row, 1);
  for (const Field& value : from) statement->bind(parameter++, value, encoding_);
  return run(*statement);
}

Result<Effect> TableStatements::insert(Columns columns, std::optional<std::int64_t> rowid,
                                       std::span<const Field> values) {
  DOSQL_ASSIGN_OR_RETURN(OwnStatement* const statement, insert_statement(columns, rowid.has_value()));
  int parameter = 1;
  if (rowid) statement->bind(parameter++, *rowid);
  bind_values(*statement, columns, values, parameter);
  return run(*statement);
}

void TableStatements::bind_values(OwnStatement& statement, Columns columns, std::span<const Field> values,
                                  int parameter) const {
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (columns == Columns::kAll || table_.columns[i].in_theirs)
      statement.bind(parameter++, values[i], encoding_);
  }
}

}  // namespace dosql::engine
