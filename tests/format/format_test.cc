// Databases of every released format open for ever, with every version as it was.

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "testing/paths.h"
#include "tests/format/fixture_content.h"

namespace dosql::format_test {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> fixtures() {
  std::vector<fs::path> found;
  for (const auto& format : fs::directory_iterator(testing::source_dir() / "tests" / "format")) {
    if (!format.is_directory()) continue;
    for (const auto& database : fs::directory_iterator(format)) {
      if (database.is_directory()) found.push_back(database.path());
    }
  }
  std::sort(found.begin(), found.end());
  return found;
}

class FormatTest : public ::testing::TestWithParam<fs::path> {};

TEST_P(FormatTest, EveryVersionIsAsItWas) {
  const fs::path copy = fs::temp_directory_path() /
                        fmt::format("dosql-format-{}-{}", ::getpid(), GetParam().filename().string());
  fs::remove_all(copy);
  fs::copy(GetParam(), copy);
  {
    auto database = Database::open(copy.string());
    ASSERT_TRUE(database) << database.error().message();
    const auto problems = database->check();
    ASSERT_TRUE(problems) << problems.error().message();
    EXPECT_TRUE(problems->empty()) << problems->front().what;
    const auto lines = describe_versions(*database);
    ASSERT_TRUE(lines) << lines.error().message();
    std::vector<std::string> expected;
    std::ifstream file(GetParam().string() + ".expected.txt");
    for (std::string line; std::getline(file, line);) expected.push_back(line);
    ASSERT_GT(expected.size(), 100u);
    EXPECT_EQ(*lines, expected);
    EXPECT_TRUE(database->close());
  }
  fs::remove_all(copy);
}

INSTANTIATE_TEST_SUITE_P(Fixtures, FormatTest, ::testing::ValuesIn(fixtures()), [](const auto& tested) {
  return tested.param.parent_path().filename().string() + "_" + tested.param.filename().string();
});

}  // namespace
}  // namespace dosql::format_test
