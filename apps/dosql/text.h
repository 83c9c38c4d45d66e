// Small facts about text: UTF-8 and its width on a terminal, SQL quoting, numbers for people.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace dosql::shell {

struct CodePoint {
  char32_t value = 0;
  std::size_t bytes = 1;
};

// The code point at byte `at`. A byte that starts no valid sequence counts as U+FFFD of length 1.
// REQUIRES: at < text.size().
CodePoint decode_utf8(std::string_view text, std::size_t at);

// Columns that a terminal uses for it: 2 for wide East Asian characters and emoji, 0 for combining marks
// and for control characters.
int code_point_width(char32_t code_point);
std::size_t display_width(std::string_view text);

// The longest prefix that is at most `columns` wide.
std::string_view prefix_of_width(std::string_view text, std::size_t columns);

bool is_space(char c);
std::string_view trim(std::string_view text);
std::string to_lower(std::string_view text);  // ASCII letters only
bool equals_ignoring_case(std::string_view a, std::string_view b);
bool starts_with_ignoring_case(std::string_view text, std::string_view prefix);

// 'it''s'. Bytes are kept as they are.
std::string quote_text(std::string_view text);
// A name as SQL takes it: bare where possible, else in double quotes.
std::string quote_identifier(std::string_view name);
// Always in double quotes.
std::string quote_identifier_always(std::string_view name);
std::string to_hex(std::string_view bytes);

// A finite real as the sqlite3 shell writes it in JSON, SQL and dumps: enough digits to read back the
// same number, always with a fraction ("1.0", "1.0e+100").
std::string format_real(double value);

std::string with_thousands(std::uint64_t number);  // 138,398
std::string format_bytes(std::uint64_t bytes);     // "712 B", "1.4 MB"
std::string format_seconds(double seconds);        // "0.3 s", "4 min 10 s"
std::string count_of(std::uint64_t count, std::string_view singular, std::string_view plural);  // "1 row"

// Decimal digits only, the whole text. None on anything else or overflow.
std::optional<std::uint64_t> parse_unsigned(std::string_view text);
std::optional<std::int64_t> parse_signed(std::string_view text);
// on/off, yes/no, true/false, 1/0.
std::optional<bool> parse_switch(std::string_view text);

}  // namespace dosql::shell
