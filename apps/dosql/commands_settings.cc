// Dot-commands that change how the shell behaves.

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "apps/dosql/dot_command.h"
#include "apps/dosql/shell.h"
#include "apps/dosql/text.h"

namespace dosql::shell {

namespace {

// Where `.mode` puts lines broken, unless told otherwise.
constexpr std::size_t kDefaultWrapColumns = 60;

// Not a mode of its own.
constexpr ModeName kQuotedBox{Mode::kBox, "qbox", "box with values as SQL literals"};

// What `.mode` takes, in order.
std::vector<ModeName> names_for_mode() {
  std::vector<ModeName> names(mode_names().begin(), mode_names().end());
  names.push_back(kQuotedBox);
  std::sort(names.begin(), names.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return names;
}

Status set_switch(std::string_view command, bool& setting, Arguments arguments) {
  DOSQL_ASSIGN_OR_RETURN(setting, switch_argument(command, arguments[0]));
  return {};
}

Status run_bail(Shell& shell, Arguments arguments) {
  return set_switch("bail", shell.settings().bail, arguments);
}
Status run_echo(Shell& shell, Arguments arguments) {
  return set_switch("echo", shell.settings().echo, arguments);
}
Status run_timer(Shell& shell, Arguments arguments) {
  return set_switch("timer", shell.settings().timer, arguments);
}
Status run_changes(Shell& shell, Arguments arguments) {
  return set_switch("changes", shell.settings().changes, arguments);
}

Status run_headers(Shell& shell, Arguments arguments) {
  Format& format = shell.settings().format;
  DOSQL_RETURN_IF_ERROR(set_switch("headers", format.headers, arguments));
  format.headers_chosen = true;
  return {};
}

Status run_separator(Shell& shell, Arguments arguments) {
  Format& format = shell.settings().format;
  format.column_separator = arguments[0];
  if (arguments.size() > 1) format.row_separator = arguments[1];
  format.separator_chosen = true;
  return {};
}

Status run_nullvalue(Shell& shell, Arguments arguments) {
  shell.settings().format.null_text = arguments[0];
  return {};
}

Status run_width(Shell& shell, Arguments arguments) {
  std::vector<int> widths;
  for (const std::string& argument : arguments) {
    const auto width = parse_signed(argument);
    if (!width || *width < -10'000 || *width > 10'000) {
      return usage_error("width", fmt::format("'{}' is not a width between -10000 and 10000", argument));
    }
    widths.push_back(static_cast<int>(*width));
  }
  shell.settings().format.widths = std::move(widths);
  return {};
}

Status run_prompt(Shell& shell, Arguments arguments) {
  shell.settings().main_prompt = arguments.empty() ? "" : arguments[0];
  shell.settings().continuation_prompt = arguments.size() > 1 ? arguments[1] : "";
  return {};
}

Status run_print(Shell& shell, Arguments arguments) {
  for (std::size_t i = 0; i < arguments.size(); ++i) shell.out().write((i == 0 ? "" : " ") + arguments[i]);
  shell.out().write('\n');
  return {};
}

// The options of .mode, applied to a copy that counts only when all are well.
class ModeArguments {
 public:
  explicit ModeArguments(const Format& format) : format_(format) {
    format_.wrap_columns = kDefaultWrapColumns;
    format_.wrap_words = format_.quote_values = false;
  }

  Result<Format> parse(Arguments arguments) {
    for (std::size_t i = 0; i < arguments.size(); ++i) {
      const bool has_value = i + 1 < arguments.size();
      DOSQL_ASSIGN_OR_RETURN(const bool used_value,
                             take(arguments[i], has_value ? &arguments[i + 1] : nullptr));
      if (used_value) ++i;
    }
    if (mode_) format_.switch_to(*mode_);
    return format_;
  }

 private:
  // True when it used the value behind it.
  Result<bool> take(const std::string& argument, const std::string* value) {
    std::string_view option = argument;
    if (!option.starts_with('-')) return take_name(argument);
    option.remove_prefix(option.starts_with("--") ? 2 : 1);
    if (option == "ww")
      format_.wrap_words = true;
    else if (option == "quote")
      format_.quote_values = true;
    else if (option == "noquote")
      format_.quote_values = false;
    else
      return take_option_with_value(option, argument, value);
    return false;
  }

  Result<bool> take_option_with_value(std::string_view option, const std::string& argument,
                                      const std::string* value) {
    if (option == "wrap") {
      const auto columns = value != nullptr ? parse_unsigned(*value) : std::nullopt;
      if (!columns) return usage_error("mode", "--wrap needs a number of columns (0: do not wrap)");
      format_.wrap_columns = *columns;
      return true;
    }
    if (option == "wordwrap") {
      const auto on = value != nullptr ? parse_switch(*value) : std::nullopt;
      if (!on) return usage_error("mode", "--wordwrap needs on or off");
      format_.wrap_words = *on;
      return true;
    }
    return usage_error("mode", fmt::format("unknown option '{}'", argument));
  }

  Result<bool> take_name(const std::string& name) {
    if (mode_ == Mode::kInsert && !table_given_) {
      format_.insert_table = name;
      table_given_ = true;
      return false;
    }
    if (mode_) return usage_error("mode", fmt::format("'{}' comes behind the mode", name));
    if (name == kQuotedBox.name) {
      mode_ = Mode::kBox;
      format_.quote_values = true;
      return false;
    }
    mode_ = find_mode(name);
    if (!mode_) return unknown(name);
    if (*mode_ == Mode::kInsert) format_.insert_table = "table";
    return false;
  }

  static Error unknown(std::string_view name) {
    std::string list;
    for (const ModeName& entry : names_for_mode())
      list += fmt::format("{}{}", list.empty() ? "" : " ", entry.name);
    return Error(ErrorCode::kInvalidArgument, fmt::format("unknown mode '{}'", name))
        .with_hint(std::move(list));
  }

  Format format_;
  std::optional<Mode> mode_;
  bool table_given_ = false;
};

Status run_mode(Shell& shell, Arguments arguments) {
  Format& format = shell.settings().format;
  if (arguments.empty()) {
    shell.out().write(fmt::format("current output mode: {}\n", mode_name(format.mode)));
    return {};
  }
  DOSQL_ASSIGN_OR_RETURN(format, ModeArguments(format).parse(arguments));
  return {};
}

std::string escaped(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    switch (c) {
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      default: out += c;
    }
  }
  return out + '"';
}

Status run_show(Shell& shell, Arguments) {
  const Settings& settings = shell.settings();
  const Format& format = settings.format;
  std::string widths;
  for (const int width : format.widths) widths += fmt::format("{} ", width);
  const auto on_off = [](bool value) { return value ? "on" : "off"; };
  const std::pair<std::string_view, std::string> facts[] = {
      {"bail", on_off(settings.bail)},
      {"changes", on_off(settings.changes)},
      {"echo", on_off(settings.echo)},
      {"headers", on_off(format.headers)},
      {"mode", std::string(mode_name(format.mode))},
      {"nullvalue", escaped(format.null_text)},
      {"output", shell.out().is_standard_output() ? "stdout" : shell.out().path()},
      {"colseparator", escaped(format.column_separator)},
      {"rowseparator", escaped(format.row_separator)},
      {"timer", on_off(settings.timer)},
      {"width", std::string(trim(widths))},
      {"database", shell.database().path()},
  };
  for (const auto& [name, value] : facts) shell.out().write(fmt::format("{:>12}: {}\n", name, value));
  return {};
}

Status list_parameters(Shell& shell) {
  std::size_t width = 0;
  for (const auto& [name, value] : shell.parameters()) width = std::max(width, name.size());
  for (const auto& [name, value] : shell.parameters()) {
    DOSQL_ASSIGN_OR_RETURN(Statement quote, shell.connection().prepare("SELECT ?1"));
    DOSQL_RETURN_IF_ERROR(quote.bind(1, value));
    DOSQL_RETURN_IF_ERROR(quote.step());
    shell.out().write(
        fmt::format("{:<{}} {}\n", name, width, sql_literal(quote, 0, LineEnds::kKeep, Infinity::kLiteral)));
  }
  return {};
}

// The value is an SQL expression where it can be one, else text.
Status set_parameter(Shell& shell, const std::string& name, const std::string& text) {
  if (name.size() < 2 || std::string_view("$:@?").find(name[0]) == std::string_view::npos) {
    return usage_error("parameter", fmt::format("a parameter starts with one of $ : @ ?, not '{}'", name));
  }
  const auto rows = shell.connection().query(fmt::format("SELECT ({})", text));
  const bool is_value = rows && rows->size() == 1 && rows->front().size() == 1;
  shell.parameters()[name] = is_value ? rows->front()[0] : Value(text);
  return {};
}

Status run_parameter(Shell& shell, Arguments arguments) {
  const std::string& verb = arguments[0];
  if (verb == "list" && arguments.size() == 1) return list_parameters(shell);
  if (verb == "set" && arguments.size() == 3) return set_parameter(shell, arguments[1], arguments[2]);
  if (verb == "unset" && arguments.size() == 2) {
    if (shell.parameters().erase(arguments[1]) > 0) return {};
    return Error(ErrorCode::kNotFound, fmt::format("no parameter '{}' is set", arguments[1]));
  }
  if ((verb == "clear" || verb == "init") && arguments.size() == 1) {
    if (verb == "clear") shell.parameters().clear();
    return {};
  }
  return usage_error("parameter",
                     fmt::format(".parameter does not understand '{}'", fmt::join(arguments, " ")));
}

std::string mode_details() {
  std::string text = "MODE is one of:\n";
  for (const ModeName& entry : names_for_mode())
    text += fmt::format("  {:<10} {}\n", entry.name, entry.summary);
  text +=
      "Options of column, table, box and markdown:\n"
      "  --wrap N         break values longer than N columns (0: never; 60 unless given)\n"
      "  --wordwrap on    break at words; --ww is the same\n"
      "  --quote          values as SQL literals; --noquote as they are\n";
  return text;
}

}  // namespace

std::vector<DotCommand> settings_commands() {
  static const std::string mode_text = mode_details();
  return {
      {"bail", "on|off", "Stop at the first error", "", 1, 1, run_bail},
      {"changes", "on|off", "Show how many rows each statement changed", "", 1, 1, run_changes},
      {"echo", "on|off", "Print each command before it runs", "", 1, 1, run_echo},
      {"headers", "on|off", "Show column names above the rows", "", 1, 1, run_headers},
      {"mode", "[MODE] [OPTIONS]", "How rows are shown: list, csv, json, box, ...", mode_text, 0, kAnyNumber,
       run_mode},
      {"nullvalue", "TEXT", "What to show for NULL", "", 1, 1, run_nullvalue},
      {"parameter", "set NAME VALUE | unset NAME | list | clear", "Values for parameters in SQL",
       "set NAME VALUE   VALUE is an SQL expression, or text where it is none\n"
       "unset NAME       forget one\n"
       "list             show all\n"
       "clear            forget all\n"
       "NAME is written as in the SQL: :name, @name, $name or ?1. Parameters without a value are NULL.\n",
       1, 3, run_parameter},
      {"print", "TEXT...", "Print the text", "", 0, kAnyNumber, run_print},
      {"prompt", "[MAIN [CONTINUATION]]", "Other prompts; without arguments the usual ones", "", 0, 2,
       run_prompt},
      {"separator", "COLUMN [ROW]", "Separators of list, csv, tabs and quote", "", 1, 2, run_separator},
      {"show", "", "Show all settings", "", 0, 0, run_show},
      {"timer", "on|off", "Show how long each statement took", "", 1, 1, run_timer},
      {"width", "[N...]", "Least widths of columns; negative: to the right; none: as needed",
       "In the modes column, table, box and markdown. A value longer than its column's N is broken.\n", 0,
       kAnyNumber, run_width},
  };
}

}  // namespace dosql::shell
