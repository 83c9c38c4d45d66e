#include "sql/branch_statement.h"

#include <fmt/format.h>

#include <utility>

#include "sql/name_token.h"
#include "sql/sql_error.h"
#include "sql/token_cursor.h"

namespace dosql::sql {
namespace {

struct Words {
  std::string_view first;
  std::string_view second;  // empty: one word is enough
  StatementKind kind;
  bool first_is_ours = false;  // no statement of SQLite begins with it, whatever the second word is
};

constexpr Words kWords[] = {
    {"CREATE", "BRANCH", StatementKind::kCreateBranch},
    {"DROP", "BRANCH", StatementKind::kDropBranch},
    {"CHECKOUT", "", StatementKind::kCheckout},
    {"CREATE", "SNAPSHOT", StatementKind::kCreateSnapshot},
    {"DROP", "SNAPSHOT", StatementKind::kDropSnapshot},
    {"MERGE", "BRANCH", StatementKind::kMergeBranch, true},
    {"COMPLETE", "MERGE", StatementKind::kCompleteMerge, true},
    {"ABORT", "MERGE", StatementKind::kAbortMerge, true},
    {"REVERT", "", StatementKind::kRevert},
    {"CHERRY", "PICK", StatementKind::kCherryPick, true},
};

const Words& words_of(StatementKind kind) {
  for (const Words& words : kWords) {
    if (words.kind == kind) return words;
  }
  return kWords[0];
}

bool has_name(StatementKind kind) { return kind <= StatementKind::kMergeBranch; }

bool about_snapshot(StatementKind kind) {
  return kind == StatementKind::kCreateSnapshot || kind == StatementKind::kDropSnapshot;
}

// The words as they are told to a person.
std::string shown(StatementKind kind) {
  const Words& words = words_of(kind);
  return words.second.empty() ? std::string(words.first) : fmt::format("{} {}", words.first, words.second);
}

std::string_view usage(StatementKind kind) {
  switch (kind) {
    case StatementKind::kCreateBranch: return "CREATE BRANCH [IF NOT EXISTS] name [FROM point]";
    case StatementKind::kDropBranch: return "DROP BRANCH [IF EXISTS] name [FORCE]";
    case StatementKind::kCheckout: return "CHECKOUT name";
    case StatementKind::kCreateSnapshot: return "CREATE SNAPSHOT 'name' [AS OF point]";
    case StatementKind::kDropSnapshot: return "DROP SNAPSHOT 'name'";
    case StatementKind::kMergeBranch:
      return "MERGE BRANCH name [STRATEGY auto|ours|theirs|manual] [SQUASH] [RENUMBER] [MESSAGE 'text'] [DRY "
             "RUN]";
    case StatementKind::kCompleteMerge: return "COMPLETE MERGE [MESSAGE 'text']";
    case StatementKind::kAbortMerge: return "ABORT MERGE";
    case StatementKind::kRevert:
      return "REVERT point [STRATEGY auto|ours|theirs|manual] [MESSAGE 'text'] [DRY RUN]";
    case StatementKind::kCherryPick:
      return "CHERRY PICK LSN number [STRATEGY auto|ours|theirs|manual] [MESSAGE 'text'] [DRY RUN]";
  }
  return "";
}

Status parse_words(TokenCursor& cursor, BranchStatement& statement) {
  const Words& words = words_of(statement.kind);
  statement.words = cursor.take().span;
  if (words.second.empty()) return {};
  if (!cursor.word(words.second)) {
    return sql_error(cursor.offset(), fmt::format("expected {} after {}", words.second, words.first))
        .with_hint(std::string(usage(statement.kind)));
  }
  statement.words.end = cursor.take().span.end;
  return {};
}

void parse_conditions(TokenCursor& cursor, BranchStatement& statement) {
  if (statement.kind == StatementKind::kCreateBranch && cursor.word("IF") && cursor.word("NOT", 1) &&
      cursor.word("EXISTS", 2)) {
    for (int i = 0; i < 3; ++i) cursor.take();
    statement.if_not_exists = true;
  }
  if (statement.kind == StatementKind::kDropBranch && cursor.word("IF") && cursor.word("EXISTS", 1)) {
    for (int i = 0; i < 2; ++i) cursor.take();
    statement.if_exists = true;
  }
}

Status parse_statement_name(TokenCursor& cursor, BranchStatement& statement) {
  const std::size_t offset = cursor.offset();
  auto name = parse_name(cursor, BareName::kPlain);
  if (!name) {
    const std::string_view thing = about_snapshot(statement.kind) ? "snapshot" : "branch";
    return sql_error(offset, fmt::format("expected the name of a {} after {}", thing, shown(statement.kind)))
        .with_hint(std::string(usage(statement.kind)));
  }
  statement.name = StatementText{name->span, std::move(name->text)};
  return {};
}

Status parse_strategy(TokenCursor& cursor, StatementKind kind, MergeClauses& merge) {
  const std::size_t offset = cursor.offset();
  auto name = parse_name(cursor, BareName::kPlain);
  if (!name || (name->text && !merge_strategy(*name->text))) {
    return sql_error(offset, "expected auto, ours, theirs or manual after STRATEGY")
        .with_hint(std::string(usage(kind)));
  }
  merge.strategy = StatementText{name->span, std::move(name->text)};
  return {};
}

Status parse_message(TokenCursor& cursor, StatementKind kind, MergeClauses& merge) {
  if (!cursor.quoted() && cursor.kind() != TokenKind::kVariable) {
    return sql_error(cursor.offset(), "expected a text in quotes after MESSAGE")
        .with_hint(std::string(usage(kind)));
  }
  auto message = parse_name(cursor, BareName::kPlain);
  merge.message = StatementText{message->span, std::move(message->text)};
  return {};
}

Error twice(std::size_t offset, StatementKind kind, std::string_view option) {
  return sql_error(offset, fmt::format("{} stands twice in {}", option, shown(kind)))
      .with_hint(std::string(usage(kind)));
}

// One option, if there is one at the cursor; false: there is none.
Result<bool> parse_merge_option(TokenCursor& cursor, StatementKind kind, MergeClauses& merge) {
  const std::size_t offset = cursor.offset();
  const bool merges = kind == StatementKind::kMergeBranch;
  const bool decides = merges || kind == StatementKind::kRevert || kind == StatementKind::kCherryPick;
  if (cursor.take_word("MESSAGE")) {
    if (merge.message) return twice(offset, kind, "MESSAGE");
    return parse_message(cursor, kind, merge).and_then([] { return Result<bool>(true); });
  }
  if (decides && cursor.take_word("STRATEGY")) {
    if (merge.strategy) return twice(offset, kind, "STRATEGY");
    return parse_strategy(cursor, kind, merge).and_then([] { return Result<bool>(true); });
  }
  if (merges && cursor.take_word("SQUASH")) {
    if (std::exchange(merge.squash, true)) return twice(offset, kind, "SQUASH");
    return true;
  }
  if (merges && cursor.take_word("RENUMBER")) {
    if (std::exchange(merge.renumber, true)) return twice(offset, kind, "RENUMBER");
    return true;
  }
  if (decides && cursor.word("DRY") && cursor.word("RUN", 1)) {
    cursor.take();
    cursor.take();
    if (std::exchange(merge.dry_run, true)) return twice(offset, kind, "DRY RUN");
    return true;
  }
  return false;
}

Status parse_merge_options(TokenCursor& cursor, BranchStatement& statement) {
  const StatementKind kind = statement.kind;
  const bool has_options = kind == StatementKind::kMergeBranch || kind == StatementKind::kCompleteMerge ||
                           kind == StatementKind::kRevert || kind == StatementKind::kCherryPick;
  while (has_options) {
    DOSQL_ASSIGN_OR_RETURN(const bool more, parse_merge_option(cursor, statement.kind, statement.merge));
    if (!more) break;
  }
  return {};
}

Status parse_point(TokenCursor& cursor, BranchStatement& statement) {
  const auto read = [&](std::string_view after, BarePoint bare) -> Status {
    DOSQL_ASSIGN_OR_RETURN(statement.point, parse_time_point(cursor, after, bare));
    return {};
  };
  if (statement.kind == StatementKind::kCreateBranch && cursor.take_word("FROM")) {
    return read("FROM", BarePoint::kSnapshotOrBranch);
  }
  if (statement.kind == StatementKind::kCreateSnapshot && cursor.word("AS") && cursor.word("OF", 1)) {
    cursor.take();
    cursor.take();
    return read("AS OF", BarePoint::kNothing);
  }
  if (statement.kind == StatementKind::kRevert) return read("REVERT", BarePoint::kSnapshotOrBranch);
  if (statement.kind == StatementKind::kCherryPick) {
    // Only an LSN: a commit is picked, and a point in time says which version was seen then.
    if (!cursor.word("LSN")) {
      return sql_error(cursor.offset(), "expected LSN after CHERRY PICK")
          .with_hint(std::string(usage(statement.kind)));
    }
    return read("CHERRY PICK", BarePoint::kNothing);
  }
  return {};
}

}  // namespace

std::optional<MergeStrategy> merge_strategy(std::string_view word) {
  static constexpr std::pair<std::string_view, MergeStrategy> kStrategies[] = {
      {"auto", MergeStrategy::kAuto},
      {"ours", MergeStrategy::kOurs},
      {"theirs", MergeStrategy::kTheirs},
      {"manual", MergeStrategy::kManual},
  };
  for (const auto& [name, strategy] : kStrategies) {
    if (equals_ignoring_case(word, name)) return strategy;
  }
  return std::nullopt;
}

std::optional<StatementKind> statement_kind(std::string_view first, std::string_view second) {
  for (const Words& words : kWords) {
    const bool second_fits =
        words.second.empty() || words.first_is_ours || equals_ignoring_case(second, words.second);
    if (second_fits && equals_ignoring_case(first, words.first)) return words.kind;
  }
  return std::nullopt;
}

Result<BranchStatement> parse_branch_statement(TokenCursor& cursor, StatementKind kind) {
  BranchStatement statement;
  statement.kind = kind;
  DOSQL_RETURN_IF_ERROR(parse_words(cursor, statement));
  parse_conditions(cursor, statement);
  if (has_name(kind)) DOSQL_RETURN_IF_ERROR(parse_statement_name(cursor, statement));
  statement.force = kind == StatementKind::kDropBranch && cursor.take_word("FORCE");
  DOSQL_RETURN_IF_ERROR(parse_point(cursor, statement));
  DOSQL_RETURN_IF_ERROR(parse_merge_options(cursor, statement));
  if (!cursor.at_end()) {
    return sql_error(cursor.offset(),
                     fmt::format("unexpected {} in {}", shortened(cursor.text()), shown(kind)))
        .with_hint(std::string(usage(kind)));
  }
  return statement;
}

}  // namespace dosql::sql
