// The order of the rows of a WITHOUT ROWID table.
#pragma once

#include <functional>
#include <span>
#include <string_view>

#include "diff/record.h"

namespace dosql::diff {

// Compares two TEXT values in the database's encoding: negative, 0, positive.
using Collation = std::function<int(Bytes, Bytes)>;

// SQLite's own. NOCASE is for UTF-8.
int compare_binary(Bytes a, Bytes b);
int compare_nocase(Bytes a, Bytes b);
int compare_rtrim(Bytes a, Bytes b);

struct KeyColumn {
  Collation collation = compare_binary;
  bool descending = false;
};

// As SQLite orders values: NULL, numbers, TEXT, BLOB.
int compare_fields(const Field& a, const Field& b, const Collation& collation);

// REQUIRES: both have as many fields as there are columns, or more.
int compare_keys(std::span<const Field> a, std::span<const Field> b, std::span<const KeyColumn> columns);

}  // namespace dosql::diff
