#include "sql/name_token.h"

#include "sql/lexer.h"

namespace dosql::sql {
namespace {

// SQLite's lexer cuts v1.2-rc into pieces, some of them illegal to it: 2-rc has none, but 2nd is one.
bool may_be_in_bare_name(const TokenCursor& cursor) {
  switch (cursor.kind()) {
    case TokenKind::kWord:
    case TokenKind::kNumber:
    case TokenKind::kDot:
    case TokenKind::kMinus: return true;
    case TokenKind::kOperator: return cursor.text() == "/";
    case TokenKind::kIllegal:
      return cursor.text()[0] == '.' || (cursor.text()[0] >= '0' && cursor.text()[0] <= '9');
    default: return false;
  }
}

bool is_keyword(const TokenCursor& cursor) {
  return cursor.kind() == TokenKind::kWord && word_class(cursor.text()) != WordClass::kFree;
}

NameToken take_bare_name(TokenCursor& cursor, BareName bare) {
  Span span{cursor.offset(), cursor.offset()};
  while (cursor.offset() == span.end && may_be_in_bare_name(cursor))
    span.end = cursor.take_as_word().span.end;
  const bool version_follows = bare == BareName::kSnapshotId && cursor.offset() == span.end &&
                               cursor.kind() == TokenKind::kVariable && cursor.text()[0] == '@';
  if (version_follows) span.end = cursor.take_as_word().span.end;
  return {span, std::string(span.of(cursor.source()))};
}

}  // namespace

std::optional<NameToken> parse_name(TokenCursor& cursor, BareName bare) {
  if (cursor.kind() == TokenKind::kVariable) return NameToken{cursor.take().span, std::nullopt};
  if (cursor.quoted()) {
    const Span span = cursor.take().span;
    return NameToken{span, unquoted(span.of(cursor.source()))};
  }
  if (!may_be_in_bare_name(cursor)) return std::nullopt;
  const bool longer =
      cursor.peek(1).span.begin == cursor.peek().span.end && cursor.kind(1) != TokenKind::kEnd;
  const bool goes_on = longer && (cursor.kind(1) == TokenKind::kMinus || cursor.kind(1) == TokenKind::kDot ||
                                  cursor.kind(1) == TokenKind::kNumber || cursor.text(1) == "/");
  if (is_keyword(cursor) && !goes_on) return std::nullopt;
  return take_bare_name(cursor, bare);
}

std::string written_name(std::string_view name) {
  Lexer lexer(name);
  std::vector<Token> tokens;
  do {
    tokens.push_back(lexer.next_significant());
  } while (tokens.back().kind != TokenKind::kEnd);
  TokenCursor cursor(name, std::move(tokens));
  const bool may_be_bare = !cursor.quoted() && cursor.kind() != TokenKind::kVariable;
  const auto bare = may_be_bare ? parse_name(cursor, BareName::kPlain) : std::nullopt;
  return bare && bare->text == name ? std::string(name) : quoted(name);
}

}  // namespace dosql::sql
