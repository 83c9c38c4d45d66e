// Values into and out of SQLite.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include <dosql/value.h>

#include "diff/record.h"
#include "diff/schema.h"

struct sqlite3_context;
struct sqlite3_stmt;
struct sqlite3_value;

namespace dosql::engine {

// Returns SQLite's result code. The value is copied.
int bind_value(sqlite3_stmt* statement, int index, const Value& value);
Value value_of_column(sqlite3_stmt* statement, int column);
// An argument of a function.
Value value_of(sqlite3_value* value);
// Of a record of a database with texts in `encoding`.
Value value_of(const diff::Field& field, diff::TextEncoding encoding);
// What a record would hold: the other way round. `kept` gets its bytes, which the result views.
diff::Field field_of(sqlite3_value* value, diff::TextEncoding encoding, std::vector<std::byte>& kept);
void value_result(sqlite3_context* out, const Value& value);
// What a column of a table of ours is, from a record of a database with texts in `encoding`.
void field_result(sqlite3_context* out, const diff::Field& field, diff::TextEncoding encoding);
// As a literal in SQL text.
std::string literal(const Value& value);

}  // namespace dosql::engine
