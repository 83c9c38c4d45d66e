// Replaces what is ours in a statement, so that SQLite can compile it.
#pragma once

#include <cstddef>
#include <span>
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

// The text up to recognition.end, in which the i-th time reference's table (with its schema, without its
// clause) became tables[i]: a quoted, schema-qualified name. Its alias stays where it is.
//
// SQLite numbers variables by what it sees. Where a cut clause had variables, the variables behind it that
// would get another number are written as ?N, so that every parameter is bound by its number in
// `recognition`; take names and parameter_count from there too.
//
// A result column without an alias in which something was replaced gets its original text for one, which is
// the name that SQLite would give it.
//
// The i-th table of recognition.present becomes present[i] where that is given and not empty.
//
// REQUIRES: recognition of this text, with tables.size() == recognition.times.size() and as many names in
// `present` as in the recognition, or none.
RewrittenSql rewrite(std::string_view text, const Recognition& recognition,
                     std::span<const std::string> tables, std::span<const std::string> present = {});

}  // namespace dosql::sql
