#include "apps/dosql/column_guess.h"

#include <gtest/gtest.h>

namespace dosql::shell {
namespace {

std::string_view guess(std::initializer_list<std::string_view> texts) {
  ColumnGuess column;
  for (const std::string_view text : texts) column.see(text);
  return column.type();
}

TEST(ColumnGuess, NumbersBecomeNumbers) {
  EXPECT_EQ("INTEGER", guess({"1", "-20", "0", ""}));
  EXPECT_EQ("INTEGER", guess({"9223372036854775807", "-9223372036854775808"}));
  EXPECT_EQ("REAL", guess({"1.5", "-0.25", "3e8", "1E-5"}));
  EXPECT_EQ("REAL", guess({"1", "1.5"}));
}

// As a number each of these would lose something: a leading zero, digits, its meaning.
TEST(ColumnGuess, WhatOnlyLooksLikeANumberStaysText) {
  for (const std::string_view text :
       {"01234", "+49", "-0", "00", "007.5", "1.", ".5", "1e", "0x10", "1_000", "1,5", " 1", "1 ", "-",
        "9223372036854775808", "99999999999999999999", "inf", "NaN", "12:30"}) {
    EXPECT_EQ("TEXT", guess({"1", text})) << text;
    EXPECT_EQ("TEXT", guess({text, "1"})) << text;
  }
}

TEST(ColumnGuess, NothingSeenIsText) {
  EXPECT_EQ("TEXT", guess({}));
  EXPECT_EQ("TEXT", guess({"", ""}));
}

// SQLite's affinity rules decide whether an empty field may become NULL.
TEST(ColumnGuess, DeclaredTypes) {
  for (const std::string_view type : {"INTEGER", "int", "BIGINT", "REAL", "double", "FLOAT", "NUMERIC",
                                      "DECIMAL(10,2)", "DATE", "boolean", "CHARINT"}) {
    EXPECT_TRUE(is_numeric_type(type)) << type;
  }
  for (const std::string_view type : {"TEXT", "varchar(20)", "CLOB", "BLOB", ""})
    EXPECT_FALSE(is_numeric_type(type)) << type;
}

}  // namespace
}  // namespace dosql::shell
