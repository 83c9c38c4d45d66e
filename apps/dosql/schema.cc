#include "apps/dosql/schema.h"

#include <fmt/format.h>

#include "apps/dosql/text.h"

namespace dosql::shell {

namespace {

// "temp.", nothing for main.
std::string schema_prefix(const std::string& schema) {
  if (schema == "main") return "";
  return (schema == "temp" ? schema : quote_identifier(schema)) + ".";
}

// "/* v(a,b) */" behind a view or a virtual table; nothing when it cannot be prepared.
std::string columns_comment(Connection& connection, const std::string& schema, const std::string& name) {
  const auto rows = connection.query("SELECT name FROM pragma_table_info(?1, ?2)", name, schema);
  if (!rows || rows->empty()) return "";
  std::string columns;
  for (const Row& row : *rows) {
    columns += fmt::format("{}{}", columns.empty() ? "" : ",", quote_identifier(row[0].text()));
  }
  return fmt::format("/* {}{}({}) */", schema_prefix(schema), quote_identifier(name), columns);
}

// Names the schema in the CREATE statement of another database than main.
std::string with_schema(std::string sql, const std::string& schema) {
  if (schema == "main") return sql;
  for (std::string_view kind : {"TABLE", "INDEX", "UNIQUE INDEX", "VIEW", "TRIGGER", "VIRTUAL TABLE"}) {
    const std::string head = fmt::format("CREATE {} ", kind);
    if (starts_with_ignoring_case(sql, head)) return head + schema_prefix(schema) + sql.substr(head.size());
  }
  return sql;
}

std::string condition(const SchemaOptions& options, const std::string& schema) {
  std::string where = "sql IS NOT NULL";
  if (!options.system_objects) where += " AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'";
  if (options.pattern.empty()) return where;
  const bool glob = options.pattern.find_first_of("*?[") != std::string::npos;
  const bool qualified = options.pattern.find('.') != std::string::npos;
  const std::string subject =
      qualified ? fmt::format("lower({} || '.' || tbl_name)", quote_text(schema)) : "lower(tbl_name)";
  const std::string pattern = quote_text(to_lower(options.pattern));
  return fmt::format("{} AND {} {}", where, subject,
                     glob ? "GLOB " + pattern : fmt::format("LIKE {} ESCAPE '\\'", pattern));
}

// True when there was something to write.
Result<bool> write_one_schema(Connection& connection, const std::string& schema, const SchemaOptions& options,
                              Output& out) {
  const std::string query =
      fmt::format("SELECT type, name, sql FROM {}.sqlite_schema WHERE {} ORDER BY rowid",
                  quote_identifier_always(schema), condition(options, schema));
  DOSQL_ASSIGN_OR_RETURN(const Rows rows, connection.query(query));
  for (const Row& row : rows) {
    const std::string& sql = row[2].text();
    const bool described = row[0] == Value("view") || starts_with_ignoring_case(sql, "CREATE VIRTUAL");
    const std::string comment = described ? columns_comment(connection, schema, row[1].text()) : "";
    out.write(fmt::format("{}{}{};\n", printable_create(with_schema(sql, schema)),
                          comment.empty() ? "" : "\n", comment));
  }
  return !rows.empty();
}

}  // namespace

Result<std::vector<std::string>> schema_names(Connection& connection) {
  DOSQL_ASSIGN_OR_RETURN(const Rows rows,
                         connection.query("SELECT name FROM pragma_database_list ORDER BY seq"));
  std::vector<std::string> names;
  for (const Row& row : rows) names.push_back(row[0].text());
  return names;
}

Status write_schema(Connection& connection, const SchemaOptions& options, Output& out) {
  DOSQL_ASSIGN_OR_RETURN(const std::vector<std::string> schemas, schema_names(connection));
  bool any = false;
  for (const std::string& schema : schemas) {
    DOSQL_ASSIGN_OR_RETURN(const bool some, write_one_schema(connection, schema, options, out));
    any = any || some;
  }
  // Tables that need no CREATE (dosql_log, json_each) are in no schema.
  const std::string comment = any ? "" : columns_comment(connection, "main", options.pattern);
  if (!comment.empty()) out.write(fmt::format("{};\n", comment));
  return {};
}

std::string printable_create(std::string_view sql) {
  constexpr std::string_view kHead = "CREATE TABLE ";
  const bool quoted = sql.starts_with(kHead) && sql.size() > kHead.size() &&
                      (sql[kHead.size()] == '"' || sql[kHead.size()] == '\'');
  return quoted ? fmt::format("CREATE TABLE IF NOT EXISTS {}", sql.substr(kHead.size())) : std::string(sql);
}

}  // namespace dosql::shell
