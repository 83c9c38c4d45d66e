// The format of data/*.case: what was typed, and what must come back.
//
//   === the case's name
//   ## a comment
//   $ dosql shop "SELECT 1"       a command line for /bin/sh; each case has a folder of its own
//   < SELECT 1;                   a line of its standard input
//   1                             standard output, line by line
//   ~ [0-9]+ ms                   a line of output as a regular expression
//   [stderr]                      from here on: standard error
//   error: ...
//   [exit 1]                      the exit status, 0 unless given
//
// A line of output that starts like one of these is written with a backslash in front. One blank line
// separates cases.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace dosql::shell_test {

struct ExpectedLine {
  std::string text;
  bool is_pattern = false;
};

struct Command {
  std::string line;
  std::string input;
  std::vector<ExpectedLine> output;
  std::vector<ExpectedLine> errors;
  int exit_status = 0;
  std::size_t source_line = 0;
};

struct Case {
  std::string name;
  std::string file;
  std::size_t source_line = 0;
  std::vector<Command> commands;
};

// Throws std::runtime_error for a file that cannot be read or does not follow the format.
std::vector<Case> read_cases(const std::filesystem::path& file);

// An empty text when `actual` is what was expected, else what differs.
std::string difference(const std::vector<ExpectedLine>& expected, const std::string& actual);

}  // namespace dosql::shell_test
