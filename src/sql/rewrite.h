// Replaces what is ours in a statement, so that SQLite can compile it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "sql/recogniser.h"

namespace dosql::sql {

struct RewrittenSql {
  std::string text;

  // The offset in the original text from which the byte at `offset` comes. A byte that was put in comes from
  // the beginning of what it replaces.
  std::size_t original_offset(std::size_t offset) const;

  // Pieces of `text` in order. A copied piece came from [original, ...), a replacement stands for `original`.
  struct Piece {
    std::size_t begin = 0;  // in `text`
    std::size_t original = 0;
    bool copied = true;
  };
  std::vector<Piece> pieces;
};

// What stands in the place of names.
struct Replacements {
  // Of the i-th time reference's table, with its schema and without its clause. Its alias stays where it is,
  // behind this.
  std::vector<std::string> times;
  std::vector<std::string> diffs;  // of dosql_diff, by recognition.diffs
  // Of recognition.present, where it is not empty; none at all: they stay as they are.
  std::vector<std::string> present;
};

// The text up to recognition.end with the names replaced.
//
// SQLite numbers variables by what it sees. Where a cut clause had variables, the variables behind it that
// would get another number are written as ?N, so that every parameter is bound by its number in
// `recognition`; take names and parameter_count from there too.
//
// A result column without an alias in which something was replaced gets its original text for one, which is
// the name that SQLite would give it.
//
// REQUIRES: recognition of this text, and as many names as it has of each.
RewrittenSql rewrite(std::string_view text, const Recognition& recognition, const Replacements& names);

}  // namespace dosql::sql
