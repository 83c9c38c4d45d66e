#include "base/check.h"

#include <gtest/gtest.h>

namespace dosql {
namespace {

TEST(Check, PassesAndEvaluatesOnce) {
  int evaluations = 0;
  CHECK(++evaluations == 1);
  EXPECT_EQ(evaluations, 1);
}

// The message is all a bug report has: it must name the condition and the place.
TEST(CheckDeathTest, NamesConditionAndPlace) {
  EXPECT_DEATH(CHECK(1 + 1 == 3), "internal error: 1 \\+ 1 == 3 does not hold at .*check_test\\.cc:[0-9]+");
}

#ifdef NDEBUG
TEST(Dcheck, CostsNothingInRelease) {
  int evaluations = 0;
  DCHECK(++evaluations == 2);
  EXPECT_EQ(evaluations, 0) << "the condition was evaluated";
}
#else
TEST(DcheckDeathTest, IsACheckInDebug) { EXPECT_DEATH(DCHECK(false), "internal error: false"); }
#endif

}  // namespace
}  // namespace dosql
