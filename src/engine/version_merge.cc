#include "engine/version_merge.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "base/json_text.h"
#include "engine/connection_state.h"
#include "engine/content_merge.h"
#include "engine/event_order.h"
#include "engine/marks_table.h"
#include "engine/own_statement.h"
#include "engine/row_json.h"
#include "engine/sqlite_internals.h"
#include "engine/sqlite_running.h"
#include "engine/undo.h"
#include "version/line_merges.h"

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

MergeContext context_of(ConnectionState& connection, const VersionMerge& what, bool has_own_changes) {
  return {.connection = connection,
          .preference = what.preference,
          .renumber = what.renumber,
          .has_own_changes = has_own_changes,
          .resolution = what.resolution};
}

// What a merge does to each row, counted from one base; then undone. `moved`: tables in which it gave a row
// another rowid.
Result<RowEffects> effects_from(ConnectionState& connection, const VersionMerge& what, const ReadPoint& base,
                                const MergeContext& whole, std::set<std::string>& moved) {
  RowEffects effects;
  MergeContext context = context_of(connection, what, whole.has_own_changes);
  context.noted_merges = whole.noted_merges;
  context.effects = &effects;
  DOSQL_RETURN_IF_ERROR(run_own(connection, "SAVEPOINT dosql_base"));
  const Status merged = merge_changes(context, {.base = base, .theirs = what.theirs});
  const Status undone = undo_savepoint(connection, "dosql_base");
  // It may have ended the transaction, and the savepoint with it.
  DOSQL_RETURN_IF_ERROR(merged);
  DOSQL_RETURN_IF_ERROR(undone);
  for (const auto& [table, rowids] : context.moved_rowids) moved.insert(table);
  return effects;
}

// What each base says of a row; none: it says that nothing happens to it.
using RowOpinions = std::vector<std::optional<RowEffect>>;

std::map<RowName, RowOpinions> disagreements_of(std::vector<RowEffects> effects) {
  std::map<RowName, RowOpinions> opinions;
  for (std::size_t base = 0; base < effects.size(); ++base) {
    for (auto& [row, effect] : effects[base]) {
      RowOpinions& all = opinions[row];
      all.resize(effects.size());
      all[base] = std::move(effect);
    }
  }
  std::erase_if(opinions, [](const auto& row) {
    const RowOpinions& all = row.second;
    return std::ranges::all_of(all, [&](const std::optional<RowEffect>& one) {
      return one && all[0] && one->json == all[0]->json && one->in_conflict == all[0]->in_conflict;
    });
  });
  return opinions;
}

// As a conflict shows them: the first base's, and another one that is different. Where a base says that there
// is a conflict, what the branch would have.
std::pair<std::string, std::string> shown(const RowOpinions& opinions) {
  const auto text = [](const std::optional<RowEffect>& one) { return one ? one->json : "null"; };
  for (const std::optional<RowEffect>& other : opinions) {
    if (text(other) != text(opinions[0])) return {text(opinions[0]), text(other)};
  }
  return {text(opinions[0]), text(opinions[0])};
}

enum class Side : std::uint8_t { kUndecided, kOurs, kTheirs };

// `sides`: what the conflict shows of main and of the branch.
Result<Side> decide_base(MergeContext& context, const RowName& row,
                         std::pair<std::string, std::string> sides) {
  if (context.preference == merge::Preference::kOurs) return Side::kOurs;
  if (context.preference == merge::Preference::kTheirs) return Side::kTheirs;
  const Resolution* const resolution =
      context.settle(context.counts_of(row.first), {.kind = merge::ConflictKind::kBase,
                                                    .table = row.first,
                                                    .key = row.second,
                                                    .base = "null",
                                                    .main = std::move(sides.first),
                                                    .branch = std::move(sides.second)});
  if (resolution == nullptr) return Side::kUndecided;
  if (resolution->take == Resolution::Take::kOurs) return Side::kOurs;
  if (resolution->take == Resolution::Take::kTheirs) return Side::kTheirs;
  return Error(
      ErrorCode::kInvalidArgument,
      fmt::format("row {} of {} takes a side: its conflict is of kind base, which ours or theirs resolves",
                  row.second, row.first));
}

// Rows that only a hidden rowid tells apart, where it does not tell whose it is. False: the table has others.
Result<bool> merge_contents(ConnectionState& connection, const VersionMerge& what, MergeContext& context,
                            const std::string& table) {
  ContentMerge contents(connection, connection.schemas(), table);
  DOSQL_ASSIGN_OR_RETURN(const bool counted, contents.count(what.bases, what.theirs));
  if (!counted) return false;
  ContentChanges& changes = context.by_content[table];
  if (!contents.undecided()) {
    changes = contents.merged();
    return true;
  }
  DOSQL_ASSIGN_OR_RETURN(const Side side, decide_base(context, {table, json_string(table)},
                                                      {contents.row_of_ours(), contents.row_of_theirs()}));
  if (side == Side::kTheirs) changes = contents.to_theirs();
  return true;
}

// Whether a merge made one of the versions behind `base` on the line of `newest`, or brought `base` there.
Result<bool> has_merged_since(version::VersionStore& store, const ReadPoint& base, const ReadPoint& newest) {
  const std::vector<version::LineMerge> merges = version::merges_on_line(store, newest);
  if (merges.empty()) return false;
  // What the newest one made holds all before it.
  DOSQL_ASSIGN_OR_RETURN(const ReadPoint merged, store.at_version(newest.branch, merges.back().version));
  if (merged == base) return false;
  DOSQL_ASSIGN_OR_RETURN(const version::LineageComparison both, store.compare(merged, base));
  return both.ahead > 0;
}

// A merge behind the base may have given a row that only a hidden rowid tells apart another one, here or
// there: then the same rowid is no longer the same row.
Status count_moved_rows(ConnectionState& connection, const VersionMerge& what, MergeContext& context) {
  version::VersionStore& store = connection.core().store();
  const ReadPoint ours = connection.file().point();
  DOSQL_ASSIGN_OR_RETURN(const bool here, has_merged_since(store, what.bases[0], ours));
  DOSQL_ASSIGN_OR_RETURN(const bool there, has_merged_since(store, what.bases[0], what.theirs));
  if (!here && !there) return {};
  DOSQL_ASSIGN_OR_RETURN(const auto schema, connection.schemas().of(ours));
  for (const TableShape& table : schema->tables) {
    if (!has_events(table)) continue;
    ContentMerge contents(connection, connection.schemas(), table.name);
    DOSQL_ASSIGN_OR_RETURN(const bool doubtful, contents.both_changed_a_row(what.bases[0], what.theirs));
    if (!doubtful) continue;
    DOSQL_RETURN_IF_ERROR(merge_contents(connection, what, context, table.name).and_then(ignore_result));
  }
  return {};
}

// Leaves alone, takes whole or reports the rows about which the bases disagree.
Status compare_bases(ConnectionState& connection, const VersionMerge& what, MergeContext& context) {
  std::vector<RowEffects> effects;
  std::set<std::string> unsure;
  for (const ReadPoint& base : what.bases) {
    DOSQL_ASSIGN_OR_RETURN(effects.emplace_back(), effects_from(connection, what, base, context, unsure));
  }
  std::map<RowName, RowOpinions> disagreements = disagreements_of(std::move(effects));
  for (const auto& [row, opinions] : disagreements) unsure.insert(row.first);
  for (const std::string& table : unsure) {
    // What the transaction has changed itself is in no version.
    if (context.has_own_changes) break;
    DOSQL_RETURN_IF_ERROR(merge_contents(connection, what, context, table).and_then(ignore_result));
  }
  for (auto& [row, opinions] : disagreements) {
    if (context.by_content.contains(row.first)) continue;
    DOSQL_ASSIGN_OR_RETURN(const Side side, decide_base(context, row, shown(opinions)));
    const bool in_conflict = std::ranges::any_of(
        opinions, [](const std::optional<RowEffect>& one) { return one && one->in_conflict; });
    // Otherwise the conflict that only one base sees would be another one about the same row.
    if (side != Side::kUndecided || in_conflict) context.left_alone.insert(row);
    if (side != Side::kTheirs) continue;
    for (std::optional<RowEffect>& opinion : opinions) {
      if (opinion) context.taken[row].push_back(*std::move(opinion));
    }
  }
  return {};
}

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
    for (version::MovedBy& one : here)
      context.noted_merges.push_back({.moved = std::move(one), .in_ours = true});
    for (version::MovedBy& one : there)
      context.noted_merges.push_back({.moved = std::move(one), .in_theirs = true});
    if (pending.moved.empty()) continue;
    const std::uint8_t from = version::doubts_about(store, base, ours, merged);
    std::vector<version::MovedRun> runs = pending.moved;
    std::erase_if(runs, [&](const version::MovedRun& run) { return (run.from & from) == 0; });
    context.noted_merges.push_back({.moved = {ours, std::move(runs)}, .in_ours = true});
  }
  return {};
}

std::vector<version::MovedRun> runs_of(const std::map<std::string, MovedNotes>& moved) {
  std::vector<version::MovedRun> runs;
  for (const auto& [table, notes] : moved) {
    for (const auto& [first, last] : notes.from_merged.runs())
      runs.push_back({table, first, last, version::kFromMerged});
    for (const auto& [first, last] : notes.from_parent.runs())
      runs.push_back({table, first, last, version::kFromParent});
  }
  return version::bounded(std::move(runs));
}

// Until all rows of ours that made room for others are where they were.
Status merge_all(Undoable& transaction, const VersionMerge& what, MergeContext& context) {
  const std::vector<Conflict> found_before = context.conflicts;
  const std::deque<TableMergeCounts> counted_before = context.tables;
  std::vector<Conflict> of_those_left_alone;
  while (true) {
    DOSQL_RETURN_IF_ERROR(merge_changes(context, {.base = what.bases[0], .theirs = what.theirs}));
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

// The store keeps no counter (V5): these bytes of page 1 are the handle's.
void forget_counter(std::span<std::byte> page1) {
  constexpr std::size_t kCounter = 24;
  constexpr std::size_t kCounterCopy = 92;
  for (const std::size_t at : {kCounter, kCounterCopy}) std::ranges::fill(page1.subspan(at, 4), std::byte{0});
}

// Whether the open transaction stands on something else than its version. What a savepoint has undone, that
// of a DRY RUN too, was written and is as before.
Result<bool> has_changed_something(ConnectionState& connection) {
  sqlite3* const db = connection.db();
  if (dosql_has_written(db) == 0) return false;
  if (dosql_has_resized(db) != 0) return true;
  MainFile& file = connection.file();
  std::vector<std::byte> before(kPageBytes);
  std::vector<std::byte> now(kPageBytes);
  for (dosql_written_page page{}; dosql_next_written_page(db, &page) != 0;) {
    if (page.content != nullptr) {
      std::memcpy(now.data(), page.content, now.size());
    } else if (const int rc = file.read(std::uint64_t{page.number - 1} * kPageBytes, now); rc != SQLITE_OK) {
      return connection.error(rc);
    }
    if (const int rc = file.read_base(PageNo{page.number}, 0, before); rc != SQLITE_OK)
      return connection.error(rc);
    if (page.number == 1) {
      forget_counter(before);
      forget_counter(now);
    }
    if (before != now) return true;
  }
  return false;
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
  DOSQL_ASSIGN_OR_RETURN(const bool has_own_changes, has_changed_something(connection));
  const Trial trial(connection, what);
  Undoable transaction(connection);
  DOSQL_RETURN_IF_ERROR(transaction.begin());
  MergeContext context = context_of(connection, what, has_own_changes);
  DOSQL_RETURN_IF_ERROR(find_noted_merges(connection, what, context));
  DeferredViolations violations(connection);
  DOSQL_RETURN_IF_ERROR(violations.before_merge());
  if (what.bases.size() > 1) {
    DOSQL_RETURN_IF_ERROR(compare_bases(connection, what, context));
  } else if (!has_own_changes) {
    // What the transaction has changed itself is in no version.
    DOSQL_RETURN_IF_ERROR(count_moved_rows(connection, what, context));
  }
  std::string schema_before;
  if (what.only_changes) {
    DOSQL_ASSIGN_OR_RETURN(schema_before, schema_text(connection));
  }
  DOSQL_RETURN_IF_ERROR(merge_all(transaction, what, context));
  bool changes = true;
  if (what.only_changes && context.tables.empty()) {
    DOSQL_ASSIGN_OR_RETURN(const std::string schema_now, schema_text(connection));
    changes = schema_now != schema_before;
  }
  const bool done = what.keep && context.conflicts.empty() && changes;
  if (done) {
    DOSQL_RETURN_IF_ERROR(violations.after_merge());
    version::CommitMarks marks = what.marks;
    if (!marks.merges.empty()) marks.moved = runs_of(context.moved);
    if (!marks.empty()) DOSQL_RETURN_IF_ERROR(add_marks(connection, marks));
    DOSQL_RETURN_IF_ERROR(transaction.keep());
  } else {
    DOSQL_RETURN_IF_ERROR(transaction.undo());
  }
  return VersionMergeResult{changes, std::move(context.tables), std::move(context.conflicts)};
}

}  // namespace dosql::engine
