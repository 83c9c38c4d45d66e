#include "tests/sql/script.h"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>

namespace dosql::sql_test {
namespace {

bool starts_step(std::string_view line) { return !line.empty() && !line.starts_with('#'); }

Result<Step> parse_directive(std::string line, const std::string& place) {
  Step step;
  constexpr std::string_view kOnly = " dosql";
  if (line.starts_with("error ")) {
    step.expectation = Expectation::kError;
    step.error_text = line.substr(6);
    if (step.error_text.starts_with("dosql ")) {
      step.dosql_only = true;
      step.error_text = step.error_text.substr(6);
    }
    return step;
  }
  if (line.ends_with(kOnly)) {
    step.dosql_only = true;
    line.resize(line.size() - kOnly.size());
  }
  if (line == "ok") {
    step.expectation = Expectation::kOk;
  } else if (line == "query") {
    step.expectation = Expectation::kQuery;
  } else if (line == "same" && !step.dosql_only) {
    step.expectation = Expectation::kSame;
  } else {
    return Error(ErrorCode::kInvalidArgument, fmt::format("{}: unknown directive '{}'", place, line));
  }
  return step;
}

}  // namespace

Result<Script> parse_script(const std::string& path) {
  std::ifstream file(path);
  if (!file) return Error(ErrorCode::kNotFound, fmt::format("cannot read '{}'", path));
  Script script;
  script.name = std::filesystem::path(path).stem().string();
  std::string line;
  int number = 0;
  while (std::getline(file, line)) {
    ++number;
    if (number == 1 && line == "# not reopened") script.reopen_allowed = false;
    if (!starts_step(line)) continue;
    const std::string place = fmt::format("{}:{}", path, number);
    DOSQL_ASSIGN_OR_RETURN(Step step, parse_directive(line, place));
    step.line = number;
    bool in_rows = false;
    while (std::getline(file, line)) {
      ++number;
      if (line.empty()) break;
      if (!in_rows && line == "----") {
        in_rows = true;
      } else if (in_rows) {
        step.rows.push_back(line);
      } else {
        step.sql += line + "\n";
      }
    }
    if (in_rows != (step.expectation == Expectation::kQuery)) {
      return Error(ErrorCode::kInvalidArgument,
                   fmt::format("{}: rows belong to `query`, and to nothing else", place));
    }
    script.steps.push_back(std::move(step));
  }
  if (script.steps.empty()) return Error(ErrorCode::kInvalidArgument, fmt::format("'{}' has no steps", path));
  return script;
}

}  // namespace dosql::sql_test
