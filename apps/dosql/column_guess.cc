#include "apps/dosql/column_guess.h"

#include "apps/dosql/text.h"

namespace dosql::shell {

namespace {

enum class Kind : std::uint8_t { kInteger, kReal, kOther };

std::size_t count_digits(std::string_view text) {
  std::size_t digits = 0;
  while (digits < text.size() && text[digits] >= '0' && text[digits] <= '9') ++digits;
  return digits;
}

// Takes the digits of an exponent off `text`; false when it is malformed.
bool take_exponent(std::string_view& text) {
  if (text.empty() || (text[0] | 0x20) != 'e') return true;
  text.remove_prefix(1);
  if (!text.empty() && (text[0] == '+' || text[0] == '-')) text.remove_prefix(1);
  const std::size_t digits = count_digits(text);
  text.remove_prefix(digits);
  return digits > 0;
}

Kind kind_of(std::string_view text) {
  std::string_view rest = text;
  if (rest.starts_with('-')) rest.remove_prefix(1);
  const std::size_t whole = count_digits(rest);
  if (whole == 0 || (whole > 1 && rest[0] == '0')) return Kind::kOther;
  rest.remove_prefix(whole);
  if (rest.empty()) return text != "-0" && parse_signed(text) ? Kind::kInteger : Kind::kOther;
  if (rest[0] == '.') {
    const std::size_t fraction = count_digits(rest.substr(1));
    if (fraction == 0) return Kind::kOther;
    rest.remove_prefix(fraction + 1);
  }
  return take_exponent(rest) && rest.empty() ? Kind::kReal : Kind::kOther;
}

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

}  // namespace

void ColumnGuess::see(std::string_view text) {
  if (text.empty() || !all_numbers_) return;
  any_ = true;
  const Kind kind = kind_of(text);
  all_integers_ = all_integers_ && kind == Kind::kInteger;
  all_numbers_ = kind != Kind::kOther;
}

std::string_view ColumnGuess::type() const {
  if (!any_ || !all_numbers_) return "TEXT";
  return all_integers_ ? "INTEGER" : "REAL";
}

// The order of SQLite's own rules (datatype3.html, section 3.1).
bool is_numeric_type(std::string_view declared) {
  const std::string type = to_lower(declared);
  if (contains(type, "int")) return true;
  if (contains(type, "char") || contains(type, "clob") || contains(type, "text")) return false;
  return !type.empty() && !contains(type, "blob");
}

}  // namespace dosql::shell
