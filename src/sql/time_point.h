// A time point as it is written: what kind of point, and which bytes of the text say which one.
//
//   TIMESTAMP expr | LSN expr | SNAPSHOT name | BRANCH name | VERSION CURRENT [- expr] | 'text' | variable
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <dosql/result.h>

#include "sql/lexer.h"

namespace dosql::sql {

class TokenCursor;

enum class PointKind : std::uint8_t {
  kTimestamp,  // also a text or a variable alone
  kLsn,
  kSnapshot,  // 'main@5' or the name of a named snapshot
  kBranch,
  kVersion,  // commits relative to the head
};

struct TimePoint {
  PointKind kind = PointKind::kTimestamp;
  Span span;  // the whole point
  // What to evaluate, as SQL. For kVersion with its sign, so that it is the offset from the head ("- 5" is
  // -5), and empty for the head itself. For a snapshot or branch with a `name`: the name as it is written.
  Span expression;
  // The snapshot or branch where the text names it; none where a variable does.
  std::optional<std::string> name;
  bool has_variables = false;
};

// What may stand for a point besides the forms above.
enum class BarePoint : std::uint8_t {
  kNothing,
  kSnapshotOrBranch,  // 'main@5' and main@5 are snapshots, 'x' and x branches or snapshots: CREATE BRANCH ...
                      // FROM
};

// Whether it is a version's own name, as main@5 is: a branch's name, then a number.
bool is_version_id(std::string_view name);

// Reads a point at the cursor and moves behind it. `after` names the words it follows, for messages ("AS
// OF").
Result<TimePoint> parse_time_point(TokenCursor& cursor, std::string_view after, BarePoint bare);

}  // namespace dosql::sql
