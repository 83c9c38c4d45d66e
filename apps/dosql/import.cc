#include "apps/dosql/import.h"

#include <fmt/format.h>

#include "apps/dosql/column_guess.h"
#include "apps/dosql/text.h"

namespace dosql::shell {

namespace {

// A name for each column: missing ones by number, repeated ones with a number behind.
std::vector<std::string> distinct_names(std::vector<std::string> names) {
  const auto taken_before = [&names](std::size_t index, std::string_view name) {
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (i != index && equals_ignoring_case(names[i], name) && i < index) return true;
    }
    return false;
  };
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i].empty()) names[i] = fmt::format("column{}", i + 1);
    const std::string base = names[i];
    for (int number = 2; taken_before(i, names[i]); ++number) names[i] = fmt::format("{}_{}", base, number);
  }
  return names;
}

}  // namespace

Result<ImportTarget> find_import_target(Connection& connection, const ImportOptions& options) {
  ImportTarget target;
  target.name = fmt::format("{}.{}", quote_identifier(options.schema), quote_identifier(options.table));
  DOSQL_ASSIGN_OR_RETURN(const Rows rows, connection.query("SELECT name, type FROM pragma_table_info(?1, ?2)",
                                                           options.table, options.schema));
  for (const Row& row : rows) {
    target.columns.push_back(row[0].text());
    target.numeric.push_back(is_numeric_type(row[1].text()));
  }
  return target;
}

Status create_import_table(Connection& connection, ImportTarget& target, std::vector<std::string> columns,
                           const std::vector<std::string>& types) {
  target.columns = distinct_names(std::move(columns));
  std::string list;
  for (std::size_t i = 0; i < target.columns.size(); ++i) {
    target.numeric.push_back(is_numeric_type(types[i]));
    list += fmt::format("{}\n  {}{}{}", i == 0 ? "" : ",", quote_identifier(target.columns[i]),
                        types[i].empty() ? "" : " ", types[i]);
  }
  return connection.exec(fmt::format("CREATE TABLE {}({}\n)", target.name, list));
}

std::string insert_statement(const ImportTarget& target) {
  std::string columns;
  std::string places;
  for (std::size_t i = 0; i < target.columns.size(); ++i) {
    columns += fmt::format("{}{}", i == 0 ? "" : ", ", quote_identifier_always(target.columns[i]));
    places += fmt::format("{}?{}", i == 0 ? "" : ", ", i + 1);
  }
  return fmt::format("INSERT INTO {}({}) VALUES({})", target.name, columns, places);
}

Error row_error(const Error& error, std::string_view place) {
  const bool about_the_row = error.code() == ErrorCode::kConstraint || error.code() == ErrorCode::kSql;
  Error out(error);
  if (about_the_row) out = Error(error).with_context(place);
  return std::move(out).with_hint("nothing was imported");
}

}  // namespace dosql::shell
