// Finds the end of a statement as SQLite's grammar does: at a semicolon, but not at one inside a trigger's
// body.
#pragma once

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
  };

  void take_word(std::string_view word);

  Phase phase_ = Phase::kStart;
};

}  // namespace dosql::sql
