#include "apps/dosql/shell.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>

#include <fmt/format.h>

#include "apps/dosql/advice.h"
#include "apps/dosql/dot_command.h"
#include "apps/dosql/text.h"

namespace dosql::shell {

namespace {

// Files that .read each other end here rather than in the stack.
constexpr int kMaxFileDepth = 25;

// Virtual machine steps between two looks at Ctrl-C: some ten microseconds.
constexpr int kStepsPerLook = 1000;

const Origin kNowhere{};

std::string_view first_word(std::string_view sql) {
  std::size_t end = 0;
  while (end < sql.size() && ((sql[end] | 0x20) >= 'a' && (sql[end] | 0x20) <= 'z')) ++end;
  return sql.substr(0, end);
}

// A statement whose row count means something.
bool changes_rows(const Statement& statement) {
  if (statement.read_only() || statement.explain_mode() != 0) return false;
  const std::string_view word = first_word(statement.sql());
  for (std::string_view verb : {"INSERT", "UPDATE", "DELETE", "REPLACE", "WITH"}) {
    if (equals_ignoring_case(word, verb)) return true;
  }
  return false;
}

// What people type at the prompt before they know that commands begin with a dot; empty: nothing of it.
std::string_view what_was_meant(std::string_view line) {
  line = trim(line);
  if (line.ends_with(';')) line = trim(line.substr(0, line.size() - 1));
  if (equals_ignoring_case(line, "help"))
    return ".help lists the commands; anything else is SQL and ends with ;";
  for (const std::string_view word : {"exit", "quit", "bye"}) {
    if (equals_ignoring_case(line, word)) return ".quit leaves, and so does Ctrl-D";
  }
  return {};
}

// .timer: what a command took.
class Stopwatch {
 public:
  Stopwatch() : started_(std::chrono::steady_clock::now()) { ::getrusage(RUSAGE_SELF, &usage_); }

  std::string report() const {
    rusage now = {};
    ::getrusage(RUSAGE_SELF, &now);
    const std::chrono::duration<double> real = std::chrono::steady_clock::now() - started_;
    return fmt::format("Run Time: real {:.3f} user {:.6f} sys {:.6f}\n", real.count(),
                       seconds(now.ru_utime) - seconds(usage_.ru_utime),
                       seconds(now.ru_stime) - seconds(usage_.ru_stime));
  }

 private:
  static double seconds(const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  }
  std::chrono::steady_clock::time_point started_;
  rusage usage_ = {};
};

}  // namespace

Shell::Shell(Database database, Connection connection, Settings settings, Interaction interaction,
             Interrupts& interrupts)
    : database_(std::move(database)),
      connection_(std::move(connection)),
      settings_(std::move(settings)),
      interaction_(interaction),
      interrupts_(interrupts),
      origin_(&kNowhere) {
  explain_format_.switch_to(Mode::kColumn);
  // Connection::interrupt() is forgotten when it comes just before a statement begins; this is not.
  connection_->set_progress(kStepsPerLook, [this] { return !interrupts_.pending(); });
}

Shell::~Shell() = default;

Status Shell::close() {
  connection_.reset();
  Status status = database_->close();
  database_.reset();
  Status flushed = out_.flush();
  return status ? std::move(flushed) : std::move(status);
}

void Shell::run(LineSource& source, const Origin& origin, Stop stop) {
  const Origin* const outer = std::exchange(origin_, &origin);
  const std::uint64_t failures_before = failures_;
  StatementSplitter splitter;
  for (;;) {
    if (origin.kind == Origin::Kind::kTerminal && interrupts_.pending()) {
      splitter.clear();  // Ctrl-C drops what is left of the line
      interrupts_.clear();
    }
    if (stopped(stop, failures_before)) break;
    statement_unfinished_ = !splitter.idle();
    const auto line = source.next(prompt(statement_unfinished_));
    if (!line) {
      fail(line.error(), {});
      break;
    }
    if (line->kind == ReadLine::Kind::kEnd) break;
    if (line->kind == ReadLine::Kind::kInterrupted)
      splitter.clear();
    else
      run_line(line->text, source, splitter, stop, failures_before);
  }
  if (!stopped(stop, failures_before)) {
    if (const auto rest = splitter.finish()) run_statement(*rest);
  }
  origin_ = outer;
}

void Shell::run_line(const std::string& line, LineSource& source, StatementSplitter& splitter, Stop stop,
                     std::uint64_t failures_before) {
  const bool between_statements = splitter.idle();
  if (between_statements && interactive() && origin_->kind == Origin::Kind::kTerminal) {
    if (const std::string_view meant = what_was_meant(line); !meant.empty()) {
      source.remember(line);
      console_.hint(meant);
      return;
    }
  }
  splitter.feed_line(between_statements && (line.starts_with('.') || line.starts_with('#')) ? "" : line);
  if (between_statements && line.starts_with('.')) {
    source.remember(line);
    run_dot_command(line, splitter.line_count());
    return;
  }
  while (!stopped(stop, failures_before)) {
    const auto statement = splitter.next();
    if (!statement) return;
    source.remember(statement->text);
    run_statement(*statement);
  }
}

Status Shell::run_file(const std::string& path) {
  if (file_depth_ >= kMaxFileDepth) {
    return Error(
        ErrorCode::kInvalidArgument,
        fmt::format("'{}' is read {} levels deep: do files read each other?", path, file_depth_ + 1));
  }
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  struct stat facts = {};
  if (descriptor >= 0 && ::fstat(descriptor, &facts) == 0 && S_ISDIR(facts.st_mode)) errno = EISDIR;
  if (descriptor < 0 || S_ISDIR(facts.st_mode)) {
    const int code = errno;
    if (descriptor >= 0) ::close(descriptor);
    return Error(code == ENOENT ? ErrorCode::kNotFound : ErrorCode::kIo,
                 fmt::format("cannot read '{}': {}", path, std::strerror(code)));
  }
  ++file_depth_;
  const Origin origin{Origin::Kind::kFile, path};
  const auto source = make_descriptor_source(descriptor, fmt::format("'{}'", path));
  run(*source, origin, Stop::kAtEnd);
  --file_depth_;
  ::close(descriptor);
  return {};
}

void Shell::run_dot_command(std::string_view line, std::size_t line_number) {
  const SqlPlace place{{}, line_number};
  if (settings_.echo) out_.write(fmt::format("{}\n", line));
  const auto words = split_words(line.substr(1));
  if (!words) return fail(words.error(), place);
  if (words->empty())
    return fail(
        Error(ErrorCode::kInvalidArgument, "a dot-command needs a name").with_hint(".help lists them"),
        place);
  WatchScope watch(interrupts_, *connection_);
  const auto command = find_command(words->front());
  if (!command) return fail(command.error(), place);
  const Status status = call_command(*this, **command, std::span(*words).subspan(1));
  if (!status) fail(status.error(), place);
  if (!(*command)->redirects_next) end_command(place);
}

void Shell::run_statement(const SplitStatement& statement) {
  const SqlPlace place{statement.text, statement.line};
  if (settings_.echo) out_.write(statement.text + '\n');
  std::optional<Stopwatch> stopwatch;
  if (settings_.timer) stopwatch.emplace();
  const bool was_in_transaction = connection_->in_transaction();
  const Status status = execute(statement.text);
  if (!status) {
    Error error = with_advice(status.error(), *connection_);
    if (was_in_transaction && !connection_->in_transaction()) error = with_rollback_hint(std::move(error));
    fail(error, place);
  }
  if (stopwatch) out_.write(stopwatch->report());
  end_command(place);
}

Status Shell::execute(std::string_view sql) {
  WatchScope watch(interrupts_, *connection_);
  std::string_view rest = sql;
  while (!rest.empty()) {
    std::string_view tail;
    auto statement = connection_->prepare(rest, tail);
    Status status;
    if (!statement)
      status = std::move(statement).error();
    else if (!statement->empty())
      status = execute_one(*statement);
    if (!status) {
      Error error = std::move(status).error();
      const auto skipped = static_cast<std::size_t>(rest.data() - sql.data());
      if (error.message() == "incomplete input") return std::move(error).with_sql_offset(sql.size());
      if (error.sql_offset()) return std::move(error).with_sql_offset(*error.sql_offset() + skipped);
      return error;
    }
    rest = tail;
  }
  return {};
}

Status Shell::execute_one(Statement& statement) {
  DOSQL_RETURN_IF_ERROR(bind_parameters(statement));
  const std::string version_before = interactive() ? version_name() : "";
  const std::int64_t changes_before = sqlite3_total_changes64(connection_->sqlite_handle());
  const auto writer = writer_for(statement);
  DOSQL_RETURN_IF_ERROR(step_rows(statement, *writer));
  show_outcome(statement, version_before, changes_before);
  return reload_schema_when_written(statement);
}

// A dump makes virtual tables by writing into sqlite_schema. SQLite would see them only after the database is
// opened again; "reset" makes it read the schema now.
Status Shell::reload_schema_when_written(const Statement& statement) {
  constexpr std::string_view kSwitchedOff = "PRAGMA writable_schema=OFF";
  if (starts_with_ignoring_case(statement.sql(), kSwitchedOff)) schema_was_written_ = true;
  if (!schema_was_written_ || connection_->in_transaction()) return {};
  schema_was_written_ = false;
  return connection_->exec("PRAGMA writable_schema=RESET");
}

// What was written before a failure stays: a person sees how far it came.
Status Shell::step_rows(Statement& statement, RowWriter& writer) {
  writer.begin(statement);
  Result<bool> row = statement.step();
  for (; row && *row; row = statement.step()) writer.row(statement);
  writer.end();
  if (!row) return std::move(row).error();
  return {};
}

std::unique_ptr<RowWriter> Shell::writer_for(const Statement& statement) {
  if (statement.explain_mode() == 2) return make_query_plan_writer(out_);
  return make_row_writer(statement.explain_mode() == 1 ? explain_format_ : settings_.format, out_);
}

Status Shell::bind_parameters(Statement& statement) {
  for (int index = 1; index <= statement.parameter_count(); ++index) {
    const std::string_view name = statement.parameter_name(index);
    const auto found = parameters_.find(name.empty() ? fmt::format("?{}", index) : std::string(name));
    if (found != parameters_.end()) DOSQL_RETURN_IF_ERROR(statement.bind(index, found->second));
  }
  return {};
}

Status Shell::show_query(std::string_view sql, std::initializer_list<Value> parameters,
                         const Format& format) {
  DOSQL_ASSIGN_OR_RETURN(Statement statement, connection_->prepare(sql));
  DOSQL_RETURN_IF_ERROR(statement.bind_all(std::span(parameters.begin(), parameters.size())));
  const auto writer = make_row_writer(format, out_);
  return step_rows(statement, *writer);
}

std::string Shell::version_name() const {
  return fmt::format("{}@{}", connection_->current_branch(), connection_->version());
}

void Shell::show_outcome(const Statement& statement, const std::string& version_before,
                         std::int64_t total_changes_before) {
  sqlite3* const handle = connection_->sqlite_handle();
  const std::int64_t total = sqlite3_total_changes64(handle);
  if (settings_.changes) {
    out_.write(fmt::format("changes: {}   total_changes: {}\n", sqlite3_changes64(handle), total));
  }
  if (!interactive() || !out_.is_standard_output()) return;
  std::string text;
  if (changes_rows(statement)) {
    const std::int64_t rows = total == total_changes_before ? 0 : sqlite3_changes64(handle);
    text = count_of(static_cast<std::uint64_t>(rows), "row", "rows");
    if (connection_->in_transaction()) text += " · not committed yet";
  }
  const std::string version = version_name();
  if (version != version_before || (!text.empty() && !connection_->in_transaction())) {
    text += (text.empty() ? "" : " · ") + version;
  }
  if (!text.empty()) out_.write(dim(text, colours_wanted(STDOUT_FILENO) ? Colour::kOn : Colour::kOff) + '\n');
}

Status Shell::check_interrupt() const {
  if (!interrupts_.pending()) return {};
  return Error(ErrorCode::kInterrupted, "interrupted");
}

void Shell::fail(const Error& error, const SqlPlace& place) {
  out_.flush().ignore("end_command() reports it");
  ++failures_;
  console_.error(error, *origin_, place);
  // Ctrl-C in a script means the script, at the prompt only the statement.
  if (error.code() == ErrorCode::kInterrupted && !interactive()) exit_code_ = 130;
  if (settings_.bail && !finished()) exit_code_ = 1;
}

void Shell::end_command(const SqlPlace& place) {
  const Status status = out_.end_of_command();
  if (!status) fail(status.error(), place);
}

bool Shell::stopped(Stop stop, std::uint64_t failures_before) const {
  return finished() || interrupts_.pending() || (stop == Stop::kAtFirstError && failures_ > failures_before);
}

// The branch; where the shell stays at a version, that.
std::string Shell::place_text() const {
  if (!connection_->fixed()) return std::string(connection_->current_branch());
  return fmt::format("{}@{}", connection_->current_branch(), connection_->version());
}

std::string Shell::prompt(bool continuation) const {
  if (!interactive() || origin_->kind == Origin::Kind::kFile || !connection_) return "";
  const std::string main =
      settings_.main_prompt.empty() ? fmt::format("{}> ", place_text()) : settings_.main_prompt;
  if (!continuation) return main;
  if (!settings_.continuation_prompt.empty()) return settings_.continuation_prompt;
  return fmt::format("{:>{}}", "...> ", std::max<std::size_t>(display_width(main), 6));
}

}  // namespace dosql::shell
