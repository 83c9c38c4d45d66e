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

// An index, view or trigger.
struct RenamedEntry : diff::SchemaEntry {
  // It speaks of something that cannot be told by the new names, as of a column that has gone, and whose name
  // another one has: its text and name are its own, and would be about something else. Its table is what that
  // is called now; empty: it has gone.
  bool lost = false;
};

// All but the tables. SQLite itself renames, in a database in memory that has the schema only; what it cannot
// compile there (it may need functions or collations of the connection, or never could be) stays as it is.
// Names of between are in none of it. Errors: kOutOfMemory.
Result<std::vector<RenamedEntry>> renamed_entries(const VersionSchema& schema,
                                                  std::span<const NameChange> changes);
// The definition of a table of the schema, the same way; where it cannot be told, as it is. REQUIRES: it is
// no virtual table. Errors: kOutOfMemory.
Result<std::string> renamed_definition(const VersionSchema& schema, const std::string& table,
                                       std::span<const NameChange> changes);

}  // namespace dosql::engine
