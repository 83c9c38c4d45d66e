#include "engine/system_tables.h"

#include <sqlite3.h>

#include "engine/computed_table.h"
#include "engine/log_table.h"
#include "engine/status_table.h"

namespace dosql::engine {

Status register_system_tables(DatabaseCore& core, const std::shared_ptr<Session>& session, MainFile& file) {
  auto log = std::make_unique<LogRows::Context>(core.shared_from_this(), file);
  auto status = std::make_unique<StatusRows::Context>(core, file);
  int rc = ComputedTable<LogRows>::register_on(session, "dosql_log", std::move(log));
  if (rc == SQLITE_OK)
    rc = ComputedTable<StatusRows>::register_on(session, "dosql_status", std::move(status));
  return rc == SQLITE_OK ? Status() : connection_error(*session, rc);
}

}  // namespace dosql::engine
