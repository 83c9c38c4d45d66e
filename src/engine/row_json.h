// Rows as JSON, as conflicts show them, and back.
//
// A row is an object of its columns. Numbers, text and NULL are themselves; a BLOB is {"blob": "00ff"}, and a
// number that JSON has not is {"real": "inf"} or {"real": "-inf"}.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <dosql/result.h>

#include "diff/record.h"
#include "diff/schema.h"
#include "engine/row_copy.h"

namespace dosql::engine {

class ConnectionState;

std::string value_json(const diff::Field& value, diff::TextEncoding encoding);
// Of JSON rows: none is null, one is that row, and several are an array.
std::string rows_json(std::span<const std::string> rows);

// The values of a JSON text by column: of an object those of its members, of another value `alone`'s. An
// object that could be a BLOB is a row of one column if there is a column `blob`; so with `real`. Text is in
// the database's encoding. Errors: kInvalidArgument (no JSON, a value that no column can have).
struct NamedField {
  std::string name;
  RowCopy value;  // one
};
using HasColumn = std::function<bool(std::string_view name)>;
Result<std::vector<NamedField>> fields_of_json(ConnectionState& connection, const std::string& json,
                                               std::string_view alone, const HasColumn& has_column);

}  // namespace dosql::engine
