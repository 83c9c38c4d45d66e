// The statements about branches and snapshots, as they are written.
//
//   CREATE BRANCH [IF NOT EXISTS] name [FROM point]     CREATE SNAPSHOT name [AS OF point]
//   DROP BRANCH [IF EXISTS] name [FORCE]                DROP SNAPSHOT name
//   CHECKOUT name
//
// Of merging statements only the first words are read.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <dosql/result.h>

#include "sql/time_point.h"

namespace dosql::sql {

class TokenCursor;

enum class StatementKind : std::uint8_t {
  kCreateBranch,
  kDropBranch,
  kCheckout,
  kCreateSnapshot,
  kDropSnapshot,
  kMergeBranch,
  kCompleteMerge,
  kAbortMerge,
  kRevert,
  kCherryPick,
};

// The name of a branch or snapshot. Whether it is a good one is not looked at: see check_branch_name().
struct StatementName {
  Span span;
  std::optional<std::string> text;  // none: the variable at `span` names it
};

struct BranchStatement {
  StatementKind kind = StatementKind::kCheckout;
  Span words;                         // CREATE BRANCH, CHECKOUT, ...
  std::optional<StatementName> name;  // none for merging statements
  bool if_exists = false;             // DROP BRANCH IF EXISTS
  bool if_not_exists = false;         // CREATE BRANCH IF NOT EXISTS
  bool force = false;                 // DROP BRANCH ... FORCE
  std::optional<TimePoint> point;     // FROM, AS OF
};

// The kind of the statement that begins with these words; none: it is not ours. `second` may be empty.
std::optional<StatementKind> statement_kind(std::string_view first, std::string_view second);

// Reads the statement at the cursor to its end, the semicolon excluded.
Result<BranchStatement> parse_branch_statement(TokenCursor& cursor, StatementKind kind);

}  // namespace dosql::sql
