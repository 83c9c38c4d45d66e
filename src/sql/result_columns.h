// The result columns of a statement that have no alias. SQLite calls such a column by its text, so what is
// replaced inside of it would become its name.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "sql/lexer.h"

namespace dosql::sql {

struct UnnamedColumn {
  Span name;                   // SQLite's name for it: up to the next token, but for space
  std::size_t expression_end;  // where its last token ends: an alias may be put there
};

// In `tokens` (a statement's, kEnd the last) of `text`; `clauses` are its FOR SYSTEM_TIME clauses, in order.
// The columns of a subquery inside of a column are none: only its own text names a column. Where a column may
// have an alias it is left out, so that none gets two.
std::vector<UnnamedColumn> unnamed_columns(std::string_view text, std::span<const Token> tokens,
                                           std::span<const Span> clauses);

}  // namespace dosql::sql
