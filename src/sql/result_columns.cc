#include "sql/result_columns.h"

#include <algorithm>
#include <array>
#include <utility>

#include "sql/keyword.h"

namespace dosql::sql {
namespace {

class ColumnWalk {
 public:
  ColumnWalk(std::string_view text, std::span<const Token> tokens, std::span<const Span> clauses)
      : text_(text), tokens_(tokens), clauses_(clauses) {}

  std::vector<UnnamedColumn> run() {
    for (; tokens_[at_].kind != TokenKind::kEnd; ++at_) step();
    end_column();
    return std::move(found_);
  }

 private:
  // A query or an expression at one depth of parentheses.
  struct Frame {
    bool nested = false;   // inside of a result column
    bool columns = false;  // between SELECT and what ends its columns
    // Of the column that is being read:
    std::size_t first = 0;  // its first token
    bool aliased = false;
    bool operand = false;   // what was read of it could be its end
    std::size_t cases = 0;  // CASE without their END
  };

  Frame& top() { return frames_.back(); }

  bool word(std::string_view keyword, std::size_t n = 0) const {
    const Token& token = tokens_[std::min(at_ + n, tokens_.size() - 1)];
    return token.kind == TokenKind::kWord && equals_ignoring_case(token.span.of(text_), keyword);
  }
  TokenKind next_kind() const { return tokens_[std::min(at_ + 1, tokens_.size() - 1)].kind; }
  template <std::size_t kCount>
  bool one_of(const std::array<std::string_view, kCount>& words) const {
    return std::any_of(words.begin(), words.end(), [&](std::string_view one) { return word(one); });
  }

  void step() {
    if (skip_clause()) return;
    switch (tokens_[at_].kind) {
      case TokenKind::kOpen: frames_.push_back({.nested = top().nested || top().columns}); return;
      case TokenKind::kClose: return close();
      case TokenKind::kComma:
        if (top().columns) end_column(), begin_column();
        return;
      case TokenKind::kWord:
        if (word("SELECT") || word("RETURNING")) return begin_columns();
        if (ends_columns()) return end_column();
        break;
      default: break;
    }
    if (top().columns) read();
  }

  // The clause of `x IN table FOR SYSTEM_TIME ...` is the end of an operand, and its AS begins no alias.
  bool skip_clause() {
    const std::size_t begin = tokens_[at_].span.begin;
    while (!clauses_.empty() && clauses_.front().begin < begin) clauses_ = clauses_.subspan(1);
    if (clauses_.empty() || clauses_.front().begin != begin) return false;
    while (tokens_[at_].span.end < clauses_.front().end) ++at_;
    top().operand = true;
    return true;
  }

  void close() {
    end_column();
    if (frames_.size() > 1) frames_.pop_back();
    top().operand = true;
  }

  void begin_columns() {
    end_column();
    if (word("DISTINCT", 1) || word("ALL", 1)) ++at_;
    begin_column();
  }

  void begin_column() {
    const bool nested = top().nested;
    top() = Frame{.nested = nested, .columns = true, .first = at_ + 1};
  }

  void end_column() {
    Frame& frame = top();
    const bool any = frame.columns && frame.first < at_;
    frame.columns = false;
    if (!any || frame.nested || frame.aliased) return;
    std::size_t end = tokens_[at_].span.begin;
    const std::size_t expression_end = tokens_[at_ - 1].span.end;
    while (end > expression_end && is_space(text_[end - 1])) --end;
    found_.push_back({{tokens_[frame.first].span.begin, end}, expression_end});
  }

  static bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

  bool ends_columns() const {
    static constexpr auto kEnds = std::to_array<std::string_view>(
        {"WHERE", "GROUP", "HAVING", "ORDER", "LIMIT", "UNION", "EXCEPT", "INTERSECT", "ON"});
    if (word("FROM")) {
      const Span before = at_ > 0 ? tokens_[at_ - 1].span : Span{};
      return !equals_ignoring_case(before.of(text_), "DISTINCT");
    }
    return one_of(kEnds) || (word("WINDOW") && next_kind() != TokenKind::kEnd && word("AS", 2));
  }

  // Two operands without an operator between them: the second one is an alias.
  void read() {
    Frame& frame = top();
    switch (tokens_[at_].kind) {
      case TokenKind::kWord: return read_word();
      case TokenKind::kIdentifier:
      case TokenKind::kString: frame.aliased |= frame.operand; [[fallthrough]];
      case TokenKind::kBlob:
      case TokenKind::kNumber:
      case TokenKind::kVariable: frame.operand = true; return;
      // SQLite refuses it, and a quote that is never closed would take a name behind it in.
      case TokenKind::kIllegal: frame.aliased = true; return;
      default: frame.operand = false;
    }
  }

  void read_word() {
    static constexpr auto kOperators = std::to_array<std::string_view>({"LIKE", "GLOB", "REGEXP", "MATCH"});
    static constexpr auto kOperands = std::to_array<std::string_view>({"NULL", "ISNULL", "NOTNULL"});
    Frame& frame = top();
    const bool operand = std::exchange(frame.operand, true);
    const bool before_parenthesis = next_kind() == TokenKind::kOpen;
    const bool before_name = next_kind() == TokenKind::kWord || next_kind() == TokenKind::kIdentifier;
    if (word("AS")) {
      frame.aliased = true;
    } else if (word("CASE")) {
      ++frame.cases;
      frame.operand = false;
    } else if (word("END") && frame.cases > 0) {
      --frame.cases;
    } else if (operand && (one_of(kOperators) || (word("OVER") && before_name))) {
      frame.operand = false;
    } else if (word_class(tokens_[at_].span.of(text_)) == WordClass::kReserved) {
      frame.operand = one_of(kOperands);
    } else {
      // FILTER (, OVER ( and a function's name are none.
      frame.aliased |= operand && !before_parenthesis;
    }
  }

  std::string_view text_;
  std::span<const Token> tokens_;
  std::span<const Span> clauses_;
  std::size_t at_ = 0;
  std::vector<Frame> frames_{1};
  std::vector<UnnamedColumn> found_;
};

}  // namespace

std::vector<UnnamedColumn> unnamed_columns(std::string_view text, std::span<const Token> tokens,
                                           std::span<const Span> clauses) {
  return ColumnWalk(text, tokens, clauses).run();
}

}  // namespace dosql::sql
