// dosql_conflicts: the conflicts of the merge that waits for the connection's branch, by id; and the function
// that resolves one, dosql_resolve_conflict(id, 'ours' | 'theirs' | 'delete' | json). What one statement
// decides is decided when it ends, all of it or, where it fails, nothing; in a transaction when that commits.
#pragma once

#include <memory>
#include <span>

#include <dosql/result.h>

#include "engine/computed_table.h"
#include "engine/merge_staging.h"
#include "engine/pending_decisions.h"
#include "engine/session.h"

namespace dosql::engine {

// Rows of a ComputedTable; gathered when the scan begins.
class ConflictRows : public GatheredRows<StagedConflict> {
 public:
  struct Context {
    std::shared_ptr<PendingDecisions> decisions;
  };

  static constexpr const char* kSchema =
      "CREATE TABLE dosql_conflicts(id INTEGER, \"table\" TEXT, key TEXT, kind TEXT, base TEXT, main TEXT, "
      "branch TEXT, resolution TEXT)";

  static void plan(sqlite3_index_info& info);
  explicit ConflictRows(Context& context) : context_(context) {}
  Status begin(int, const char*, std::span<sqlite3_value* const>);
  std::int64_t rowid() const { return row().conflict.id; }
  Status column(sqlite3_context* out, int column);

 private:
  Context& context_;
};

// Returns SQLite's result code.
int register_resolve_function(const std::shared_ptr<Session>& session,
                              const std::shared_ptr<PendingDecisions>& decisions);

}  // namespace dosql::engine
