// Dot-commands that move data in and out as text.

#include <unistd.h>

#include <fmt/format.h>

#include "apps/dosql/dot_command.h"
#include "apps/dosql/import.h"
#include "apps/dosql/shell.h"
#include "apps/dosql/text.h"

namespace dosql::shell {

namespace {

bool ends_with_any(std::string_view path, std::initializer_list<std::string_view> endings) {
  const std::string lower = to_lower(path);
  for (const std::string_view ending : endings) {
    if (lower.ends_with(ending)) return true;
  }
  return false;
}

class ImportArguments {
 public:
  explicit ImportArguments(const Format& format) : format_(format) {}

  Result<ImportOptions> parse(Arguments arguments) {
    for (std::size_t i = 0; i < arguments.size(); ++i) {
      const bool has_value = i + 1 < arguments.size();
      DOSQL_ASSIGN_OR_RETURN(const bool used_value,
                             take(arguments[i], has_value ? &arguments[i + 1] : nullptr));
      if (used_value) ++i;
    }
    if (positions_ < 2) return usage_error("import", ".import needs FILE and TABLE");
    if (options_.file.starts_with('|')) {
      return Error(ErrorCode::kForbidden, ".import starts no programs")
          .with_hint("cat data.csv | dosql DATABASE \".import /dev/stdin TABLE\"");
    }
    choose_format();
    return options_;
  }

 private:
  Result<bool> take(const std::string& argument, const std::string* value) {
    std::string_view option = argument;
    if (!option.starts_with('-') || option == "-") return take_position(argument);
    option.remove_prefix(option.starts_with("--") ? 2 : 1);
    if (option == "csv" || option == "json" || option == "tabs") {
      kind_ = option;
      return false;
    }
    if (value == nullptr)
      return usage_error("import", fmt::format("{} needs a value, or is no option of .import", argument));
    if (option == "schema")
      options_.schema = *value;
    else if (option == "skip")
      return take_skip(*value);
    else if (option == "separator")
      return take_separator(*value);
    else
      return usage_error("import", fmt::format("unknown option '{}'", argument));
    return true;
  }

  Result<bool> take_position(const std::string& argument) {
    if (positions_ == 2) return usage_error("import", fmt::format(".import does not take '{}'", argument));
    (positions_++ == 0 ? options_.file : options_.table) = argument;
    return false;
  }

  Result<bool> take_skip(const std::string& value) {
    const auto count = parse_unsigned(value);
    if (!count) return usage_error("import", "--skip needs a number of records");
    options_.skip = *count;
    return true;
  }

  Result<bool> take_separator(const std::string& value) {
    if (value.size() != 1) return usage_error("import", "--separator needs one character");
    options_.separator = value[0];
    separator_given_ = true;
    return true;
  }

  // What the file's name and .separator say, where no option does.
  void choose_format() {
    const bool json =
        kind_ == "json" || (kind_.empty() && ends_with_any(options_.file, {".json", ".jsonl", ".ndjson"}));
    if (json) options_.kind = ImportOptions::Kind::kJson;
    if (separator_given_ || kind_ == "csv") return;
    if (kind_ == "tabs" || ends_with_any(options_.file, {".tsv", ".tab"}))
      options_.separator = '\t';
    else if (format_.mode == Mode::kTabs || format_.separator_chosen)
      options_.separator = format_.column_separator.substr(0, 1)[0];
  }

  const Format& format_;
  ImportOptions options_;
  std::string kind_;
  std::size_t positions_ = 0;
  bool separator_given_ = false;
};

Status run_import(Shell& shell, Arguments arguments) {
  DOSQL_ASSIGN_OR_RETURN(const ImportOptions options,
                         ImportArguments(shell.settings().format).parse(arguments));
  ProgressBar progress(shell.console(), shell.interrupts());
  auto rows = options.kind == ImportOptions::Kind::kJson
                  ? import_json(shell.connection(), options, progress)
                  : import_csv(shell.connection(), options, shell.console(), progress);
  if (!rows) return std::move(rows).error();
  if (!shell.interactive()) return {};
  const std::string where =
      shell.connection().in_transaction()
          ? "not committed yet"
          : fmt::format("{}@{}", shell.connection().current_branch(), shell.connection().version());
  shell.out().write(fmt::format(" {}  {} · {} · {}\n", bar(1), count_of(*rows, "row", "rows"),
                                format_seconds(progress.elapsed_seconds()), where));
  return {};
}

Status run_read(Shell& shell, Arguments arguments) {
  if (arguments[0].starts_with('|'))
    return Error(ErrorCode::kForbidden, ".read starts no programs").with_hint("give the name of a file");
  return shell.run_file(arguments[0]);
}

Status redirect(Shell& shell, std::string_view command, Arguments arguments, bool once) {
  if (arguments.empty() || arguments[0] == "stdout") return shell.out().back_to_standard_output();
  const std::string& path = arguments[0];
  if (path.starts_with('|')) {
    return Error(ErrorCode::kForbidden, fmt::format(".{} starts no programs", command))
        .with_hint("dosql DATABASE \"SELECT ...\" | program");
  }
  if (path.starts_with('-')) return usage_error(command, fmt::format("unknown option '{}'", path));
  return shell.out().open_file(path, once);
}

Status run_output(Shell& shell, Arguments arguments) { return redirect(shell, "output", arguments, false); }
Status run_once(Shell& shell, Arguments arguments) { return redirect(shell, "once", arguments, true); }

}  // namespace

std::vector<DotCommand> data_commands() {
  return {
      {"import", "FILE TABLE [OPTIONS]", "Rows of a CSV or JSON file into a table, as one version",
       "A TABLE that does not exist is created: names from the first record, INTEGER, REAL or TEXT from the "
       "data.\n"
       "Where it exists, a first record that repeats its column names is skipped.\n"
       "Empty CSV fields become NULL in columns of numbers. All rows are imported, or none.\n"
       "JSON is an array of objects, or one object per line; it is taken for files named .json, .jsonl, "
       ".ndjson.\n"
       "  --csv            comma-separated values, whatever .separator says\n"
       "  --tabs           tab-separated values; taken for files named .tsv\n"
       "  --json           JSON, whatever the file's name says\n"
       "  --separator C    fields are separated by C\n"
       "  --skip N         drop the first N records\n"
       "  --schema NAME    into a table of an attached database, or of temp\n",
       1, kAnyNumber, run_import},
      {"once", "FILE", "Output of the next command into FILE", "", 1, 1, run_once, true},
      {"output", "[FILE]", "Output of all further commands into FILE; without FILE to the terminal again", "",
       0, 1, run_output},
      {"read", "FILE", "Run the SQL and dot-commands in FILE", "", 1, 1, run_read},
  };
}

}  // namespace dosql::shell
