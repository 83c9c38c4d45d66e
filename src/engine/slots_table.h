// dosql_slots: one row per slot of a consumer of changes, by name.
#pragma once

#include <optional>
#include <span>

#include <dosql/result.h>
#include <dosql/slots.h>

#include "engine/computed_table.h"
#include "engine/session.h"

namespace dosql::engine {

// Rows of a ComputedTable; gathered when the scan begins.
class SlotRows : public GatheredRows<SlotInfo> {
 public:
  struct Context {
    Session& session;
  };

  static constexpr const char* kSchema =
      "CREATE TABLE dosql_slots(name TEXT, branch TEXT, acknowledged_lsn INTEGER, lag_events INTEGER, "
      "lag_commits INTEGER, lag_bytes INTEGER, lag_seconds REAL, created TEXT, acknowledged TEXT, in_use "
      "INTEGER, "
      "lost INTEGER)";

  explicit SlotRows(Context& context) : context_(context) {}
  Status begin(int, const char*, std::span<sqlite3_value* const>);
  Status column(sqlite3_context* out, int column);

 private:
  Status count_events(sqlite3_context* out);

  Context& context_;
};

}  // namespace dosql::engine
