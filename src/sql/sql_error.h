// How this room says what is wrong with a statement.
#pragma once

#include <string>
#include <string_view>

#include <dosql/result.h>

namespace dosql::sql {

inline Error sql_error(std::size_t offset, std::string message) {
  return Error(ErrorCode::kSql, std::move(message)).with_sql_offset(offset);
}

// A piece of the text for a message: a token may be a megabyte long.
inline std::string shortened(std::string_view text) {
  constexpr std::size_t kBytesMax = 60;
  if (text.size() <= kBytesMax) return std::string(text);
  std::size_t end = kBytesMax;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;  // not inside a character
  return std::string(text.substr(0, end)) + "...";
}

}  // namespace dosql::sql
