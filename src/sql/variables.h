// The variables of a statement and the numbers SQLite gives them.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "sql/lexer.h"

namespace dosql::sql {

// What SQLite allows unless it is told otherwise.
inline constexpr std::uint32_t kVariableNumberMax = 32'766;

struct Variable {
  Span span;
  // The largest so far + 1 for ? and for a name that is new, the number of ?NNN, the first one's number for a
  // name that is not new. 0 where ?NNN is not between 1 and kVariableNumberMax.
  std::uint32_t number = 0;

  bool anonymous() const { return span.size() == 1; }  // ?
};

// The variables among `tokens`, in the order of the text.
std::vector<Variable> number_variables(std::string_view text, std::span<const Token> tokens);

}  // namespace dosql::sql
