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

}  // namespace
}  // namespace dosql
