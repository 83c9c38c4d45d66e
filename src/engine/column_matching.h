// Which column of a version of a table is which of the next one. Over several versions: column_lines.h.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "engine/table_shape.h"

namespace dosql::engine {

bool declared_the_same(const ColumnShape& a, const ColumnShape& b);

// For each column of `before` its index in `after`; none: it is gone. By name; a column under another name in
// the same place between the others, declared the same, was renamed.
std::vector<std::optional<std::size_t>> match_columns(const TableShape& before, const TableShape& after);

}  // namespace dosql::engine
