// Runs data/*.case: each case is a test of its own.

#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>

#include "testing/paths.h"
#include "tests/shell/process.h"
#include "tests/shell/transcript.h"

namespace dosql::shell_test {
namespace {

class CaseTest : public ::testing::Test {
 public:
  explicit CaseTest(const Case& test_case) : case_(test_case) {}

  void TestBody() override {
    TemporaryFolder folder;
    for (const Command& command : case_.commands) {
      const Outcome outcome = run_command(folder.path(), command.line, command.input);
      SCOPED_TRACE(case_.file + ":" + std::to_string(command.source_line) + ": $ " + command.line);
      EXPECT_EQ("", difference(command.output, outcome.output)) << "standard error:\n" << outcome.errors;
      EXPECT_EQ("", difference(command.errors, outcome.errors)) << "on standard error";
      EXPECT_EQ(command.exit_status, outcome.exit_status);
      if (HasFailure()) return;
    }
  }

 private:
  Case case_;
};

std::string identifier(std::string text) {
  for (char& c : text) {
    const bool fits = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (!fits) c = '_';
  }
  return text;
}

void register_cases(const std::filesystem::path& file) {
  const std::string suite = "Shell_" + identifier(file.stem().string());
  for (const Case& test_case : read_cases(file)) {
    ::testing::RegisterTest(suite.c_str(), identifier(test_case.name).c_str(), nullptr, nullptr, file.c_str(),
                            static_cast<int>(test_case.source_line),
                            [test_case]() -> CaseTest* { return new CaseTest(test_case); });
  }
}

void register_all() {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(testing::source_dir() / "tests/shell/data")) {
    if (entry.path().extension() == ".case") files.push_back(entry.path());
  }
  if (files.empty()) throw std::runtime_error("no cases found");
  std::sort(files.begin(), files.end());
  for (const auto& file : files) register_cases(file);
}

}  // namespace
}  // namespace dosql::shell_test

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  dosql::shell_test::register_all();
  return RUN_ALL_TESTS();
}
