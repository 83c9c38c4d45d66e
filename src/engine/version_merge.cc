#include "engine/version_merge.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <map>
#include <utility>

#include "engine/connection_state.h"
#include "engine/own_statement.h"
#include "engine/row_json.h"
#include "engine/sqlite_savepoints.h"

namespace dosql::engine {
namespace {

using version::ReadPoint;

// A transaction of its own, or a savepoint in the user's.
class Undoable {
 public:
  explicit Undoable(ConnectionState& connection)
      : connection_(connection), in_transaction_(sqlite3_get_autocommit(connection.db()) == 0) {}
  ~Undoable() {
    if (begun_) undo().ignore("the failure that led here is the one to report");
  }
  Undoable(const Undoable&) = delete;
  Undoable& operator=(const Undoable&) = delete;

  Status begin() {
    DOSQL_RETURN_IF_ERROR(
        run_own(connection_, in_transaction_ ? "SAVEPOINT dosql_merge" : "BEGIN IMMEDIATE"));
    begun_ = true;
    return connection_.file().writes() ? Status() : take_writer_slot();
  }
  Status keep() {
    DOSQL_RETURN_IF_ERROR(run_own(connection_, in_transaction_ ? "RELEASE dosql_merge" : "COMMIT"));
    begun_ = false;
    return {};
  }
  Status undo() {
    begun_ = false;
    if (!in_transaction_) return run_own(connection_, "ROLLBACK");
    DOSQL_RETURN_IF_ERROR(run_own(connection_, "ROLLBACK TO dosql_merge"));
    return run_own(connection_, "RELEASE dosql_merge");
  }

 private:
  // Of a transaction that has only read: a write that changes nothing.
  Status take_writer_slot() {
    DOSQL_ASSIGN_OR_RETURN(OwnStatement read, OwnStatement::prepare(connection_, "PRAGMA main.user_version"));
    if (const int rc = read.step(); rc != SQLITE_ROW) return connection_.error(rc);
    const std::int64_t version = read.integer(0);
    read.reset();
    return run_own(connection_, fmt::format("PRAGMA main.user_version = {}", version));
  }

  ConnectionState& connection_;
  const bool in_transaction_;
  bool begun_ = false;
};

MergeContext context_of(ConnectionState& connection, const VersionMerge& what, bool has_own_changes) {
  return {.connection = connection,
          .preference = what.preference,
          .renumber = what.renumber,
          .has_own_changes = has_own_changes,
          .resolution = what.resolution};
}

// What a merge does to each row, counted from one base; then undone.
Result<RowEffects> effects_from(ConnectionState& connection, const VersionMerge& what, const ReadPoint& base,
                                bool has_own_changes) {
  RowEffects effects;
  MergeContext context = context_of(connection, what, has_own_changes);
  context.effects = &effects;
  DOSQL_RETURN_IF_ERROR(run_own(connection, "SAVEPOINT dosql_base"));
  const Status merged = merge_changes(context, {.base = base, .theirs = what.theirs});
  DOSQL_RETURN_IF_ERROR(run_own(connection, "ROLLBACK TO dosql_base"));
  DOSQL_RETURN_IF_ERROR(run_own(connection, "RELEASE dosql_base"));
  DOSQL_RETURN_IF_ERROR(merged);
  return effects;
}

// Leaves alone, or reports, the rows about which the bases disagree.
Status compare_bases(ConnectionState& connection, const VersionMerge& what, MergeContext& context) {
  DOSQL_ASSIGN_OR_RETURN(const RowEffects first,
                         effects_from(connection, what, what.bases[0], context.has_own_changes));
  std::map<RowName, std::pair<std::string, std::string>> disagreements;
  for (std::size_t i = 1; i < what.bases.size(); ++i) {
    DOSQL_ASSIGN_OR_RETURN(const RowEffects other,
                           effects_from(connection, what, what.bases[i], context.has_own_changes));
    for (const auto& [row, effect] : first) {
      const auto found = other.find(row);
      if (found == other.end() || found->second != effect)
        disagreements[row] = {effect, found == other.end() ? "null" : found->second};
    }
    for (const auto& [row, effect] : other) {
      if (!first.contains(row)) disagreements[row] = {"null", effect};
    }
  }
  for (const auto& [row, effects] : disagreements) {
    bool keep_ours = context.preference == merge::Preference::kOurs;
    if (context.preference == merge::Preference::kNone) {
      const Resolution* const resolution =
          context.settle(context.counts_of(row.first), {.kind = merge::ConflictKind::kBase,
                                                        .table = row.first,
                                                        .key = row.second,
                                                        .base = "null",
                                                        .main = effects.first,
                                                        .branch = effects.second});
      keep_ours = resolution != nullptr && resolution->take == Resolution::Take::kOurs;
    }
    if (keep_ours) context.left_alone.insert(row);
  }
  return {};
}

}  // namespace

Result<VersionMergeResult> merge_versions(ConnectionState& connection, const VersionMerge& what) {
  const bool has_own_changes = connection.file().writes();
  // What a ROLLBACK TO undid would still count as merged.
  if (!what.marks.merges.empty() && dosql_has_savepoint(connection.db()) != 0) {
    return Error(ErrorCode::kInvalidArgument, "a merge is not possible where a SAVEPOINT is open")
        .with_hint("RELEASE it first");
  }
  Undoable transaction(connection);
  DOSQL_RETURN_IF_ERROR(transaction.begin());
  MergeContext context = context_of(connection, what, has_own_changes);
  if (what.bases.size() > 1) DOSQL_RETURN_IF_ERROR(compare_bases(connection, what, context));
  DOSQL_RETURN_IF_ERROR(merge_changes(context, {.base = what.bases[0], .theirs = what.theirs}));
  const bool done = what.keep && context.conflicts.empty();
  if (done) {
    if (!what.marks.empty()) connection.file().add_marks(what.marks);
    DOSQL_RETURN_IF_ERROR(transaction.keep());
  } else {
    DOSQL_RETURN_IF_ERROR(transaction.undo());
  }
  return VersionMergeResult{std::move(context.tables), std::move(context.conflicts)};
}

}  // namespace dosql::engine
