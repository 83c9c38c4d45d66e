#include "diff/record.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "diff/key_order.h"
#include "testing/run_length.h"

namespace dosql::diff {
namespace {

std::vector<std::byte> bytes(std::initializer_list<int> values) {
  std::vector<std::byte> result;
  for (const int value : values) result.push_back(static_cast<std::byte>(value));
  return result;
}

// They view `record`.
std::vector<Field> decode(const std::vector<std::byte>& record) {
  std::vector<Field> fields;
  const Status decoded = decode_record(record, fields);
  EXPECT_TRUE(decoded) << decoded.error().message();
  return fields;
}

bool refused(const std::vector<std::byte>& record) {
  std::vector<Field> fields;
  const Status decoded = decode_record(record, fields);
  return !decoded && decoded.error().code() == ErrorCode::kCorrupt;
}

TEST(VarintTest, OneToNineBytes) {
  EXPECT_EQ(read_varint(bytes({0x7f})).value, 0x7fu);
  EXPECT_EQ(read_varint(bytes({0x81, 0x00})).value, 128u);
  const Varint longest = read_varint(bytes({255, 255, 255, 255, 255, 255, 255, 255, 255, 1}));
  EXPECT_EQ(longest.value, ~std::uint64_t{0});
  EXPECT_EQ(longest.length, 9u);
}

TEST(VarintTest, CutOff) {
  EXPECT_EQ(read_varint({}).length, 0u);
  EXPECT_EQ(read_varint(bytes({0x80, 0x80})).length, 0u);
  EXPECT_EQ(read_varint(bytes({255, 255, 255, 255, 255, 255, 255, 255})).length, 0u);
}

TEST(RecordTest, IntegersOfEverySize) {
  const std::vector<Field> fields = decode(bytes(
      {7, 0, 1, 2, 3, 4, 5, 0xff, 0x01, 0x00, 0x80, 0, 0, 0, 0, 1, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe}));
  ASSERT_EQ(fields.size(), 6u);
  EXPECT_EQ(fields[0].type, FieldType::kNull);
  const std::int64_t integers[] = {-1, 256, -8388608, 256, -2};
  for (std::size_t i = 0; i < std::size(integers); ++i) EXPECT_EQ(fields[i + 1].integer, integers[i]) << i;
}

TEST(RecordTest, EncodedAsSqliteDoes) {
  const auto text = bytes({'x', 'y'});
  const Field fields[] = {{},
                          {.type = FieldType::kInteger, .integer = 1},
                          {.type = FieldType::kInteger, .integer = -128},
                          {.type = FieldType::kInteger, .integer = 128},
                          {.type = FieldType::kReal, .real = 1.5},
                          {.type = FieldType::kText, .bytes = text}};
  std::vector<std::byte> record;
  encode_record(fields, record);
  EXPECT_EQ(record, bytes({7, 0, 9, 1, 2, 7, 17, 0x80, 0x00, 0x80, 0x3f, 0xf8, 0, 0, 0, 0, 0, 0, 'x', 'y'}));
}

// Also where the header is so long that its size takes two bytes.
TEST(RecordTest, WhatIsEncodedIsDecoded) {
  std::mt19937_64 random(testing::test_seed());
  const std::vector<std::byte> content(300);
  for (const std::size_t count : {0, 1, 10, 125, 126, 127, 128, 129, 20'000}) {
    std::vector<Field> fields(count);
    for (Field& field : fields) {
      field.type = static_cast<FieldType>(random() % 5);
      if (field.type == FieldType::kInteger)
        field.integer = static_cast<std::int64_t>(random()) >> (random() % 64);
      if (field.type == FieldType::kReal) field.real = static_cast<double>(random());
      if (field.type >= FieldType::kText) field.bytes = Bytes(content).first(random() % 300);
    }
    std::vector<std::byte> record;
    encode_record(fields, record);
    const std::vector<Field> again = decode(record);
    ASSERT_EQ(again.size(), fields.size());
    for (std::size_t i = 0; i < count; ++i)
      EXPECT_EQ(compare_fields(again[i], fields[i], compare_binary), 0) << i;
  }
}

TEST(RecordTest, NumbersTextAndBlob) {
  const auto record =
      bytes({7, 6, 7, 8, 9, 15, 14, 0x80, 0, 0, 0, 0, 0, 0, 0, 0x3f, 0xf8, 0, 0, 0, 0, 0, 0, 'x', 'y'});
  const std::vector<Field> fields = decode(record);
  ASSERT_EQ(fields.size(), 6u);
  EXPECT_EQ(fields[0].integer, std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(fields[1].real, 1.5);
  EXPECT_EQ(fields[2].integer, 0);
  EXPECT_EQ(fields[3].integer, 1);
  EXPECT_EQ(fields[4].type, FieldType::kText);
  EXPECT_EQ(fields[4].bytes[0], std::byte{'x'});
  EXPECT_EQ(fields[5].type, FieldType::kBlob);
  EXPECT_EQ(fields[5].bytes[0], std::byte{'y'});
}

TEST(RecordTest, NotANumberIsNull) {
  EXPECT_EQ(decode(bytes({2, 7, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0}))[0].type, FieldType::kNull);
}

TEST(RecordTest, WhatDoesNotFitIsRefused) {
  EXPECT_TRUE(refused({}));
  EXPECT_TRUE(refused(bytes({0})));
  EXPECT_TRUE(refused(bytes({5, 1})));
  EXPECT_TRUE(refused(bytes({2, 6, 1, 2, 3})));
  EXPECT_TRUE(refused(bytes({2, 10})));
  EXPECT_TRUE(refused(bytes({2, 11})));
  EXPECT_TRUE(refused(bytes({3, 0x80, 0x80})));
  EXPECT_TRUE(refused(bytes({10, 255, 255, 255, 255, 255, 255, 255, 255, 255})));
  EXPECT_TRUE(decode(bytes({1})).empty());
}

TEST(RecordTest, AnyBytesAreDecodedOrRefused) {
  std::mt19937_64 random(testing::test_seed());
  std::vector<Field> fields;
  for (int i = 0; i < testing::scaled(20'000); ++i) {
    std::vector<std::byte> record(random() % 40);
    for (std::byte& byte : record) byte = static_cast<std::byte>(random());
    if (!record.empty() && random() % 4 != 0) record[0] = static_cast<std::byte>(random() % 12);
    if (!decode_record(record, fields)) continue;
    for (const Field& field : fields) {
      if (field.bytes.empty()) continue;
      ASSERT_GE(field.bytes.data(), record.data());
      ASSERT_LE(field.bytes.data() + field.bytes.size(), record.data() + record.size());
    }
  }
}

Field integer(std::int64_t value) { return {.type = FieldType::kInteger, .integer = value}; }
Field real(double value) { return {.type = FieldType::kReal, .real = value}; }
Field text(std::string_view value) {
  return {.type = FieldType::kText, .bytes = std::as_bytes(std::span(value))};
}
Field blob(std::string_view value) {
  return {.type = FieldType::kBlob, .bytes = std::as_bytes(std::span(value))};
}

TEST(KeyOrderTest, ValuesAscend) {
  const double two_to_53 = 9007199254740992.0;
  const Field ascending[] = {Field{},
                             real(-HUGE_VAL),
                             integer(std::numeric_limits<std::int64_t>::min()),
                             real(-1.5),
                             integer(-1),
                             integer(0),
                             real(0.5),
                             integer(1),
                             real(two_to_53),
                             integer(9007199254740993),
                             integer(std::numeric_limits<std::int64_t>::max()),
                             real(9223372036854775808.0),
                             text(""),
                             text("A"),
                             text("a"),
                             text("ab"),
                             blob(""),
                             blob("A")};
  for (std::size_t i = 0; i < std::size(ascending); ++i) {
    for (std::size_t j = 0; j < std::size(ascending); ++j) {
      const int order = compare_fields(ascending[i], ascending[j], compare_binary);
      EXPECT_EQ(order < 0, i < j) << i << " " << j;
      EXPECT_EQ(order > 0, i > j) << i << " " << j;
    }
  }
  EXPECT_EQ(compare_fields(integer(2), real(2.0), compare_binary), 0);
}

TEST(KeyOrderTest, CollationsAndDirections) {
  EXPECT_EQ(compare_fields(text("Ab"), text("aB"), compare_nocase), 0);
  EXPECT_LT(compare_fields(text("ab"), text("ABC"), compare_nocase), 0);
  EXPECT_EQ(compare_fields(text("a  "), text("a"), compare_rtrim), 0);
  const KeyColumn columns[] = {{compare_nocase, false}, {compare_binary, true}};
  const Field first[] = {text("A"), integer(2)};
  const Field second[] = {text("a"), integer(1)};
  EXPECT_LT(compare_keys(first, second, columns), 0);
}

}  // namespace
}  // namespace dosql::diff
