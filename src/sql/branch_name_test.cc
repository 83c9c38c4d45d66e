#include "sql/branch_name.h"

#include <gtest/gtest.h>

#include <string>

namespace dosql::sql {
namespace {

TEST(BranchName, GoodOnes) {
  for (const std::string_view name :
       {"main", "feature-x", "a/b", "v1.2", "_", "-", "a.", ".a", "A-Z_0.9/x", "7"}) {
    EXPECT_TRUE(check_branch_name(name)) << name;
  }
  EXPECT_TRUE(check_branch_name(std::string(kBranchNameBytesMax, 'a')));
}

// The message says what is wrong, so that nobody has to count characters.
TEST(BranchName, BadOnesAreToldWhy) {
  const struct {
    std::string_view name, message;
  } cases[] = {
      {"", "a branch name cannot be empty"},
      {"a b", "a branch name cannot contain a space"},
      {"a$b", "a branch name cannot contain '$'"},
      {"main@5", "a branch name cannot contain '@'"},
      {"a'b", "a branch name cannot contain '''"},
      {"a\nb", "a branch name cannot contain the byte 0x0a"},
      {std::string_view("a\0b", 3), "a branch name cannot contain the byte 0x00"},
      {"f\xC3\xA9"
       "e",
       "a branch name cannot contain '\xC3\xA9'"},
      {"\xE2\x82\xAC", "a branch name cannot contain '\xE2\x82\xAC'"},
      {"\xF0\x9F\x98\x80", "a branch name cannot contain '\xF0\x9F\x98\x80'"},
      {"a\xC3", "a branch name cannot contain the byte 0xc3"},
      {"a\x80", "a branch name cannot contain the byte 0x80"},
      {"a\xFF", "a branch name cannot contain the byte 0xff"},
      {"a/../b", "a branch name cannot contain '..': 'a/../b'"},
      {"..", "a branch name cannot contain '..': '..'"},
      {"a//b", "a branch name cannot contain '//': 'a//b'"},
      {"/a", "a branch name cannot begin with '/': '/a'"},
      {"a/", "a branch name cannot end with '/': 'a/'"},
      {"/", "a branch name cannot begin with '/': '/'"},
  };
  for (const auto& one : cases) {
    const Status status = check_branch_name(one.name);
    ASSERT_FALSE(status) << one.name;
    EXPECT_EQ(status.error().message(), one.message);
    EXPECT_EQ(status.error().code(), ErrorCode::kInvalidArgument);
    EXPECT_FALSE(status.error().hint().empty());
  }
  const Status too_long = check_branch_name(std::string(256, 'a'));
  ASSERT_FALSE(too_long);
  EXPECT_EQ(too_long.error().message(), "a branch name has at most 255 bytes; this one has 256");
}

}  // namespace
}  // namespace dosql::sql
