#include "engine/held_head.h"

#include <sqlite3.h>

#include "engine/connection_state.h"

namespace dosql::engine {

HeldHead::~HeldHead() {
  if (holds_) connection_.file().release_head();
}

Status HeldHead::hold(bool to_write) {
  MainFile& file = connection_.file();
  const bool settled = file.locked() || (file.holds_head() && !holds_);
  if (settled) return {};
  if (to_write && !file.read_only()) {
    // A version that is pinned before the wait may be an old one behind it.
    if (holds_) file.release_head();
    holds_ = false;
    DOSQL_RETURN_IF_ERROR(connection_.wait_for_slot());
  }
  if (!holds_) file.hold_head();
  holds_ = true;
  return {};
}

Status HeldHead::settle_transaction() {
  if (connection_.file().locked()) return {};
  const char* const sql = DOSQL_OWN_SQL "SELECT 1 FROM main.sqlite_schema LIMIT 0";
  const int rc = sqlite3_exec(connection_.db(), sql, nullptr, nullptr, nullptr);
  return rc == SQLITE_OK ? Status() : connection_.error(rc);
}

}  // namespace dosql::engine
