// The statements that sqlite_schema keeps: CREATE TABLE, INDEX, VIEW, TRIGGER as SQLite has stored them,
// without IF NOT EXISTS, TEMP and the schema's name.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace dosql::sql {

// Whether both have the same tokens: words in any case of letters, names with or without quotes,
// whatever is between them.
bool same_definition(std::string_view a, std::string_view b);

// The same, where b may have the second name of a pair wherever a has the first.
using Renames = std::vector<std::pair<std::string, std::string>>;
bool same_definition(std::string_view a, std::string_view b, const Renames& renames);

// With `name`, as it has to be written, in the place of the created thing's name. Empty: `sql` is no stored
// definition.
std::string with_created_name(std::string_view sql, std::string_view name);

// The created thing's name as it is written there, be it in quotes. Empty: `sql` is no stored definition.
std::string_view created_name(std::string_view sql);

// A trigger of another table, whose name is given as it has to be written. Empty: `sql` is none.
std::string with_trigger_table(std::string_view sql, std::string_view table);

// The parts of CREATE TABLE name (...); views of its text.
struct TableDefinition {
  struct Column {
    std::string name;
    std::string_view text;  // the whole definition, the name included
    std::string_view rest;  // what is behind the name
  };
  std::vector<Column> columns;
  std::vector<std::string_view> constraints;  // of the table: PRIMARY KEY (...), CHECK (...), ...
  std::string_view options;                   // WITHOUT ROWID, STRICT
};

// None: it is no such statement (a virtual table's).
std::optional<TableDefinition> table_definition(std::string_view sql);

// The parts of CREATE INDEX name ON table (...) WHERE ...; views of its text.
struct IndexDefinition {
  std::vector<std::string_view> terms;  // what is indexed: columns, expressions, with their COLLATE
  std::string_view where;               // the condition of a partial index
};

// None: it is no such statement.
std::optional<IndexDefinition> index_definition(std::string_view sql);

}  // namespace dosql::sql
