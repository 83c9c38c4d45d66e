#include "base/json_text.h"

#include <gtest/gtest.h>

#include <array>
#include <limits>

namespace dosql {
namespace {

TEST(JsonText, StringsAreEscaped) {
  EXPECT_EQ(json_string("a\"b\\c\n\x01/é"), "\"a\\\"b\\\\c\\n\\u0001/é\"");
  EXPECT_EQ(json_string(std::string_view("\0", 1)), "\"\\u0000\"");
}

TEST(JsonText, RealsReadBackAsReals) {
  EXPECT_EQ(json_real(2), "2.0");
  EXPECT_EQ(json_real(0.1), "0.1");
  EXPECT_EQ(json_real(1e300), "1e+300");
  EXPECT_EQ(json_real(-std::numeric_limits<double>::infinity()), R"({"real":"-inf"})");
}

TEST(JsonText, BlobsAreHex) {
  EXPECT_EQ(json_blob(std::array{std::byte{0}, std::byte{255}}), R"({"blob":"00ff"})");
}

TEST(JsonText, TextThatIsNoUtf8IsHex) {
  for (const char* const text : {"", "aé€😀", "\xf4\x8f\xbf\xbf", "\xed\x9f\xbf"})
    EXPECT_EQ(json_text(text), json_string(text));
  EXPECT_EQ(json_text("\xff"
                      "A"),
            R"({"text":"ff41"})");
  for (const char* const text : {"\x80", "\xc3", "\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80",
                                 "\xf0\x80\x80\x80", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xe2\x82"})
    EXPECT_TRUE(json_text(text).starts_with(R"({"text":)")) << json_text(text);
}

}  // namespace
}  // namespace dosql
