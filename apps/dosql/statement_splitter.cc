#include "apps/dosql/statement_splitter.h"

#include <algorithm>

#include "apps/dosql/text.h"

namespace dosql::shell {

namespace {

bool is_word_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '$' ||
         static_cast<unsigned char>(c) >= 0x80;
}

}  // namespace

void StatementSplitter::feed_line(std::string_view line) {
  drop_scanned();
  pending_ += line;
  pending_ += '\n';
  ++line_count_;
}

std::optional<SplitStatement> StatementSplitter::next() {
  while (scanned_ < pending_.size()) {
    if (!scan_one()) continue;
    const bool empty = !begun_;
    SplitStatement statement = take(scanned_);
    if (!empty) return statement;
  }
  return std::nullopt;
}

std::optional<SplitStatement> StatementSplitter::finish() {
  const bool empty = !begun_;
  SplitStatement statement = take(pending_.size());
  clear();
  if (empty) return std::nullopt;
  statement.text = std::string(trim(statement.text));
  return statement;
}

void StatementSplitter::clear() {
  pending_.clear();
  scanned_ = 0;
  scan_line_ = line_count_ + 1;
  begun_ = in_word_ = false;
  state_ = State::kText;
  phase_ = Phase::kStart;
}

// Looks at the byte at scanned_; true when a statement ends with it.
bool StatementSplitter::scan_one() {
  const char c = pending_[scanned_];
  switch (state_) {
    case State::kText: return scan_text(c);
    case State::kQuoted: {
      const std::size_t close = pending_.find(closing_quote_, scanned_);
      if (close != std::string::npos) state_ = State::kText;  // a doubled quote opens again at once
      skip(std::min(close, pending_.size() - 1) + 1 - scanned_);
      return false;
    }
    case State::kLineComment:
      if (c == '\n') state_ = State::kText;
      break;
    case State::kBlockComment:
      if (pending_.compare(scanned_, 2, "*/") == 0) {
        skip(1);
        state_ = State::kText;
      }
      break;
  }
  skip(1);
  return false;
}

bool StatementSplitter::scan_text(char c) {
  if (is_word_char(c)) {
    if (!in_word_) {
      begin();
      word_begin_ = scanned_;
      in_word_ = true;
    }
    skip(1);
    return false;
  }
  end_word();
  if (is_space(c)) {
    skip(1);
    return false;
  }
  if (pending_.compare(scanned_, 2, "--") == 0 || pending_.compare(scanned_, 2, "/*") == 0) {
    state_ = c == '-' ? State::kLineComment : State::kBlockComment;
    skip(2);
    return false;
  }
  if (c == ';') {
    skip(1);
    return semicolon_completes();
  }
  begin();
  take_symbol();
  if (c == '\'' || c == '"' || c == '`' || c == '[') {
    state_ = State::kQuoted;
    closing_quote_ = c == '[' ? ']' : c;
  }
  skip(1);
  return false;
}

bool StatementSplitter::semicolon_completes() {
  const bool inside_trigger = phase_ == Phase::kTrigger || phase_ == Phase::kTriggerSemicolon;
  if (inside_trigger) phase_ = Phase::kTriggerSemicolon;
  return !inside_trigger;
}

void StatementSplitter::end_word() {
  if (!in_word_) return;
  in_word_ = false;
  take_word(std::string_view(pending_).substr(word_begin_, scanned_ - word_begin_));
}

void StatementSplitter::take_word(std::string_view word) {
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
        phase_ = Phase::kTrigger;
      else if (!is("TEMP") && !is("TEMPORARY"))
        phase_ = Phase::kOrdinary;
      break;
    case Phase::kTriggerSemicolon: phase_ = is("END") ? Phase::kTriggerEnd : Phase::kTrigger; break;
    case Phase::kTriggerEnd: phase_ = Phase::kTrigger; break;
    case Phase::kOrdinary:
    case Phase::kTrigger: break;
  }
}

void StatementSplitter::take_symbol() {
  const bool inside_trigger =
      phase_ == Phase::kTrigger || phase_ == Phase::kTriggerSemicolon || phase_ == Phase::kTriggerEnd;
  phase_ = inside_trigger ? Phase::kTrigger : Phase::kOrdinary;
}

void StatementSplitter::begin() {
  if (begun_) return;
  begun_ = true;
  begin_ = scanned_;
  begin_line_ = scan_line_;
}

void StatementSplitter::skip(std::size_t bytes) {
  const std::string_view skipped = std::string_view(pending_).substr(scanned_, bytes);
  scan_line_ += static_cast<std::size_t>(std::count(skipped.begin(), skipped.end(), '\n'));
  scanned_ += skipped.size();
}

SplitStatement StatementSplitter::take(std::size_t end) {
  SplitStatement out;
  if (begun_) out = {pending_.substr(begin_, end - begin_), begin_line_};
  begun_ = in_word_ = false;
  phase_ = Phase::kStart;
  return out;
}

// Keeps the unfinished statement only, so that memory does not grow with the input.
void StatementSplitter::drop_scanned() {
  const std::size_t keep_from = begun_ ? begin_ : scanned_;
  pending_.erase(0, keep_from);
  scanned_ -= keep_from;
  begin_ = 0;
  if (in_word_) word_begin_ -= keep_from;
}

}  // namespace dosql::shell
