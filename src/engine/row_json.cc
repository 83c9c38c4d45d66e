#include "engine/row_json.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include "base/json_text.h"
#include "engine/connection_state.h"
#include "engine/own_statement.h"

namespace dosql::engine {
namespace {

using diff::Field;
using diff::FieldType;

// SQLite's own functions read the JSON: one row for each member, or for the value itself.
constexpr std::string_view kMembers =
    "SELECT j.key, j.type, j.value, CASE j.type WHEN 'object' THEN j.value ->> '$.blob' END, "
    "CASE j.type WHEN 'object' THEN j.value ->> '$.real' END FROM json_each(CASE "
    "WHEN json_type(?1) = 'object' AND (?1 ->> '$.blob') IS NULL AND (?1 ->> '$.real') IS NULL THEN ?1 "
    "ELSE json_object(?2, json(?1)) END) AS j";

Error no_value(std::string_view what) {
  return Error(ErrorCode::kInvalidArgument, fmt::format("the value of a resolution {}", what));
}

bool is_object(std::string_view type) { return type == "object"; }

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

Result<std::vector<NamedField>> fields_of_json(ConnectionState& connection, const std::string& json,
                                               std::string_view alone) {
  DOSQL_ASSIGN_OR_RETURN(OwnStatement valid, OwnStatement::prepare(connection, "SELECT json_valid(?1)"));
  valid.bind(1, json);
  if (valid.step() != SQLITE_ROW || valid.integer(0) == 0) return no_value("is no JSON");
  DOSQL_ASSIGN_OR_RETURN(OwnStatement unhex, OwnStatement::prepare(connection, "SELECT unhex(?1)"));
  DOSQL_ASSIGN_OR_RETURN(OwnStatement members, OwnStatement::prepare(connection, kMembers));
  members.bind(1, json);
  members.bind(2, alone);
  std::vector<NamedField> fields;
  int rc = SQLITE_OK;
  while ((rc = members.step()) == SQLITE_ROW) {
    NamedField& field = fields.emplace_back();
    field.name = members.text(0);
    const std::string type = members.text(1);
    Field value = members.value(2);
    if (type == "array") return no_value("has an array in it, which no column can have");
    if (is_object(type) && !members.is_null(3)) {
      const std::string digits = members.text(3);
      unhex.bind(1, digits);
      if (unhex.step() != SQLITE_ROW || unhex.is_null(0))
        return no_value("has a blob that is not hexadecimal");
      field.value.assign(std::vector<Field>{unhex.value(0)});
      unhex.reset();
      continue;
    }
    if (is_object(type)) {
      const std::string real = members.text(4);
      if (real != "inf" && real != "-inf") return no_value("has an object in it, which no column can have");
      constexpr double kInfinity = std::numeric_limits<double>::infinity();
      value = {.type = FieldType::kReal, .real = real == "inf" ? kInfinity : -kInfinity};
    }
    field.value.assign(std::vector<Field>{value});
  }
  if (rc != SQLITE_DONE) return connection.error(rc);
  return fields;
}

}  // namespace dosql::engine
