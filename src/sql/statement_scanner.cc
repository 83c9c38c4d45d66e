#include "sql/statement_scanner.h"

namespace dosql::sql {

bool StatementScanner::ends_with(const Token& token, std::string_view text) {
  if (token.kind == TokenKind::kEnd) return true;
  if (token.kind != TokenKind::kSemicolon) {
    take_word(token.kind == TokenKind::kWord ? token.span.of(text) : std::string_view());
    if (phase_ == Phase::kVirtualTable) {
      if (token.kind == TokenKind::kOpen) ++depth_;
      if (token.kind == TokenKind::kClose && depth_ > 0) --depth_;
    }
    return false;
  }
  if (phase_ == Phase::kTriggerBody || phase_ == Phase::kTriggerSemicolon) {
    phase_ = Phase::kTriggerSemicolon;
    return false;
  }
  return phase_ != Phase::kStart && depth_ == 0;
}

// An empty word stands for every other token.
void StatementScanner::take_word(std::string_view word) {
  const auto is = [word](std::string_view keyword) { return equals_ignoring_case(word, keyword); };
  switch (phase_) {
    case Phase::kStart:
      phase_ = is("CREATE") ? Phase::kCreate : is("EXPLAIN") ? Phase::kExplain : Phase::kOrdinary;
      break;
    case Phase::kExplain:
      if (is("CREATE"))
        phase_ = Phase::kCreate;
      else if (!is("QUERY") && !is("PLAN"))
        phase_ = Phase::kOrdinary;
      break;
    case Phase::kCreate:
      if (is("TRIGGER"))
        phase_ = Phase::kTriggerHead;
      else if (is("VIRTUAL"))
        phase_ = Phase::kVirtualTable;
      else if (!is("TEMP") && !is("TEMPORARY"))
        phase_ = Phase::kOrdinary;
      break;
    case Phase::kTriggerHead:
      if (is("BEGIN")) phase_ = Phase::kTriggerBody;
      break;
    case Phase::kTriggerSemicolon: phase_ = is("END") ? Phase::kTriggerEnd : Phase::kTriggerBody; break;
    case Phase::kTriggerEnd: phase_ = Phase::kTriggerBody; break;
    case Phase::kOrdinary:
    case Phase::kTriggerBody:
    case Phase::kVirtualTable: break;
  }
}

}  // namespace dosql::sql
