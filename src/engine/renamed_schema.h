// The indexes, views and triggers of a version as they are where tables and columns have other names.
#pragma once

#include <span>
#include <string>
#include <utility>
#include <vector>

#include <dosql/result.h>

#include "diff/schema.h"
#include "engine/table_shape.h"

namespace dosql::engine {

// What a table and some of its columns are called, and what they are to be called.
struct NameChange {
  std::string table;
  std::string new_table;
  std::vector<std::pair<std::string, std::string>> columns;
};

// All but the tables. SQLite itself renames, in a database in memory that has the schema only; what it cannot
// compile there (it may need functions or collations of the connection) stays as it is. Errors: kOutOfMemory.
Result<std::vector<diff::SchemaEntry>> renamed_entries(const VersionSchema& schema,
                                                       std::span<const NameChange> changes);

}  // namespace dosql::engine
