#include "engine/row_json.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <limits>

#include "base/json_text.h"
#include "engine/connection_state.h"
#include "engine/own_statement.h"

namespace dosql::engine {
namespace {

using diff::Field;
using diff::FieldType;

// SQLite's own functions read the JSON. Of an object with one member, a text: that member's name and value,
// which stand for a value that JSON has not if the name is blob or real.
constexpr std::string_view kOnlyMember =
    "(SELECT iif(count(*) = 1 AND min(type) = 'text', {}, '') FROM json_each({}))";

std::string only_member(std::string_view what, std::string_view of) {
  return fmt::format("CASE json_type({}) WHEN 'object' THEN {} ELSE '' END", of,
                     fmt::format(kOnlyMember, what, of));
}

// One row for each member, or for the value itself (?3) as column ?2.
std::string members_text() {
  return fmt::format(
      "SELECT j.key, j.type, j.value, CASE j.type WHEN 'object' THEN {} END, "
      "CASE j.type WHEN 'object' THEN {} END "
      "FROM json_each(CASE WHEN ?3 THEN json_object(?2, json(?1)) ELSE ?1 END) AS j",
      only_member("min(key)", "j.value"), only_member("min(value)", "j.value"));
}

// `column`: of an object's member, else empty.
Error no_value(std::string_view what, const std::string& column = {}) {
  return Error(ErrorCode::kInvalidArgument, column.empty()
                                                ? fmt::format("the value of a resolution {}", what)
                                                : fmt::format("the value of column {} {}", column, what));
}

bool names_a_kind(std::string_view name) { return name == "blob" || name == "real"; }

// Whether the JSON is a value, not an object of columns.
Result<bool> is_value(ConnectionState& connection, const std::string& json, const HasColumn& has_column) {
  DOSQL_ASSIGN_OR_RETURN(OwnStatement whole,
                         OwnStatement::prepare(connection, fmt::format("SELECT json_type(?1) <> 'object', {}",
                                                                       only_member("min(key)", "?1"))));
  whole.bind(1, json);
  if (const int rc = whole.step(); rc != SQLITE_ROW) return connection.error(rc);
  const std::string name = whole.text(1);
  return whole.integer(0) != 0 || (names_a_kind(name) && !has_column(name));
}

}  // namespace

std::string value_json(const Field& value, diff::TextEncoding encoding) {
  switch (value.type) {
    case FieldType::kNull: return "null";
    case FieldType::kInteger: return std::to_string(value.integer);
    case FieldType::kReal: return json_real(value.real);
    case FieldType::kText: return json_string(diff::utf8_text(value.bytes, encoding));
    case FieldType::kBlob: return json_blob(value.bytes);
  }
  return "null";
}

std::string rows_json(std::span<const std::string> rows) {
  if (rows.size() < 2) return rows.empty() ? "null" : rows[0];
  std::string array;
  for (const std::string& row : rows) array += (array.empty() ? "[" : ",") + row;
  return array + "]";
}

Result<std::vector<NamedField>> fields_of_json(ConnectionState& connection, const std::string& json,
                                               std::string_view alone, const HasColumn& has_column) {
  DOSQL_ASSIGN_OR_RETURN(OwnStatement valid, OwnStatement::prepare(connection, "SELECT json_valid(?1)"));
  valid.bind(1, json);
  if (valid.step() != SQLITE_ROW || valid.integer(0) == 0) return no_value("is no JSON");
  DOSQL_ASSIGN_OR_RETURN(const bool whole, is_value(connection, json, has_column));
  DOSQL_ASSIGN_OR_RETURN(OwnStatement members, OwnStatement::prepare(connection, members_text()));
  members.bind(1, json);
  members.bind(2, alone);
  members.bind(3, std::int64_t{whole});
  std::vector<NamedField> fields;
  int rc = SQLITE_OK;
  while ((rc = members.step()) == SQLITE_ROW) {
    NamedField& field = fields.emplace_back();
    field.name = members.text(0);
    const std::string type = members.text(1);
    if (type == "array") return no_value("is an array, which no column can have", field.name);
    if (type != "object") {
      field.value.assign(std::vector<Field>{members.value(2)});
      continue;
    }
    const std::string kind = members.text(3);
    const std::string text = members.text(4);
    if (kind == "blob") {
      DOSQL_ASSIGN_OR_RETURN(OwnStatement unhex, OwnStatement::prepare(connection, "SELECT unhex(?1)"));
      unhex.bind(1, text);
      if (unhex.step() != SQLITE_ROW || unhex.is_null(0))
        return no_value("is a blob that is not hexadecimal", field.name);
      field.value.assign(std::vector<Field>{unhex.value(0)});
    } else if (kind == "real" && (text == "inf" || text == "-inf")) {
      constexpr double kInfinity = std::numeric_limits<double>::infinity();
      field.value.assign(
          std::vector<Field>{{.type = FieldType::kReal, .real = text == "inf" ? kInfinity : -kInfinity}});
    } else {
      return no_value("is an object, which no column can have", field.name);
    }
  }
  if (rc != SQLITE_DONE) return connection.error(rc);
  return fields;
}

}  // namespace dosql::engine
