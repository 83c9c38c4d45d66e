// Names of branches and snapshots in a statement: bare (feature-x, team/v1.2), quoted, or a variable.
#pragma once

#include <optional>
#include <string>

#include "sql/token_cursor.h"

namespace dosql::sql {

struct NameToken {
  Span span;
  std::optional<std::string> text;  // none: the variable at `span` says it
};

enum class BareName : std::uint8_t {
  kPlain,
  kSnapshotId,  // main@5 is one name
};

// Reads a name at the cursor; none when there is no name, and then the cursor stays.
//
// A bare name goes as far as words, numbers and . - / follow each other without space. A keyword that SQLite
// reserves is none, so that a forgotten name is not taken for FROM or WHERE; quoted it is.
std::optional<NameToken> parse_name(TokenCursor& cursor, BareName bare);

// As a statement has to say it: bare where parse_name() would read that, else quoted.
std::string written_name(std::string_view name);

}  // namespace dosql::sql
