// The statements about branches and snapshots, as they are written.
//
//   CREATE BRANCH [IF NOT EXISTS] name [FROM point]     CREATE SNAPSHOT name [AS OF point]
//   DROP BRANCH [IF EXISTS] name [FORCE]                DROP SNAPSHOT name
//   CHECKOUT name
//   MERGE BRANCH name [STRATEGY auto|ours|theirs|manual] [SQUASH] [RENUMBER] [MESSAGE 'text'] [DRY RUN]
//   COMPLETE MERGE [MESSAGE 'text']                     ABORT MERGE
//   REVERT point [STRATEGY auto|ours|theirs|manual] [MESSAGE 'text'] [DRY RUN]
//   CHERRY PICK LSN expr [STRATEGY ...] [MESSAGE 'text'] [DRY RUN]
//
// The options may stand in any order. For a name, a strategy or a message there may be a variable.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <dosql/merge.h>
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

// What a statement says in words of its user: the name of a branch or snapshot, a strategy, a message.
// Whether a name is a good one is not looked at: see check_branch_name().
struct StatementText {
  Span span;
  std::optional<std::string> text;  // none: the variable at `span` says it
};

// In any case of letters; none: there is no such strategy.
std::optional<MergeStrategy> merge_strategy(std::string_view word);

// What may follow MERGE BRANCH name; of it COMPLETE MERGE takes the message, REVERT and CHERRY PICK all but
// SQUASH and RENUMBER.
struct MergeClauses {
  std::optional<StatementText> strategy;  // a text is a strategy's name
  std::optional<StatementText> message;
  bool squash = false;
  bool renumber = false;
  bool dry_run = false;
};

struct BranchStatement {
  StatementKind kind = StatementKind::kCheckout;
  Span words;                         // CREATE BRANCH, CHECKOUT, ...
  std::optional<StatementText> name;  // none: the kind has none
  bool if_exists = false;             // DROP BRANCH IF EXISTS
  bool if_not_exists = false;         // CREATE BRANCH IF NOT EXISTS
  bool force = false;                 // DROP BRANCH ... FORCE
  std::optional<TimePoint> point;     // FROM, AS OF; what REVERT and CHERRY PICK are about
  MergeClauses merge;
};

// The kind of the statement that begins with these words; none: it is not ours. `second` may be empty, and
// another one where SQLite has no statement that begins with `first`.
std::optional<StatementKind> statement_kind(std::string_view first, std::string_view second);

// Reads the statement at the cursor to its end, the semicolon excluded.
Result<BranchStatement> parse_branch_statement(TokenCursor& cursor, StatementKind kind);

}  // namespace dosql::sql
