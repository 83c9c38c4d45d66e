#include "apps/dosql/statement_splitter.h"

#include <gmock/gmock.h>

#include <chrono>
#include <vector>

namespace dosql::shell {
namespace {

using testing::ElementsAre;

std::vector<std::string> split(std::string_view text) {
  StatementSplitter splitter;
  std::vector<std::string> statements;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    splitter.feed_line(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    while (const auto statement = splitter.next()) statements.push_back(statement->text);
  }
  if (const auto rest = splitter.finish()) statements.push_back("UNFINISHED " + rest->text);
  return statements;
}

TEST(StatementSplitter, CutsAtSemicolons) {
  EXPECT_THAT(split("SELECT 1; SELECT 2;\nSELECT\n3;"), ElementsAre("SELECT 1;", "SELECT 2;", "SELECT\n3;"));
  EXPECT_THAT(split(";;  ; SELECT 1;"), ElementsAre("SELECT 1;"));
  EXPECT_THAT(split("SELECT 1"), ElementsAre("UNFINISHED SELECT 1"));
}

// A semicolon inside a value would cut the statement in two and run half of it.
TEST(StatementSplitter, NotInsideQuotesAndComments) {
  EXPECT_THAT(split("SELECT ';', \";\", `;`, [;];"), ElementsAre("SELECT ';', \";\", `;`, [;];"));
  EXPECT_THAT(split("SELECT 'it''s;';"), ElementsAre("SELECT 'it''s;';"));
  EXPECT_THAT(split("SELECT 1 -- not; here\n;"), ElementsAre("SELECT 1 -- not; here\n;"));
  EXPECT_THAT(split("SELECT 1 /* not;\nhere; */;"), ElementsAre("SELECT 1 /* not;\nhere; */;"));
  EXPECT_THAT(split("SELECT 'a\n;\nb';"), ElementsAre("SELECT 'a\n;\nb';"));
  EXPECT_THAT(split("SELECT 2-1; SELECT 4/2;"), ElementsAre("SELECT 2-1;", "SELECT 4/2;"));
}

TEST(StatementSplitter, CommentsBetweenStatementsAreNoStatement) {
  EXPECT_THAT(split("-- first; comment\nSELECT 1; -- second;\n/* third; */"), ElementsAre("SELECT 1;"));
}

// The semicolons of a trigger's body must not end it.
TEST(StatementSplitter, TriggersEndAtEnd) {
  const std::string trigger =
      "CREATE TRIGGER r AFTER INSERT ON t BEGIN\n  UPDATE t SET a = 1;\n  SELECT 2;\nEND;";
  EXPECT_THAT(split(trigger + " SELECT 1;"), ElementsAre(trigger, "SELECT 1;"));
  const std::string temporary =
      "create temp trigger r after insert on t begin select case when 1 then 2 end; end;";
  EXPECT_THAT(split(temporary), ElementsAre(temporary));
  const std::string explained = "EXPLAIN QUERY PLAN CREATE TRIGGER r AFTER INSERT ON t BEGIN SELECT 1; END;";
  EXPECT_THAT(split(explained), ElementsAre(explained));
  EXPECT_THAT(split("CREATE TRIGGER r AFTER INSERT ON t BEGIN SELECT 1; END"),
              ElementsAre("UNFINISHED CREATE TRIGGER r AFTER INSERT ON t BEGIN SELECT 1; END"));
  // A name or value "end" is not the END of the body.
  const std::string sly = "CREATE TRIGGER r AFTER INSERT ON t BEGIN SELECT 1; END_OF_IT; END;";
  EXPECT_THAT(split(sly), ElementsAre(sly));
}

TEST(StatementSplitter, OtherCreatesEndAtTheFirstSemicolon) {
  EXPECT_THAT(split("CREATE TABLE trigger_log(x); CREATE TEMP TABLE t(x);"),
              ElementsAre("CREATE TABLE trigger_log(x);", "CREATE TEMP TABLE t(x);"));
}

// Errors in a file would name the wrong line.
TEST(StatementSplitter, KnowsTheLineOfEachStatement) {
  StatementSplitter splitter;
  for (const char* line : {"-- heading", "SELECT 1; SELECT", "  2;", "", "/* a", "b */ SELECT 3;"})
    splitter.feed_line(line);
  std::vector<std::size_t> lines;
  while (const auto statement = splitter.next()) lines.push_back(statement->line);
  EXPECT_THAT(lines, ElementsAre(2u, 2u, 6u));
}

// The prompt shows whether a statement is open; dot-commands are taken only when none is.
TEST(StatementSplitter, IdleBetweenStatements) {
  StatementSplitter splitter;
  EXPECT_TRUE(splitter.idle());
  splitter.feed_line("  -- only a comment");
  EXPECT_FALSE(splitter.next());
  EXPECT_TRUE(splitter.idle());
  splitter.feed_line("/* begun");
  EXPECT_FALSE(splitter.next());
  EXPECT_FALSE(splitter.idle());
  splitter.feed_line("*/ SELECT");
  EXPECT_FALSE(splitter.next());
  EXPECT_FALSE(splitter.idle());
  splitter.clear();
  EXPECT_TRUE(splitter.idle());
  splitter.feed_line("SELECT 1;");
  const auto statement = splitter.next();
  ASSERT_TRUE(statement);
  EXPECT_EQ("SELECT 1;", statement->text);
  EXPECT_EQ(4u, statement->line);
}

// A dump with one value over very many lines, each ending in a semicolon, took quadratic time in shells that
// look at the whole statement for each line.
TEST(StatementSplitter, LongStatementsTakeLinearTime) {
  const auto feed = [](int lines) {
    StatementSplitter splitter;
    splitter.feed_line("INSERT INTO t VALUES('");
    EXPECT_FALSE(splitter.next());
    for (int i = 0; i < lines; ++i) {
      splitter.feed_line("a line of text;");
      EXPECT_FALSE(splitter.next());
    }
    splitter.feed_line("');");
    const auto statement = splitter.next();
    ASSERT_TRUE(statement);
    EXPECT_EQ(22u + 16u * static_cast<std::size_t>(lines) + 4u, statement->text.size());
  };
  feed(200'000);
}

}  // namespace
}  // namespace dosql::shell
