// The dot-commands: a table of them, their arguments, how they are found.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <dosql/result.h>

namespace dosql::shell {

class Shell;

using Arguments = std::span<const std::string>;

struct DotCommand {
  std::string_view name;     // without the dot
  std::string_view usage;    // behind the name: "FILE TABLE [OPTIONS]"
  std::string_view summary;  // one line
  std::string_view details;  // more lines for .help NAME, each with its line end; may be empty
  std::size_t min_arguments = 0;
  std::size_t max_arguments = 0;
  // Ran with as many arguments as allowed.
  Status (*run)(Shell& shell, Arguments arguments) = nullptr;
  // .once: what it set up is for the next command.
  bool redirects_next = false;
};

inline constexpr std::size_t kAnyNumber = static_cast<std::size_t>(-1);

// All commands, by name.
std::span<const DotCommand> dot_commands();

// The command of that name, or the only one whose name starts so. Errors: kInvalidArgument with a hint at
// what may have been meant.
Result<const DotCommand*> find_command(std::string_view name);

// Checks the number of arguments and runs it.
Status call_command(Shell& shell, const DotCommand& command, Arguments arguments);

// Words of a command line: '...' as it is, "..." and bare words with backslash escapes (\t, \n, \\, \",
// \ooo). Errors: kInvalidArgument for a quote that is not closed.
Result<std::vector<std::string>> split_words(std::string_view line);

// Where the commands live, each list in one commands_*.cc.
std::vector<DotCommand> settings_commands();
std::vector<DotCommand> schema_commands();
std::vector<DotCommand> data_commands();
std::vector<DotCommand> database_commands();
std::vector<DotCommand> branch_commands();
std::vector<DotCommand> change_commands();
std::vector<DotCommand> help_commands();

// For the commands: a wrong argument, with the command's usage as hint.
Error usage_error(std::string_view command, std::string message);
// on or off. Errors: kInvalidArgument.
Result<bool> switch_argument(std::string_view command, std::string_view argument);

}  // namespace dosql::shell
