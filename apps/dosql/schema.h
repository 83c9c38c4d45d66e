// Reading the schema: names, CREATE statements.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <dosql/connection.h>

#include "apps/dosql/output.h"

namespace dosql::shell {

// "main", "temp" and what is attached.
Result<std::vector<std::string>> schema_names(Connection& connection);

struct SchemaOptions {
  std::string pattern;         // LIKE, or GLOB with * ? [; "schema.table" is possible; empty: all
  bool system_objects = true;  // those named sqlite_...
};

// The CREATE statements, views and virtual tables with their columns as a comment.
Status write_schema(Connection& connection, const SchemaOptions& options, Output& out);

// A CREATE TABLE as the sqlite3 shell prints it: with IF NOT EXISTS where the name is in quotes, which keeps
// old shells from taking shadow tables for ordinary ones.
std::string printable_create(std::string_view sql);

}  // namespace dosql::shell
