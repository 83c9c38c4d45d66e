#include "engine/column_matching.h"

#include <algorithm>

#include "sql/lexer.h"

namespace dosql::engine {

bool declared_the_same(const ColumnShape& a, const ColumnShape& b) {
  return sql::equals_ignoring_case(a.type, b.type) && a.collation == b.collation &&
         a.not_null == b.not_null && a.default_sql == b.default_sql && a.generated == b.generated &&
         a.key_position == b.key_position;
}

std::vector<std::optional<std::size_t>> match_columns(const TableShape& before, const TableShape& after) {
  std::vector<std::optional<std::size_t>> matches;
  std::vector<bool> taken(after.columns.size());
  for (const ColumnShape& column : before.columns) {
    matches.push_back(after.find_column(column.name));
    if (matches.back()) taken[*matches.back()] = true;
  }
  // Columns are only ever added at the end: a renamed one stays behind the one that it was behind.
  std::size_t next = 0;
  for (std::size_t i = 0; i < matches.size(); ++i) {
    if (!matches[i] && next < taken.size() && !taken[next] &&
        declared_the_same(before.columns[i], after.columns[next])) {
      matches[i] = next;
      taken[next] = true;
    }
    if (matches[i]) next = *matches[i] + 1;
  }
  return matches;
}

}  // namespace dosql::engine
