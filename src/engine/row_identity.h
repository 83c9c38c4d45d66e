// Whether what two versions have, under one number or each under another, is one row.
//
// A number can be given again: where x inserted a row 5 and deleted it, and main inserted another one, main
// has its own also when it has merged x, and what was forked off x in between has x's. No version shows that,
// but the ones on the way do. So a row is traced back: along the line of its version, over each merge on it.
// It was there before a merge, or it came from a version that was merged. Two of them are one row if they
// come to one version. On a line without merges a number is one row's: what SQLite, or the user, gives again
// on one branch counts as the same. Where a REVERT or CHERRY PICK brought a row, the trace goes on in the
// version that it came from.
//
// Nor need a row have one number everywhere: a merge, a REVERT or a CHERRY PICK may have given it another
// one. Its commit notes that (version/moved_numbers.h), and the trace goes on under the number that the row
// has in the version that it came from, if what it is there is what came, but for foreign keys that followed,
// as the same commit notes. A note alone proves nothing: it may say too much. Rows that are known by a key of
// the user's have it everywhere.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <dosql/result.h>

#include "engine/merged_table.h"
#include "engine/version_rows.h"
#include "version/line_merges.h"
#include "version/moved_numbers.h"
#include "version/version_store.h"

namespace dosql::engine {

// A version, or one that is still being made: what it stands on, and has merged.
struct RowSide {
  version::ReadPoint point;
  std::vector<version::ReadPoint> merged = {};
};

enum class SameRow : std::uint8_t { kYes, kNo, kUnknown };

// One thread at a time.
class RowIdentity {
 public:
  // Both must outlive it.
  RowIdentity(version::VersionStore& store, VersionRows& rows) : store_(store), rows_(rows) {}

  // Whether merges, or commits that brought rows, are on the ways from what both have in common to them. If
  // not, what they have under one number is one row. Reads nothing.
  bool may_be_others(const version::ReadPoint& version, const RowSide& side);

  // Whether what `version` has as `row` is what `side` has as `theirs`. `without`: a version on the ways;
  // what it does not have, but its line has behind it, is another row. Costs a look at two versions or three
  // for each merge on these ways. kUnknown: versions on the way do not know the table by this name and key, a
  // commit that brought the row changed it, or it came from versions that are no longer there. REQUIRES: both
  // have the row. Errors: those of VersionRows.
  Result<SameRow> compare(const MergedTable& table, const RowAddress& row, const version::ReadPoint& version,
                          const RowAddress& theirs, const RowSide& side,
                          const version::ReadPoint* without = nullptr);
  // Of what both have under one number, or key. What cannot be told is one row.
  Result<bool> is_same(const MergedTable& table, const RowAddress& row, const version::ReadPoint& version,
                       const RowSide& side);

  // Whether the open transaction made it: no version that it is made of has the row. REQUIRES: it has it.
  Result<bool> is_new(const MergedTable& table, const RowAddress& row, const RowSide& side);

  // Whether `version` has the row that the run's source has under that number: it need not be that version
  // itself. kUnknown also where the source is no longer there. REQUIRES: `version` has a row there.
  Result<SameRow> is_of_source(const MergedTable& table, const RowAddress& row, const version::MovedRun& run,
                               const version::ReadPoint& version);

  VersionRows& rows() { return rows_; }

 private:
  // A version on a line whose commit merged others, or brought rows, or both.
  struct Event {
    Version version{};
    std::vector<version::MergeMark> merged = {};
    bool brought = false;
  };
  using Events = std::vector<Event>;

  // Where a trace has come to: the row is there, and has this key or number.
  struct Trace {
    version::ReadPoint at;
    RowAddress row;
    std::shared_ptr<const Events> events;
    std::size_t left = 0;  // of them
    // The row came from a version that is no longer there, where it had this number.
    std::optional<std::pair<Lsn, std::int64_t>> lost = {};

    const Event& newest() const { return (*events)[left - 1]; }
    // Its version; 0: there is none.
    Version newest_version() const { return left == 0 ? Version{} : newest().version; }
  };
  enum class Step : std::uint8_t { kDone, kBegan, kMet, kUnknown };
  // A row, or that there is none; `known` as in VersionRows.
  using Found = VersionRows::Found;

  Trace trace_from(const version::ReadPoint& at, const RowAddress& row);
  std::shared_ptr<const Events> events_of(const version::ReadPoint& at);
  // Of a line; 0: there is none.
  Version newest_event(const version::ReadPoint& at);
  // The first way to the side that has the row; none: the open transaction made it.
  Result<std::optional<Trace>> trace_of(const MergedTable& table, const RowAddress& row, const RowSide& side,
                                        bool& known);
  // Where neither has an event left behind the version in which their lines part.
  Result<SameRow> meet(const MergedTable& table, const Trace& a, const Trace& b, Version shared,
                       const version::ReadPoint* without);
  // Over the newest event. kBegan: that, or what came behind it, made the row. kMet: it took it as it was on
  // the line of `other`, with no other event between.
  Result<Step> step_back(const MergedTable& table, Trace& trace, const Trace& other);
  Result<Step> step_over_merge(const MergedTable& table, Trace& trace, const Trace& other);
  Result<Step> step_over_brought(const MergedTable& table, Trace& trace);
  // Whether the merge took the row as one of the merged versions on the line of `other` has it.
  Result<Step> look_for_met(const MergedTable& table, const Trace& trace, const Event& event,
                            const Found& came, const Trace& other);
  // To a merged version that has the row, and as it came if `as_it_came`. kBegan: there is none.
  Result<Step> go_to_merged(const MergedTable& table, Trace& trace, const Event& event, const Found& came,
                            bool as_it_came);
  // Whether the merged version has the row as a version has it that it had in common with what was there
  // before it: then the merge did nothing to it, and what the commit has instead its transaction inserted.
  Result<bool> leaves_as_it_was(const MergedTable& table, const Trace& trace, const Event& event,
                                const version::MergeMark& mark, const Found& there);
  // Whether the commit has it as the version that it came from has it: numbers of other rows by which it
  // refers to them have followed those, as far as the commit notes that.
  Result<bool> is_as_it_came(const MergedTable& table, const version::ReadPoint& commit, const Found& came,
                             Lsn source, const Found& there);
  // Whether a merge gave the row that a merged version has there another number: what has that in it is
  // another row then. kUnknown: it notes one under which that row is not as it was.
  Result<SameRow> stayed(const MergedTable& table, const RowAddress& row, const version::ReadPoint& merge,
                         const version::ReadPoint& merged, const Found& there);
  // To where the row of a commit came from by its notes: under another number as it is in the commit, under
  // the same one as it may be. kUnknown: under another number only otherwise. kBegan: they say nothing of it.
  Result<Step> go_to_source(const MergedTable& table, const version::ReadPoint& commit, const Found& came,
                            bool as_it_came, Trace& trace);
  Result<const std::vector<version::MovedRun>*> all_brought_runs(const version::ReadPoint& commit);
  // Those of the commit about this table.
  Result<std::vector<version::MovedRun>> brought_runs(const MergedTable& table,
                                                      const version::ReadPoint& commit);
  // Those of them that say where this row came from.
  Result<std::vector<version::MovedRun>> brought_runs(const MergedTable& table, const RowAddress& row,
                                                      const version::ReadPoint& commit);
  // Both are versions of one branch.
  bool no_event_between(const version::ReadPoint& a, const version::ReadPoint& b);
  Result<bool> begins_behind(const MergedTable& table, const Trace& trace, Version shared,
                             const version::ReadPoint& without);
  Result<bool> shares_beginning(const MergedTable& table, const Trace& a, const Trace& b, Version shared);
  Result<version::ReadPoint> at_version(BranchId branch, Version version);
  // The newest version that both lines go through.
  Version shared_by(const version::ReadPoint& a, const version::ReadPoint& b) const;

  version::VersionStore& store_;
  VersionRows& rows_;
  std::map<std::pair<BranchId, Version>, std::shared_ptr<const Events>> events_;
  std::map<Lsn, std::vector<version::MovedRun>> brought_;  // by the LSN of the commit
  std::map<std::pair<BranchId, Version>, version::ReadPoint> points_;
};

}  // namespace dosql::engine
