// README.md, typed: every command of the tour runs, in order and in one folder, and what comes back is what
// the page shows. What differs from run to run (times, the folder, sizes in the log) is compared by shape.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <regex>
#include <sstream>

#include "testing/paths.h"
#include "tests/docs/markdown.h"
#include "tests/shell/process.h"

namespace dosql::docs {
namespace {

namespace fs = std::filesystem;
using shell_test::Outcome;

constexpr std::string_view kLastPrompt = "main> ";
constexpr std::string_view kContinuation = " ...> ";

// A command line of a console block, and what follows it up to the next.
struct TourCommand {
  std::string line;
  std::string input;     // what is typed at the shell's prompts
  std::string expected;  // output as a pipe shows it: prompts, but not what was typed behind them
  bool has_prompts = false;
};

// The shell's prompt at the beginning of a line, a branch's name and "> "; 0 bytes: there is none.
std::size_t prompt_bytes(std::string_view line) {
  if (line.starts_with(kContinuation)) return kContinuation.size();
  const std::size_t end =
      line.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._/-");
  return end > 0 && end != std::string_view::npos && line.substr(end).starts_with("> ") ? end + 2 : 0;
}

std::vector<TourCommand> commands_of(const CodeBlock& block) {
  std::vector<TourCommand> commands;
  std::istringstream lines(block.text);
  bool continued = false;
  for (std::string line; std::getline(lines, line);) {
    const bool begins = line.starts_with("$ ");
    if (begins || commands.empty()) commands.emplace_back();
    TourCommand& command = commands.back();
    if (begins || continued) {
      command.line += begins ? line.substr(2) : '\n' + line;
    } else {
      const std::size_t prompt = prompt_bytes(line);
      command.has_prompts |= prompt > 0;
      command.input += prompt > 0 ? line.substr(prompt) + '\n' : "";
      command.expected += prompt > 0 ? line.substr(0, prompt) : line + '\n';
    }
    continued = line.ends_with('\\');
  }
  // The last prompt is never answered.
  for (TourCommand& command : commands) command.expected += command.has_prompts ? kLastPrompt : "";
  return commands;
}

std::string replaced(const std::string& text, const char* pattern, const char* replacement) {
  return std::regex_replace(text, std::regex(pattern), replacement);
}

// Takes out what may differ.
std::string normalized(std::string text, const fs::path& folder) {
  for (std::size_t at; (at = text.find(folder.string())) != std::string::npos;) {
    text.replace(at, folder.string().size(), "~/dosql");
  }
  text = replaced(text, "[0-9.]+ (ms|s|min)\\b", "<duration>");
  // In the log: times, and how much was written.
  text =
      replaced(text, "[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:.]+( +)[0-9,]+( +)[0-9,]+", "<time> <pages> <bytes>");
  text = replaced(text, "[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:]{8}\\.[0-9]{6}", "<time>");
  text = replaced(text, " +\n", "\n");
  const std::size_t end = text.find_last_not_of(" \n");
  return end == std::string::npos ? "" : text.substr(0, end + 1);
}

// A folder that looks like the repository after `make build`.
class Tour : public ::testing::Test {
 protected:
  Tour() {
    fs::create_directories(folder_.path() / "build/release");
    fs::create_symlink(testing::binary_dir() / "dosql", folder_.path() / "build/release/dosql");
    fs::create_symlink(testing::source_dir() / "third_party", folder_.path() / "third_party");
    fs::create_directories(folder_.path() / "bin");
    fs::create_symlink(testing::binary_dir() / "stock_sqlite3", folder_.path() / "bin/sqlite3");
  }

  Outcome run(const std::string& line, const std::string& input) {
    return shell_test::run_command(folder_.path(), "PATH=\"$PWD/bin:$PATH\"; { " + line + "\n} 2>&1", input);
  }

  const shell_test::TemporaryFolder folder_;
  const std::string document_ = read_document("README.md");
};

TEST_F(Tour, EveryCommandShowsWhatThePageSays) {
  std::size_t count = 0;
  for (const CodeBlock& block : code_blocks(section(document_, "Five minutes"))) {
    ASSERT_EQ(block.language, "console");
    for (const TourCommand& command : commands_of(block)) {
      const Outcome outcome = run(command.line + (command.has_prompts ? " -interactive" : ""), command.input);
      EXPECT_EQ(normalized(outcome.output, folder_.path()), normalized(command.expected, folder_.path()))
          << "$ " << command.line << "\nsays\n"
          << outcome.output;
      ++count;
    }
  }
  EXPECT_GE(count, 10u) << "the tour got lost";
}

// The program is compiled from README.md by CMakeLists.txt.
TEST_F(Tour, TheProgramPrintsWhatThePageSays) {
  const std::vector<CodeBlock> blocks = code_blocks(section(document_, "A program"));
  ASSERT_EQ(blocks.size(), 2u);
  ASSERT_EQ(blocks[0].language, "cpp");
  const Outcome outcome = run(testing::binary_dir() / "readme_program", "");
  EXPECT_EQ(outcome.output, blocks[1].text);
  EXPECT_EQ(outcome.exit_status, 0);
}

}  // namespace
}  // namespace dosql::docs
