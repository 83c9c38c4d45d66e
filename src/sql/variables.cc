#include "sql/variables.h"

#include <algorithm>
#include <unordered_map>

namespace dosql::sql {
namespace {

// Of ?NNN; 0 when it is out of range.
std::uint32_t written_number(std::string_view digits) {
  std::uint32_t number = 0;
  for (const char digit : digits) {
    number = number * 10 + static_cast<std::uint32_t>(digit - '0');
    if (number > kVariableNumberMax) return 0;
  }
  return number;
}

}  // namespace

std::vector<Variable> number_variables(std::string_view text, std::span<const Token> tokens) {
  std::vector<Variable> variables;
  std::unordered_map<std::string_view, std::uint32_t> named;
  std::uint32_t largest = 0;
  for (const Token& token : tokens) {
    if (token.kind != TokenKind::kVariable) continue;
    const std::string_view name = token.span.of(text);
    std::uint32_t number = 0;
    if (name == "?") {
      number = largest + 1;
    } else if (name[0] == '?') {
      number = written_number(name.substr(1));
    } else {
      number = named.try_emplace(name, largest + 1).first->second;
    }
    largest = std::max(largest, number);
    variables.push_back({token.span, number});
  }
  return variables;
}

}  // namespace dosql::sql
