#include "apps/dosql/text.h"

#include <gtest/gtest.h>

#include <clocale>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <random>
#include <vector>

namespace dosql::shell {
namespace {

class TextTest : public testing::Test {
 protected:
  static void SetUpTestSuite() { std::setlocale(LC_CTYPE, "C.UTF-8"); }
};

// Misaligned tables wherever a name is not ASCII.
TEST_F(TextTest, WidthIsWhatATerminalTakes) {
  EXPECT_EQ(9u, display_width("Reykjavík"));
  EXPECT_EQ(4u, display_width("東京"));
  EXPECT_EQ(1u, display_width("e\u0301"));
  EXPECT_EQ(2u, display_width("😀"));
  EXPECT_EQ(0u, display_width(""));
  EXPECT_EQ(3u, display_width("a\xFF"
                              "b"));
}

// A prefix must not cut a character in two.
TEST_F(TextTest, PrefixEndsBetweenCharacters) {
  EXPECT_EQ("東", prefix_of_width("東京", 3));
  EXPECT_EQ("ab", prefix_of_width("ab", 9));
  EXPECT_EQ("", prefix_of_width("東", 1));
}

// Broken UTF-8 must be shown as broken, not run past its end or hide the bytes behind it.
TEST_F(TextTest, InvalidSequencesTakeOneByte) {
  for (const std::string text :
       {"\xC3", "\xE2\x82", "\xC0\x80", "\xED\xA0\x80", "\xF5\x80\x80\x80", "\x80"}) {
    const CodePoint point = decode_utf8(text, 0);
    EXPECT_EQ(U'\xFFFD', point.value) << text;
    EXPECT_EQ(1u, point.bytes) << text;
  }
}

TEST_F(TextTest, IdentifiersAreQuotedOnlyWhereTheyMust) {
  EXPECT_EQ("cities", quote_identifier("cities"));
  EXPECT_EQ("\"group\"", quote_identifier("group"));
  EXPECT_EQ("\"a b\"", quote_identifier("a b"));
  EXPECT_EQ("\"1a\"", quote_identifier("1a"));
  EXPECT_EQ("\"\"", quote_identifier(""));
  EXPECT_EQ("\"say \"\"hi\"\"\"", quote_identifier("say \"hi\""));
  EXPECT_EQ("'it''s'", quote_text("it's"));
}

TEST_F(TextTest, RealsAsTheSqliteShellWritesThem) {
  EXPECT_EQ("0.0", format_real(0));
  EXPECT_EQ("0.0", format_real(-0.0));
  EXPECT_EQ("1.0", format_real(1));
  EXPECT_EQ("-2.5", format_real(-2.5));
  EXPECT_EQ("0.10000000000000000555", format_real(0.1));
  EXPECT_EQ("1.0e+100", format_real(1e100));
  EXPECT_EQ("9223372036854775807.8", format_real(9223372036854775807.0));
  EXPECT_EQ("0.0001220703125", format_real(0.0001220703125));
  EXPECT_EQ("1.52587890625e-05", format_real(1.52587890625e-05));
}

// A dump that reads back other numbers would be a broken backup.
TEST_F(TextTest, EveryRealReadsBackAsItself) {
  const char* chosen = std::getenv("DOSQL_SEED");
  const std::uint64_t seed = chosen != nullptr ? std::strtoull(chosen, nullptr, 10) : std::random_device{}();
  SCOPED_TRACE("DOSQL_SEED=" + std::to_string(seed));
  std::mt19937_64 generator(seed);
  for (int i = 0; i < 20'000; ++i) {
    const double value = std::bit_cast<double>(generator());
    if (!std::isfinite(value) || std::fpclassify(value) == FP_SUBNORMAL) continue;
    ASSERT_EQ(value, std::strtod(format_real(value).c_str(), nullptr)) << format_real(value);
  }
}

TEST_F(TextTest, NumbersForPeople) {
  EXPECT_EQ("0", with_thousands(0));
  EXPECT_EQ("999", with_thousands(999));
  EXPECT_EQ("1,000", with_thousands(1000));
  EXPECT_EQ("138,398", with_thousands(138'398));
  EXPECT_EQ("18,446,744,073,709,551,615", with_thousands(std::numeric_limits<std::uint64_t>::max()));
  EXPECT_EQ("712 B", format_bytes(712));
  EXPECT_EQ("1.4 MB", format_bytes(1'400'000));
  EXPECT_EQ("1.0 MB", format_bytes(999'950));
  EXPECT_EQ("12 ms", format_seconds(0.012));
  EXPECT_EQ("0.3 s", format_seconds(0.31));
  EXPECT_EQ("4 min 10 s", format_seconds(250.4));
  EXPECT_EQ("1 row", count_of(1, "row", "rows"));
  EXPECT_EQ("0 rows", count_of(0, "row", "rows"));
}

TEST_F(TextTest, NumbersAreTakenWholeOrNotAtAll) {
  EXPECT_EQ(12u, parse_unsigned("12"));
  EXPECT_FALSE(parse_unsigned(""));
  EXPECT_FALSE(parse_unsigned("12x"));
  EXPECT_FALSE(parse_unsigned("-1"));
  EXPECT_FALSE(parse_unsigned("18446744073709551616"));
  EXPECT_EQ(-7, parse_signed("-7"));
  EXPECT_FALSE(parse_signed("9223372036854775808"));
}

TEST_F(TextTest, SwitchesInTheirSpellings) {
  EXPECT_EQ(true, parse_switch("ON"));
  EXPECT_EQ(true, parse_switch("1"));
  EXPECT_EQ(false, parse_switch("no"));
  EXPECT_FALSE(parse_switch("maybe"));
}

}  // namespace
}  // namespace dosql::shell
