#include "diff/row.h"

#include <gtest/gtest.h>

namespace dosql::diff {
namespace {

Field integer(std::int64_t value) { return {.type = FieldType::kInteger, .integer = value}; }
Field real(double value) { return {.type = FieldType::kReal, .real = value}; }

TEST(RowTest, EveryKindOfColumn) {
  const std::vector<StoredColumn> columns = {{.place = 0, .is_rowid = true},
                                             {.place = 1},
                                             {.place = std::nullopt},
                                             {.place = 2, .is_real = true},
                                             {.place = 3, .missing = integer(7)}};
  std::vector<Field> values;
  decode_row(std::vector<Field>{Field{}, integer(5), integer(2)}, 42, columns, values);
  ASSERT_EQ(values.size(), 5u);
  EXPECT_TRUE(same_value(values[0], integer(42)));
  EXPECT_TRUE(same_value(values[1], integer(5)));
  EXPECT_TRUE(same_value(values[2], Field{})) << "not stored";
  EXPECT_TRUE(same_value(values[3], real(2.0)));
  EXPECT_TRUE(same_value(values[4], integer(7))) << "written before the column was added";
}

TEST(RowTest, TheSameValueHasTheSameType) {
  EXPECT_FALSE(same_value(integer(2), real(2.0)));
  EXPECT_FALSE(same_value(Field{}, integer(0)));
  const std::byte byte{1};
  const Field text{.type = FieldType::kText, .bytes = Bytes(&byte, 1)};
  const Field blob{.type = FieldType::kBlob, .bytes = Bytes(&byte, 1)};
  EXPECT_TRUE(same_value(text, text));
  EXPECT_FALSE(same_value(text, blob));
}

TEST(RowTest, WhenTheSameBytesAreOtherValues) {
  const StoredColumn column{.place = 1, .missing = integer(5)};
  EXPECT_FALSE(read_otherwise(column, column, 2));
  EXPECT_TRUE(read_otherwise(column, {.place = 0, .missing = integer(5)}, 2));
  EXPECT_TRUE(read_otherwise(column, {.place = 1, .missing = integer(7)}, 2)) << "a record may be shorter";
  EXPECT_TRUE(read_otherwise(column, {.place = 1, .is_real = true, .missing = integer(5)}, 2));
  EXPECT_TRUE(read_otherwise(column, absent_column(integer(5)), 2));
  EXPECT_FALSE(read_otherwise({.place = 2, .missing = integer(5)}, absent_column(integer(5)), 2))
      << "it was added at the end";
  EXPECT_FALSE(read_otherwise({.place = 0, .is_rowid = true}, {.place = 1, .is_rowid = true}, 2));
  EXPECT_TRUE(read_otherwise({.place = 0, .is_rowid = true}, {.place = 0}, 2));
  EXPECT_EQ(record_values(std::vector<StoredColumn>{{.place = 3}, {.place = std::nullopt}, {.place = 0}}),
            4u);
}

}  // namespace
}  // namespace dosql::diff
