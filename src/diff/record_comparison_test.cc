#include "diff/record_comparison.h"

#include <gtest/gtest.h>

#include <random>

#include "diff/row.h"
#include "testing/run_length.h"

namespace dosql::diff {
namespace {

Field integer(std::int64_t value) { return {.type = FieldType::kInteger, .integer = value}; }
Field real(double value) { return {.type = FieldType::kReal, .real = value}; }

std::vector<std::byte> record_of(const std::vector<Field>& fields) {
  std::vector<std::byte> record;
  encode_record(fields, record);
  return record;
}

TEST(RecordComparisonTest, WhatIsCertain) {
  const std::vector<bool> plain{false, true, true};
  const auto differ = [&](const std::vector<Field>& a, const std::vector<Field>& b) {
    return surely_differ(record_of(a), record_of(b), plain);
  };
  EXPECT_TRUE(differ({Field{}, integer(500), integer(7)}, {Field{}, integer(501), integer(7)}));
  EXPECT_FALSE(differ({Field{}, integer(500), integer(7)}, {Field{}, integer(500), integer(7)}))
      << "the same";
  EXPECT_FALSE(differ({integer(2), integer(500)}, {integer(3), integer(500)})) << "not shown as it is";
  EXPECT_FALSE(differ({Field{}, real(0.0)}, {Field{}, real(-0.0)})) << "two zeros";
  EXPECT_FALSE(differ({Field{}, integer(5)}, {Field{}, integer(500)})) << "other types are left to others";
  EXPECT_FALSE(differ({Field{}, {}, {}, integer(5)}, {Field{}, {}, {}, integer(6)})) << "no column shows it";
  std::vector<std::byte> a = record_of({Field{}, integer(500)});
  std::vector<std::byte> b = a;
  a.push_back(std::byte{1});
  b.push_back(std::byte{2});
  EXPECT_FALSE(surely_differ(a, b, plain)) << "bytes behind the values are none";
}

// Never says so of rows whose values, decoded, are the same; whatever the bytes are.
TEST(RecordComparisonTest, CertainOnlyWhereADecodedValueDiffers) {
  const std::uint64_t seed = testing::test_seed();
  SCOPED_TRACE("DOSQL_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  int certain = 0;
  for (int i = 0; i < testing::scaled(200'000); ++i) {
    std::vector<Field> fields(1 + random() % 4);
    for (Field& field : fields) field = integer(static_cast<std::int64_t>(random() >> random() % 64));
    std::vector<std::byte> a = record_of(fields);
    if (random() % 4 == 0) a[random() % a.size()] = static_cast<std::byte>(random() % 16);
    std::vector<std::byte> b = a;
    for (std::uint64_t left = random() % 3; left-- > 0;)
      b[random() % b.size()] = static_cast<std::byte>(random());
    std::vector<bool> plain;
    for (std::uint64_t place = random() % 5; place-- > 0;) plain.push_back(random() % 4 != 0);
    if (!surely_differ(a, b, plain)) continue;
    ++certain;
    std::vector<Field> fields_a;
    std::vector<Field> fields_b;
    ASSERT_TRUE(decode_record(a, fields_a));
    ASSERT_TRUE(decode_record(b, fields_b));
    bool differs = false;
    for (std::size_t place = 0; place < fields_a.size(); ++place)
      differs |= place < plain.size() && plain[place] && !same_value(fields_a[place], fields_b[place]);
    ASSERT_TRUE(differs);
  }
  EXPECT_GT(certain, testing::scaled(200'000) / 100);
}

}  // namespace
}  // namespace dosql::diff
