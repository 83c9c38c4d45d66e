#include "engine/system_tables.h"

#include <sqlite3.h>

#include <algorithm>
#include <array>

#include "engine/branches_table.h"
#include "engine/changes_table.h"
#include "engine/computed_table.h"
#include "engine/conflicts_table.h"
#include "engine/diff_summary.h"
#include "engine/log_table.h"
#include "engine/marks_table.h"
#include "engine/slots_table.h"
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
constexpr const char* kChanges = "dosql_changes";
constexpr const char* kSlots = "dosql_slots";

// One table after the other, up to the first failure.
class Registration {
 public:
  explicit Registration(const std::shared_ptr<Session>& session) : session_(session) {}

  // `parts`: what the context of its rows is made of.
  template <class Rows, class... Parts>
  void add(const char* name, Parts&&... parts) {
    using Context = typename Rows::Context;
    if (rc_ != SQLITE_OK) return;
    auto context = std::unique_ptr<Context>(new Context{std::forward<Parts>(parts)...});
    rc_ = ComputedTable<Rows>::register_on(session_, name, std::move(context));
  }

  Status result() const { return rc_ == SQLITE_OK ? Status() : connection_error(*session_, rc_); }

 private:
  const std::shared_ptr<Session>& session_;
  int rc_ = SQLITE_OK;
};

}  // namespace

Status register_system_tables(DatabaseCore& core, const std::shared_ptr<Session>& session, MainFile& file) {
  const auto decisions = std::make_shared<PendingDecisions>(session, core, file);
  Registration tables(session);
  tables.add<LogRows>(kLog, core.shared_from_this(), file);
  tables.add<StatusRows>(kStatus, core, file);
  tables.add<BranchRows>(kBranches, core, file);
  tables.add<SnapshotRows>(kSnapshots, core);
  tables.add<ConflictRows>(kConflicts, decisions);
  tables.add<DiffSummaryRows>(kDiffSummary, *session);
  tables.add<DiffSchemaRows>(kDiffSchema, *session);
  tables.add<ChangesRows>(kChanges, *session);
  tables.add<SlotRows>(kSlots, *session);
  DOSQL_RETURN_IF_ERROR(tables.result());
  int rc = register_resolve_function(session, decisions);
  if (rc == SQLITE_OK) rc = register_marks_table(session, file, decisions);
  return rc == SQLITE_OK ? Status() : connection_error(*session, rc);
}

bool is_system_table(std::string_view name) {
  const auto all =
      std::to_array<std::string_view>({kLog, kStatus, kBranches, kSnapshots, kConflicts, kDiff, kDiffSummary,
                                       kDiffSchema, kChanges, kSlots, kMarksTable});
  return std::any_of(all.begin(), all.end(),
                     [&](std::string_view one) { return sql::equals_ignoring_case(one, name); });
}

}  // namespace dosql::engine
