// What the programs in examples/ print.

#include <gtest/gtest.h>

#include "testing/paths.h"
#include "tests/shell/process.h"

namespace dosql {
namespace {

using shell_test::Outcome;

void expect_prints(const std::string& program, const std::string& expected) {
  const shell_test::TemporaryFolder folder;
  const Outcome outcome = shell_test::run_command(
      folder.path(), (testing::binary_dir() / ("example_" + program + " d")).string(), "");
  EXPECT_EQ(outcome.output, expected);
  EXPECT_EQ(outcome.errors, "");
  EXPECT_EQ(outcome.exit_status, 0);
}

TEST(Examples, FirstProgram) {
  expect_prints("first_program",
                "main@2:\n"
                "  1 Ann (admin)\n"
                "  2 Bo (member)\n"
                "not done: there is no Cy\n"
                "main@3:\n"
                "  1 Ann (member)\n"
                "  2 Bo (admin)\n"
                "main@2 is still:\n"
                "  1 Ann (admin)\n"
                "  2 Bo (member)\n");
}

TEST(Examples, Branches) {
  expect_prints("branches",
                "sale is 1 ahead of and 0 behind main, since main@2, can fast-forward\n"
                "sale is 1 ahead of and 1 behind main, since main@2, diverged\n"
                "sale: 5, main: 11\n"
                "  audit: audit@2, made from main@2\n"
                "  main: main@3, made from nothing\n"
                "* sale: sale@3, made from main@2\n"
                "DOSQL_BRANCH_NOT_MERGED\n"
                "1 branch left\n");
}

TEST(Examples, TimeTravel) {
  expect_prints("time_travel",
                "report at main@4: 120, now: 27\n"
                "SNAPSHOT 'main@4': 120\n"
                "LSN: 120\n"
                "VERSION CURRENT - 2: 120\n"
                "2 versions since\n"
                "DOSQL_VERSION_NOT_FOUND\n"
                "the past cannot be written: this is main@4\n"
                "hint: CREATE BRANCH x FROM 'main@4' makes a branch that begins with it\n"
                "put back: 127\n"
                "corrected: 120\n");
}

TEST(Examples, Consumer) {
  expect_prints("consumer",
                "index 1 tea\n"
                "index 2 cake\n"
                "(the index does not answer)\n"
                "index 3 milk\n"
                "remove 1 tea\n"
                "handled 4, dead letters 1\n"
                "4: a name is missing\n"
                "dead letters mended: 1\n");
}

TEST(Examples, SayWhatIsMissing) {
  const shell_test::TemporaryFolder folder;
  const Outcome outcome =
      shell_test::run_command(folder.path(), testing::binary_dir() / "example_branches", "");
  EXPECT_EQ(outcome.errors, "usage: example_branches DIRECTORY\n");
  EXPECT_EQ(outcome.exit_status, 2);
}

}  // namespace
}  // namespace dosql
