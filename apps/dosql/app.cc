#include "apps/dosql/app.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <clocale>

#include <fmt/format.h>

#include "apps/dosql/line_editor.h"
#include "apps/dosql/options.h"
#include "apps/dosql/shell.h"
#include "apps/dosql/text.h"

namespace dosql::shell {

namespace {

// How long one look at idle work may take: a key pressed meanwhile waits for it.
constexpr std::uint64_t kIdleBudgetUs = 5'000;

bool is_regular_file(const std::string& path) {
  struct stat facts = {};
  return ::stat(path.c_str(), &facts) == 0 && S_ISREG(facts.st_mode);
}

// Where it cannot be written, it can still be read.
Error with_opening_advice(Error error, const std::string& path) {
  if (!error.hint().empty() || !is_regular_file(path + "/control")) return error;
  if (error.code() == ErrorCode::kReadOnly) return std::move(error).with_hint("open it with -readonly");
  if (error.code() == ErrorCode::kDiskFull)
    return std::move(error).with_hint("make room, or open it with -readonly");
  return error;
}

bool begins_on_main(const CommandLine& line) {
  return (line.branch.empty() || line.branch == "main") && !line.as_of;
}

// For reading only where another process has it open for writing.
Result<Database> open_database(const CommandLine& line, Console& console) {
  const std::string& path = line.database;
  if (path.empty() || path == ":memory:") {
    return Error(ErrorCode::kInvalidArgument, "a DoSQL database is a directory; there is none in memory")
        .with_hint("dosql DIRECTORY makes one");
  }
  Options options;
  options.mode = line.read_only         ? OpenMode::kReadOnly
                 : begins_on_main(line) ? OpenMode::kCreateIfMissing
                                        : OpenMode::kReadWrite;  // a new database has nothing else
  options.allow_files = true;
  auto database = Database::open(path, options);
  if (database || line.read_only) return database;
  if (database.error().code() == ErrorCode::kLocked) {
    options.mode = OpenMode::kReadOnly;
    auto to_read = Database::open(path, options);
    if (to_read) {
      console.write(fmt::format("opened read-only: {}\n", database.error().message()));
      return to_read;
    }
  }
  return with_opening_advice(std::move(database).error(), path);
}

std::string_view short_version() {
  constexpr std::string_view kVersion = DOSQL_VERSION;
  return kVersion.substr(0, kVersion.rfind('.'));
}

std::string directory_name(std::string_view path) {
  while (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  return std::string(path.substr(path.rfind('/') + 1));
}

Result<Connection> connect(Database& database, const CommandLine& line) {
  const std::string branch = line.branch.empty() ? "main" : line.branch;
  if (line.as_of) return database.as_of(time_point(*line.as_of), {.branch = branch});
  DOSQL_ASSIGN_OR_RETURN(Connection connection, database.connect());
  DOSQL_RETURN_IF_ERROR(connection.checkout(branch));
  return connection;
}

void greet(Shell& shell) {
  const Colour colour = colours_wanted(STDOUT_FILENO) ? Colour::kOn : Colour::kOff;
  const Database& database = shell.database();
  std::string state = database.created() ? " (new)" : database.read_only() ? " (read-only)" : "";
  std::string at;
  if (shell.connection().fixed())
    at = fmt::format(" · as of {}@{}", shell.connection().current_branch(), shell.connection().version());
  else if (!database.created())
    at = fmt::format(" · {}@{}", shell.connection().current_branch(), shell.connection().version());
  shell.out().write(fmt::format("{} · {}{}{} · every transaction is a version\n",
                                bold(fmt::format("DoSQL {}", short_version()), colour),
                                directory_name(database.path()), state, at));
  const std::string_view third = database.created() ? ".import FILE TABLE" : ".tables";
  shell.out().write(fmt::format("Try:  .help   ·   {}   ·   SELECT * FROM dosql_log;\n", third));
  shell.out().flush().ignore("the first prompt shows that the terminal works");
}

// Housekeeping while nobody types. A failure there comes back with the next statement.
bool do_idle_work(Shell& shell) { return shell.database().maintain(kIdleBudgetUs).value_or(false); }

std::unique_ptr<LineSource> make_terminal_source(Shell& shell, const bool& unfinished) {
  if (::isatty(STDIN_FILENO) == 0 || ::isatty(STDOUT_FILENO) == 0) return make_prompting_source();
  EditorOptions options;
  options.history_path = default_history_path();
  options.complete = [&shell, &unfinished](std::string_view before) {
    return complete(shell.connection(), before, !unfinished);
  };
  options.idle = [&shell] { return do_idle_work(shell); };
  return make_line_editor(std::move(options), shell.interrupts());
}

// -cmd, then the SQL arguments; false when the program ends with them.
bool run_arguments(Shell& shell, const CommandLine& line) {
  const Origin origin{Origin::Kind::kArgument, ""};
  for (const std::string& command : line.commands) {
    const auto source = make_text_source(command);
    shell.run(*source, origin, Shell::Stop::kAtEnd);
    if (shell.finished()) return false;
  }
  for (const std::string& input : line.inputs) {
    const std::uint64_t failures_before = shell.failures();
    const auto source = make_text_source(input);
    shell.run(*source, origin, Shell::Stop::kAtFirstError);
    if (shell.finished() || shell.failures() > failures_before) return false;
  }
  return line.inputs.empty();
}

void run_standard_input(Shell& shell) {
  if (!shell.interactive()) {
    const auto source = make_descriptor_source(STDIN_FILENO, "standard input");
    shell.run(*source, Origin{Origin::Kind::kStandardInput, ""}, Shell::Stop::kAtEnd);
    return;
  }
  greet(shell);
  const auto source = make_terminal_source(shell, shell.statement_unfinished());
  shell.run(*source, Origin{Origin::Kind::kTerminal, ""}, Shell::Stop::kAtEnd);
}

bool wants_interaction(const CommandLine& line) {
  if (line.interaction != CommandLine::Interaction::kAsTerminal)
    return line.interaction == CommandLine::Interaction::kInteractive;
  return line.inputs.empty() && ::isatty(STDIN_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1;
}

int run_database(CommandLine line, Console& console) {
  const bool interactive = wants_interaction(line);
  Interrupts& interrupts =
      Interrupts::start(interactive ? Interrupts::WhenIdle::kKeep : Interrupts::WhenIdle::kEndProcess);
  auto database = open_database(line, console);
  if (!database) {
    console.error(database.error());
    return 1;
  }
  auto connection = connect(*database, line);
  if (!connection) {
    console.error(connection.error());
    return 1;
  }
  Shell shell(*std::move(database), *std::move(connection), line.settings,
              interactive ? Shell::Interaction::kInteractive : Shell::Interaction::kBatch, interrupts);
  if (line.interaction == CommandLine::Interaction::kBatch) shell.console().set_colour(Colour::kOff);
  int exit_code = 0;
  if (run_arguments(shell, line)) {
    run_standard_input(shell);
    // Mistakes that a person saw and answered are no failure of the program.
    exit_code = interactive ? shell.requested_exit_code().value_or(0) : shell.exit_code();
  } else {
    exit_code = shell.exit_code();
  }
  if (const Status closed = shell.close(); !closed) {
    console.error(closed.error());
    return 1;
  }
  return exit_code;
}

// A standard descriptor that the caller closed would be given to the next file that is opened, and what we
// print would go into the database. In its place stands one that can neither be read nor written.
void occupy_standard_descriptors() {
  for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(descriptor, F_GETFD) < 0) ::open("/", O_PATH);  // takes the lowest number that is free
  }
}

int print(std::string_view text, Console& console) {
  Output out;
  out.write(text);
  const Status status = out.flush();
  if (!status) console.error(status.error());
  return status ? 0 : 1;
}

}  // namespace

int run_app(const std::vector<std::string>& arguments) {
  occupy_standard_descriptors();
  // Widths of characters and the line editor need a UTF-8 locale, whatever the environment says; numbers stay
  // as in the C locale.
  if (std::setlocale(LC_CTYPE, "C.UTF-8") == nullptr) std::setlocale(LC_CTYPE, "");
  Console console;
  auto line = parse_command_line(arguments);
  if (!line) {
    console.error(line.error());
    return 1;
  }
  if (line->action == CommandLine::Action::kShowHelp) return print(help_text(), console);
  if (line->action == CommandLine::Action::kShowVersion) {
    return print(
        fmt::format("dosql {}\nSQLite {} {}\n", DOSQL_VERSION, sqlite3_libversion(), sqlite3_sourceid()),
        console);
  }
  return run_database(*std::move(line), console);
}

}  // namespace dosql::shell
