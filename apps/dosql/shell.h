// The shell: takes lines, runs the SQL and the dot-commands in them, shows rows and errors.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <dosql/dosql.h>

#include "apps/dosql/console.h"
#include "apps/dosql/format.h"
#include "apps/dosql/interrupts.h"
#include "apps/dosql/line_source.h"
#include "apps/dosql/output.h"
#include "apps/dosql/row_writer.h"
#include "apps/dosql/statement_splitter.h"

namespace dosql::shell {

// What dot-commands and options may change.
struct Settings {
  Format format;
  bool bail = false;
  bool echo = false;
  bool timer = false;
  bool changes = false;
  std::string main_prompt;          // empty: "main> ", the branch; "main@5> " with -as-of
  std::string continuation_prompt;  // empty: " ...> "
};

class Shell {
 public:
  enum class Interaction : std::uint8_t { kBatch, kInteractive };

  Shell(Database database, Connection connection, Settings settings, Interaction interaction,
        Interrupts& interrupts);
  ~Shell();

  // Runs all of `source`. A failure is reported and the next command runs, unless .bail is on or `stop` is
  // kAtFirstError.
  enum class Stop : std::uint8_t { kAtEnd, kAtFirstError };
  void run(LineSource& source, const Origin& origin, Stop stop);
  // The same for a file; .read. Errors: kNotFound and kIo of the file itself, kInvalidArgument where files
  // read each other without end.
  Status run_file(const std::string& path);

  // Commands that failed so far.
  std::uint64_t failures() const { return failures_; }
  // .quit, or a failure with .bail on: nothing more is to be run.
  bool finished() const { return exit_code_.has_value(); }
  // 0 or 1, or what .exit asked for.
  int exit_code() const { return exit_code_.value_or(failures_ > 0 ? 1 : 0); }
  std::optional<int> requested_exit_code() const { return exit_code_; }
  void request_exit(int code) { exit_code_ = code; }

  // Closes the database; the shell is done then.
  Status close();

  // Runs one statement with `parameters` and shows its rows in `format`.
  Status show_query(std::string_view sql, std::initializer_list<Value> parameters, const Format& format);

  // Ctrl-C, as an error, when one came.
  Status check_interrupt() const;

  Database& database() { return *database_; }
  Connection& connection() { return *connection_; }
  Settings& settings() { return settings_; }
  Output& out() { return out_; }
  Console& console() { return console_; }
  Interrupts& interrupts() { return interrupts_; }
  // Values that .parameter gave, by name with prefix.
  std::map<std::string, Value>& parameters() { return parameters_; }
  // While lines come from a person: a statement is begun and not complete. Lives as long as the shell.
  const bool& statement_unfinished() const { return statement_unfinished_; }
  bool interactive() const { return interaction_ == Interaction::kInteractive; }
  // What a command needs to say where it stands.
  const Origin& origin() const { return *origin_; }

 private:
  void run_line(const std::string& line, LineSource& source, StatementSplitter& splitter, Stop stop,
                std::uint64_t failures_before);
  void run_dot_command(std::string_view line, std::size_t line_number);
  void run_statement(const SplitStatement& statement);
  Status execute(std::string_view sql);
  Status execute_one(Statement& statement);
  Status reload_schema_when_written(const Statement& statement);
  Status step_rows(Statement& statement, RowWriter& writer);
  Status bind_parameters(Statement& statement);
  std::unique_ptr<RowWriter> writer_for(const Statement& statement);
  // Of the connection: "main@5".
  std::string version_name() const;
  void show_outcome(const Statement& statement, const std::string& version_before,
                    std::int64_t total_changes_before);
  void fail(const Error& error, const SqlPlace& place);
  void end_command(const SqlPlace& place);
  bool stopped(Stop stop, std::uint64_t failures_before) const;
  std::string place_text() const;
  std::string prompt(bool continuation) const;

  std::optional<Database> database_;
  std::optional<Connection> connection_;
  Settings settings_;
  Interaction interaction_;
  Interrupts& interrupts_;
  Output out_;
  Console console_;
  std::map<std::string, Value> parameters_;
  const Origin* origin_;
  Format explain_format_;
  std::uint64_t failures_ = 0;
  std::optional<int> exit_code_;
  bool schema_was_written_ = false;
  int file_depth_ = 0;
  bool statement_unfinished_ = false;
};

}  // namespace dosql::shell
