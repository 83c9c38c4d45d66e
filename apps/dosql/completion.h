// What Tab offers: dot-commands and their arguments, SQL keywords, names in the schema.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <dosql/connection.h>

namespace dosql::shell {

struct Completion {
  std::size_t word_bytes = 0;           // how much before the cursor the candidates replace
  std::vector<std::string> candidates;  // sorted, distinct
};

// `before_cursor` is the current line up to the cursor; `first_line`: no statement is unfinished.
Completion complete(Connection& connection, std::string_view before_cursor, bool first_line);

// The longest text that all candidates begin with, ignoring case; in the first one's spelling.
std::string common_prefix(const std::vector<std::string>& candidates);

}  // namespace dosql::shell
