#include "engine/version_merge.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <iterator>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "engine/base_comparison.h"
#include "engine/column_lines.h"
#include "engine/connection_state.h"
#include "engine/marks_table.h"
#include "engine/own_changes.h"
#include "engine/own_statement.h"
#include "engine/row_identity.h"
#include "engine/schema_bases.h"
#include "engine/sqlite_internals.h"
#include "engine/sqlite_running.h"
#include "engine/undo.h"
#include "engine/version_rows.h"

namespace dosql::engine {
namespace {

using version::ReadPoint;

// What is only tried needs no turn to write, but in the user's transaction, which may go on to write.
class Trial {
 public:
  Trial(ConnectionState& connection, const VersionMerge& what)
      : file_(connection.file()),
        is_one_(!what.keep && sqlite3_get_autocommit(connection.db()) != 0 && !file_.writes()) {
    if (is_one_) file_.begin_trial();
  }
  ~Trial() {
    if (is_one_) file_.end_trial();
  }
  Trial(const Trial&) = delete;
  Trial& operator=(const Trial&) = delete;

 private:
  MainFile& file_;
  const bool is_one_;
};

// A transaction of its own, or a savepoint in the user's.
class Undoable {
 public:
  explicit Undoable(ConnectionState& connection)
      : connection_(connection), in_transaction_(sqlite3_get_autocommit(connection.db()) == 0) {}
  ~Undoable() {
    if (begun_) undo().ignore("the failure that led here is the one to report, and may have ended it");
  }
  Undoable(const Undoable&) = delete;
  Undoable& operator=(const Undoable&) = delete;

  Status begin() {
    DOSQL_RETURN_IF_ERROR(
        run_own(connection_, in_transaction_ ? "SAVEPOINT dosql_merge" : "BEGIN IMMEDIATE"));
    begun_ = true;
    last_insert_rowid_ = sqlite3_last_insert_rowid(connection_.db());
    changes_ = dosql_get_change_counts(connection_.db());
    return connection_.file().writes() ? Status() : take_writer_slot();
  }
  Status keep() {
    restore_counts();
    DOSQL_RETURN_IF_ERROR(run_own(connection_, in_transaction_ ? "RELEASE dosql_merge" : "COMMIT"));
    begun_ = false;
    return {};
  }
  Status undo() {
    begun_ = false;
    restore_counts();
    if (in_transaction_) return undo_savepoint(connection_, "dosql_merge");
    roll_back(connection_);
    return {};
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

  // They are those of the user's own INSERT, UPDATE and DELETE.
  void restore_counts() {
    sqlite3_set_last_insert_rowid(connection_.db(), last_insert_rowid_);
    dosql_set_change_counts(connection_.db(), changes_);
  }

  ConnectionState& connection_;
  const bool in_transaction_;
  bool begun_ = false;
  sqlite3_int64 last_insert_rowid_ = 0;
  dosql_change_counts changes_{};
};

// What SQLite counts itself: foreign keys that the transaction has broken, and may mend until it commits. It
// does not see what a merge mends of them.
class DeferredViolations {
 public:
  explicit DeferredViolations(ConnectionState& connection) : connection_(connection) {}
  Status before_merge() {
    int enforced = 0;
    sqlite3_db_config(connection_.db(), SQLITE_DBCONFIG_ENABLE_FKEY, -1, &enforced);
    if (enforced == 0 || dosql_deferred_violations(connection_.db()) == 0) return {};
    DOSQL_ASSIGN_OR_RETURN(before_, count());
    return {};
  }
  Status after_merge() {
    if (!before_) return {};
    DOSQL_ASSIGN_OR_RETURN(const std::int64_t now, count());
    dosql_add_deferred_violations(connection_.db(), now - *before_);
    return {};
  }

 private:
  Result<std::int64_t> count() {
    DOSQL_ASSIGN_OR_RETURN(
        OwnStatement broken,
        OwnStatement::prepare(connection_, "SELECT count(*) FROM pragma_foreign_key_check"));
    if (const int rc = broken.step(); rc != SQLITE_ROW) return connection_.error(rc);
    return broken.integer(0);
  }

  ConnectionState& connection_;
  std::optional<std::int64_t> before_;  // none: nothing is to be counted
};

Result<RowSide> our_side(ConnectionState& connection) {
  RowSide side{.point = connection.file().point()};
  for (const version::MergeMark& mark : connection.file().marks().merges) {
    DOSQL_ASSIGN_OR_RETURN(side.merged.emplace_back(), connection.core().store().at_commit(mark.lsn));
  }
  return side;
}

// That a row was brought under the number that it had is found by who traces it.
bool is_found_by_traces(const version::MovedRun& run) {
  return run.from == version::kBrought && run.now == run.first && run.source != version::kLostSource;
}

// Adds what commits say that they brought, those that are known set aside.
class NotedBrought {
 public:
  NotedBrought(version::VersionStore& store, MergeContext& context) : store_(store), context_(context) {
    for (const NotedMerge& noted : context.noted_merges) {
      if (!noted.pending) known_.insert(noted.moved.commit.lsn);
    }
  }

  // What is picked may have been brought to where it was picked from, and have had another number before:
  // commits that neither side contains say so.
  Status find_sources(const ReadPoint& base) {
    std::set<Lsn> asked{Lsn{}, version::kLostSource};
    for (std::size_t i = 0; i < context_.noted_merges.size(); ++i) {
      const std::vector<version::MovedRun> runs = context_.noted_merges[i].moved.runs;
      for (const version::MovedRun& run : runs) {
        if (run.from != version::kBrought || !asked.insert(run.source).second) continue;
        const auto source = store_.at_commit(run.source);
        if (!source) continue;
        DOSQL_ASSIGN_OR_RETURN(std::vector<version::MovedBy> brought,
                               version::brought_since(store_, base, std::span(&*source, 1)));
        for (version::MovedBy& one : brought) add(std::move(one));
      }
    }
    return {};
  }

  // A REVERT or CHERRY PICK is counted from a version that may have the row under another number itself: what
  // gave it one before that counts, too. Tables are to be paired for as few commits as possible.
  Status find_all(std::span<const ReadPoint> sides) {
    constexpr ReadPoint kBeginning{.branch = kMainBranch};
    DOSQL_ASSIGN_OR_RETURN(std::vector<version::MovedBy> brought,
                           version::brought_since(store_, kBeginning, sides));
    for (version::MovedBy& one : brought) add(std::move(one));
    DOSQL_RETURN_IF_ERROR(find_sources(kBeginning));
    for (NotedMerge& noted : context_.noted_merges) {
      if (!noted.pending) std::erase_if(noted.moved.runs, is_found_by_traces);
    }
    std::erase_if(context_.noted_merges, [](const NotedMerge& noted) { return noted.moved.runs.empty(); });
    return {};
  }

 private:
  void add(version::MovedBy brought) {
    if (known_.insert(brought.commit.lsn).second)
      context_.noted_merges.push_back({.moved = std::move(brought)});
  }

  version::VersionStore& store_;
  MergeContext& context_;
  std::set<Lsn> known_;
};

// What merges made doubtful since the bases, those of the open transaction included.
Status find_noted_merges(ConnectionState& connection, const VersionMerge& what, MergeContext& context) {
  version::VersionStore& store = connection.core().store();
  const ReadPoint ours = connection.file().point();
  const version::CommitMarks pending = connection.file().marks();
  std::vector<ReadPoint> merged;
  std::vector<ReadPoint> our_side{ours};
  for (const version::MergeMark& mark : pending.merges) {
    merged.push_back({.branch = mark.branch, .version = mark.version, .lsn = mark.lsn});
    our_side.push_back(merged.back());
  }
  for (const ReadPoint& base : what.bases) {
    DOSQL_ASSIGN_OR_RETURN(std::vector<version::MovedBy> here, version::moved_since(store, base, our_side));
    DOSQL_ASSIGN_OR_RETURN(std::vector<version::MovedBy> there,
                           version::moved_since(store, base, {&what.theirs, 1}));
    for (const auto& [side, all] : {std::pair(std::span<const ReadPoint>(our_side), &here),
                                    std::pair(std::span(&what.theirs, 1), &there)}) {
      DOSQL_ASSIGN_OR_RETURN(std::vector<version::MovedBy> brought,
                             version::brought_since(store, base, side));
      std::ranges::move(brought, std::back_inserter(*all));
    }
    for (version::MovedBy& one : here)
      context.noted_merges.push_back({.moved = std::move(one), .in_ours = true});
    for (version::MovedBy& one : there)
      context.noted_merges.push_back({.moved = std::move(one), .in_theirs = true});
    if (pending.moved.empty()) continue;
    const std::uint8_t from = version::doubts_about(store, base, ours, merged) | version::kBrought;
    std::vector<version::MovedRun> runs = pending.moved;
    std::erase_if(runs, [&](const version::MovedRun& run) { return (run.from & from) == 0; });
    context.noted_merges.push_back({.moved = {ours, std::move(runs)}, .in_ours = true, .pending = true});
  }
  NotedBrought brought(store, context);
  if (!what.only_changes) {
    for (const ReadPoint& base : what.bases) DOSQL_RETURN_IF_ERROR(brought.find_sources(base));
    return {};
  }
  std::vector<ReadPoint> sides = our_side;
  sides.insert(sides.end(), {what.bases[0], what.theirs});
  return brought.find_all(sides);
}

// `numbers`: by those in the source the ones here.
void add_brought(const std::string& table, const std::map<std::int64_t, std::int64_t>& numbers, Lsn source,
                 std::vector<version::MovedRun>& runs) {
  const std::size_t before = runs.size();
  for (const auto& [there, here] : numbers) {
    const bool goes_on = runs.size() > before && runs.back().last + 1 == there &&
                         runs.back().now + (there - runs.back().first) == here;
    if (goes_on) {
      runs.back().last = there;
    } else {
      runs.push_back({table, there, there, version::kBrought, source, here});
    }
  }
}

// All numbers, each as it is there.
version::MovedRun all_brought(const std::string& table, Lsn source) {
  constexpr std::int64_t kLowest = std::numeric_limits<std::int64_t>::min();
  return {table, kLowest, std::numeric_limits<std::int64_t>::max(), version::kBrought, source, kLowest};
}

// Of a REVERT or CHERRY PICK only what it brought: it contains nothing of which the rest could be said.
std::vector<version::MovedRun> runs_of(const MergeContext& context, const VersionMerge& what) {
  std::vector<version::MovedRun> runs;
  const Lsn source = what.only_changes ? what.theirs.lsn : Lsn{};
  for (const auto& [table, notes] : context.moved) {
    if (notes.all_brought) {
      runs.push_back(all_brought(table, source));
    } else {
      add_brought(table, notes.brought, source, runs);
    }
    if (what.only_changes) continue;
    if (!context.by_content.contains(table)) add_brought(table, notes.went, what.theirs.lsn, runs);
    add_brought(table, notes.went_from_parent, context.our_side.point.lsn, runs);
    for (const auto& [first, last] : notes.from_merged.runs())
      runs.push_back({table, first, last, version::kFromMerged});
    for (const auto& [first, last] : notes.from_parent.runs())
      runs.push_back({table, first, last, version::kFromParent});
  }
  return version::bounded(std::move(runs));
}

// Until all rows of ours that made room for others are where they were.
Status merge_all(Undoable& transaction, const MergeSource& source, MergeContext& context) {
  const std::vector<Conflict> found_before = context.conflicts;
  const std::deque<TableMergeCounts> counted_before = context.tables;
  std::vector<Conflict> of_those_left_alone;
  while (true) {
    DOSQL_RETURN_IF_ERROR(merge_changes(context, source));
    if (context.not_put_back.empty()) return {};
    DOSQL_RETURN_IF_ERROR(transaction.undo());
    DOSQL_RETURN_IF_ERROR(transaction.begin());
    for (auto& [row, conflict] : context.not_put_back) {
      context.left_alone.insert(row);
      if (conflict) of_those_left_alone.push_back(*std::move(conflict));
    }
    context.forget_results();
    context.conflicts = found_before;
    context.tables = counted_before;
    for (const Conflict& conflict : of_those_left_alone) {
      ++context.counts_of(conflict.table).conflicts;
      context.conflicts.push_back(conflict);
    }
  }
}

// As a text that is the same for the same schema.
Result<std::string> schema_text(ConnectionState& connection) {
  DOSQL_ASSIGN_OR_RETURN(
      OwnStatement schema,
      OwnStatement::prepare(connection,
                            "SELECT json_group_array(json_array(type, name, tbl_name, sql)) FROM "
                            "(SELECT * FROM main.sqlite_schema ORDER BY type, name)"));
  if (const int rc = schema.step(); rc != SQLITE_ROW) return connection.error(rc);
  return schema.text(0);
}

}  // namespace

Result<VersionMergeResult> merge_versions(ConnectionState& connection, const VersionMerge& what) {
  DOSQL_ASSIGN_OR_RETURN(OwnChanges own_changes, OwnChanges::find(connection));
  const Trial trial(connection, what);
  Undoable transaction(connection);
  DOSQL_RETURN_IF_ERROR(transaction.begin());
  MergeContext context = context_of(connection, what, std::move(own_changes));
  DOSQL_RETURN_IF_ERROR(find_noted_merges(connection, what, context));
  ColumnLines lines(connection.core().store(), connection.schemas(), connection.db(), what.bases);
  VersionRows rows(connection, lines);
  RowIdentity identity(connection.core().store(), rows);
  context.identity = &identity;
  context.lines = &lines;
  DOSQL_ASSIGN_OR_RETURN(context.our_side, our_side(connection));
  DeferredViolations violations(connection);
  DOSQL_RETURN_IF_ERROR(violations.before_merge());
  DOSQL_ASSIGN_OR_RETURN(const std::optional<SchemaBases> schema_bases,
                         find_schema_bases(connection, what, context));
  if (schema_bases) context.schema_bases = &*schema_bases;
  DOSQL_RETURN_IF_ERROR(settle_bases(connection, what, context));
  std::string schema_before;
  if (what.only_changes) {
    DOSQL_ASSIGN_OR_RETURN(schema_before, schema_text(connection));
  }
  DOSQL_RETURN_IF_ERROR(merge_all(transaction, {.base = what.bases[0], .theirs = what.theirs}, context));
  bool changes = true;
  if (what.only_changes && context.tables.empty()) {
    DOSQL_ASSIGN_OR_RETURN(const std::string schema_now, schema_text(connection));
    changes = schema_now != schema_before;
  }
  const bool done = what.keep && context.conflicts.empty() && changes;
  if (done) {
    DOSQL_RETURN_IF_ERROR(violations.after_merge());
    version::CommitMarks marks = what.marks;
    marks.moved = runs_of(context, what);
    if (what.only_changes) {
      DOSQL_ASSIGN_OR_RETURN(const std::string schema_now, schema_text(connection));
      // As it says of rows.
      const std::string_view note = what.reverts ? kBroughtSchema : kPickedSchema;
      if (schema_now != schema_before) marks.moved.push_back(all_brought(std::string(note), what.theirs.lsn));
    }
    if (!marks.empty()) DOSQL_RETURN_IF_ERROR(add_marks(connection, marks));
    DOSQL_RETURN_IF_ERROR(transaction.keep());
  } else {
    DOSQL_RETURN_IF_ERROR(transaction.undo());
  }
  return VersionMergeResult{changes, std::move(context.tables), std::move(context.conflicts)};
}

}  // namespace dosql::engine
