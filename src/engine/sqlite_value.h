// Values into and out of a compiled statement.
#pragma once

#include <string>

#include <dosql/value.h>

struct sqlite3_stmt;

namespace dosql::engine {

// Returns SQLite's result code. The value is copied.
int bind_value(sqlite3_stmt* statement, int index, const Value& value);
Value value_of_column(sqlite3_stmt* statement, int column);
// As a literal in SQL text.
std::string literal(const Value& value);

}  // namespace dosql::engine
