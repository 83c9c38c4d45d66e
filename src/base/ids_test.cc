#include "base/ids.h"

#include <type_traits>

#include <gtest/gtest.h>

namespace dosql {
namespace {

// The point of the types: mixing them up must not compile.
static_assert(!std::is_convertible_v<Lsn, std::uint64_t>);
static_assert(!std::is_convertible_v<std::uint64_t, Lsn>);
static_assert(!std::is_convertible_v<Lsn, Version>);
static_assert(!std::is_convertible_v<PageNo, BranchId>);
// They are stored in files by their width.
static_assert(sizeof(Lsn) == 8 && sizeof(Version) == 8 && sizeof(PageNo) == 4 && sizeof(BranchId) == 4);

TEST(Ids, KeepAllTheirBits) {
  EXPECT_EQ(raw(Lsn{0xFFFFFFFFFFFFFFFFull}), 0xFFFFFFFFFFFFFFFFull);
  EXPECT_EQ(raw(PageNo{0xFFFFFFFEu}), 0xFFFFFFFEu);
}

TEST(Ids, Compare) {
  EXPECT_LT(Lsn{1}, Lsn{2});
  EXPECT_LT(Lsn{0x7FFFFFFFFFFFFFFFull}, Lsn{0x8000000000000000ull}) << "compared as signed numbers";
  EXPECT_EQ(kMainBranch, BranchId{0});
}

}  // namespace
}  // namespace dosql
