#include "base/nearest_name.h"

#include <gtest/gtest.h>

#include <vector>

namespace dosql {
namespace {

// A hint at something unrelated is worse than none.
TEST(NearestName, OnlyWhenNear) {
  const std::vector<std::string_view> names{"tables", "timer", "import"};
  EXPECT_EQ("tables", nearest_name("tabels", names));
  EXPECT_EQ("tables", nearest_name("TABLE", names));
  EXPECT_EQ("", nearest_name("frobnicate", names));
  EXPECT_EQ("", nearest_name("x", std::vector<std::string_view>()));
  EXPECT_EQ("", nearest_name("a", std::vector<std::string_view>{"b"}));
  EXPECT_EQ(3u, edit_distance("kitten", "sitting"));
}

}  // namespace
}  // namespace dosql
