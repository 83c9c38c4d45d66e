#include "apps/dosql/dot_command.h"

#include <gmock/gmock.h>

namespace dosql::shell {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(SplitWords, BareAndQuoted) {
  EXPECT_THAT(split_words("import  a.csv\tt ").value(), ElementsAre("import", "a.csv", "t"));
  EXPECT_THAT(split_words("").value(), ElementsAre());
  EXPECT_THAT(split_words("read 'my file.sql'").value(), ElementsAre("read", "my file.sql"));
  EXPECT_THAT(split_words("nullvalue ''").value(), ElementsAre("nullvalue", ""));
}

TEST(SplitWords, BackslashesWorkExceptInSingleQuotes) {
  EXPECT_THAT(split_words(R"(separator \t "\n" '\n' "a\"b" \101)").value(),
              ElementsAre("separator", "\t", "\n", "\\n", "a\"b", "A"));
}

TEST(SplitWords, UnclosedQuotesAreErrors) {
  EXPECT_EQ("a double quote is not closed", split_words("print \"abc").error().message());
  EXPECT_EQ("a single quote is not closed", split_words("print 'abc").error().message());
}

TEST(FindCommand, ByNameAndByUniqueBeginning) {
  EXPECT_EQ("import", find_command("import").value()->name);
  EXPECT_EQ("import-sqlite", find_command("import-").value()->name);
  EXPECT_EQ("tables", find_command("tab").value()->name);
  EXPECT_EQ("quit", find_command("q").value()->name);
}

TEST(FindCommand, AmbiguousBeginningsListTheChoice) {
  EXPECT_EQ("'.ex' may be one of .exit, .export-sqlite", find_command("ex").error().message());
}

TEST(FindCommand, UnknownOnesPointTheWay) {
  EXPECT_EQ("unknown command '.tabels'", find_command("tabels").error().message());
  EXPECT_EQ("did you mean .tables?", find_command("tabels").error().hint());
  EXPECT_THAT(find_command("open").error().hint(), HasSubstr(".quit"));
  EXPECT_THAT(find_command("frobnicate").error().hint(), HasSubstr(".help"));
}

// .help shows these; an empty line there helps nobody.
TEST(DotCommands, AllAreDescribed) {
  for (const DotCommand& command : dot_commands()) {
    EXPECT_FALSE(command.summary.empty()) << command.name;
    EXPECT_NE(nullptr, command.run) << command.name;
    EXPECT_LE(command.min_arguments, command.max_arguments) << command.name;
    EXPECT_TRUE(command.details.empty() || command.details.ends_with('\n')) << command.name;
  }
}

}  // namespace
}  // namespace dosql::shell
