#include "sql/stored_definition.h"

#include <gtest/gtest.h>

namespace dosql::sql {
namespace {

TEST(StoredDefinition, IsTheSameWhateverTheSpacesAndLetters) {
  EXPECT_TRUE(same_definition("CREATE TABLE t(a INT)", "create  table T (\n a int -- key\n)"));
  EXPECT_FALSE(same_definition("CREATE TABLE t(a)", "CREATE TABLE t(b)"));
  EXPECT_TRUE(same_definition("CREATE INDEX i ON t(a, [b])", "CREATE INDEX \"i\" ON t(\"a\", b)"));
  EXPECT_FALSE(same_definition("CREATE TABLE t(a DEFAULT 'x')", "CREATE TABLE t(a DEFAULT x)"));
  EXPECT_FALSE(same_definition("CREATE TABLE t(a DEFAULT 'x')", "CREATE TABLE t(a DEFAULT 'X')"));
  EXPECT_FALSE(same_definition("CREATE TABLE t(a)", "CREATE TABLE t(a, b)"));
  const Renames renames{{"a", "c"}, {"t", "u v"}};
  EXPECT_TRUE(same_definition("CREATE TABLE t(a, CHECK (A > 0))",
                              "CREATE TABLE \"u v\"(c, CHECK (\"c\" > 0))", renames));
  EXPECT_TRUE(same_definition("INT CHECK (a > 0)", "INT CHECK (a > 0)", renames));
  EXPECT_FALSE(same_definition("CREATE TABLE t(c)", "CREATE TABLE t(a)", renames));
  EXPECT_FALSE(same_definition("CREATE TABLE t(a DEFAULT 'a')", "CREATE TABLE t(a DEFAULT 'c')", renames));
}

TEST(StoredDefinition, GetsAnotherName) {
  EXPECT_EQ(with_created_name("CREATE UNIQUE INDEX \"i i\" ON t(a)", "main.x"),
            "CREATE UNIQUE INDEX main.x ON t(a)");
  EXPECT_EQ(with_created_name("CREATE VIRTUAL TABLE f USING fts5(a)", "main.f"),
            "CREATE VIRTUAL TABLE main.f USING fts5(a)");
  EXPECT_EQ(with_created_name("CREATE TRIGGER tr AFTER INSERT ON t BEGIN SELECT 1; END", "x"),
            "CREATE TRIGGER x AFTER INSERT ON t BEGIN SELECT 1; END");
  EXPECT_EQ(with_created_name("SELECT 1", "x"), "");
}

TEST(StoredDefinition, GetsAnotherTable) {
  EXPECT_EQ(with_trigger_table(
                "CREATE TRIGGER \"on\" AFTER UPDATE OF \"on\", b on \"t t\" BEGIN SELECT 1; END", "\"u\""),
            "CREATE TRIGGER \"on\" AFTER UPDATE OF \"on\", b on \"u\" BEGIN SELECT 1; END");
  EXPECT_EQ(with_trigger_table("CREATE VIEW v AS SELECT 1", "x"), "");
  EXPECT_EQ(with_trigger_table("CREATE TRIGGER tr AFTER INSERT ON", "x"), "");
}

TEST(StoredDefinition, HasColumnsAndConstraints) {
  const auto table = table_definition(
      "CREATE TABLE t(id INTEGER PRIMARY KEY, \"b c\" NUM(1, 2) DEFAULT (1, 2), d, "
      "CONSTRAINT u UNIQUE (d, id), CHECK (d > 0)) WITHOUT ROWID");
  ASSERT_TRUE(table);
  ASSERT_EQ(table->columns.size(), 3U);
  EXPECT_EQ(table->columns[1].name, "b c");
  EXPECT_EQ(table->columns[1].text, "\"b c\" NUM(1, 2) DEFAULT (1, 2)");
  EXPECT_EQ(table->columns[2].rest, "");
  ASSERT_EQ(table->constraints.size(), 2U);
  EXPECT_EQ(table->constraints[1], "CHECK (d > 0)");
  EXPECT_EQ(table->options, " WITHOUT ROWID");
  EXPECT_FALSE(table_definition("CREATE VIRTUAL TABLE f USING fts5(a)"));
  EXPECT_FALSE(table_definition("CREATE TABLE t(a"));
}

}  // namespace
}  // namespace dosql::sql
