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
  const auto add = [&](std::string_view before, const std::optional<StatementText>& said) {
    if (!said) return;
    out += said->text ? fmt::format(" {}'{}'", before, *said->text)
                      : fmt::format(" {}{}", before, said->span.of(text));
  };
  add("", statement.name);
  if (statement.if_exists) out += " if exists";
  if (statement.if_not_exists) out += " if not exists";
  if (statement.force) out += " force";
  if (statement.point) out += fmt::format(" {{{}}}", shown(text, *statement.point));
  add("strategy ", statement.merge.strategy);
  if (statement.merge.squash) out += " squash";
  if (statement.merge.renumber) out += " renumber";
  if (statement.merge.dry_run) out += " dry run";
  add("message ", statement.merge.message);
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

TEST(BranchStatement, Merging) {
  check({
      {"MERGE BRANCH x", "merge 'x'"},
      {"MERGE BRANCH ?1;", "merge ?1"},
      {"MERGE BRANCH squash squash", "merge 'squash' squash"},
      {"MERGE BRANCH x STRATEGY ours SQUASH MESSAGE 'm'", "merge 'x' strategy 'ours' squash message 'm'"},
      {"MERGE BRANCH x MESSAGE 'it''s' DRY RUN RENUMBER STRATEGY Manual",
       "merge 'x' strategy 'Manual' renumber dry run message 'it's'"},
      {"merge branch a/b-c strategy :s message \"m\"", "merge 'a/b-c' strategy :s message 'm'"},
      {"MERGE BRANCH x MESSAGE ?", "merge 'x' message ?"},
      {"MERGE BRANCH x MESSAGE ''", "merge 'x' message ''"},
      {"COMPLETE MERGE", "complete"},
      {"COMPLETE MERGE MESSAGE $m", "complete message $m"},
      {"abort merge;", "abort"},
      {"REVERT LSN 5", "revert {LSN 5}"},
      {"REVERT main@5", "revert {SNAPSHOT 'main@5'}"},
      {"REVERT SNAPSHOT 'main@5'", "revert {SNAPSHOT 'main@5'}"},
      {"REVERT VERSION CURRENT - 1", "revert {VERSION - 1}"},
      {"REVERT ?", "revert {TIMESTAMP ?}"},
      {"CHERRY PICK LSN 5", "cherry pick {LSN 5}"},
      {"CHERRY PICK LSN ? + 1", "cherry pick {LSN ? + 1}"},
      {"REVERT main@5 DRY RUN STRATEGY ours MESSAGE 'm'",
       "revert {SNAPSHOT 'main@5'} strategy 'ours' dry run message 'm'"},
      {"REVERT VERSION CURRENT STRATEGY :s", "revert {VERSION } strategy :s"},
      {"REVERT x MESSAGE $m", "revert {BRANCH 'x'} message $m"},
      {"CHERRY PICK LSN ? + 1 STRATEGY theirs DRY RUN", "cherry pick {LSN ? + 1} strategy 'theirs' dry run"},
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
      {"MERGE BRANCH", "error at : expected the name of a branch after MERGE BRANCH"},
      {"MERGE BRANCH x y", "error at y: unexpected y in MERGE BRANCH"},
      {"MERGE BRANCH x FORCE", "error at FORCE: unexpected FORCE in MERGE BRANCH"},
      {"MERGE BRANCH x DRY", "error at DRY: unexpected DRY in MERGE BRANCH"},
      {"MERGE BRANCH x STRATEGY", "error at : expected auto, ours, theirs or manual after STRATEGY"},
      {"MERGE BRANCH x STRATEGY best", "error at best: expected auto, ours, theirs or manual after STRATEGY"},
      {"MERGE BRANCH x STRATEGY 5", "error at 5: expected auto, ours, theirs or manual after STRATEGY"},
      {"MERGE BRANCH x MESSAGE m", "error at m: expected a text in quotes after MESSAGE"},
      {"MERGE BRANCH x MESSAGE", "error at : expected a text in quotes after MESSAGE"},
      {"MERGE BRANCH x MESSAGE 'a' SQUASH MESSAGE 'b'",
       "error at MESSAGE : MESSAGE stands twice in MERGE BRANCH"},
      {"MERGE BRANCH x SQUASH SQUASH", "error at SQUASH: SQUASH stands twice in MERGE BRANCH"},
      {"MERGE BRANCH x RENUMBER RENUMBER", "error at RENUMBER: RENUMBER stands twice in MERGE BRANCH"},
      {"MERGE BRANCH x DRY RUN DRY RUN", "error at DRY RUN: DRY RUN stands twice in MERGE BRANCH"},
      {"MERGE BRANCH x STRATEGY ours STRATEGY ours",
       "error at STRATEGY: STRATEGY stands twice in MERGE BRANCH"},
      {"COMPLETE MERGE SQUASH", "error at SQUASH: unexpected SQUASH in COMPLETE MERGE"},
      {"ABORT MERGE x", "error at x: unexpected x in ABORT MERGE"},
      {"ABORT MERGE MESSAGE 'm'", "error at MESSAGE : unexpected MESSAGE in ABORT MERGE"},
      {"REVERT", "error at : expected TIMESTAMP, LSN, SNAPSHOT, BRANCH or VERSION after REVERT"},
      {"REVERT LSN 5 6", "error at 6: unexpected 6 in REVERT"},
      {"CHERRY PICK", "error at : expected LSN after CHERRY PICK"},
      {"CHERRY PICK 'main@5'", "error at 'main@5': expected LSN after CHERRY PICK"},
      {"CHERRY PICK LSN", "error at : expected a value after LSN"},
      {"CHERRY PICK 5", "error at 5: expected LSN after CHERRY PICK"},
      {"REVERT LSN 5 SQUASH", "error at SQUASH: unexpected SQUASH in REVERT"},
      {"REVERT LSN 5 STRATEGY best", "error at best: expected auto, ours, theirs or manual after STRATEGY"},
      {"CHERRY PICK LSN 5 RENUMBER", "error at RENUMBER: unexpected RENUMBER in CHERRY PICK"},
      {"CHERRY PICK LSN 5 DRY RUN DRY RUN", "error at DRY RUN: DRY RUN stands twice in CHERRY PICK"},
      {"MERGE x", "error at x: expected BRANCH after MERGE"},
      {"MERGE", "error at : expected BRANCH after MERGE"},
      {"MERGE INTO t USING s", "error at INTO t U: expected BRANCH after MERGE"},
      {"MERGE 'x';", "error at 'x';: expected BRANCH after MERGE"},
      {"COMPLETE", "error at : expected MERGE after COMPLETE"},
      {"COMPLETE x", "error at x: expected MERGE after COMPLETE"},
      {"abort;", "error at ;: expected MERGE after ABORT"},
      {"CHERRY", "error at : expected PICK after CHERRY"},
      {"CHERRY LSN 5", "error at LSN 5: expected PICK after CHERRY"},
  });
}

}  // namespace
}  // namespace dosql::sql
