#include "sql/branch_statement.h"

#include <fmt/format.h>

#include "sql/name_token.h"
#include "sql/sql_error.h"
#include "sql/token_cursor.h"

namespace dosql::sql {
namespace {

struct Words {
  std::string_view first;
  std::string_view second;  // empty: one word is enough
  StatementKind kind;
};

constexpr Words kWords[] = {
    {"CREATE", "BRANCH", StatementKind::kCreateBranch},
    {"DROP", "BRANCH", StatementKind::kDropBranch},
    {"CHECKOUT", "", StatementKind::kCheckout},
    {"CREATE", "SNAPSHOT", StatementKind::kCreateSnapshot},
    {"DROP", "SNAPSHOT", StatementKind::kDropSnapshot},
    {"MERGE", "BRANCH", StatementKind::kMergeBranch},
    {"COMPLETE", "MERGE", StatementKind::kCompleteMerge},
    {"ABORT", "MERGE", StatementKind::kAbortMerge},
    {"REVERT", "", StatementKind::kRevert},
    {"CHERRY", "PICK", StatementKind::kCherryPick},
};

const Words& words_of(StatementKind kind) {
  for (const Words& words : kWords) {
    if (words.kind == kind) return words;
  }
  return kWords[0];
}

bool merging(StatementKind kind) { return kind >= StatementKind::kMergeBranch; }

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
    default: return "";
  }
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
  statement.name = StatementName{name->span, std::move(name->text)};
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
  return {};
}

}  // namespace

std::optional<StatementKind> statement_kind(std::string_view first, std::string_view second) {
  for (const Words& words : kWords) {
    const bool second_fits = words.second.empty() || equals_ignoring_case(second, words.second);
    if (second_fits && equals_ignoring_case(first, words.first)) return words.kind;
  }
  return std::nullopt;
}

Result<BranchStatement> parse_branch_statement(TokenCursor& cursor, StatementKind kind) {
  BranchStatement statement;
  statement.kind = kind;
  statement.words = cursor.take().span;
  if (!words_of(kind).second.empty()) statement.words.end = cursor.take().span.end;
  if (merging(kind)) return statement;

  parse_conditions(cursor, statement);
  DOSQL_RETURN_IF_ERROR(parse_statement_name(cursor, statement));
  statement.force = kind == StatementKind::kDropBranch && cursor.take_word("FORCE");
  DOSQL_RETURN_IF_ERROR(parse_point(cursor, statement));
  if (!cursor.at_end()) {
    return sql_error(cursor.offset(),
                     fmt::format("unexpected {} in {}", shortened(cursor.text()), shown(kind)))
        .with_hint(std::string(usage(kind)));
  }
  return statement;
}

}  // namespace dosql::sql
