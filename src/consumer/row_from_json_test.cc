#include "consumer/row_from_json.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

#include "base/bytes.h"
#include "testing/run_length.h"

namespace dosql::consumer {
namespace {

using namespace std::string_literals;

Row row_of(std::vector<std::string> names, std::vector<Value> values) {
  return Row(std::make_shared<const std::vector<std::string>>(std::move(names)), std::move(values));
}

void expect_same(const Row& row) {
  const std::string json = row.to_json();
  const auto read = row_from_json(json);
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ(read->columns(), row.columns()) << json;
  EXPECT_EQ(read->values(), row.values()) << json;
}

TEST(RowFromJson, GivesBackEveryKindOfValue) {
  using Limits = std::numeric_limits<double>;
  expect_same(row_of({}, {}));
  expect_same(row_of({"a", "a b\"\\\n", "ü"}, {Value(), 1, "x"}));
  expect_same(row_of({"min", "max"},
                     {std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max()}));
  expect_same(row_of({"a", "b", "c", "d", "e"}, {2.0, -0.1, 1e300, Limits::denorm_min(), Limits::max()}));
  expect_same(row_of({"inf", "-inf"}, {Limits::infinity(), -Limits::infinity()}));
  expect_same(row_of({"blob", "none"}, {Blob{std::byte{0}, std::byte{0xff}}, Blob{}}));
  expect_same(row_of({"t"}, {"zero\0byte\x01\x1f\x7f \" \\ / \b\f\n\r\t \xc3\xa4 \xff\xfe"s}));
}

TEST(RowFromJson, RandomRows) {
  const std::uint64_t seed = testing::test_seed();
  SCOPED_TRACE("DOSQL_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  const auto bytes = [&] {
    std::string text;
    for (std::uint64_t left = random() % 20; left > 0; --left) text += static_cast<char>(random());
    return text;
  };
  for (int i = 0; i < testing::scaled(2'000); ++i) {
    std::vector<std::string> names;
    std::vector<Value> values;
    for (std::uint64_t left = random() % 6; left > 0; --left) {
      names.push_back(bytes());
      switch (random() % 5) {
        case 0: values.emplace_back(); break;
        case 1: values.emplace_back(static_cast<std::int64_t>(random())); break;
        case 2:
          values.emplace_back(
              std::ldexp(static_cast<double>(random()), static_cast<int>(random() % 200) - 100));
          break;
        case 3: values.emplace_back(bytes()); break;
        default: {
          const std::string text = bytes();
          const auto* data = reinterpret_cast<const std::byte*>(text.data());
          values.emplace_back(Blob(data, data + text.size()));
        }
      }
    }
    expect_same(row_of(names, values));
  }
}

TEST(RowFromJson, RefusesWhatIsNoRow) {
  for (const char* json : {"",
                           "{",
                           "[]",
                           "1",
                           "{\"a\"}",
                           "{\"a\":}",
                           "{\"a\":1",
                           "{\"a\":1,}",
                           "{\"a\":1}x",
                           "{\"a\":[1]}",
                           "{\"a\":true}",
                           "{\"a\":\"x}",
                           "{\"a\":\"\\x\"}",
                           "{\"a\":\"\\u00\"}",
                           "{\"a\":\"\\ud800\"}",
                           "{\"a\":{\"blob\":\"0\"}}",
                           "{\"a\":{\"blob\":\"0g\"}}",
                           "{\"a\":{\"real\":\"nan\"}}",
                           "{\"a\":{\"b\":\"c\"}}",
                           "{\"a\":1.2.3}",
                           "{\"a\":99999999999999999999}",
                           "{\"a\":-}",
                           "{\"a\":nul}"}) {
    EXPECT_FALSE(row_from_json(json)) << json;
  }
}

}  // namespace
}  // namespace dosql::consumer
