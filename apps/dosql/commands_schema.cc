// Dot-commands that show what is in the database.

#include <algorithm>

#include <fmt/format.h>

#include "apps/dosql/dot_command.h"
#include "apps/dosql/dump.h"
#include "apps/dosql/schema.h"
#include "apps/dosql/shell.h"
#include "apps/dosql/text.h"

namespace dosql::shell {

namespace {

constexpr std::size_t kListColumns = 80;

// Names down the columns of a page, as ls does.
void write_in_columns(Output& out, const std::vector<std::string>& names) {
  std::size_t widest = 0;
  for (const std::string& name : names) widest = std::max(widest, display_width(name));
  const std::size_t per_row = std::max<std::size_t>(1, kListColumns / (widest + 2));
  const std::size_t rows = (names.size() + per_row - 1) / per_row;
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t i = row; i < names.size(); i += rows) {
      if (i >= rows) out.write("  ");
      out.write(names[i]);
      out.write(std::string(widest - display_width(names[i]), ' '));
    }
    out.write('\n');
  }
}

// Objects of all attached databases whose `column` is LIKE the pattern, as "schema.name" outside main.
Result<std::vector<std::string>> object_names(Connection& connection, std::string_view types,
                                              std::string_view column, const std::string& pattern) {
  DOSQL_ASSIGN_OR_RETURN(const std::vector<std::string> schemas, schema_names(connection));
  std::vector<std::string> names;
  for (const std::string& schema : schemas) {
    const std::string prefix = schema == "main" ? "" : schema + ".";
    DOSQL_ASSIGN_OR_RETURN(
        const Rows rows,
        connection.query(fmt::format("SELECT name FROM {}.sqlite_schema WHERE type IN ({}) AND name NOT LIKE "
                                     "'sqlite\\_%' ESCAPE '\\' AND {} LIKE ?1",
                                     quote_identifier_always(schema), types, column),
                         pattern));
    for (const Row& row : rows) names.push_back(prefix + row[0].text());
  }
  std::sort(names.begin(), names.end());
  return names;
}

Status run_tables(Shell& shell, Arguments arguments) {
  const std::string pattern = arguments.empty() ? "%" : arguments[0];
  DOSQL_ASSIGN_OR_RETURN(const auto names,
                         object_names(shell.connection(), "'table', 'view'", "name", pattern));
  write_in_columns(shell.out(), names);
  return {};
}

Status run_indexes(Shell& shell, Arguments arguments) {
  const std::string pattern = arguments.empty() ? "%" : arguments[0];
  DOSQL_ASSIGN_OR_RETURN(const auto names, object_names(shell.connection(), "'index'", "tbl_name", pattern));
  write_in_columns(shell.out(), names);
  return {};
}

Status run_databases(Shell& shell, Arguments) {
  DOSQL_ASSIGN_OR_RETURN(const Rows rows,
                         shell.connection().query("SELECT name, file FROM pragma_database_list"));
  for (const Row& row : rows) {
    const bool main = row[0] == Value("main");
    const std::string file = main ? shell.database().path() : row[1].is_null() ? "" : row[1].text();
    const bool read_only = main && shell.database().read_only();
    shell.out().write(
        fmt::format("{}: {} {}\n", row[0].text(), file.empty() ? "\"\"" : file, read_only ? "r/o" : "r/w"));
  }
  return {};
}

Status run_schema(Shell& shell, Arguments arguments) {
  SchemaOptions options;
  for (const std::string& argument : arguments) {
    if (argument == "--nosys" || argument == "-nosys")
      options.system_objects = false;
    else if (argument.starts_with('-'))
      return usage_error("schema", fmt::format("unknown option '{}'", argument));
    else if (options.pattern.empty())
      options.pattern = argument;
    else
      return usage_error("schema", fmt::format(".schema does not take '{}'", argument));
  }
  return write_schema(shell.connection(), options, shell.out());
}

Status run_dump(Shell& shell, Arguments arguments) {
  DumpOptions options;
  for (const std::string& argument : arguments) {
    std::string_view option = argument;
    if (!option.starts_with('-')) {
      options.patterns.push_back(argument);
      continue;
    }
    option.remove_prefix(option.starts_with("--") ? 2 : 1);
    if (option == "data-only")
      options.data_only = true;
    else if (option == "newlines")
      options.line_ends = LineEnds::kKeep;
    else if (option == "nosys")
      options.system_tables = false;
    else
      return usage_error("dump", fmt::format("unknown option '{}'", argument));
  }
  return write_dump(shell.connection(), options, shell.out());
}

}  // namespace

std::vector<DotCommand> schema_commands() {
  return {
      {"databases", "", "The database and what is attached", "", 0, 0, run_databases},
      {"dump", "[PATTERN...] [OPTIONS]", "The content as SQL, readable by sqlite3 too",
       "PATTERN is a LIKE pattern for tables, indexes, triggers and views; without one all are written.\n"
       "  --data-only   INSERT statements only\n"
       "  --newlines    line ends inside values as they are, not as char(10)\n"
       "  --nosys       without system tables such as sqlite_stat1\n",
       0, kAnyNumber, run_dump},
      {"indexes", "[TABLE]", "Names of indexes; TABLE is a LIKE pattern", "", 0, 1, run_indexes},
      {"schema", "[PATTERN] [--nosys]", "The CREATE statements of the tables that match",
       "PATTERN is a LIKE pattern, or a GLOB pattern where it has one of * ? [.\n"
       "  --nosys   without objects whose names start with sqlite_\n",
       0, 2, run_schema},
      {"tables", "[PATTERN]", "Names of tables and views; PATTERN as in LIKE", "", 0, 1, run_tables},
  };
}

}  // namespace dosql::shell
