// The tokens of one statement, read from left to right with any look ahead.
#pragma once

#include <algorithm>
#include <span>
#include <string_view>
#include <vector>

#include "sql/keyword.h"
#include "sql/lexer.h"

namespace dosql::sql {

class TokenCursor {
 public:
  // `tokens` are the statement's, without space and comments; the last one is kEnd.
  TokenCursor(std::string_view text, std::vector<Token> tokens) : text_(text), tokens_(std::move(tokens)) {}

  // The n-th token from here; kEnd behind the last.
  const Token& peek(std::size_t n = 0) const { return tokens_[std::min(at_ + n, tokens_.size() - 1)]; }
  // The n-th token before this one. REQUIRES: has_before(n).
  bool has_before(std::size_t n = 1) const { return at_ >= n; }
  const Token& before(std::size_t n = 1) const { return tokens_[at_ - n]; }
  TokenKind kind(std::size_t n = 0) const { return peek(n).kind; }
  std::string_view text(std::size_t n = 0) const { return peek(n).span.of(text_); }
  std::size_t offset() const { return peek().span.begin; }
  bool at_end() const { return kind() == TokenKind::kEnd; }

  // Whether the n-th token is this keyword.
  bool word(std::string_view keyword, std::size_t n = 0) const {
    return kind(n) == TokenKind::kWord && equals_ignoring_case(text(n), keyword);
  }
  // Whether a name may stand at the n-th token where SQLite's grammar demands one.
  bool name(std::size_t n = 0) const {
    return quoted(n) || (kind(n) == TokenKind::kWord && word_class(text(n)) != WordClass::kReserved);
  }
  // Whether the n-th token is a name that needs no AS before it.
  bool free_name(std::size_t n = 0) const {
    return quoted(n) || (kind(n) == TokenKind::kWord && word_class(text(n)) == WordClass::kFree);
  }
  bool quoted(std::size_t n = 0) const {
    return kind(n) == TokenKind::kIdentifier || kind(n) == TokenKind::kString;
  }
  // FOR SYSTEM_TIME
  bool time_clause(std::size_t n = 0) const { return word("FOR", n) && word("SYSTEM_TIME", n + 1); }

  Token take() {
    const Token token = peek();
    if (at_ + 1 < tokens_.size()) ++at_;
    return token;
  }
  bool take_word(std::string_view keyword) {
    if (!word(keyword)) return false;
    take();
    return true;
  }
  // Takes the token as a part of a name, whatever it was: the @5 of main@5 is no variable.
  Token take_as_word() {
    if (!at_end()) tokens_[at_].kind = TokenKind::kWord;
    return take();
  }

  std::string_view source() const { return text_; }
  std::span<const Token> tokens() const { return tokens_; }

 private:
  std::string_view text_;
  std::vector<Token> tokens_;
  std::size_t at_ = 0;
};

}  // namespace dosql::sql
