// Rows out of the JSON that Row::to_json() makes of them, every value as it was.
//
// SQLite's own JSON functions end a text at a zero byte, so they are not asked.
#pragma once

#include <string_view>

#include <dosql/statement.h>

namespace dosql::consumer {

// Errors: kInvalidArgument (it is no object of values that a column can have).
Result<Row> row_from_json(std::string_view json);

}  // namespace dosql::consumer
