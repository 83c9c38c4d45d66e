#include "engine/system_tables.h"

#include <sqlite3.h>

#include <algorithm>
#include <array>

#include "engine/branches_table.h"
#include "engine/computed_table.h"
#include "engine/conflicts_table.h"
#include "engine/diff_summary.h"
#include "engine/log_table.h"
#include "engine/status_table.h"
#include "sql/lexer.h"

namespace dosql::engine {
namespace {

constexpr const char* kLog = "dosql_log";
constexpr const char* kStatus = "dosql_status";
constexpr const char* kBranches = "dosql_branches";
constexpr const char* kSnapshots = "dosql_snapshots";
constexpr const char* kConflicts = "dosql_conflicts";
constexpr const char* kDiff = "dosql_diff";
constexpr const char* kDiffSummary = "dosql_diff_summary";
constexpr const char* kDiffSchema = "dosql_diff_schema";

}  // namespace

Status register_system_tables(DatabaseCore& core, const std::shared_ptr<Session>& session, MainFile& file) {
  auto log = std::make_unique<LogRows::Context>(core.shared_from_this(), file);
  auto status = std::make_unique<StatusRows::Context>(core, file);
  int rc = ComputedTable<LogRows>::register_on(session, kLog, std::move(log));
  if (rc == SQLITE_OK) rc = ComputedTable<StatusRows>::register_on(session, kStatus, std::move(status));
  if (rc == SQLITE_OK) {
    auto branches = std::unique_ptr<BranchRows::Context>(new BranchRows::Context{core, file});
    rc = ComputedTable<BranchRows>::register_on(session, kBranches, std::move(branches));
  }
  if (rc == SQLITE_OK) {
    auto snapshots = std::unique_ptr<SnapshotRows::Context>(new SnapshotRows::Context{core});
    rc = ComputedTable<SnapshotRows>::register_on(session, kSnapshots, std::move(snapshots));
  }
  if (rc == SQLITE_OK) {
    auto conflicts = std::unique_ptr<ConflictRows::Context>(new ConflictRows::Context{core, file});
    rc = ComputedTable<ConflictRows>::register_on(session, kConflicts, std::move(conflicts));
  }
  if (rc == SQLITE_OK) rc = register_resolve_function(session, core, file);
  if (rc == SQLITE_OK) {
    auto summary = std::unique_ptr<DiffSummaryRows::Context>(new DiffSummaryRows::Context{*session});
    rc = ComputedTable<DiffSummaryRows>::register_on(session, kDiffSummary, std::move(summary));
  }
  if (rc == SQLITE_OK) {
    auto schema = std::unique_ptr<DiffSchemaRows::Context>(new DiffSchemaRows::Context{*session});
    rc = ComputedTable<DiffSchemaRows>::register_on(session, kDiffSchema, std::move(schema));
  }
  return rc == SQLITE_OK ? Status() : connection_error(*session, rc);
}

bool is_system_table(std::string_view name) {
  const auto all = std::to_array<std::string_view>(
      {kLog, kStatus, kBranches, kSnapshots, kConflicts, kDiff, kDiffSummary, kDiffSchema});
  return std::any_of(all.begin(), all.end(),
                     [&](std::string_view one) { return sql::equals_ignoring_case(one, name); });
}

}  // namespace dosql::engine
