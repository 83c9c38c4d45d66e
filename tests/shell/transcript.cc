#include "tests/shell/transcript.h"

#include <fstream>
#include <regex>
#include <stdexcept>

#include <fmt/format.h>

namespace dosql::shell_test {

namespace {

class Parser {
 public:
  explicit Parser(std::string file) : file_(std::move(file)) {}

  void take(const std::string& line) {
    ++number_;
    if (line.starts_with("=== ")) return begin_case(line.substr(4));
    if (line.starts_with("##")) return;
    if (line.empty() && (cases_.empty() || cases_.back().commands.empty())) return;
    if (cases_.empty()) fail("text before the first case");
    if (line.starts_with("$ ")) return begin_command(line.substr(2));
    if (cases_.back().commands.empty()) fail("output before the first command");
    take_part(line);
  }

  std::vector<Case> take_cases() { return std::move(cases_); }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw std::runtime_error(fmt::format("{}:{}: {}", file_, number_, what));
  }

  // The blank line in front of the next case is layout.
  void end_case() {
    if (cases_.empty() || cases_.back().commands.empty()) return;
    Command& command = cases_.back().commands.back();
    std::vector<ExpectedLine>& lines = in_errors_ ? command.errors : command.output;
    if (!lines.empty() && lines.back().text.empty() && !lines.back().is_pattern) lines.pop_back();
  }

  void begin_case(std::string name) {
    end_case();
    cases_.push_back({std::move(name), file_, number_, {}});
  }

  void begin_command(std::string line) {
    cases_.back().commands.push_back({std::move(line), "", {}, {}, 0, number_});
    in_errors_ = false;
  }

  void take_part(const std::string& line) {
    Command& command = cases_.back().commands.back();
    if (line == "[stderr]") {
      in_errors_ = true;
    } else if (line.starts_with("[exit ")) {
      command.exit_status = std::stoi(line.substr(6));
    } else if (line == "<" || line.starts_with("< ")) {
      command.input += line.substr(std::min<std::size_t>(line.size(), 2)) + "\n";
    } else {
      std::vector<ExpectedLine>& lines = in_errors_ ? command.errors : command.output;
      if (line.starts_with("~ "))
        lines.push_back({line.substr(2), true});
      else
        lines.push_back({line.starts_with('\\') ? line.substr(1) : line, false});
    }
  }

  std::string file_;
  std::size_t number_ = 0;
  bool in_errors_ = false;
  std::vector<Case> cases_;
};

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at);
    lines.push_back(text.substr(at, end - at));
    if (end == std::string::npos) {
      lines.back() += "(no line end)";
      break;
    }
    at = end + 1;
  }
  return lines;
}

bool matches(const ExpectedLine& expected, const std::string& actual) {
  return expected.is_pattern ? std::regex_match(actual, std::regex(expected.text)) : expected.text == actual;
}

}  // namespace

std::vector<Case> read_cases(const std::filesystem::path& file) {
  std::ifstream stream(file);
  if (!stream) throw std::runtime_error(fmt::format("cannot read {}", file.string()));
  Parser parser(file.filename().string());
  for (std::string line; std::getline(stream, line);) parser.take(line);
  return parser.take_cases();
}

std::string difference(const std::vector<ExpectedLine>& expected, const std::string& actual) {
  const std::vector<std::string> lines = lines_of(actual);
  for (std::size_t i = 0; i < std::max(expected.size(), lines.size()); ++i) {
    const std::string want = i < expected.size() ? expected[i].text : "(nothing)";
    const std::string have = i < lines.size() ? lines[i] : "(nothing)";
    const bool same = i < expected.size() && i < lines.size() && matches(expected[i], lines[i]);
    if (!same)
      return fmt::format("line {}\n  expected: {}\n  actual:   {}\nall of it:\n{}", i + 1, want, have,
                         actual);
  }
  return "";
}

}  // namespace dosql::shell_test
