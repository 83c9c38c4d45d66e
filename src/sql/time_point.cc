#include "sql/time_point.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "sql/name_token.h"
#include "sql/sql_error.h"
#include "sql/token_cursor.h"
#include "sql/variables.h"

namespace dosql::sql {
namespace {

constexpr std::string_view kExample = "for example TIMESTAMP '2024-01-01 12:00:00', or LSN 12345";

bool is_unary(const TokenCursor& cursor) {
  return cursor.kind() == TokenKind::kMinus || cursor.text() == "+" || cursor.text() == "~";
}

// The operators that make values. A comparison makes none that could be a point, and AND ends one in BETWEEN.
bool is_binary(const TokenCursor& cursor) {
  static constexpr auto kOperators =
      std::to_array<std::string_view>({"+", "*", "/", "%", "||", "<<", ">>", "&", "|", "->", "->>"});
  if (cursor.kind() == TokenKind::kMinus) return true;
  return cursor.kind() == TokenKind::kOperator &&
         std::find(kOperators.begin(), kOperators.end(), cursor.text()) != kOperators.end();
}

bool is_constant_word(const TokenCursor& cursor) {
  static constexpr auto kWords = std::to_array<std::string_view>(
      {"CURRENT_DATE", "CURRENT_TIME", "CURRENT_TIMESTAMP", "NULL", "TRUE", "FALSE"});
  return std::any_of(kWords.begin(), kWords.end(), [&](std::string_view word) { return cursor.word(word); });
}

bool is_literal(const TokenCursor& cursor) {
  switch (cursor.kind()) {
    case TokenKind::kNumber:
    case TokenKind::kString:
    case TokenKind::kBlob:
    case TokenKind::kVariable: return true;
    default: return is_constant_word(cursor);
  }
}

bool is_query_word(const TokenCursor& cursor) { return cursor.word("SELECT") || cursor.word("VALUES"); }

// Over a parenthesis and what is in it. Counted, not recursive: nesting takes no stack.
Status skip_parentheses(TokenCursor& cursor) {
  const std::size_t begin = cursor.offset();
  std::size_t depth = 0;
  do {
    if (cursor.at_end()) return sql_error(begin, "this '(' is never closed");
    if (is_query_word(cursor)) {
      return sql_error(cursor.offset(), "a time point is a constant or a parameter, not a query")
          .with_hint("run the query first, and bind its result");
    }
    if (cursor.kind() == TokenKind::kOpen) ++depth;
    if (cursor.kind() == TokenKind::kClose) --depth;
    cursor.take();
  } while (depth > 0);
  return {};
}

Status skip_operand(TokenCursor& cursor, std::string_view after) {
  while (is_unary(cursor)) cursor.take();
  if (cursor.kind() == TokenKind::kOpen) return skip_parentheses(cursor);
  if (is_literal(cursor)) return cursor.take(), Status();
  const bool named = cursor.kind() == TokenKind::kWord || cursor.kind() == TokenKind::kIdentifier;
  if (named && cursor.kind(1) == TokenKind::kOpen) {
    cursor.take();
    return skip_parentheses(cursor);
  }
  if (named && cursor.free_name()) {
    return sql_error(cursor.offset(), "a time point is a constant or a parameter, not a column")
        .with_hint("a text stands in single quotes, a parameter is ? or :name");
  }
  return sql_error(cursor.offset(), fmt::format("expected a value after {}", after))
      .with_hint(std::string(kExample));
}

Result<Span> parse_expression(TokenCursor& cursor, std::string_view after) {
  const std::size_t begin = cursor.offset();
  DOSQL_RETURN_IF_ERROR(skip_operand(cursor, after));
  while (is_binary(cursor)) {
    const std::string op(cursor.text());
    cursor.take();
    DOSQL_RETURN_IF_ERROR(skip_operand(cursor, op));
  }
  return Span{begin, cursor.before().span.end};
}

Result<TimePoint> parse_value(TokenCursor& cursor, PointKind kind) {
  const std::size_t begin = cursor.offset();
  const std::string_view word = cursor.take().span.of(cursor.source());
  DOSQL_ASSIGN_OR_RETURN(const Span expression, parse_expression(cursor, word));
  return TimePoint{kind, {begin, expression.end}, expression, std::nullopt};
}

Result<TimePoint> parse_named(TokenCursor& cursor, PointKind kind) {
  const std::size_t begin = cursor.offset();
  const bool snapshot = kind == PointKind::kSnapshot;
  cursor.take();
  auto name = parse_name(cursor, snapshot ? BareName::kSnapshotId : BareName::kPlain);
  if (!name) {
    return snapshot ? sql_error(cursor.offset(), "expected the name of a snapshot after SNAPSHOT")
                          .with_hint("for example SNAPSHOT 'main@5'")
                    : sql_error(cursor.offset(), "expected the name of a branch after BRANCH")
                          .with_hint("for example BRANCH 'feature-x'");
  }
  return TimePoint{kind, {begin, name->span.end}, name->span, std::move(name->text)};
}

// The expression keeps its sign: of CURRENT - 2 - 3 it is "- 2 - 3", which is five back, as it should be.
Result<TimePoint> parse_version(TokenCursor& cursor) {
  const std::size_t begin = cursor.take().span.begin;
  if (!cursor.word("CURRENT")) {
    return sql_error(cursor.offset(), "expected CURRENT after VERSION")
        .with_hint("for example VERSION CURRENT - 5; a version by its number is SNAPSHOT 'main@5'");
  }
  std::size_t end = cursor.take().span.end;
  Span expression{end, end};
  if (cursor.kind() == TokenKind::kMinus) {
    expression.begin = cursor.offset();
    cursor.take();
    // As a number a text is 0 more often than not, and that would be the present.
    if (cursor.kind() == TokenKind::kString || cursor.kind() == TokenKind::kBlob)
      return sql_error(cursor.offset(), "VERSION CURRENT counts in whole numbers");
    DOSQL_ASSIGN_OR_RETURN(const Span count, parse_expression(cursor, "VERSION CURRENT -"));
    end = expression.end = count.end;
  } else if (is_binary(cursor)) {
    return sql_error(cursor.offset(),
                     "only - n can follow VERSION CURRENT: what comes after it is the future")
        .with_hint("for example VERSION CURRENT - 5");
  }
  return TimePoint{PointKind::kVersion, {begin, end}, expression, std::nullopt};
}

// A text or a variable, and nothing more: an operator behind it belongs to an expression, which needs its
// word.
Result<TimePoint> parse_alone(TokenCursor& cursor) {
  const Span span = cursor.take().span;
  if (is_binary(cursor)) {
    return sql_error(cursor.offset(), "an expression needs TIMESTAMP or LSN before it")
        .with_hint(std::string(kExample));
  }
  return TimePoint{PointKind::kTimestamp, span, span, std::nullopt};
}

bool begins_with_digit(std::string_view text) { return !text.empty() && text[0] >= '0' && text[0] <= '9'; }

// A text that begins with a digit is a timestamp as everywhere else, unless it is 2024@7.
std::optional<TimePoint> parse_bare(TokenCursor& cursor) {
  if (cursor.kind() == TokenKind::kVariable) return std::nullopt;
  const bool text = cursor.kind() == TokenKind::kString;
  if (text) {
    const std::string value = unquoted(cursor.text());
    if (begins_with_digit(value) && !is_version_id(value)) return std::nullopt;
  }
  auto name = parse_name(cursor, BareName::kSnapshotId);
  if (!name) return std::nullopt;
  const PointKind kind = is_version_id(*name->text) ? PointKind::kSnapshot : PointKind::kBranch;
  return TimePoint{kind, name->span, name->span, std::move(name->text)};
}

Error unknown_point(TokenCursor& cursor, std::string_view after) {
  std::string message = fmt::format("expected TIMESTAMP, LSN, SNAPSHOT, BRANCH or VERSION after {}", after);
  std::string hint(kExample);
  if (cursor.kind() == TokenKind::kNumber) {
    hint = fmt::format("LSN {}, or TIMESTAMP {}?", cursor.text().substr(0, 40), cursor.text().substr(0, 40));
  }
  const std::size_t offset = cursor.offset();
  if (cursor.kind() == TokenKind::kWord) {
    const auto name = parse_name(cursor, BareName::kSnapshotId);
    if (name && name->text && is_version_id(*name->text))
      hint = fmt::format("did you mean SNAPSHOT '{}'?", shortened(*name->text));
  }
  return sql_error(offset, std::move(message)).with_hint(std::move(hint));
}

Result<TimePoint> parse_any(TokenCursor& cursor, std::string_view after, BarePoint bare) {
  // CREATE BRANCH x FROM branch: a word that nothing follows can only be a name.
  const bool last_word = bare == BarePoint::kSnapshotOrBranch && cursor.kind(1) == TokenKind::kEnd;
  if (!last_word) {
    if (cursor.word("TIMESTAMP")) return parse_value(cursor, PointKind::kTimestamp);
    if (cursor.word("LSN")) return parse_value(cursor, PointKind::kLsn);
    if (cursor.word("SNAPSHOT")) return parse_named(cursor, PointKind::kSnapshot);
    if (cursor.word("BRANCH")) return parse_named(cursor, PointKind::kBranch);
    if (cursor.word("VERSION")) return parse_version(cursor);
  }
  if (bare == BarePoint::kSnapshotOrBranch) {
    if (auto point = parse_bare(cursor)) return *std::move(point);
  }
  if (cursor.kind() == TokenKind::kString || cursor.kind() == TokenKind::kVariable)
    return parse_alone(cursor);
  return unknown_point(cursor, after);
}

// The tokens of the point, once more: only now is it known which of them were names.
Status check_variables(const TokenCursor& cursor, TimePoint& point) {
  for (std::size_t back = 1; cursor.has_before(back) && cursor.before(back).span.begin >= point.span.begin;
       ++back) {
    const Token& token = cursor.before(back);
    if (token.kind == TokenKind::kIllegal) {
      return sql_error(token.span.begin,
                       fmt::format("unrecognized token: \"{}\"", shortened(token.span.of(cursor.source()))));
    }
    point.has_variables |= token.kind == TokenKind::kVariable;
  }
  return {};
}

}  // namespace

bool is_version_id(std::string_view name) {
  const std::size_t at = name.rfind('@');
  return at != std::string_view::npos && at > 0 && at + 1 < name.size() &&
         name.find_first_not_of("0123456789", at + 1) == std::string_view::npos;
}

Result<TimePoint> parse_time_point(TokenCursor& cursor, std::string_view after, BarePoint bare) {
  DOSQL_ASSIGN_OR_RETURN(TimePoint point, parse_any(cursor, after, bare));
  DOSQL_RETURN_IF_ERROR(check_variables(cursor, point));
  return point;
}

}  // namespace dosql::sql
