#include "sql/recogniser.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "sql/sql_error.h"
#include "sql/statement_scanner.h"
#include "sql/table_walk.h"
#include "sql/token_cursor.h"

namespace dosql::sql {
namespace {

// A word of ours around an underscore.
struct Word {
  std::string_view before;
  std::string_view behind;
};
constexpr Word kSystemTime{"system", "time"};
constexpr Word kDiff{"dosql", "diff"};

// How far a word of ours is looked for before it is asked whether the statement ends much earlier.
constexpr std::size_t kSearchBytes = 2'048;
// Looking for the word is that much faster than reading tokens.
constexpr std::size_t kSearchPerToken = 16;

// Whether the underscore at `at` is that of the word. Its neighbours rule out nearly every other one.
bool is_word(std::string_view text, std::size_t at, const Word& word) {
  const std::size_t word_bytes = word.before.size() + 1 + word.behind.size();
  if (at < word.before.size() || text.size() - at <= word.behind.size()) return false;
  if ((text[at - 1] | 0x20) != word.before.back() || (text[at + 1] | 0x20) != word.behind.front())
    return false;
  const std::size_t begin = at - word.before.size();
  if (!equals_ignoring_case(text.substr(begin, word.before.size()), word.before)) return false;
  if (!equals_ignoring_case(text.substr(at + 1, word.behind.size()), word.behind)) return false;
  const bool begins = begin == 0 || !is_identifier_byte(text[begin - 1]);
  const bool ends = begin + word_bytes == text.size() || !is_identifier_byte(text[begin + word_bytes]);
  return begins && ends;
}

// Vectors of 16 bytes are what every x86-64 and AArch64 has.
using Vector = signed char __attribute__((vector_size(16)));
using Marks = std::uint64_t __attribute__((vector_size(16)));

// Which of the 16 bytes from `at` are an underscore with a T or a D behind it; reads the byte behind them
// too.
inline Marks marks(const char* at) {
  Vector bytes;
  Vector next;
  std::memcpy(&bytes, at, sizeof(bytes));
  std::memcpy(&next, at + 1, sizeof(next));
  next |= 0x20;
  return std::bit_cast<Marks>((bytes == '_') & ((next == 't') | (next == 'd')));
}

inline bool any(Marks marks) { return (marks[0] | marks[1]) != 0; }

bool word_in(std::string_view text, std::size_t begin, std::size_t end) {
  for (std::size_t at = text.find('_', begin); at < end; at = text.find('_', at + 1)) {
    if (is_word(text, at, kSystemTime) || is_word(text, at, kDiff)) return true;
  }
  return false;
}

// Whether the underscore of a word of ours stands in [begin, end). This is what every statement pays for: so
// the marks of all its bytes are looked at only once, in the end.
bool our_word_in(std::string_view text, std::size_t begin, std::size_t end) {
  constexpr std::size_t kStep = sizeof(Vector);
  end = std::min(end, text.size() - 1);  // the last byte has none behind it
  if (end < begin + kStep) return word_in(text, begin, end);
  const char* at = text.data() + begin;
  const char* const last = text.data() + end - kStep;
  Marks found = marks(last);
  for (; at < last; at += kStep) found |= marks(at);
  return any(found) && word_in(text, begin, end);
}

// Looking through all the text for each statement of a script would take quadratic time, and reading the
// tokens of each statement would cost a noticeable part of compiling it. So the search runs ahead, and tokens
// are read over a small part of what was searched, to see whether the statement ends there.
bool mentions_our_word(std::string_view text, std::size_t begin) {
  Lexer lexer(text, begin);
  StatementScanner scanner;
  std::size_t searched = begin;
  for (std::size_t window = kSearchBytes;; window *= 4) {
    const std::size_t end = std::min(text.size(), begin + window);
    if (our_word_in(text, searched, end)) return true;
    if (end == text.size()) return false;
    searched = end;
    while (lexer.at() < begin + window / kSearchPerToken) {
      if (scanner.ends_with(lexer.next_significant(), text)) return false;
    }
  }
}

Token first_token(Lexer& lexer) {
  Token token = lexer.next_significant();
  while (token.kind == TokenKind::kSemicolon) token = lexer.next_significant();
  return token;
}

// Whether a word could be the first of a statement of ours; its first two letters tell most apart.
bool may_begin_ours(std::string_view word) {
  if (word.size() < 2) return false;
  const char second = static_cast<char>(word[1] | 0x20);
  switch (word[0] | 0x20) {
    case 'c': return second == 'r' || second == 'h' || second == 'o';
    case 'd': return second == 'r';
    case 'm':
    case 'r': return second == 'e';
    case 'a': return second == 'b';
    default: return false;
  }
}

// Whether it is a letter with which none of our statements begins.
inline bool cannot_begin_ours(char first) {
  const int letter = (first | 0x20) - 'a';
  constexpr std::uint32_t kOurs =
      1U | 1U << ('c' - 'a') | 1U << ('d' - 'a') | 1U << ('m' - 'a') | 1U << ('r' - 'a');
  return letter >= 0 && letter < 26 && (kOurs >> letter & 1) == 0;
}

bool begins_ours(std::string_view text, std::string_view word, Lexer lexer) {
  if (!may_begin_ours(word)) return false;
  const Token second = lexer.next_significant();
  return statement_kind(word, second.kind == TokenKind::kWord ? second.span.of(text) : std::string_view())
      .has_value();
}

// Apart from may_be_ours(), which nearly always gets by without it.
[[gnu::noinline]] bool may_be_ours_by_tokens(std::string_view text) {
  Lexer lexer(text);
  const Token first = first_token(lexer);
  if (first.kind != TokenKind::kWord) return false;
  return begins_ours(text, first.span.of(text), lexer) || mentions_our_word(text, first.span.begin);
}

struct Statement {
  std::vector<Token> tokens;  // significant ones, with kEnd as the last
  std::size_t end = 0;        // behind the semicolon
};

Statement read_statement(std::string_view text) {
  Statement statement;
  Lexer lexer(text);
  StatementScanner scanner;
  statement.tokens.reserve(64);
  for (Token token = first_token(lexer);; token = lexer.next_significant()) {
    if (scanner.ends_with(token, text)) {
      statement.tokens.push_back({TokenKind::kEnd, {token.span.begin, token.span.begin}});
      statement.end = token.span.end;
      return statement;
    }
    statement.tokens.push_back(token);
  }
}

// The arguments of a virtual table are any tokens at all, and its module's business.
bool creates_virtual_table(const TokenCursor& cursor) {
  std::size_t first = 0;
  if (cursor.word("EXPLAIN")) first = cursor.word("QUERY", 1) ? 3 : 1;
  return cursor.word("CREATE", first) && cursor.word("VIRTUAL", first + 1);
}

// What is cut out of the text SQLite does not see; so what it would refuse there is refused here.
Status check_numbers(const Recognition& recognition) {
  auto reference = recognition.times.begin();
  for (const Variable& variable : recognition.variables) {
    while (reference != recognition.times.end() && reference->clause.end <= variable.span.begin) ++reference;
    const bool inside = recognition.statement.has_value() || (reference != recognition.times.end() &&
                                                              reference->clause.begin <= variable.span.begin);
    if (inside && (variable.number == 0 || variable.number > kVariableNumberMax)) {
      return sql_error(variable.span.begin, "variable number must be between ?1 and ?32766");
    }
  }
  return {};
}

Status find_variables(const TokenCursor& cursor, Recognition& recognition) {
  recognition.variables = number_variables(cursor.source(), cursor.tokens());
  for (const Variable& variable : recognition.variables) {
    recognition.parameter_count = std::max(recognition.parameter_count, variable.number);
  }
  return check_numbers(recognition);
}

std::vector<UnnamedColumn> find_unnamed(const TokenCursor& cursor, const Recognition& recognition) {
  std::vector<Span> clauses;
  for (const TimeReference& reference : recognition.times) clauses.push_back(reference.clause);
  return unnamed_columns(cursor.source(), cursor.tokens(), clauses);
}

}  // namespace

bool may_be_ours(std::string_view text) {
  // Most statements come alone and without space before them; then a letter does for the first word.
  if (!text.empty() && text.size() <= kSearchBytes && cannot_begin_ours(text[0])) {
    return our_word_in(text, 0, text.size());
  }
  return may_be_ours_by_tokens(text);
}

Result<Recognition> recognise(std::string_view text) {
  if (!may_be_ours(text)) return Recognition();
  Statement statement = read_statement(text);
  Recognition recognition;
  recognition.end = statement.end;
  TokenCursor cursor(text, std::move(statement.tokens));
  recognition.span.begin = cursor.offset();
  recognition.span.end = cursor.tokens()[std::max<std::size_t>(cursor.tokens().size(), 2) - 2].span.end;

  const std::string_view second = cursor.kind(1) == TokenKind::kWord ? cursor.text(1) : std::string_view();
  if (const auto kind = statement_kind(cursor.text(), second)) {
    DOSQL_ASSIGN_OR_RETURN(recognition.statement, parse_branch_statement(cursor, *kind));
  } else if (!creates_virtual_table(cursor)) {
    DOSQL_RETURN_IF_ERROR(TableWalk(cursor).run(recognition));
  }
  if (!recognition.ours()) return Recognition();
  DOSQL_RETURN_IF_ERROR(find_variables(cursor, recognition));
  if (recognition.reads_versions()) recognition.unnamed = find_unnamed(cursor, recognition);
  return recognition;
}

std::size_t statement_end(std::string_view text) {
  Lexer lexer(text);
  StatementScanner scanner;
  Token token = first_token(lexer);
  while (!scanner.ends_with(token, text)) token = lexer.next_significant();
  return token.span.end;
}

}  // namespace dosql::sql
