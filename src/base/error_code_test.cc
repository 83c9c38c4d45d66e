#include <cctype>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include <dosql/result.h>

namespace dosql {
namespace {

constexpr int kCodeCount = static_cast<int>(ErrorCode::kInternal) + 1;

ErrorCode code_at(int index) { return static_cast<ErrorCode>(index); }

// A new code without a case of its own would share DOSQL_INTERNAL's name, and nobody could tell them apart.
TEST(ErrorCodeName, EveryCodeHasItsOwn) {
  std::set<std::string_view> names;
  for (int index = 0; index < kCodeCount; ++index) {
    EXPECT_TRUE(names.insert(error_code_name(code_at(index))).second)
        << "code " << index << " repeats the name " << error_code_name(code_at(index));
  }
}

TEST(ErrorCodeName, LooksLikeAConstant) {
  for (int index = 0; index < kCodeCount; ++index) {
    const std::string name(error_code_name(code_at(index)));
    EXPECT_EQ(name.rfind("DOSQL_", 0), 0u) << name;
    for (char letter : name) {
      EXPECT_TRUE(std::isupper(static_cast<unsigned char>(letter)) || letter == '_') << name;
    }
  }
}

// Programs compare these; a rename breaks them.
TEST(ErrorCodeName, IsStable) {
  EXPECT_EQ(error_code_name(ErrorCode::kSql), "DOSQL_SQL");
  EXPECT_EQ(error_code_name(ErrorCode::kBusySnapshot), "DOSQL_BUSY_SNAPSHOT");
  EXPECT_EQ(error_code_name(ErrorCode::kOutcomeUnknown), "DOSQL_OUTCOME_UNKNOWN");
  EXPECT_EQ(error_code_name(ErrorCode::kNotADatabase), "DOSQL_NOT_A_DATABASE");
  EXPECT_EQ(error_code_name(ErrorCode::kHistoryExpired), "DOSQL_HISTORY_EXPIRED");
  EXPECT_EQ(error_code_name(ErrorCode::kBranchNotFound), "DOSQL_BRANCH_NOT_FOUND");
}

}  // namespace
}  // namespace dosql
