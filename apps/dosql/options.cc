#include "apps/dosql/options.h"

#include <fmt/format.h>

#include "apps/dosql/text.h"
#include "base/nearest_name.h"

namespace dosql::shell {

namespace {

constexpr std::string_view kHelp =
    R"(Usage: dosql [OPTIONS] DATABASE [SQL...]

DATABASE is a directory; it is made when it does not exist. Every committed
transaction becomes a version of it: main@1, main@2, ...

SQL and dot-commands come from the arguments, else from standard input; at a
terminal you are asked for them. Each SQL argument may hold several statements.

  dosql shop                                 work at the prompt; .help lists the commands
  dosql shop "SELECT count(*) FROM cities"   one query
  dosql shop -json "SELECT * FROM cities"    its rows as JSON
  dosql shop < setup.sql                     run a file
  dosql shop ".import cities.csv cities"     load a CSV or JSON file
  dosql shop ".import-sqlite old.db"         take over an ordinary SQLite database
  dosql shop ".export-sqlite new.db main@3"  write version 3 as an ordinary SQLite database
  dosql shop "SELECT * FROM dosql_log"       what was committed, and when
  dosql shop -as-of 2026-01-31 .tables       as it was when that day began

How rows are shown:
  -list              values separated by | (the default)
  -csv, -tabs        separated by commas, by tabs
  -json              an array of objects
  -table, -box       drawn with ASCII lines, with Unicode lines
  -column            aligned columns
  -line              one value per line
  -markdown, -quote  as a Markdown table, as SQL literals
  -header, -noheader column names above the rows, or not
  -separator SEP     between values
  -newline SEP       between rows
  -nullvalue TEXT    for NULL

Where it begins:
  -branch NAME       on another branch than main
  -as-of POINT       at a past version, and stays there: nothing can be written.
                     POINT is main@5, 5 (of the branch), a timestamp, lsn:6816,
                     current-5, or the name of a snapshot or branch

How it runs:
  -readonly          change nothing; works while another process writes
  -bail              stop at the first error
  -cmd COMMAND       run COMMAND before anything else; may be repeated
  -echo              print each command before it runs
  -batch             never prompt, also at a terminal
  -interactive       prompt, also without a terminal
  -version           show the versions of dosql and SQLite
  -help              show this text

Options may be written with one dash or two, before and behind DATABASE.
Errors go to standard error; the exit status is 1 when anything failed.

Environment: DOSQL_HISTORY names the history file (~/.dosql_history; empty: none),
NO_COLOR turns colours off.
)";

// Written by hand rather than with CLI11: its long options have two dashes, so that all of the work
// (sqlite3's single dash, values that start with a dash) would lie in front of it.

struct OptionDefinition {
  std::string_view name;
  bool has_value;
  void (*apply)(CommandLine& line, const std::string& value);
};

// The options set separators only where the mode needs others: -csv ends rows with \n, as sqlite3's does.
template <Mode mode>
void choose_mode(CommandLine& line, const std::string&) {
  Format& format = line.settings.format;
  format.mode = mode;
  if (format.separator_chosen) return;
  if (mode == Mode::kCsv || mode == Mode::kQuote) format.column_separator = ",";
  if (mode == Mode::kTabs) format.column_separator = "\t";
  if (mode == Mode::kList) format.column_separator = "|";
}

template <bool on>
void choose_headers(CommandLine& line, const std::string&) {
  line.settings.format.headers = on;
  line.settings.format.headers_chosen = true;
}

void choose_separator(CommandLine& line, const std::string& value) {
  line.settings.format.column_separator = value;
  line.settings.format.separator_chosen = true;
}

using Interaction = CommandLine::Interaction;
using Action = CommandLine::Action;

constexpr OptionDefinition kOptions[] = {
    {"list", false, choose_mode<Mode::kList>},
    {"csv", false, choose_mode<Mode::kCsv>},
    {"tabs", false, choose_mode<Mode::kTabs>},
    {"json", false, choose_mode<Mode::kJson>},
    {"table", false, choose_mode<Mode::kTable>},
    {"box", false, choose_mode<Mode::kBox>},
    {"column", false, choose_mode<Mode::kColumn>},
    {"line", false, choose_mode<Mode::kLine>},
    {"markdown", false, choose_mode<Mode::kMarkdown>},
    {"quote", false, choose_mode<Mode::kQuote>},
    {"header", false, choose_headers<true>},
    {"noheader", false, choose_headers<false>},
    {"separator", true, choose_separator},
    {"newline", true,
     [](CommandLine& line, const std::string& value) { line.settings.format.row_separator = value; }},
    {"nullvalue", true,
     [](CommandLine& line, const std::string& value) { line.settings.format.null_text = value; }},
    {"cmd", true, [](CommandLine& line, const std::string& value) { line.commands.push_back(value); }},
    {"branch", true, [](CommandLine& line, const std::string& value) { line.branch = value; }},
    {"as-of", true, [](CommandLine& line, const std::string& value) { line.as_of = value; }},
    {"readonly", false, [](CommandLine& line, const std::string&) { line.read_only = true; }},
    {"bail", false, [](CommandLine& line, const std::string&) { line.settings.bail = true; }},
    {"echo", false, [](CommandLine& line, const std::string&) { line.settings.echo = true; }},
    {"batch", false, [](CommandLine& line, const std::string&) { line.interaction = Interaction::kBatch; }},
    {"interactive", false,
     [](CommandLine& line, const std::string&) { line.interaction = Interaction::kInteractive; }},
    {"version", false, [](CommandLine& line, const std::string&) { line.action = Action::kShowVersion; }},
    {"help", false, [](CommandLine& line, const std::string&) { line.action = Action::kShowHelp; }},
    {"h", false, [](CommandLine& line, const std::string&) { line.action = Action::kShowHelp; }},
};

constexpr std::string_view kPointer = "dosql --help lists the options";

Error wrong_option(std::string message) {
  return Error(ErrorCode::kInvalidArgument, std::move(message)).with_hint(std::string(kPointer));
}

Result<const OptionDefinition*> find_option(std::string_view argument, std::string_view name) {
  std::vector<std::string_view> names;
  for (const OptionDefinition& option : kOptions) {
    if (option.name == name) return &option;
    names.push_back(option.name);
  }
  const std::string_view meant = nearest_name(name, names);
  const std::string question = meant.empty() ? "" : fmt::format("did you mean -{}? ", meant);
  return wrong_option(fmt::format("unknown option {}", argument)).with_hint(question + std::string(kPointer));
}

class Parser {
 public:
  explicit Parser(const std::vector<std::string>& arguments) : arguments_(arguments) {}

  Result<CommandLine> parse() {
    while (at_ < arguments_.size()) DOSQL_RETURN_IF_ERROR(take(arguments_[at_++]));
    if (line_.action == Action::kRun && !database_given_) {
      return Error(ErrorCode::kInvalidArgument, "no DATABASE given")
          .with_hint("dosql DIRECTORY opens a database or makes one; dosql --help says more");
    }
    return std::move(line_);
  }

 private:
  Status take(const std::string& argument) {
    const bool comment = argument.starts_with("-- ");  // SQL
    const bool option = argument.size() > 1 && argument[0] == '-' && !comment && !options_ended_;
    if (option && argument != "--") return take_option(argument);
    if (option) {
      options_ended_ = true;
    } else if (database_given_) {
      line_.inputs.push_back(argument);
    } else {
      line_.database = argument;
      database_given_ = true;
    }
    return {};
  }

  // -name, --name, -name=value, -name value.
  Status take_option(const std::string& argument) {
    std::string_view name = argument;
    name.remove_prefix(name.starts_with("--") ? 2 : 1);
    const std::size_t equals = name.find('=');
    DOSQL_ASSIGN_OR_RETURN(const OptionDefinition* option, find_option(argument, name.substr(0, equals)));
    std::string value;
    if (equals != std::string_view::npos) {
      if (!option->has_value) return wrong_option(fmt::format("option -{} takes no value", option->name));
      value = name.substr(equals + 1);
    } else if (option->has_value) {
      if (at_ == arguments_.size())
        return wrong_option(fmt::format("option -{} needs a value", option->name));
      value = arguments_[at_++];
    }
    option->apply(line_, value);
    return {};
  }

  const std::vector<std::string>& arguments_;
  std::size_t at_ = 0;
  bool options_ended_ = false;
  bool database_given_ = false;
  CommandLine line_;
};

}  // namespace

Result<CommandLine> parse_command_line(const std::vector<std::string>& arguments) {
  return Parser(arguments).parse();
}

std::string_view help_text() { return kHelp; }

}  // namespace dosql::shell
