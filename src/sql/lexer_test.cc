#include "sql/lexer.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace dosql::sql {
namespace {

char letter(TokenKind kind) { return "$ #wisbnv(),.;-o!"[static_cast<int>(kind)]; }

// Every token as the letter of its kind and its text: `w{SELECT} n{1}`.
std::string tokens(std::string_view text) {
  std::string out;
  Lexer lexer(text);
  std::size_t at = 0;
  for (Token token = lexer.next(); token.kind != TokenKind::kEnd; token = lexer.next()) {
    EXPECT_EQ(token.span.begin, at) << text;
    EXPECT_GT(token.span.size(), 0u) << text;
    at = token.span.end;
    if (!out.empty()) out += ' ';
    out += letter(token.kind);
    out += '{' + std::string(token.span.of(text)) + '}';
  }
  return out;
}

struct Case {
  std::string_view text;
  std::string_view tokens;
};

void check(std::initializer_list<Case> cases) {
  for (const Case& one : cases) EXPECT_EQ(tokens(one.text), one.tokens) << one.text;
}

TEST(Lexer, SpaceAndComments) {
  check({
      {" \t\r\n\f", " { \t\r\n\f}"},
      {" \v", " { \v}"},
      {"\v ", "!{\v}  { }"},  // SQLite lets it go on in space, not begin it
      {"--a\nb", "#{--a}  {\n} w{b}"},
      {"--", "#{--}"},
      {"/*a*b*/c", "#{/*a*b*/} w{c}"},
      {"/**/", "#{/**/}"},
      {"/*/", "#{/*/}"},
      {"/*", "o{/} o{*}"},  // so does SQLite
      {"/* a", "#{/* a}"},
      {"a\xEF\xBB\xBF", "w{a\xEF\xBB\xBF}"},
      {"\xEF\xBB\xBF"
       "a",
       " {\xEF\xBB\xBF} w{a}"},
      {"\xEF\xBB", "w{\xEF\xBB}"},
  });
}

TEST(Lexer, QuotedText) {
  check({
      {"'a'", "s{'a'}"},
      {"'it''s'", "s{'it''s'}"},
      {"''", "s{''}"},
      {"'''", "!{'''}"},
      {"'a", "!{'a}"},
      {"'--'", "s{'--'}"},
      {"\"a\"\"b\"", "i{\"a\"\"b\"}"},
      {"`a``b`", "i{`a``b`}"},
      {"\"a", "!{\"a}"},
      {"[a\"b]c", "i{[a\"b]} w{c}"},
      {"[]", "i{[]}"},
      {"[a]]", "i{[a]} !{]}"},
      {"[a", "!{[a}"},
  });
}

TEST(Lexer, Blobs) {
  check({
      {"x'0aFF'", "b{x'0aFF'}"},
      {"X''", "b{X''}"},
      {"x'0'", "!{x'0'}"},
      {"x'0g'a", "!{x'0g'} w{a}"},
      {"x'0", "!{x'0}"},
      {"x 'a'", "w{x}  { } s{'a'}"},
      {"ax'00'", "w{ax} s{'00'}"},
  });
}

TEST(Lexer, Numbers) {
  check({
      {"0 12 1_000", "n{0}  { } n{12}  { } n{1_000}"},
      {"0xFf 0x1_0 0X1", "n{0xFf}  { } n{0x1_0}  { } n{0X1}"},
      {"0x", "!{0x}"},
      {"0xg", "!{0xg}"},
      {"1.5 .5 1. 1.e3", "n{1.5}  { } n{.5}  { } n{1.}  { } n{1.e3}"},
      {"1e5 1E+5 1e-5 1e", "n{1e5}  { } n{1E+5}  { } n{1e-5}  { } !{1e}"},
      {"1e+", "!{1e} o{+}"},
      {"12ab", "!{12ab}"},
      {"1..2", "n{1.} n{.2}"},
      {"-1", "-{-} n{1}"},
  });
}

TEST(Lexer, Variables) {
  check({
      {"? ?1 ?123a", "v{?}  { } v{?1}  { } v{?123} w{a}"},
      {":a @b $c #d", "v{:a}  { } v{@b}  { } v{$c}  { } v{#d}"},
      {"$a::b(c)d", "v{$a::b(c)} w{d}"},
      {":a(b", "!{:a(b}"},
      {":a(b c)", "!{:a(b}  { } w{c} ){)}"},
      {":", "!{:}"},
      {"::a a::b", "!{:} v{:a}  { } w{a} !{:} v{:b}"},
      {"$", "!{$}"},
      {"a$b", "w{a$b}"},
      {":\xC3\xA9", "v{:\xC3\xA9}"},
      {"main@5", "w{main} v{@5}"},
  });
}

TEST(Lexer, Operators) {
  check({
      {"+*%&~", "o{+} o{*} o{%} o{&} o{~}"},
      {"= == < <= <> << > >= >> != | ||",
       "o{=}  { } o{==}  { } o{<}  { } o{<=}  { } o{<>}  { } o{<<}  { } o{>}  { } o{>=}  { } o{>>}  { } "
       "o{!=}  { } o{|}  "
       "{ } o{||}"},
      {"=<", "o{=} o{<}"},
      {"|=", "o{|} o{=}"},
      {"!!=", "!{!} o{!=}"},
      {"- -> ->> -", "-{-}  { } o{->}  { } o{->>}  { } -{-}"},
      {"a.b,(c);", "w{a} .{.} w{b} ,{,} ({(} w{c} ){)} ;{;}"},
      {"\\{}^", "!{\\} !{{} !{}} !{^}"},
  });
}

TEST(Lexer, ANulByteEndsTheText) {
  const auto with_nul = [](std::string_view before) { return std::string(before) + '\0' + "a*/'"; };
  EXPECT_EQ(tokens(with_nul("a ")), "w{a}  { }");
  EXPECT_EQ(tokens(with_nul("'a")), "!{'a}");
  EXPECT_EQ(tokens(with_nul("/* a")), "#{/* a}");
  EXPECT_EQ(tokens(with_nul("--")), "#{--}");
}

TEST(Lexer, NamesWithoutTheirQuotes) {
  EXPECT_EQ(unquoted("a"), "a");
  EXPECT_EQ(unquoted("'it''s'"), "it's");
  EXPECT_EQ(unquoted("\"a\"\"b\""), "a\"b");
  EXPECT_EQ(unquoted("`a``b`"), "a`b");
  EXPECT_EQ(unquoted("[a\"\"b]"), "a\"\"b");
  EXPECT_EQ(unquoted("''"), "");
  EXPECT_EQ(unquoted("'"), "'");
  EXPECT_EQ(unquoted(""), "");
}

TEST(Lexer, CaseIsIgnoredInAsciiOnly) {
  EXPECT_TRUE(equals_ignoring_case("sYsTeM_tImE", "SYSTEM_TIME"));
  EXPECT_FALSE(equals_ignoring_case("SYSTEM_TIM", "SYSTEM_TIME"));
  EXPECT_FALSE(equals_ignoring_case("\xC3\xA9", "\xC3\x89"));
  EXPECT_FALSE(equals_ignoring_case("@", "`"));
}

}  // namespace
}  // namespace dosql::sql
