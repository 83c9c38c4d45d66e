// What a version's schema says where tables and columns have other names.
#pragma once

#include <span>
#include <string>
#include <utility>
#include <vector>

#include <dosql/result.h>

#include "diff/schema.h"
#include "engine/column_lines.h"
#include "engine/table_shape.h"

namespace dosql::engine {

// What a table and some of its columns are called, and what they are to be called.
struct NameChange {
  std::string table;
  std::string new_table;
  std::vector<std::pair<std::string, std::string>> columns;
};

// Between two versions of a table.
NameChange name_change(const TableShape& from, const ColumnMatches& matches, const TableShape& to);

// All but the tables. SQLite itself renames, in a database in memory that has the schema only; what it cannot
// compile there (it may need functions or collations of the connection) stays as it is. Errors: kOutOfMemory.
Result<std::vector<diff::SchemaEntry>> renamed_entries(const VersionSchema& schema,
                                                       std::span<const NameChange> changes);
// The definition of a table of the schema, the same way. REQUIRES: it is no virtual table.
Result<std::string> renamed_definition(const VersionSchema& schema, const std::string& table,
                                       std::span<const NameChange> changes);

}  // namespace dosql::engine
