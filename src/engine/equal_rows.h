// Rows that keep a UNIQUE index from being made.
#pragma once

#include <string>
#include <string_view>

#include <dosql/result.h>

#include "diff/schema.h"

namespace dosql::engine {

class ConnectionState;

// The rows of a table that have the same values as another one where the index, by its stored definition,
// wants each once, as JSON: null, a row, or an array. Of more than a hundred the first ones, by what the
// table's rows are known by. Errors: what SQLite reports.
Result<std::string> equal_rows_json(ConnectionState& connection, const std::string& table,
                                    std::string_view index, diff::TextEncoding encoding);

}  // namespace dosql::engine
