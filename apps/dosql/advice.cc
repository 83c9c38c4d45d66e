#include "apps/dosql/advice.h"

#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "apps/dosql/text.h"
#include "base/nearest_name.h"

namespace dosql::shell {

namespace {

constexpr std::string_view kNoTable = "no such table: ";
constexpr std::string_view kNoColumn = "no such column: ";

constexpr std::string_view kOurTableInView = "unsafe use of virtual table \"dosql_";

constexpr std::string_view kTables =
    "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') UNION "
    "SELECT name FROM pragma_module_list WHERE name LIKE 'dosql!_%' ESCAPE '!'";
constexpr std::string_view kColumns =
    "SELECT DISTINCT c.name FROM sqlite_schema AS t, pragma_table_info(t.name) AS c WHERE t.type IN "
    "('table', 'view') "
    "LIMIT 1000";

// `name` without what qualifies it.
std::string_view last_part(std::string_view name) {
  const std::size_t dot = name.rfind('.');
  return dot == std::string_view::npos ? name : name.substr(dot + 1);
}

std::string suggest(Connection& connection, std::string_view query, std::string_view name) {
  const auto rows = connection.query(query);
  if (!rows) return "";
  std::vector<std::string_view> names;
  const std::string_view written = last_part(name);
  for (const Row& row : *rows) {
    // The same name elsewhere is no mistyped one.
    if (!equals_ignoring_case(row[0].text(), written)) names.push_back(row[0].text());
  }
  const std::string_view meant = nearest_name(written, names);
  return meant.empty() ? "" : fmt::format("did you mean {}?", quote_identifier(meant));
}

// Who could write where this process cannot.
std::string other_writer(Connection& connection) {
  const auto pid = connection.query_one(
      "SELECT value FROM dosql_status WHERE name = 'writer_pid' AND value NOT NULL AND EXISTS "
      "(SELECT 1 FROM dosql_status WHERE name = 'role' AND value <> 'writer')");
  if (!pid || !*pid) return "";
  return fmt::format("process {} has it open for writing", (**pid)[0].integer());
}

}  // namespace

Error with_advice(Error error, Connection& connection) {
  if (!error.hint().empty()) return error;
  const std::string_view message = error.message();
  std::string hint;
  if (error.code() == ErrorCode::kReadOnly) hint = other_writer(connection);
  if (message.starts_with(kNoTable)) hint = suggest(connection, kTables, message.substr(kNoTable.size()));
  if (message.starts_with(kNoColumn)) hint = suggest(connection, kColumns, message.substr(kNoColumn.size()));
  if (message.starts_with(kOurTableInView))
    hint = "only TEMP views and triggers can read it: stock SQLite must be able to read the schema";
  return hint.empty() ? error : std::move(error).with_hint(std::move(hint));
}

Error with_rollback_hint(Error error) {
  std::string hint = "the whole transaction was rolled back";
  if (!error.hint().empty()) hint += fmt::format("; {}", error.hint());
  return std::move(error).with_hint(std::move(hint));
}

}  // namespace dosql::shell
