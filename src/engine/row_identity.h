// Whether what two versions have under one number is one row.
//
// A number can be given again: where x inserted a row 5 and deleted it, and main inserted another one, main
// has its own also when it has merged x, and what was forked off x in between has x's. No version shows that,
// but the ones on the way do. So a row is traced back: along the line of its version, over each merge on it.
// It was there before a merge, or it came from a version that was merged. Two of them are one row if they
// come to one version. On a line without merges a number is one row's: what SQLite, or the user, gives again
// on one branch counts as the same. Where a REVERT or CHERRY PICK brought a row, the trace goes on in the
// version that it came from.
//
// Of rows that met under one number in a merge it is that merge that says so (version/moved_numbers.h).
#pragma once

#include <map>
#include <memory>
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

  // Whether merges came in on the ways from what both have in common to them. If not, what they have under
  // one number is one row. Reads nothing.
  bool may_be_others(const version::ReadPoint& version, const RowSide& side);

  // Costs a look at two versions or three for each merge on these ways. REQUIRES: both have the row. Where
  // versions on the way do not know the table by this name and key, it is one row. Errors: those of
  // VersionRows.
  Result<bool> is_same(const MergedTable& table, const RowAddress& row, const version::ReadPoint& version,
                       const RowSide& side);
  // The same, but what cannot be told is said to be that. `without`: a version on the ways that does not have
  // the row: what its line has behind it is another one.
  Result<SameRow> compare(const MergedTable& table, const RowAddress& row, const version::ReadPoint& version,
                          const RowSide& side, const version::ReadPoint* without = nullptr);

  VersionRows& rows() { return rows_; }

 private:
  // A version on a line whose commit merged others, or brought rows, or both.
  struct Event {
    Version version{};
    std::vector<version::MergeMark> merged = {};
    bool brought = false;
  };
  using Events = std::vector<Event>;

  // Where a trace has come to: the row is there.
  struct Trace {
    version::ReadPoint at;
    std::shared_ptr<const Events> events;
    std::size_t left = 0;  // of them

    const Event& newest() const { return (*events)[left - 1]; }
    // Its version; 0: there is none.
    Version newest_version() const { return left == 0 ? Version{} : newest().version; }
  };
  enum class Step : std::uint8_t { kDone, kBegan, kMet, kUnknown };

  Trace trace_from(const version::ReadPoint& at);
  // Of a line; 0: there is none.
  Version newest_merge(const version::ReadPoint& at);
  // Over the newest event. kBegan: that, or what came behind it, made the row. kMet: it took it as it was on
  // the line of `other`, with no other merge between.
  Result<Step> step_back(const MergedTable& table, const RowAddress& row, Trace& trace, const Trace& other);
  Result<Step> step_over_merge(const MergedTable& table, const RowAddress& row, Trace& trace,
                               const Trace& other);
  Result<Step> step_over_brought(const MergedTable& table, const RowAddress& row, Trace& trace);
  // To where the row of a commit came from, that its parent does not have. kBegan: not by being brought.
  Result<Step> go_to_source(const MergedTable& table, const RowAddress& row, const version::ReadPoint& commit,
                            Trace& trace);
  // Where it kept its number.
  Result<std::vector<version::MovedRun>> brought_runs(const MergedTable& table, const RowAddress& row,
                                                      const version::ReadPoint& commit);
  // Both are versions of one branch.
  bool no_merge_between(const version::ReadPoint& a, const version::ReadPoint& b);
  Result<bool> begins_behind(const MergedTable& table, const RowAddress& row, const Trace& trace,
                             Version shared, const version::ReadPoint& without);
  Result<bool> shares_beginning(const MergedTable& table, const RowAddress& row, const Trace& a,
                                const Trace& b, Version shared);
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
