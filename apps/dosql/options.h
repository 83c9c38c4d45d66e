// The command line of the shell.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <dosql/result.h>

#include "apps/dosql/shell.h"

namespace dosql::shell {

struct CommandLine {
  enum class Action : std::uint8_t { kRun, kShowHelp, kShowVersion } action = Action::kRun;
  std::string database;
  std::vector<std::string> inputs;    // SQL and dot-commands behind the database
  std::vector<std::string> commands;  // -cmd, to run before
  Settings settings;
  bool read_only = false;
  std::string branch;  // empty: main
  std::optional<std::string> as_of;
  enum class Interaction : std::uint8_t {
    kAsTerminal,
    kBatch,
    kInteractive
  } interaction = Interaction::kAsTerminal;
};

// `arguments` without the program's name. Options may stand anywhere, with one dash or two, as in sqlite3.
// Errors: kInvalidArgument.
Result<CommandLine> parse_command_line(const std::vector<std::string>& arguments);

std::string_view help_text();

}  // namespace dosql::shell
