// Guesses the type of a new table's column from the texts it will hold.
#pragma once

#include <cstdint>
#include <string_view>

namespace dosql::shell {

// INTEGER and REAL are guessed only where the number gives the same text back in every sense that matters: no
// leading zeros or plus sign, no integer beyond 64 bits. Post codes and phone numbers stay TEXT.
class ColumnGuess {
 public:
  // Empty texts say nothing: they become NULL in a column of numbers.
  void see(std::string_view text);
  // "INTEGER", "REAL" or "TEXT".
  std::string_view type() const;

 private:
  bool any_ = false;
  bool all_integers_ = true;
  bool all_numbers_ = true;
};

// A declared type that makes SQLite store numbers as numbers (INTEGER, REAL and NUMERIC affinity).
bool is_numeric_type(std::string_view declared);

}  // namespace dosql::shell
