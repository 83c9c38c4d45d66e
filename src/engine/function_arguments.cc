#include "engine/function_arguments.h"

#include <fmt/format.h>

#include <map>

#include "engine/connection_state.h"
#include "engine/sqlite_value.h"
#include "engine/time_points.h"

namespace dosql::engine {

int plan_arguments(sqlite3_index_info& info, int first) {
  std::map<int, int> given;  // the constraint by its column
  for (int i = 0; i < info.nConstraint; ++i) {
    const auto& constraint = info.aConstraint[i];
    if (constraint.iColumn < first || constraint.op != SQLITE_INDEX_CONSTRAINT_EQ) continue;
    if (!constraint.usable) return SQLITE_CONSTRAINT;
    given.emplace(constraint.iColumn - first, i);
  }
  int count = 0;
  for (const auto& [argument, constraint] : given) {
    if (argument != count) break;
    info.aConstraintUsage[constraint].argvIndex = ++count;
    info.aConstraintUsage[constraint].omit = 1;
  }
  info.idxNum = count;
  return SQLITE_OK;
}

Result<ConnectionState*> connection_of(Session& session) {
  if (session.connection != nullptr) return session.connection;
  return Error(ErrorCode::kInvalidArgument, "the connection is closed");
}

Result<version::ReadPoint> point_argument(ConnectionState& connection, const Value& value) {
  if (value.type() == Value::Type::kText) return resolve_named_point(connection, value.text());
  if (value.type() == Value::Type::kInteger)
    return resolve_time_point(connection, sql::PointKind::kLsn, std::nullopt, value);
  return Error(ErrorCode::kInvalidArgument,
               fmt::format("a time point is an LSN or a text, not {}", literal(value)))
      .with_hint("for example 'main@5', 'current-1', 'branch:x', '2026-01-31 12:00:00' or an LSN");
}

Result<TwoPoints> two_points(ConnectionState& connection, std::string_view function,
                             std::span<sqlite3_value* const> arguments) {
  if (arguments.size() < 2) {
    return Error(ErrorCode::kInvalidArgument, fmt::format("{} takes two points in time", function))
        .with_hint(fmt::format("for example {}('main@4', 'main@5')", function));
  }
  DOSQL_ASSIGN_OR_RETURN(const version::ReadPoint from, point_argument(connection, value_of(arguments[0])));
  DOSQL_ASSIGN_OR_RETURN(const version::ReadPoint to, point_argument(connection, value_of(arguments[1])));
  return TwoPoints{from, to};
}

}  // namespace dosql::engine
