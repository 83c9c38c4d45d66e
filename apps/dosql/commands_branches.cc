// Dot-commands about branches.

#include <fmt/format.h>

#include "apps/dosql/dot_command.h"
#include "apps/dosql/shell.h"

namespace dosql::shell {

namespace {

Status run_branches(Shell& shell, Arguments) {
  Format format;
  format.switch_to(Mode::kColumn);
  format.null_text = "-";
  return shell.show_query(
      "SELECT iif(current, '* ', '  ') || name AS \"  branch\", name || '@' || version AS newest, "
      "parent || '@' || fork_version AS \"made from\", created, unmerged FROM dosql_branches",
      {}, format);
}

Status run_checkout(Shell& shell, Arguments arguments) {
  Connection& connection = shell.connection();
  if (connection.fixed()) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("this shell stays at {}@{}", connection.current_branch(), connection.version()))
        .with_hint("start dosql without -as-of");
  }
  DOSQL_RETURN_IF_ERROR(connection.checkout(arguments[0]));
  if (shell.interactive())
    shell.out().write(fmt::format("{}@{}\n", connection.current_branch(), connection.version()));
  return {};
}

}  // namespace

std::vector<DotCommand> branch_commands() {
  return {
      {"branches", "", "All branches: newest version, what they were made from, commits not merged",
       "The one that this shell is on has a star. The table dosql_branches has more.\n"
       "CREATE BRANCH and DROP BRANCH make and drop them.\n",
       0, 0, run_branches},
      {"checkout", "NAME", "Go to another branch; the same as CHECKOUT NAME", "", 1, 1, run_checkout},
  };
}

}  // namespace dosql::shell
