// .help, .quit, .exit.

#include <algorithm>

#include <fmt/format.h>

#include "apps/dosql/dot_command.h"
#include "apps/dosql/shell.h"
#include "apps/dosql/text.h"

namespace dosql::shell {

namespace {

constexpr std::size_t kUsageColumns = 34;

void write_summary(Output& out, const DotCommand& command) {
  const std::string head = fmt::format(".{} {}", command.name, command.usage);
  if (display_width(head) < kUsageColumns)
    out.write(fmt::format("{:<{}}{}\n", head, kUsageColumns, command.summary));
  else
    out.write(fmt::format("{}\n{:<{}}{}\n", head, "", kUsageColumns, command.summary));
}

void write_details(Output& out, std::string_view details) {
  while (!details.empty()) {
    const std::size_t end = details.find('\n') + 1;
    out.write("  ");
    out.write(details.substr(0, end));
    details.remove_prefix(end);
  }
}

Status help_on(Shell& shell, std::string_view name) {
  if (name.starts_with('.')) name.remove_prefix(1);
  DOSQL_ASSIGN_OR_RETURN(const DotCommand* command, find_command(name));
  shell.out().write(trim(fmt::format(".{} {}", command->name, command->usage)));
  shell.out().write(fmt::format("\n  {}\n", command->summary));
  write_details(shell.out(), command->details);
  return {};
}

Status run_help(Shell& shell, Arguments arguments) {
  if (!arguments.empty()) return help_on(shell, arguments[0]);
  for (const DotCommand& command : dot_commands()) write_summary(shell.out(), command);
  shell.out().write(
      "\nAnything else is SQL and ends with a semicolon. .help COMMAND says more about one command.\n");
  return {};
}

Status run_quit(Shell& shell, Arguments) {
  shell.request_exit(shell.interactive() || shell.failures() == 0 ? 0 : 1);
  return {};
}

Status run_exit(Shell& shell, Arguments arguments) {
  if (arguments.empty()) return run_quit(shell, arguments);
  const auto code = parse_unsigned(arguments[0]);
  if (!code || *code > 255)
    return usage_error("exit", fmt::format("'{}' is not an exit status between 0 and 255", arguments[0]));
  shell.request_exit(static_cast<int>(*code));
  return {};
}

}  // namespace

std::vector<DotCommand> help_commands() {
  return {
      {"exit", "[STATUS]", "Leave, with this exit status", "", 0, 1, run_exit},
      {"help", "[COMMAND]", "This list, or more about one command", "", 0, 1, run_help},
      {"quit", "", "Leave; Ctrl-D does the same", "", 0, 0, run_quit},
  };
}

}  // namespace dosql::shell
