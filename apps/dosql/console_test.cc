#include "apps/dosql/console.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <clocale>

#include <fmt/format.h>

namespace dosql::shell {
namespace {

Error at(std::string message, std::size_t offset) {
  return Error(ErrorCode::kSql, std::move(message)).with_sql_offset(offset);
}

std::string describe(const Error& error, std::string_view sql, const Origin& origin = {},
                     std::size_t line = 1) {
  std::setlocale(LC_CTYPE, "C.UTF-8");
  return describe_error(error, origin, {sql, line}, Colour::kOff);
}

TEST(DescribeError, PutsACaretUnderThePlace) {
  EXPECT_EQ(
      "error: no such column: x\n"
      "       SELECT x FROM t;\n"
      "              ^\n",
      describe(at("no such column: x", 7), "SELECT x FROM t;"));
}

TEST(DescribeError, WithoutAPlaceOnlyTheMessage) {
  EXPECT_EQ("error: out of memory\n", describe(Error(ErrorCode::kOutOfMemory, "out of memory"), "SELECT 1;"));
}

TEST(DescribeError, HintsComeLast) {
  EXPECT_EQ(
      "error: locked\n"
      "hint:  open it with -readonly\n",
      describe(Error(ErrorCode::kLocked, "locked").with_hint("open it with -readonly"), ""));
}

// The first line of the statement would be shown for every error.
TEST(DescribeError, ShowsTheLineThatHoldsThePlace) {
  const std::string_view sql = "SELECT a,\n  bb,\n  c\nFROM t;";
  EXPECT_EQ(
      "error: no such column: bb\n"
      "         bb,\n"
      "         ^\n",
      describe(at("no such column: bb", 12), sql));
}

TEST(DescribeError, CountsColumnsNotBytes) {
  EXPECT_EQ(
      "error: e\n"
      "       SELECT 'í東京', x;\n"
      "                       ^\n",
      describe(at("e", std::string_view("SELECT 'í東京', ").size()), "SELECT 'í東京', x;"));
}

// Only the terminal knows how wide a tab is, so the caret's line repeats it.
TEST(DescribeError, KeepsTabs) {
  EXPECT_EQ(
      "error: e\n"
      "       \tSELECT\tx;\n"
      "       \t      \t^\n",
      describe(at("e", 8), "\tSELECT\tx;"));
}

TEST(DescribeError, IncompleteStatementsPointBehindTheirLastWord) {
  EXPECT_EQ(
      "error: incomplete input\n"
      "       SELECT\n"
      "             ^\n",
      describe(at("incomplete input", 8), "SELECT\n\n"));
}

TEST(DescribeError, PlacesOutsideOfTheTextAreKeptInside) {
  EXPECT_EQ(
      "error: e\n"
      "       abc\n"
      "          ^\n",
      describe(at("e", 99), "abc"));
}

TEST(DescribeError, LongLinesAreCutAroundThePlace) {
  const std::string sql = "SELECT '" + std::string(500, 'a') + "', nope, '" + std::string(500, 'b') + "';";
  const std::string text = describe(at("e", sql.find("nope")), sql);
  std::size_t line_begin = text.find('\n') + 1;
  const std::string line = text.substr(line_begin, text.find('\n', line_begin) - line_begin);
  const std::string caret = text.substr(text.find('\n', line_begin) + 1);
  EXPECT_LE(line.size(), 107u);
  EXPECT_EQ("nope", line.substr(caret.find('^'), 4));
}

// Wrapped by the terminal, the line would have the caret under other characters.
TEST(DescribeError, LinesFitTheTerminal) {
  const std::string sql = "SELECT aaaaaaaaaa, bbbbbbbbbb, cccccccccc, nope, dddddddddd, eeeeeeeeee FROM t;";
  for (const std::size_t columns : {30u, 40u, 60u, 80u}) {
    std::setlocale(LC_CTYPE, "C.UTF-8");
    for (const std::size_t offset : {sql.find("aaa"), sql.find("nope"), sql.size()}) {
      const std::string text = describe_error(at("e", offset), {}, {sql, 1}, Colour::kOff, columns);
      const std::size_t line_begin = text.find('\n') + 1;
      const std::string line = text.substr(line_begin, text.find('\n', line_begin) - line_begin);
      const std::size_t caret = text.substr(text.find('\n', line_begin) + 1).find('^');
      EXPECT_LE(std::max(line.size(), caret + 1), columns);
      EXPECT_EQ(sql.substr(offset, 4), caret < line.size() ? line.substr(caret, 4) : "");
    }
  }
}

// The caret shows where; the sentence would be as long as the text.
TEST(DescribeError, LongTokensAreCut) {
  const std::string token(100'000, 'x');
  EXPECT_EQ(fmt::format("error: near \"{}...\": syntax error\n", token.substr(0, 60)),
            describe(Error(ErrorCode::kSql, fmt::format("near \"{}\": syntax error", token)), ""));
  const std::string other = "constraint failed: " + token;
  EXPECT_EQ("error: " + other + "\n", describe(Error(ErrorCode::kSql, other), ""));
}

TEST(DescribeError, NamesFileAndLine) {
  const Origin file{Origin::Kind::kFile, "setup.sql"};
  EXPECT_EQ("setup.sql:7: error: e\n", describe(Error(ErrorCode::kSql, "e"), "x", file, 7));
  EXPECT_EQ(
      "setup.sql:8: error: e\n"
      "       b;\n"
      "       ^\n",
      describe(at("e", 2), "a\nb;", file, 7));
  EXPECT_EQ("line 3: error: e\n",
            describe(Error(ErrorCode::kSql, "e"), "x", {Origin::Kind::kStandardInput, ""}, 3));
}

TEST(DescribeError, ColoursOnlyWhenWanted) {
  const Error error = at("e", 0);
  EXPECT_EQ(std::string::npos, describe(error, "x").find('\x1b'));
  EXPECT_NE(std::string::npos,
            describe_error(error, {}, {"x", 1}, Colour::kOn).find("\x1b[1;31merror:\x1b[0m"));
}

}  // namespace
}  // namespace dosql::shell
