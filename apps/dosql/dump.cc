#include "apps/dosql/dump.h"

#include <fmt/format.h>

#include "apps/dosql/schema.h"
#include "apps/dosql/text.h"

namespace dosql::shell {

namespace {

class Dump {
 public:
  Dump(Connection& connection, const DumpOptions& options, Output& out)
      : connection_(connection), options_(options), out_(out) {}

  Status write() {
    if (!options_.data_only) out_.write("PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\n");
    Status status = write_tables();
    if (status && !options_.data_only) status = write_others();
    if (writable_schema_) out_.write("PRAGMA writable_schema=OFF;\n");
    if (!options_.data_only) out_.write(status ? "COMMIT;\n" : "ROLLBACK; -- due to errors\n");
    return status;
  }

 private:
  Status write_tables() {
    const std::string query = fmt::format(
        "SELECT name, sql FROM sqlite_schema AS o WHERE ({}) AND type = 'table' AND sql NOT NULL "
        "ORDER BY tbl_name = 'sqlite_sequence', rowid",
        condition());
    DOSQL_ASSIGN_OR_RETURN(const Rows tables, connection_.query(query));
    for (const Row& table : tables) DOSQL_RETURN_IF_ERROR(write_table(table[0].text(), table[1].text()));
    return {};
  }

  Status write_others() {
    const std::string query = fmt::format(
        "SELECT sql FROM sqlite_schema AS o WHERE ({}) AND sql NOT NULL AND type IN ('index', 'trigger', "
        "'view')",
        condition());
    DOSQL_ASSIGN_OR_RETURN(const Rows rows, connection_.query(query));
    for (const Row& row : rows) out_.write(row[0].text() + ";\n");
    return {};
  }

  // The objects the patterns mean; the shadow tables of a virtual table go with it.
  std::string condition() const {
    std::string any;
    for (const std::string& pattern : options_.patterns) {
      const std::string like = fmt::format("name LIKE {} ESCAPE '\\'", quote_text(pattern));
      any += fmt::format(
          "{}({} OR EXISTS (SELECT 1 FROM sqlite_schema WHERE {} AND sql LIKE 'CREATE VIRTUAL TABLE%' AND "
          "substr(o.name, 1, length(name) + 1) == (name || '_')))",
          any.empty() ? "" : " OR ", like, like);
    }
    if (any.empty()) any = "true";
    if (!options_.system_tables) any = fmt::format("({}) AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'", any);
    return any;
  }

  Status write_table(const std::string& name, const std::string& sql) {
    if (!write_definition(name, sql)) return {};
    return write_rows(name);
  }

  // False when the rows are not to be written.
  bool write_definition(const std::string& name, const std::string& sql) {
    if (starts_with_ignoring_case(sql, "CREATE VIRTUAL TABLE")) {
      if (!options_.data_only) write_virtual_table(name, sql);
      return false;
    }
    const bool system = name.starts_with("sqlite_");
    // Not sqlite_stat4: an SQLite without that option, Debian's for one, cannot read it back.
    const bool statistics = name.starts_with("sqlite_stat") && name != "sqlite_stat4";
    if (system && !statistics && name != "sqlite_sequence") return false;
    if (options_.data_only) return true;
    if (name == "sqlite_sequence")
      out_.write("DELETE FROM sqlite_sequence;\n");
    else if (!statistics)
      out_.write(printable_create(sql) + ";\n");
    else if (!analyzed_)
      out_.write("ANALYZE sqlite_schema;\n");
    analyzed_ = analyzed_ || statistics;
    return true;
  }

  // Its shadow tables carry the content, so it goes into the schema without being made.
  void write_virtual_table(const std::string& name, const std::string& sql) {
    if (!writable_schema_) out_.write("PRAGMA writable_schema=ON;\n");
    writable_schema_ = true;
    const std::string quoted = quote_text(name);
    out_.write(
        fmt::format("INSERT INTO sqlite_schema(type,name,tbl_name,rootpage,sql)VALUES('table',{},{},0,{});\n",
                    quoted, quoted, quote_text(sql)));
  }

  Status write_rows(const std::string& name) {
    DOSQL_ASSIGN_OR_RETURN(const Rows columns,
                           connection_.query("SELECT name FROM pragma_table_info(?1)", name));
    std::string list;
    for (const Row& column : columns) {
      list += fmt::format("{}{}", list.empty() ? "" : ",", quote_identifier_always(column[0].text()));
    }
    DOSQL_ASSIGN_OR_RETURN(Statement rows, connection_.prepare(fmt::format("SELECT {} FROM {}", list,
                                                                           quote_identifier_always(name))));
    const std::string head = fmt::format("INSERT INTO {} VALUES(", quote_identifier(name));
    Result<bool> row = rows.step();
    for (; row && *row; row = rows.step()) write_row(head, rows);
    if (!row) return std::move(row).error();
    return {};
  }

  void write_row(const std::string& head, const Statement& row) {
    out_.write(head);
    for (int column = 0; column < row.column_count(); ++column) {
      if (column > 0) out_.write(',');
      out_.write(sql_literal(row, column, options_.line_ends, Infinity::kLiteral));
    }
    out_.write(");\n");
  }

  Connection& connection_;
  const DumpOptions& options_;
  Output& out_;
  bool writable_schema_ = false;
  bool analyzed_ = false;
};

}  // namespace

Status write_dump(Connection& connection, const DumpOptions& options, Output& out) {
  // A savepoint makes all reads see one version.
  DOSQL_RETURN_IF_ERROR(connection.exec("SAVEPOINT dosql_dump"));
  Status status = Dump(connection, options, out).write();
  Status released = connection.exec("RELEASE dosql_dump");
  return status ? std::move(released) : std::move(status);
}

}  // namespace dosql::shell
