// Cuts a stream of lines into SQL statements.
//
// A statement ends at a semicolon that is neither in quotes nor in a comment; a CREATE TRIGGER ends at the
// semicolon behind its END. Each byte is looked at once, however long a statement grows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace dosql::shell {

struct SplitStatement {
  std::string text;      // without leading space and comments, with its semicolon where it had one
  std::size_t line = 1;  // of its first byte; the first line fed is 1
};

class StatementSplitter {
 public:
  // Adds one line, given without its line end. Take what next() has to give before feeding on.
  void feed_line(std::string_view line);

  // The next complete statement. Empty ones (";") are dropped.
  std::optional<SplitStatement> next();

  // What is left at the end of input: an unfinished statement, or none. The splitter starts afresh.
  std::optional<SplitStatement> finish();

  // Forgets what is unfinished; line numbers go on.
  void clear();

  // Nothing but space and finished comments is waiting: a dot-command may come.
  bool idle() const { return !begun_ && state_ != State::kBlockComment; }

  // Lines fed so far.
  std::size_t line_count() const { return line_count_; }

 private:
  enum class State : std::uint8_t { kText, kQuoted, kLineComment, kBlockComment };
  // Where in a statement the words stand, as far as the end of a trigger depends on it.
  enum class Phase : std::uint8_t {
    kStart,
    kExplain,
    kCreate,
    kOrdinary,
    kTrigger,
    kTriggerSemicolon,
    kTriggerEnd
  };

  bool scan_one();
  bool scan_text(char c);
  bool semicolon_completes();
  void end_word();
  void take_word(std::string_view word);
  void take_symbol();
  void begin();
  void skip(std::size_t bytes);
  SplitStatement take(std::size_t end);
  void drop_scanned();

  std::string pending_;
  std::size_t scanned_ = 0;  // bytes of pending_ that were looked at
  std::size_t begin_ = 0;    // of the unfinished statement, when begun_
  std::size_t begin_line_ = 0;
  std::size_t word_begin_ = 0;  // of the word being read, when in_word_
  std::size_t scan_line_ = 1;   // line of pending_[scanned_]
  std::size_t line_count_ = 0;
  bool begun_ = false;
  bool in_word_ = false;
  char closing_quote_ = 0;
  State state_ = State::kText;
  Phase phase_ = Phase::kStart;
};

}  // namespace dosql::shell
