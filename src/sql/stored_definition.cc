#include "sql/stored_definition.h"

#include <algorithm>
#include <array>

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

// One of the parts that commas divide.
struct Part {
  Token first;
  std::size_t first_end = 0;
  std::size_t end = 0;
};

void add_part(std::string_view sql, const Part& part, TableDefinition& table) {
  if (part.first.kind == TokenKind::kEnd) return;
  const std::string_view text = between(sql, part.first.span.begin, part.end);
  if (begins_constraint(sql, part.first)) {
    table.constraints.push_back(text);
    return;
  }
  table.columns.push_back({.name = unquoted(part.first.span.of(sql)),
                           .text = text,
                           .rest = between(sql, part.first_end, part.end)});
}

}  // namespace

namespace {

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
  TableDefinition table;
  Part part;
  for (int depth = 1; depth > 0;) {
    const Token token = lexer.next_significant();
    if (token.kind == TokenKind::kEnd) return std::nullopt;
    if (token.kind == TokenKind::kOpen) ++depth;
    if (token.kind == TokenKind::kClose) --depth;
    if (depth == 0 || (depth == 1 && token.kind == TokenKind::kComma)) {
      add_part(sql, part, table);
      part = {};
      continue;
    }
    if (part.first.kind == TokenKind::kEnd) {
      part.first = token;
      part.first_end = token.span.end;
    }
    part.end = token.span.end;
  }
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
  IndexDefinition index;
  Part part;
  for (int depth = 1; depth > 0;) {
    const Token token = lexer.next_significant();
    if (token.kind == TokenKind::kEnd) return std::nullopt;
    if (token.kind == TokenKind::kOpen) ++depth;
    if (token.kind == TokenKind::kClose) --depth;
    if (depth == 0 || (depth == 1 && token.kind == TokenKind::kComma)) {
      if (part.first.kind != TokenKind::kEnd)
        index.terms.push_back(between(sql, part.first.span.begin, part.end));
      part = {};
      continue;
    }
    const bool begins = part.first.kind == TokenKind::kEnd;
    if (begins) part.first = token;
    const bool is_order =
        !begins && depth == 1 && (is_word(sql, token, "ASC") || is_word(sql, token, "DESC"));
    if (!is_order) part.end = token.span.end;
  }
  if (is_word(sql, lexer.next_significant(), "WHERE")) index.where = sql.substr(lexer.at());
  return index;
}

}  // namespace dosql::sql
