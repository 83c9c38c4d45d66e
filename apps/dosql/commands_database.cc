// Dot-commands about the database as a whole: its history, its health, its ways in and out.

#include <fmt/format.h>

#include "apps/dosql/dot_command.h"
#include "apps/dosql/progress.h"
#include "apps/dosql/shell.h"
#include "apps/dosql/text.h"

namespace dosql::shell {

namespace {

constexpr std::int64_t kDefaultLogRows = 20;

Progress show_on(ProgressBar& bar) {
  return [&bar](std::uint64_t done, std::uint64_t total) { return bar.update(done, total); };
}

// A closing line for a person; scripts stay quiet.
void tell(Shell& shell, std::string_view text) {
  if (shell.interactive()) shell.out().write(fmt::format("{}\n", text));
}

Status run_log(Shell& shell, Arguments arguments) {
  std::int64_t rows = kDefaultLogRows;
  if (!arguments.empty()) {
    const auto given = parse_signed(arguments[0]);
    if (!given || *given < 1)
      return usage_error("log", fmt::format("'{}' is not a number of versions", arguments[0]));
    rows = *given;
  }
  Format format;
  format.switch_to(Mode::kColumn);
  format.widths = {0, 0, -7, -15};
  return shell.show_query(
      "SELECT branch || '@' || version AS version, timestamp AS time, printf('%,d', pages) AS pages, "
      "printf('%,d', bytes) AS \"log bytes\", tables FROM dosql_log ORDER BY dosql_log.version DESC LIMIT ?1",
      {Value(rows)}, format);
}

// Facts that are yes or no.
bool is_question(std::string_view name) {
  for (std::string_view question :
       {"read_only", "allow_files", "poisoned", "opened_clean", "checkpoint_damaged"}) {
    if (name == question) return true;
  }
  return false;
}

std::string describe_number(std::string_view name, std::int64_t value) {
  static constexpr std::string_view kSynchronous[] = {"off", "normal", "full", "extra"};
  const auto number = static_cast<std::uint64_t>(value);
  if (is_question(name)) return value != 0 ? "yes" : "no";
  if (name == "synchronous" && number < std::size(kSynchronous)) return std::string(kSynchronous[number]);
  if (name.ends_with("_bytes")) return format_bytes(number);
  if (name.ends_with("_us")) return format_seconds(static_cast<double>(number) / 1e6);
  if (name.ends_with("_pid")) return std::to_string(number);
  return with_thousands(number);
}

std::string describe_status(const std::string& name, const Value& value) {
  switch (value.type()) {
    case Value::Type::kNull: return "-";
    case Value::Type::kInteger: return describe_number(name, value.integer());
    case Value::Type::kReal: return format_real(value.real());
    case Value::Type::kText: return value.text();
    case Value::Type::kBlob: break;
  }
  return "?";
}

Status run_status(Shell& shell, Arguments) {
  DOSQL_ASSIGN_OR_RETURN(const Rows rows, shell.connection().query("SELECT name, value FROM dosql_status"));
  for (const Row& row : rows) {
    const std::string& name = row[0].text();
    shell.out().write(fmt::format("{:>20}: {}\n", name, describe_status(name, row[1])));
  }
  return {};
}

// What SQLite finds is in a version, main@5, and at no byte.
std::string place_of(const Problem& problem) {
  if (problem.file.empty()) return "";
  if (problem.file.find('@') != std::string::npos) return fmt::format("{}: ", problem.file);
  return fmt::format("{} at byte {}: ", problem.file, problem.offset);
}

Status run_check(Shell& shell, Arguments) {
  ProgressBar bar(shell.console(), shell.interrupts());
  DOSQL_ASSIGN_OR_RETURN(const std::vector<Problem> problems, shell.database().check(show_on(bar)));
  for (const Problem& problem : problems) {
    shell.out().write(fmt::format("{}{}\n", place_of(problem), problem.what));
  }
  if (problems.empty()) {
    shell.out().write("ok\n");
    return {};
  }
  return Error(ErrorCode::kCorrupt,
               fmt::format("{} found", count_of(problems.size(), "problem", "problems")));
}

Status run_backup(Shell& shell, Arguments arguments) {
  ProgressBar bar(shell.console(), shell.interrupts());
  DOSQL_RETURN_IF_ERROR(shell.database().backup(arguments[0], show_on(bar)));
  tell(shell, fmt::format("copied to {} · {}", arguments[0], format_seconds(bar.elapsed_seconds())));
  return {};
}

Status run_import_sqlite(Shell& shell, Arguments arguments) {
  if (shell.connection().in_transaction()) {
    return Error(ErrorCode::kInvalidArgument, "an import cannot run inside a transaction")
        .with_hint("COMMIT or ROLLBACK first");
  }
  ProgressBar bar(shell.console(), shell.interrupts());
  DOSQL_ASSIGN_OR_RETURN(const ImportResult done, shell.database().import_sqlite(arguments[0], show_on(bar)));
  tell(shell, fmt::format("{}{} · {} · {}@{}", format_bytes(done.bytes),
                          done.rewritten ? " (rewritten with pages of 4096 bytes)" : "",
                          format_seconds(bar.elapsed_seconds()), shell.connection().current_branch(),
                          shell.connection().version()));
  return {};
}

Status run_export_sqlite(Shell& shell, Arguments arguments) {
  ProgressBar bar(shell.console(), shell.interrupts());
  const TimePoint point = arguments.size() < 2 ? current() : time_point(arguments[1]);
  DOSQL_ASSIGN_OR_RETURN(const VersionId version, shell.connection().resolve(point));
  DOSQL_ASSIGN_OR_RETURN(const ExportResult done,
                         shell.database().export_sqlite(arguments[0], snapshot(version), show_on(bar)));
  tell(shell,
       fmt::format("{}@{} · {} · {}", done.branch, done.version, format_bytes(done.bytes), arguments[0]));
  return {};
}

}  // namespace

std::vector<DotCommand> database_commands() {
  return {
      {"backup", "DIRECTORY", "Copy the database with all its history into a new directory", "", 1, 1,
       run_backup},
      {"check", "", "Verify every checksum and SQLite's integrity_check", "", 0, 0, run_check},
      {"export-sqlite", "FILE [POINT]", "Write a version as an ordinary SQLite file; the newest unless given",
       "POINT is main@5, 5 (of the current branch), a timestamp, lsn:6816, current-5, or the name of a\n"
       "snapshot or branch. FILE must not exist.\n"
       "sqlite3 and everything else that reads SQLite databases can open it; only its owner may read and\n"
       "write it (mode 0600), whatever the umask.\n",
       1, 2, run_export_sqlite},
      {"import-sqlite", "FILE", "Take over an ordinary SQLite file as main@1 of a new database",
       "FILE is not changed. The database must be empty: start dosql with the name of a new directory.\n"
       "Damage inside FILE is taken over as it is; .check finds it.\n",
       1, 1, run_import_sqlite},
      {"log", "[N]", "The newest N versions (20): when, how much, which tables",
       "The table dosql_log has more: SELECT * FROM dosql_log;\n", 0, 1, run_log},
      {"status", "", "Facts about the database and its files", "", 0, 0, run_status},
  };
}

}  // namespace dosql::shell
