// SQLite's tokens, by SQLite's rules, over a text that is not copied. Nothing here allocates.
//
// A NUL byte ends the text, as it does for SQLite.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace dosql::sql {

// Bytes [begin, end) of a text.
struct Span {
  std::size_t begin = 0;
  std::size_t end = 0;

  std::size_t size() const { return end - begin; }
  bool empty() const { return begin == end; }
  std::string_view of(std::string_view text) const { return text.substr(begin, end - begin); }
  friend bool operator==(const Span&, const Span&) = default;
};

enum class TokenKind : std::uint8_t {
  kEnd,  // of the text; an empty span
  kSpace,
  kComment,
  kWord,        // a bare identifier or keyword
  kIdentifier,  // "x" `x` [x]
  kString,      // 'x'
  kBlob,        // x'00'
  kNumber,      // integer, hexadecimal, fraction, exponent, with _ between digits
  kVariable,    // ? ?1 :a @a $a $a::b(c) #a
  kOpen,        // (
  kClose,       // )
  kComma,
  kDot,
  kSemicolon,
  kMinus,
  kOperator,  // every other operator
  kIllegal,   // SQLite answers "unrecognized token"
};

struct Token {
  TokenKind kind = TokenKind::kEnd;
  Span span;
};

// Gives one token after the other, space and comments included; their spans follow each other without gaps.
class Lexer {
 public:
  explicit Lexer(std::string_view text, std::size_t at = 0) : text_(text), at_(at) {}

  // At the end, kEnd for ever. Each byte of the text is looked at a constant number of times.
  Token next();
  // The next token that is neither space nor comment.
  Token next_significant();

  std::size_t at() const { return at_; }

 private:
  std::string_view text_;
  std::size_t at_;
};

// Whether `c` may stand inside a bare identifier: letters, digits, _, $ and every byte from 0x80 on.
bool is_identifier_byte(char c);

// ASCII letters compare without case, as SQLite compares keywords and names.
bool equals_ignoring_case(std::string_view a, std::string_view b);

// A name without its quotes: 'it''s' "a" `a` [a] a. SQLite takes a text for a name where a name must stand.
std::string unquoted(std::string_view token);
// The other way round: any name as an identifier in double quotes.
std::string quoted(std::string_view name);

}  // namespace dosql::sql
