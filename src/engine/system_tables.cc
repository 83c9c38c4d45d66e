#include "engine/system_tables.h"

#include <sqlite3.h>

#include "engine/branches_table.h"
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
  if (rc == SQLITE_OK) {
    auto branches = std::unique_ptr<BranchRows::Context>(new BranchRows::Context{core, file});
    rc = ComputedTable<BranchRows>::register_on(session, "dosql_branches", std::move(branches));
  }
  if (rc == SQLITE_OK) {
    auto snapshots = std::unique_ptr<SnapshotRows::Context>(new SnapshotRows::Context{core});
    rc = ComputedTable<SnapshotRows>::register_on(session, "dosql_snapshots", std::move(snapshots));
  }
  return rc == SQLITE_OK ? Status() : connection_error(*session, rc);
}

}  // namespace dosql::engine
