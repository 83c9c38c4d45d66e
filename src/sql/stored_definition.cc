#include "sql/stored_definition.h"

#include <algorithm>
#include <array>
#include <utility>

#include "sql/lexer.h"

namespace dosql::sql {
namespace {

bool is_word(std::string_view sql, const Token& token, std::string_view word) {
  return token.kind == TokenKind::kWord && equals_ignoring_case(token.span.of(sql), word);
}

// The token of the created thing's name; kEnd: there is none.
Token name_token(std::string_view sql) {
  Lexer lexer(sql);
  if (!is_word(sql, lexer.next_significant(), "CREATE")) return {};
  Token kind = lexer.next_significant();
  if (is_word(sql, kind, "UNIQUE") || is_word(sql, kind, "VIRTUAL")) kind = lexer.next_significant();
  constexpr auto kKinds = std::to_array<std::string_view>({"TABLE", "INDEX", "VIEW", "TRIGGER"});
  const bool known =
      std::ranges::any_of(kKinds, [&](std::string_view word) { return is_word(sql, kind, word); });
  return known ? lexer.next_significant() : Token{};
}

std::string_view between(std::string_view sql, std::size_t begin, std::size_t end) {
  return sql.substr(begin, end - begin);
}

bool begins_constraint(std::string_view sql, const Token& token) {
  constexpr auto kWords =
      std::to_array<std::string_view>({"CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"});
  return std::ranges::any_of(kWords, [&](std::string_view word) { return is_word(sql, token, word); });
}

// The tokens of what stands between two commas; never none.
using Part = std::vector<Token>;

// What commas divide, up to the parenthesis that closes the one before `lexer`. None: there is none.
std::optional<std::vector<Part>> parts_in_parentheses(Lexer& lexer) {
  std::vector<Part> parts;
  Part part;
  for (int depth = 1; depth > 0;) {
    const Token token = lexer.next_significant();
    if (token.kind == TokenKind::kEnd) return std::nullopt;
    if (token.kind == TokenKind::kOpen) ++depth;
    if (token.kind == TokenKind::kClose) --depth;
    if (depth > 0 && (depth > 1 || token.kind != TokenKind::kComma)) {
      part.push_back(token);
    } else if (!part.empty()) {
      parts.push_back(std::exchange(part, {}));
    }
  }
  return parts;
}

std::string_view text_of(std::string_view sql, const Part& part) {
  return between(sql, part.front().span.begin, part.back().span.end);
}

void add_part(std::string_view sql, const Part& part, TableDefinition& table) {
  const Token& first = part.front();
  const std::string_view text = text_of(sql, part);
  if (begins_constraint(sql, first)) {
    table.constraints.push_back(text);
    return;
  }
  table.columns.push_back({.name = unquoted(first.span.of(sql)),
                           .text = text,
                           .rest = between(sql, first.span.end, part.back().span.end)});
}

// Without the order in which it stands.
std::string_view index_term(std::string_view sql, Part part) {
  while (part.size() > 1 && (is_word(sql, part.back(), "ASC") || is_word(sql, part.back(), "DESC")))
    part.pop_back();
  return text_of(sql, part);
}

// A name is the same with quotes around it.
bool is_name(const Token& token) {
  return token.kind == TokenKind::kWord || token.kind == TokenKind::kIdentifier;
}

bool same_token(std::string_view a, const Token& one, std::string_view b, const Token& other) {
  const std::string_view one_text = one.span.of(a);
  const std::string_view other_text = other.span.of(b);
  if (one.kind == TokenKind::kWord && other.kind == TokenKind::kWord)
    return equals_ignoring_case(one_text, other_text);
  if (is_name(one) && is_name(other)) return unquoted(one_text) == unquoted(other_text);
  return one.kind == other.kind && one_text == other_text;
}

bool is_renamed(std::string_view a, const Token& one, std::string_view b, const Token& other,
                const Renames& renames) {
  if (!is_name(one) || !is_name(other)) return false;
  return std::ranges::any_of(renames, [&](const auto& rename) {
    return equals_ignoring_case(unquoted(one.span.of(a)), rename.first) &&
           equals_ignoring_case(unquoted(other.span.of(b)), rename.second);
  });
}

}  // namespace

bool same_definition(std::string_view a, std::string_view b) { return same_definition(a, b, {}); }

bool same_definition(std::string_view a, std::string_view b, const Renames& renames) {
  if (a == b) return true;
  Lexer left(a);
  Lexer right(b);
  while (true) {
    const Token one = left.next_significant();
    const Token other = right.next_significant();
    if (!same_token(a, one, b, other) && !is_renamed(a, one, b, other, renames)) return false;
    if (one.kind == TokenKind::kEnd) return true;
  }
}

std::string_view created_name(std::string_view sql) {
  const Token token = name_token(sql);
  return token.kind == TokenKind::kEnd ? std::string_view() : token.span.of(sql);
}

std::string with_created_name(std::string_view sql, std::string_view name) {
  const Token token = name_token(sql);
  if (token.kind == TokenKind::kEnd) return {};
  return std::string(sql.substr(0, token.span.begin)) + std::string(name) +
         std::string(sql.substr(token.span.end));
}

std::string with_trigger_table(std::string_view sql, std::string_view table) {
  Lexer lexer(sql);
  while (true) {
    const Token token = lexer.next_significant();
    if (token.kind == TokenKind::kEnd) return {};
    if (token.kind != TokenKind::kWord || !equals_ignoring_case(token.span.of(sql), "ON")) continue;
    const Token name = lexer.next_significant();
    if (!is_name(name)) return {};
    std::string text(sql);
    text.replace(name.span.begin, name.span.end - name.span.begin, table);
    return text;
  }
}

std::optional<TableDefinition> table_definition(std::string_view sql) {
  const Token name = name_token(sql);
  if (name.kind == TokenKind::kEnd) return std::nullopt;
  Lexer lexer(sql, name.span.end);
  if (lexer.next_significant().kind != TokenKind::kOpen) return std::nullopt;
  const auto parts = parts_in_parentheses(lexer);
  if (!parts) return std::nullopt;
  TableDefinition table;
  for (const Part& part : *parts) add_part(sql, part, table);
  table.options = sql.substr(lexer.at());
  return table;
}

std::optional<IndexDefinition> index_definition(std::string_view sql) {
  const Token name = name_token(sql);
  if (name.kind == TokenKind::kEnd) return std::nullopt;
  Lexer lexer(sql, name.span.end);
  if (!is_word(sql, lexer.next_significant(), "ON")) return std::nullopt;
  lexer.next_significant();
  if (lexer.next_significant().kind != TokenKind::kOpen) return std::nullopt;
  const auto parts = parts_in_parentheses(lexer);
  if (!parts) return std::nullopt;
  IndexDefinition index;
  for (const Part& part : *parts) index.terms.push_back(index_term(sql, part));
  if (is_word(sql, lexer.next_significant(), "WHERE")) index.where = sql.substr(lexer.at());
  return index;
}

}  // namespace dosql::sql
