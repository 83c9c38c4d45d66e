// The arguments of the table-valued functions about versions: to SQLite they are hidden columns, the last
// ones of the table.
#pragma once

#include <sqlite3.h>

#include <span>
#include <string_view>

#include <dosql/result.h>
#include <dosql/value.h>

#include "engine/session.h"
#include "version/version_store.h"

namespace dosql::engine {

class ConnectionState;

// xBestIndex: has SQLite pass the arguments that were given, the first of which is column `first`, in their
// order. Returns SQLITE_CONSTRAINT where one comes of a table that this plan reads later. idxNum becomes how
// many there are.
int plan_arguments(sqlite3_index_info& info, int first);

// The connection of the session. Errors: kInvalidArgument (it is gone).
Result<ConnectionState*> connection_of(Session& session);

// A time point as a function's argument: an LSN as integer, or a text as everywhere (resolve_named_point).
// Errors: those of that, kInvalidArgument.
Result<version::ReadPoint> point_argument(ConnectionState& connection, const Value& value);

struct TwoPoints {
  version::ReadPoint from;
  version::ReadPoint to;
};
// Of the first two arguments. `function` is for messages.
Result<TwoPoints> two_points(ConnectionState& connection, std::string_view function,
                             std::span<sqlite3_value* const> arguments);

}  // namespace dosql::engine
