#include "sql/lexer.h"

#include <array>

namespace dosql::sql {
namespace {

enum : std::uint8_t {
  kSpaceBegins = 1,     // may begin space
  kSpaceContinues = 2,  // may go on in it: the vertical tab cannot begin one
  kIdentifierByte = 4,  // may stand inside a word
  kDigit = 8,
  kHexDigit = 16,
};

constexpr std::array<std::uint8_t, 256> make_classes() {
  std::array<std::uint8_t, 256> classes{};
  for (const char c : {' ', '\t', '\n', '\f', '\r'})
    classes[static_cast<unsigned char>(c)] = kSpaceBegins | kSpaceContinues;
  classes['\v'] = kSpaceContinues;
  for (int c = 0; c < 26; ++c) classes['a' + c] = classes['A' + c] = kIdentifierByte;
  for (int c = 0; c < 6; ++c) classes['a' + c] = classes['A' + c] = kIdentifierByte | kHexDigit;
  for (int c = '0'; c <= '9'; ++c) classes[c] = kIdentifierByte | kDigit | kHexDigit;
  for (int c = 0x80; c <= 0xff; ++c) classes[c] = kIdentifierByte;
  classes['_'] = classes['$'] = kIdentifierByte;
  return classes;
}

constexpr std::array<std::uint8_t, 256> kClasses = make_classes();

bool is(char c, std::uint8_t classes) { return (kClasses[static_cast<unsigned char>(c)] & classes) != 0; }

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

// Measures the token at the beginning of what it is given. Behind the text it sees NUL bytes, which is how
// the end of every token is found without a check of its own.
class Measure {
 public:
  Measure(std::string_view text, std::size_t begin) : text_(text), begin_(begin), at_(begin) {}

  Token token() {
    const TokenKind kind = measure();
    return {kind, {begin_, at_}};
  }

 private:
  char peek(std::size_t n = 0) const { return at_ + n < text_.size() ? text_[at_ + n] : '\0'; }

  void skip(std::uint8_t classes) {
    while (is(peek(), classes)) ++at_;
  }

  TokenKind take(std::size_t bytes, TokenKind kind) {
    at_ += bytes;
    return kind;
  }

  TokenKind measure();
  TokenKind measure_quoted(char quote);
  TokenKind measure_bracketed();
  TokenKind measure_blob();
  TokenKind measure_number();
  TokenKind measure_variable();
  TokenKind measure_minus();
  TokenKind measure_slash();
  TokenKind measure_comparison();
  TokenKind measure_word();

  void skip_digits(std::uint8_t digit) {
    while (is(peek(), digit) || peek() == '_') ++at_;
  }

  std::string_view text_;
  std::size_t begin_;
  std::size_t at_;
};

TokenKind Measure::measure() {
  const char c = peek();
  if (is(c, kSpaceBegins)) {
    skip(kSpaceContinues);
    return TokenKind::kSpace;
  }
  switch (c) {
    case '\0': return TokenKind::kEnd;
    case '-': return measure_minus();
    case '/': return measure_slash();
    case '(': return take(1, TokenKind::kOpen);
    case ')': return take(1, TokenKind::kClose);
    case ',': return take(1, TokenKind::kComma);
    case ';': return take(1, TokenKind::kSemicolon);
    case '+':
    case '*':
    case '%':
    case '&':
    case '~': return take(1, TokenKind::kOperator);
    case '=':
    case '<':
    case '>':
    case '!':
    case '|': return measure_comparison();
    case '\'':
    case '"':
    case '`': return measure_quoted(c);
    case '[': return measure_bracketed();
    case '.': return is(peek(1), kDigit) ? measure_number() : take(1, TokenKind::kDot);
    case '?': ++at_; return skip(kDigit), TokenKind::kVariable;
    case '$':
    case '@':
    case ':':
    case '#': return measure_variable();
    case 'x':
    case 'X': return peek(1) == '\'' ? measure_blob() : measure_word();
    default: break;
  }
  if (is(c, kDigit)) return measure_number();
  return is(c, kIdentifierByte) ? measure_word() : take(1, TokenKind::kIllegal);
}

TokenKind Measure::measure_word() {
  // A byte order mark where a word would begin is space; inside a word it belongs to it.
  if (text_.substr(at_, 3) == "\xEF\xBB\xBF") return take(3, TokenKind::kSpace);
  skip(kIdentifierByte);
  return TokenKind::kWord;
}

TokenKind Measure::measure_minus() {
  if (peek(1) == '>') return take(peek(2) == '>' ? 3 : 2, TokenKind::kOperator);
  if (peek(1) != '-') return take(1, TokenKind::kMinus);
  while (peek() != '\0' && peek() != '\n') ++at_;
  return TokenKind::kComment;
}

TokenKind Measure::measure_slash() {
  if (peek(1) != '*' || peek(2) == '\0') return take(1, TokenKind::kOperator);
  at_ += 2;
  while (peek() != '\0') {
    if (peek() == '*' && peek(1) == '/') return take(2, TokenKind::kComment);
    ++at_;
  }
  return TokenKind::kComment;  // what is not closed goes to the end
}

// = == < <= <> << > >= >> != | ||
TokenKind Measure::measure_comparison() {
  const char first = peek();
  const char second = peek(1);
  const bool twice = second == first && first != '!';
  const bool with_equals = second == '=' && first != '|';
  const bool unequal = first == '<' && second == '>';
  if (twice || with_equals || unequal) return take(2, TokenKind::kOperator);
  return take(1, first == '!' ? TokenKind::kIllegal : TokenKind::kOperator);
}

TokenKind Measure::measure_quoted(char quote) {
  for (++at_; peek() != '\0'; ++at_) {
    if (peek() != quote) continue;
    if (peek(1) != quote) return take(1, quote == '\'' ? TokenKind::kString : TokenKind::kIdentifier);
    ++at_;
  }
  return TokenKind::kIllegal;
}

TokenKind Measure::measure_bracketed() {
  for (; peek() != '\0'; ++at_) {
    if (peek() == ']') return take(1, TokenKind::kIdentifier);
  }
  return TokenKind::kIllegal;
}

TokenKind Measure::measure_blob() {
  at_ += 2;
  skip(kHexDigit);
  const bool whole_bytes = (at_ - begin_) % 2 == 0;
  const TokenKind kind = peek() == '\'' && whole_bytes ? TokenKind::kBlob : TokenKind::kIllegal;
  while (peek() != '\0' && peek() != '\'') ++at_;
  return take(peek() == '\0' ? 0 : 1, kind);
}

TokenKind Measure::measure_number() {
  if (peek() == '0' && lower(peek(1)) == 'x' && is(peek(2), kHexDigit)) {
    at_ += 2;
    skip_digits(kHexDigit);
  } else {
    skip_digits(kDigit);
    if (peek() == '.') {
      ++at_;
      skip_digits(kDigit);
    }
    const std::size_t sign = peek(1) == '+' || peek(1) == '-' ? 1 : 0;
    if (lower(peek()) == 'e' && is(peek(1 + sign), kDigit)) {
      at_ += 1 + sign;
      skip_digits(kDigit);
    }
  }
  if (!is(peek(), kIdentifierByte)) return TokenKind::kNumber;
  skip(kIdentifierByte);
  return TokenKind::kIllegal;
}

// $a::b(c) and its like are Tcl's; SQLite takes them with each of the four signs.
TokenKind Measure::measure_variable() {
  std::size_t named_bytes = 0;
  for (++at_;; ++at_) {
    if (is(peek(), kIdentifierByte)) {
      ++named_bytes;
    } else if (peek() == '(' && named_bytes > 0) {
      do ++at_;
      while (peek() != '\0' && peek() != ')' && !is(peek(), kSpaceContinues));
      return peek() == ')' ? take(1, TokenKind::kVariable) : TokenKind::kIllegal;
    } else if (peek() == ':' && peek(1) == ':') {
      ++at_;
    } else {
      return named_bytes > 0 ? TokenKind::kVariable : TokenKind::kIllegal;
    }
  }
}

}  // namespace

Token Lexer::next() {
  const Token token = Measure(text_, at_).token();
  at_ = token.span.end;
  return token;
}

Token Lexer::next_significant() {
  Token token = next();
  while (token.kind == TokenKind::kSpace || token.kind == TokenKind::kComment) token = next();
  return token;
}

bool is_identifier_byte(char c) { return is(c, kIdentifierByte); }

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (lower(a[i]) != lower(b[i])) return false;
  }
  return true;
}

std::string unquoted(std::string_view token) {
  const bool quoted = token.size() >= 2 && std::string_view("'\"`[").find(token[0]) != std::string_view::npos;
  if (!quoted) return std::string(token);
  const std::string_view inside = token.substr(1, token.size() - 2);
  if (token[0] == '[') return std::string(inside);
  std::string name;
  for (std::size_t i = 0; i < inside.size(); ++i) {
    name += inside[i];
    if (inside[i] == token[0]) ++i;  // the second of two
  }
  return name;
}

std::string quoted(std::string_view name) {
  std::string text = "\"";
  for (const char c : name) text.append(c == '"' ? 2 : 1, c);
  return text + '"';
}

}  // namespace dosql::sql
