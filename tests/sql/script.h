// Parsing the *.test files; README.md beside this file describes them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <dosql/result.h>

namespace dosql::sql_test {

enum class Expectation { kOk, kError, kQuery, kSame };

struct Step {
  Expectation expectation = Expectation::kOk;
  bool dosql_only = false;
  std::string error_text;
  std::string sql;
  std::vector<std::string> rows;
  int line = 0;
};

struct Script {
  std::string name;
  bool reopen_allowed = true;
  std::vector<Step> steps;
};

// Errors: kInvalidArgument with file and line.
Result<Script> parse_script(const std::string& path);

}  // namespace dosql::sql_test
