#include "apps/dosql/options.h"

#include <gmock/gmock.h>

namespace dosql::shell {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

CommandLine parse(const std::vector<std::string>& arguments) { return parse_command_line(arguments).value(); }

Error failure(const std::vector<std::string>& arguments) {
  auto line = parse_command_line(arguments);
  EXPECT_FALSE(line);
  return line ? Error(ErrorCode::kInternal, "") : line.error();
}

TEST(Options, DatabaseAndSql) {
  const CommandLine line = parse({"shop", "SELECT 1;", ".tables"});
  EXPECT_EQ("shop", line.database);
  EXPECT_THAT(line.inputs, ElementsAre("SELECT 1;", ".tables"));
  EXPECT_EQ(CommandLine::Interaction::kAsTerminal, line.interaction);
  EXPECT_FALSE(line.read_only);
}

// sqlite3 takes options anywhere, with one dash or two.
TEST(Options, StandAnywhereWithOneDashOrTwo) {
  for (const std::vector<std::string>& arguments : std::vector<std::vector<std::string>>{
           {"-json", "shop", "x"}, {"shop", "--json", "x"}, {"shop", "x", "-json"}}) {
    const CommandLine line = parse(arguments);
    EXPECT_EQ(Mode::kJson, line.settings.format.mode);
    EXPECT_EQ("shop", line.database);
    EXPECT_THAT(line.inputs, ElementsAre("x"));
  }
}

TEST(Options, EveryModeHasOne) {
  for (const ModeName& mode : mode_names()) {
    if (mode.mode == Mode::kInsert) continue;  // needs a table: .mode insert TABLE
    EXPECT_EQ(mode.mode, parse({"-" + std::string(mode.name), "shop"}).settings.format.mode) << mode.name;
  }
}

TEST(Options, CsvKeepsUnixLineEnds) {
  const Format format = parse({"-csv", "shop"}).settings.format;
  EXPECT_EQ(",", format.column_separator);
  EXPECT_EQ("\n", format.row_separator);
}

TEST(Options, ValuesMayLookLikeOptions) {
  const CommandLine line = parse(
      {"-separator", "-", "-nullvalue=--", "-newline", "", "-cmd", "-- hi", "--cmd", ".mode box", "shop"});
  EXPECT_EQ("-", line.settings.format.column_separator);
  EXPECT_EQ("--", line.settings.format.null_text);
  EXPECT_EQ("", line.settings.format.row_separator);
  EXPECT_THAT(line.commands, ElementsAre("-- hi", ".mode box"));
  EXPECT_EQ("shop", line.database);
}

TEST(Options, AChosenSeparatorOutlivesTheMode) {
  EXPECT_EQ(";", parse({"-separator", ";", "-csv", "shop"}).settings.format.column_separator);
  EXPECT_EQ(";", parse({"-csv", "-separator", ";", "shop"}).settings.format.column_separator);
}

TEST(Options, Switches) {
  const CommandLine line = parse({"-readonly", "-bail", "-echo", "-header", "-batch", "shop"});
  EXPECT_TRUE(line.read_only);
  EXPECT_TRUE(line.settings.bail);
  EXPECT_TRUE(line.settings.echo);
  EXPECT_TRUE(line.settings.format.headers);
  EXPECT_EQ(CommandLine::Interaction::kBatch, line.interaction);
  EXPECT_FALSE(parse({"-header", "-noheader", "shop"}).settings.format.headers);
  EXPECT_EQ(CommandLine::Interaction::kInteractive, parse({"-interactive", "shop"}).interaction);
}

TEST(Options, BranchAndPointAreKeptAsWritten) {
  const CommandLine line = parse({"-branch", "x", "--as-of=current-5", "shop"});
  EXPECT_EQ("x", line.branch);
  EXPECT_EQ("current-5", line.as_of);
  EXPECT_FALSE(parse({"shop"}).as_of);
}

TEST(Options, DoubleDashEndsThem) {
  const CommandLine line = parse({"--", "-shop", "-json"});
  EXPECT_EQ("-shop", line.database);
  EXPECT_THAT(line.inputs, ElementsAre("-json"));
}

TEST(Options, HelpAndVersionNeedNoDatabase) {
  EXPECT_EQ(CommandLine::Action::kShowHelp, parse({"--help"}).action);
  EXPECT_EQ(CommandLine::Action::kShowHelp, parse({"-h"}).action);
  EXPECT_EQ(CommandLine::Action::kShowVersion, parse({"-version"}).action);
}

TEST(Options, MistakesAreNamed) {
  EXPECT_EQ("no DATABASE given", failure({}).message());
  EXPECT_EQ("unknown option -jsn", failure({"-jsn", "shop"}).message());
  EXPECT_THAT(failure({"-jsn", "shop"}).hint(), HasSubstr("did you mean -json?"));
  EXPECT_THAT(failure({"--frobnicate"}).hint(), HasSubstr("dosql --help"));
  EXPECT_EQ("option -cmd needs a value", failure({"shop", "-cmd"}).message());
  EXPECT_EQ("option -json takes no value", failure({"-json=yes", "shop"}).message());
}

// A person who reads only this text must find every option in it.
TEST(Options, HelpNamesEveryOption) {
  for (const std::string_view name :
       {"-list",      "-csv",         "-tabs",    "-json",   "-table",    "-box",       "-column",
        "-line",      "-markdown",    "-quote",   "-header", "-noheader", "-separator", "-newline",
        "-nullvalue", "-readonly",    "-bail",    "-cmd",    "-branch",   "-as-of",     "-echo",
        "-batch",     "-interactive", "-version", "-help"}) {
    EXPECT_NE(std::string_view::npos, help_text().find(name)) << name;
  }
}

}  // namespace
}  // namespace dosql::shell
