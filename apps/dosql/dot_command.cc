#include "apps/dosql/dot_command.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "apps/dosql/text.h"
#include "base/nearest_name.h"

namespace dosql::shell {

namespace {

std::vector<DotCommand> collect_commands() {
  std::vector<DotCommand> all;
  for (auto&& list : {settings_commands(), schema_commands(), data_commands(), database_commands(),
                      branch_commands(), change_commands(), help_commands()}) {
    all.insert(all.end(), list.begin(), list.end());
  }
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return all;
}

// Commands of the sqlite3 shell that people will try, and what to do here.
constexpr std::array<std::pair<std::string_view, std::string_view>, 15> kElsewhere{{
    {"open", "leave with .quit and start dosql with the other directory"},
    {"save", ".backup DIRECTORY copies the database, .export-sqlite FILE writes an ordinary SQLite file"},
    {"clone", ".backup DIRECTORY copies the database with its history"},
    {"restore", "open the backup: it is a database like any other"},
    {"shell", "dosql starts no other programs; use another terminal"},
    {"system", "dosql starts no other programs; use another terminal"},
    {"cd", "dosql keeps its working directory; give a path instead"},
    {"load", "dosql loads no extensions"},
    {"recover", ".check finds what is damaged, .export-sqlite FILE POINT takes an older version out"},
    {"dbinfo", ".status shows facts about the database"},
    {"indices", "SELECT name FROM sqlite_schema WHERE type = 'index'; lists them"},
    {"fullschema", ".schema shows the schema, .dump also the statistics of ANALYZE"},
    {"timeout", "PRAGMA busy_timeout = MILLISECONDS; does it"},
    {"version", "dosql -version, or SELECT sqlite_version();"},
    {"eqp", "write EXPLAIN QUERY PLAN before the statement"},
}};

Error unknown_command(std::string_view name) {
  Error error(ErrorCode::kInvalidArgument, fmt::format("unknown command '.{}'", name));
  for (const auto& [elsewhere, hint] : kElsewhere) {
    if (name == elsewhere) return std::move(error).with_hint(std::string(hint));
  }
  std::vector<std::string_view> names;
  for (const DotCommand& command : dot_commands()) names.push_back(command.name);
  const std::string_view meant = nearest_name(name, names);
  if (!meant.empty()) return std::move(error).with_hint(fmt::format("did you mean .{}?", meant));
  return std::move(error).with_hint(".help lists all commands");
}

// The character that a backslash and what follows stand for; moves `at` behind it.
char take_escape(std::string_view line, std::size_t& at) {
  static constexpr std::string_view kNames = "abtnvfr";
  static constexpr std::string_view kValues = "\a\b\t\n\v\f\r";
  const char c = line[at++];
  if (const std::size_t known = kNames.find(c); known != std::string_view::npos) return kValues[known];
  if (c < '0' || c > '7') return c;
  int value = c - '0';
  for (int more = 0; more < 2 && at < line.size() && line[at] >= '0' && line[at] <= '7'; ++more) {
    value = value * 8 + (line[at++] - '0');
  }
  return static_cast<char>(value);
}

Result<std::string> take_quoted(std::string_view line, std::size_t& at) {
  const char quote = line[at++];
  std::string word;
  while (at < line.size() && line[at] != quote) {
    const char c = line[at++];
    if (c == '\\' && quote == '"' && at < line.size())
      word += take_escape(line, at);
    else
      word += c;
  }
  if (at == line.size()) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("a {} is not closed", quote == '"' ? "double quote" : "single quote"));
  }
  ++at;
  return word;
}

std::string take_bare(std::string_view line, std::size_t& at) {
  std::string word;
  while (at < line.size() && !is_space(line[at])) {
    const char c = line[at++];
    if (c == '\\' && at < line.size())
      word += take_escape(line, at);
    else
      word += c;
  }
  return word;
}

}  // namespace

std::span<const DotCommand> dot_commands() {
  static const std::vector<DotCommand> commands = collect_commands();
  return commands;
}

Result<const DotCommand*> find_command(std::string_view name) {
  std::vector<const DotCommand*> starting;
  for (const DotCommand& command : dot_commands()) {
    if (command.name == name) return &command;
    if (command.name.starts_with(name)) starting.push_back(&command);
  }
  if (name.empty() || starting.empty()) return unknown_command(name);
  if (starting.size() == 1) return starting.front();
  std::string list;
  for (const DotCommand* command : starting)
    list += fmt::format("{}.{}", list.empty() ? "" : ", ", command->name);
  return Error(ErrorCode::kInvalidArgument, fmt::format("'.{}' may be one of {}", name, list));
}

Status call_command(Shell& shell, const DotCommand& command, Arguments arguments) {
  if (arguments.size() < command.min_arguments)
    return Error(ErrorCode::kInvalidArgument, fmt::format(".{} needs {}", command.name, command.usage));
  if (arguments.size() > command.max_arguments) {
    return usage_error(command.name,
                       fmt::format(".{} does not take '{}'", command.name, arguments[command.max_arguments]));
  }
  return command.run(shell, arguments);
}

Result<std::vector<std::string>> split_words(std::string_view line) {
  std::vector<std::string> words;
  for (std::size_t at = 0;;) {
    while (at < line.size() && is_space(line[at])) ++at;
    if (at == line.size()) return words;
    if (line[at] == '\'' || line[at] == '"') {
      DOSQL_ASSIGN_OR_RETURN(std::string word, take_quoted(line, at));
      words.push_back(std::move(word));
    } else {
      words.push_back(take_bare(line, at));
    }
  }
}

Error usage_error(std::string_view command, std::string message) {
  std::string usage = fmt::format("usage: .{}", command);
  for (const DotCommand& entry : dot_commands()) {
    if (entry.name == command && !entry.usage.empty()) usage += fmt::format(" {}", entry.usage);
  }
  return Error(ErrorCode::kInvalidArgument, std::move(message)).with_hint(std::move(usage));
}

Result<bool> switch_argument(std::string_view command, std::string_view argument) {
  const auto value = parse_switch(argument);
  if (value) return *value;
  return usage_error(command, fmt::format(".{} takes on or off, not '{}'", command, argument));
}

}  // namespace dosql::shell
