// From a time point that somebody wrote to a version.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <dosql/result.h>
#include <dosql/time_point.h>
#include <dosql/value.h>

#include "sql/time_point.h"
#include "version/version_store.h"

namespace dosql::engine {

class ConnectionState;

// What a point means to a connection: LSN, timestamp and VERSION are on its branch. `name`: the snapshot or
// branch, where the text says it; else `value` is what the point's expression gave,
// 0 for VERSION CURRENT without one. Errors: kVersionNotFound,
// kBranchNotFound, kNotFound (a snapshot), kInvalidArgument (a value of the wrong kind).
Result<version::ReadPoint> resolve_time_point(ConnectionState& connection, sql::PointKind kind,
                                              const std::optional<std::string>& name, const Value& value);

// What SQLite is to evaluate of a point: of VERSION CURRENT - ? the variable without its sign, and minus() of
// that is the value. To SQLite minus a text is a number, 0 more often than not, which would be the present.
sql::Span operand_of(std::string_view text, const sql::TimePoint& point);
Value minus(const Value& value);

// As text, where it is not known what it is: whatever dosql::time_point() takes.
Result<version::ReadPoint> resolve_named_point(ConnectionState& connection, std::string_view text);

// As a program says it.
Result<version::ReadPoint> resolve(ConnectionState& connection, const TimePoint& point);

// The version by its name.
VersionId version_id(const version::VersionStore& store, const version::ReadPoint& point);

// Microseconds since 1970 of whatever SQLite's date functions read. Errors: kInvalidArgument.
Result<TimestampUs> timestamp_of(ConnectionState& connection, const Value& value);

// With a hint at names that are alike.
Error branch_not_found(const version::VersionStore& store, std::string_view name);
Error snapshot_not_found(const version::VersionStore& store, std::string_view name);

}  // namespace dosql::engine
