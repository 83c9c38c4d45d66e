#include "sql/rewrite.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace dosql::sql {
namespace {

// Every table of the past becomes past.N, and dosql_diff diff.N, N counting from 1.
RewrittenSql rewritten(std::string_view text) {
  const auto found = recognise(text);
  EXPECT_TRUE(found && found->ours()) << text;
  Replacements names;
  for (std::size_t i = 0; i < found->times.size(); ++i)
    names.times.push_back("past." + std::to_string(i + 1));
  for (std::size_t i = 0; i < found->diffs.size(); ++i)
    names.diffs.push_back("diff." + std::to_string(i + 1));
  return rewrite(text, *found, names);
}

TEST(Rewrite, OnlyOurSpansChange) {
  const struct {
    std::string_view text, expected;
  } cases[] = {
      {"SELECT * FROM t FOR SYSTEM_TIME AS OF LSN 5", "SELECT * FROM past.1  "},
      {"SELECT * FROM main.t FOR SYSTEM_TIME AS OF LSN 5 AS x, u; SELECT 2",
       "SELECT * FROM past.1   AS x, u;"},
      {"SELECT * FROM t x FOR SYSTEM_TIME AS OF LSN 5 WHERE 1", "SELECT * FROM past.1 x   WHERE 1"},
      // What is left must not grow together.
      {"SELECT * FROM\"t\"FOR SYSTEM_TIME AS OF LSN'5'\"x\"", "SELECT * FROMpast.1 \"x\""},
      {"/* FOR SYSTEM_TIME */ SELECT 'FOR SYSTEM_TIME AS OF LSN 1' FROM t/*a*/FOR SYSTEM_TIME/*b*/AS OF "
       "'2024'/*c*/JOIN u",
       "/* FOR SYSTEM_TIME */ SELECT 'FOR SYSTEM_TIME AS OF LSN 1' FROM past.1/*a*/ /*c*/JOIN u"},
      {"SELECT * FROM t FOR SYSTEM_TIME AS OF LSN 1 JOIN t FOR SYSTEM_TIME AS OF LSN 2 b",
       "SELECT * FROM past.1   JOIN past.2   b"},
      {"SELECT * FROM dosql_diff('t', ?1, f(2, 3)) AS d JOIN \"DOSQL_diff\" ('u', 'a', 'b')",
       "SELECT * FROM diff.1('t', ?1, f(2, 3)) AS d JOIN diff.2 ('u', 'a', 'b')"},
      // Nothing is named behind a quote that is never closed.
      {"SELECT (SELECT 1 FROM dosql_diff('t', 1, 2))\"FROM x",
       "SELECT (SELECT 1 FROM diff.1('t', 1, 2))\"FROM x"},
  };
  for (const auto& one : cases) EXPECT_EQ(rewritten(one.text).text, one.expected) << one.text;
}

// Every parameter keeps its number, though SQLite counts only what is left.
TEST(Rewrite, ParametersKeepTheirNumbers) {
  const struct {
    std::string_view text, expected;
  } cases[] = {
      // No variable was cut: nothing of the rest is touched.
      {"SELECT ?, :a FROM t FOR SYSTEM_TIME AS OF LSN 1 WHERE x = ? AND y = :b",
       "SELECT ?, :a FROM past.1   WHERE x = ? AND y = :b"},
      {"SELECT ? FROM t FOR SYSTEM_TIME AS OF LSN ? WHERE x = ? AND y = ?",
       "SELECT ? FROM past.1   WHERE x = ?3 AND y = ?4"},
      {"SELECT ?3 FROM t FOR SYSTEM_TIME AS OF ? WHERE x = ?1 AND y = ?",
       "SELECT ?3 FROM past.1   WHERE x = ?1 AND y = ?5"},
      // A name that SQLite has seen keeps its number by itself; a new one would get too small a number.
      {"SELECT :a FROM t FOR SYSTEM_TIME AS OF LSN :n WHERE x = :a AND y = :b AND z = :n",
       "SELECT :a FROM past.1   WHERE x = :a AND y = ?3 AND z = ?2"},
      // Only what stands behind the first cut variable is affected.
      {"SELECT * FROM t FOR SYSTEM_TIME AS OF LSN 1, u ON x = ? JOIN t FOR SYSTEM_TIME AS OF LSN ? ON y = ?",
       "SELECT * FROM past.1  , u ON x = ? JOIN past.2   ON y = ?3"},
      {"SELECT * FROM t FOR SYSTEM_TIME BETWEEN LSN 1 AND LSN ? WHERE x = ?",
       "SELECT * FROM past.1   WHERE x = ?2"},
      {"SELECT * FROM t FOR SYSTEM_TIME AS OF SNAPSHOT main@5 WHERE x = @5",
       "SELECT * FROM past.1   WHERE x = @5"},
  };
  for (const auto& one : cases) {
    std::string expected(one.expected);
    EXPECT_EQ(rewritten(one.text).text, one.expected) << one.text;
  }
}

// SQLite's carets point into the rewritten text; the person sees the original one.
TEST(Rewrite, OffsetsLeadBackToTheOriginal) {
  const std::string_view text = "SELECT a FROM t FOR SYSTEM_TIME AS OF LSN ? AS x WHERE nope = ? AND more";
  const RewrittenSql out = rewritten(text);
  const auto back = [&](std::string_view word) {
    return text.substr(out.original_offset(out.text.find(word)), 6);
  };
  EXPECT_EQ(back("SELECT"), "SELECT");
  EXPECT_EQ(back("past.1"), "t FOR ");
  EXPECT_EQ(back("st.1"), "t FOR ");
  EXPECT_EQ(back("AS x"), "AS x W");
  EXPECT_EQ(back("nope"), "nope =");
  EXPECT_EQ(back("?2"), "? AND ");
  EXPECT_EQ(back("more"), "more");
  EXPECT_EQ(out.original_offset(out.text.size()), text.size());
}

}  // namespace
}  // namespace dosql::sql
