// What the shell says beside results: errors with a caret, warnings, the colours they have.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <dosql/result.h>

namespace dosql::shell {

// Where SQL and dot-commands come from, for messages.
struct Origin {
  enum class Kind : std::uint8_t { kTerminal, kArgument, kStandardInput, kFile };
  Kind kind = Kind::kArgument;
  std::string file;  // of kFile

  // "setup.sql:3: ", "line 3: ", or empty where a person sees what was typed.
  std::string prefix(std::size_t line) const;
};

// One piece of SQL that failed.
struct SqlPlace {
  std::string_view sql;
  std::size_t line = 1;  // of its first byte
};

enum class Colour : std::uint8_t { kOff, kOn };

// Of an error's lines, where the terminal has no fewer.
inline constexpr std::size_t kErrorColumns = 107;

// The lines to print, each with its line end:
//   error: no such column: x
//          SELECT x FROM t;
//                 ^
//   hint:  ...
// The SQL line is the one that holds Error::sql_offset(). It is shown in at most `columns`, cut around the
// caret; a token that the message repeats is cut too where it is long.
std::string describe_error(const Error& error, const Origin& origin, const SqlPlace& place, Colour colour,
                           std::size_t columns = kErrorColumns);

// Writes to standard error, or where a test wants it.
class Console {
 public:
  explicit Console(int descriptor = 2);

  Colour colour() const { return colour_; }
  void set_colour(Colour colour) { colour_ = colour; }
  // A person sees it.
  bool is_terminal() const { return is_terminal_; }

  void error(const Error& error, const Origin& origin, const SqlPlace& place);
  void error(const Error& error);
  void warning(std::string_view text);
  void hint(std::string_view text);
  // As it is, without a line end.
  void write(std::string_view text);

 private:
  // For a line, as wide as the terminal is now.
  std::size_t columns() const;

  int descriptor_;
  bool is_terminal_;
  Colour colour_;
};

// The environment and the terminal allow colours on this descriptor.
bool colours_wanted(int descriptor);

// Text in the terminal's bold or dim, or as it is.
std::string bold(std::string_view text, Colour colour);
std::string dim(std::string_view text, Colour colour);

}  // namespace dosql::shell
