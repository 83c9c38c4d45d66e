#include "sql/branch_statement.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "sql/recogniser.h"

namespace dosql::sql {
namespace {

std::string shown(std::string_view text, const TimePoint& point) {
  static constexpr std::string_view kKinds[] = {"TIMESTAMP", "LSN", "SNAPSHOT", "BRANCH", "VERSION"};
  return fmt::format("{} {}", kKinds[static_cast<int>(point.kind)],
                     point.name ? "'" + *point.name + "'" : std::string(point.expression.of(text)));
}

// `kind 'name' flags {point}`, or `error at text: message`.
std::string described(std::string_view text) {
  static constexpr std::string_view kKinds[] = {"create",        "drop",       "checkout", "create snapshot",
                                                "drop snapshot", "merge",      "complete", "abort",
                                                "revert",        "cherry pick"};
  const auto found = recognise(text);
  if (!found) {
    EXPECT_FALSE(found.error().hint().empty()) << text;
    return fmt::format("error at {}: {}", text.substr(found.error().sql_offset().value(), 8),
                       found.error().message());
  }
  if (!found->statement) return "nothing";
  const BranchStatement& statement = *found->statement;
  std::string out(kKinds[static_cast<int>(statement.kind)]);
  if (statement.name) {
    out += statement.name->text ? fmt::format(" '{}'", *statement.name->text)
                                : fmt::format(" {}", statement.name->span.of(text));
  }
  if (statement.if_exists) out += " if exists";
  if (statement.if_not_exists) out += " if not exists";
  if (statement.force) out += " force";
  if (statement.point) out += fmt::format(" {{{}}}", shown(text, *statement.point));
  return out;
}

struct Case {
  std::string_view text, expected;
};

void check(const std::vector<Case>& cases) {
  for (const Case& one : cases) EXPECT_EQ(described(one.text), one.expected) << one.text;
}

TEST(BranchStatement, Names) {
  check({
      {"CREATE BRANCH feature-x", "create 'feature-x'"},
      {"create branch a/b;", "create 'a/b'"},
      {"CREATE/**/BRANCH--\nv1.2--c", "create 'v1.2'"},
      {"CREATE BRANCH 2024-01-01", "create '2024-01-01'"},
      {"CREATE BRANCH 1e5-fix", "create '1e5-fix'"},
      {"CREATE BRANCH 'a b'", "create 'a b'"},
      {"CREATE BRANCH \"a\"\"b\"", "create 'a\"b'"},
      {"CREATE BRANCH `a`", "create 'a'"},
      {"CREATE BRANCH [a]", "create 'a'"},
      {"CREATE BRANCH ?", "create ?"},
      {"CREATE BRANCH :name", "create :name"},
      {"CREATE BRANCH branch", "create 'branch'"},
      {"CREATE BRANCH if", "create 'if'"},
      {"CREATE BRANCH a/../b", "create 'a/../b'"},  // check_branch_name() refuses it, and says why
      {"CREATE BRANCH /a//b/", "create '/a//b/'"},
      {"CREATE BRANCH from/here", "create 'from/here'"},
      {"CREATE BRANCH IF NOT EXISTS x", "create 'x' if not exists"},
      {"DROP BRANCH x", "drop 'x'"},
      {"DROP BRANCH IF EXISTS x FORCE", "drop 'x' if exists force"},
      {"DROP BRANCH force", "drop 'force'"},
      {"DROP BRANCH force force", "drop 'force' force"},
      {"CHECKOUT main", "checkout 'main'"},
      {"checkout\tfeature-x ;", "checkout 'feature-x'"},
      {"CHECKOUT @b", "checkout @b"},
      {"CREATE SNAPSHOT 'before import'", "create snapshot 'before import'"},
      {"CREATE SNAPSHOT release-1.0", "create snapshot 'release-1.0'"},
      {"DROP SNAPSHOT 'a'", "drop snapshot 'a'"},
  });
}

TEST(BranchStatement, Points) {
  check({
      {"CREATE BRANCH x FROM 'main@5'", "create 'x' {SNAPSHOT 'main@5'}"},
      {"CREATE BRANCH x FROM main@5", "create 'x' {SNAPSHOT 'main@5'}"},
      {"CREATE BRANCH x FROM a/b-c@17;", "create 'x' {SNAPSHOT 'a/b-c@17'}"},
      {"CREATE BRANCH x FROM feature-x", "create 'x' {BRANCH 'feature-x'}"},
      {"CREATE BRANCH x FROM 'feature-x'", "create 'x' {BRANCH 'feature-x'}"},
      {"CREATE BRANCH x FROM \"main\"", "create 'x' {BRANCH 'main'}"},
      {"CREATE BRANCH x FROM '2024-01-01'", "create 'x' {TIMESTAMP '2024-01-01'}"},
      {"CREATE BRANCH x FROM '2024@7'", "create 'x' {SNAPSHOT '2024@7'}"},
      {"CREATE BRANCH x FROM branch", "create 'x' {BRANCH 'branch'}"},
      {"CREATE BRANCH x FROM lsn", "create 'x' {BRANCH 'lsn'}"},
      {"CREATE BRANCH x FROM LSN 12345", "create 'x' {LSN 12345}"},
      {"CREATE BRANCH x FROM LSN ? + 1", "create 'x' {LSN ? + 1}"},
      {"CREATE BRANCH x FROM TIMESTAMP '2024-01-01'", "create 'x' {TIMESTAMP '2024-01-01'}"},
      {"CREATE BRANCH x FROM SNAPSHOT 'nightly'", "create 'x' {SNAPSHOT 'nightly'}"},
      {"CREATE BRANCH x FROM BRANCH main", "create 'x' {BRANCH 'main'}"},
      {"CREATE BRANCH x FROM VERSION CURRENT - 5", "create 'x' {VERSION - 5}"},
      {"CREATE BRANCH x FROM ?", "create 'x' {TIMESTAMP ?}"},
      {"CREATE SNAPSHOT 'a' AS OF LSN 5", "create snapshot 'a' {LSN 5}"},
      {"CREATE SNAPSHOT a AS OF VERSION CURRENT", "create snapshot 'a' {VERSION }"},
      {"CREATE SNAPSHOT a AS OF BRANCH x", "create snapshot 'a' {BRANCH 'x'}"},
  });
}

TEST(BranchStatement, MergingIsKnownByItsWords) {
  check({
      {"MERGE BRANCH x STRATEGY ours SQUASH MESSAGE 'm'", "merge"},
      {"COMPLETE MERGE", "complete"},
      {"abort merge;", "abort"},
      {"REVERT LSN 5", "revert"},
      {"CHERRY PICK LSN 5", "cherry pick"},
  });
  EXPECT_EQ(recognise(" MERGE /**/ BRANCH x")->statement->words, (Span{1, 18}));
}

TEST(BranchStatement, Errors) {
  check({
      {"CREATE BRANCH", "error at : expected the name of a branch after CREATE BRANCH"},
      {"CREATE BRANCH FROM main", "error at FROM mai: expected the name of a branch after CREATE BRANCH"},
      {"CREATE BRANCH a b", "error at b: unexpected b in CREATE BRANCH"},
      {"CREATE BRANCH a@5", "error at @5: unexpected @5 in CREATE BRANCH"},
      {"CREATE BRANCH a FORCE", "error at FORCE: unexpected FORCE in CREATE BRANCH"},
      {"CREATE BRANCH a FROM", "error at : expected TIMESTAMP, LSN, SNAPSHOT, BRANCH or VERSION after FROM"},
      {"CREATE BRANCH a FROM LSN 5 6", "error at 6: unexpected 6 in CREATE BRANCH"},
      {"CREATE BRANCH a FROM b c", "error at c: unexpected c in CREATE BRANCH"},
      {"CREATE BRANCH a AS OF LSN 5", "error at AS OF LS: unexpected AS in CREATE BRANCH"},
      {"CREATE BRANCH IF NOT EXISTS", "error at : expected the name of a branch after CREATE BRANCH"},
      {"DROP BRANCH", "error at : expected the name of a branch after DROP BRANCH"},
      {"DROP BRANCH 'a' 'b'", "error at 'b': unexpected 'b' in DROP BRANCH"},
      {"CHECKOUT", "error at : expected the name of a branch after CHECKOUT"},
      {"CHECKOUT;", "error at ;: expected the name of a branch after CHECKOUT"},
      {"CHECKOUT (a)", "error at (a): expected the name of a branch after CHECKOUT"},
      {"CHECKOUT 'a", "error at 'a: expected the name of a branch after CHECKOUT"},
      {"CHECKOUT a$b c", "error at c: unexpected c in CHECKOUT"},
      {"CREATE SNAPSHOT", "error at : expected the name of a snapshot after CREATE SNAPSHOT"},
      {"CREATE SNAPSHOT a AS LSN 5", "error at AS LSN 5: unexpected AS in CREATE SNAPSHOT"},
      {"CREATE SNAPSHOT a AS OF b",
       "error at b: expected TIMESTAMP, LSN, SNAPSHOT, BRANCH or VERSION after AS OF"},
      {"DROP SNAPSHOT a FORCE", "error at FORCE: unexpected FORCE in DROP SNAPSHOT"},
  });
}

}  // namespace
}  // namespace dosql::sql
