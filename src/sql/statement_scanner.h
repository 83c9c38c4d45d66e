// Finds the end of a statement as SQLite's grammar does: at a semicolon, but not at one inside a trigger's
// body, nor in the arguments of a virtual table, which may be any tokens between parentheses.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "sql/lexer.h"

namespace dosql::sql {

class StatementScanner {
 public:
  // Takes the next significant token. True: it is the semicolon (or the end of the text) that ends the
  // statement.
  bool ends_with(const Token& token, std::string_view text);

  // Nothing but semicolons has come.
  bool before_statement() const { return phase_ == Phase::kStart; }

 private:
  enum class Phase : std::uint8_t {
    kStart,
    kExplain,
    kCreate,
    kOrdinary,
    kTriggerHead,
    kTriggerBody,
    kTriggerSemicolon,  // behind a semicolon of the body
    kTriggerEnd,        // behind its END
    kVirtualTable,
  };

  void take_word(std::string_view word);

  Phase phase_ = Phase::kStart;
  std::size_t depth_ = 0;  // of parentheses, in kVirtualTable
};

}  // namespace dosql::sql
