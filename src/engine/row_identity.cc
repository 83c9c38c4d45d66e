#include "engine/row_identity.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <ranges>
#include <utility>

#include "merge/row_merge.h"
#include "sql/lexer.h"

namespace dosql::engine {

using version::ReadPoint;

namespace {

bool is_same_content(const RowCopy& a, const RowCopy& b) {
  return a.values().size() == b.values().size() && merge::same_row(a.values(), b.values());
}

}  // namespace

Version RowIdentity::shared_by(const ReadPoint& a, const ReadPoint& b) const {
  const Version shared = store_.shared_version(a.branch, b.branch).version;
  return std::min({shared, a.version, b.version});
}

Result<ReadPoint> RowIdentity::at_version(BranchId branch, Version version) {
  const auto known = points_.find({branch, version});
  if (known != points_.end()) return known->second;
  DOSQL_ASSIGN_OR_RETURN(const ReadPoint point, store_.at_version(branch, version));
  return points_.emplace(std::pair(branch, version), point).first->second;
}

RowIdentity::Trace RowIdentity::trace_from(const ReadPoint& at) {
  std::shared_ptr<const Events>& known = events_[{at.branch, at.version}];
  if (!known) {
    std::map<Version, Event> events;
    for (version::LineMerge& merge : version::merges_on_line(store_, at))
      events[merge.version].merged.push_back(merge.mark);
    for (const Version version : version::brought_on_line(store_, at)) events[version].brought = true;
    Events all;
    for (auto& [version, event] : events) {
      event.version = version;
      all.push_back(std::move(event));
    }
    known = std::make_shared<const Events>(std::move(all));
  }
  return {at, known, known->size()};
}

Version RowIdentity::newest_merge(const ReadPoint& at) {
  const Trace trace = trace_from(at);
  const auto is_merge = [](const Event& event) { return !event.merged.empty(); };
  const auto newest = std::find_if(trace.events->rbegin(), trace.events->rend(), is_merge);
  return newest == trace.events->rend() ? Version{} : newest->version;
}

bool RowIdentity::may_be_others(const ReadPoint& version, const RowSide& side) {
  if (!side.merged.empty()) return true;
  const Version shared = shared_by(version, side.point);
  return newest_merge(version) > shared || newest_merge(side.point) > shared;
}

bool RowIdentity::no_merge_between(const ReadPoint& a, const ReadPoint& b) {
  const auto [older, newer] =
      std::minmax(a, b, [](const ReadPoint& x, const ReadPoint& y) { return x.version < y.version; });
  return older.branch == newer.branch && newest_merge(newer) <= older.version;
}

Result<RowIdentity::Step> RowIdentity::step_back(const MergedTable& table, const RowAddress& row,
                                                 Trace& trace, const Trace& other) {
  return trace.newest().merged.empty() ? step_over_brought(table, row, trace)
                                       : step_over_merge(table, row, trace, other);
}

// What a merge made of a row that both have shows whose it is: cells of both are so of one row only.
Result<RowIdentity::Step> RowIdentity::step_over_merge(const MergedTable& table, const RowAddress& row,
                                                       Trace& trace, const Trace& other) {
  const Event& event = trace.newest();
  const Version version = event.version;
  DOSQL_ASSIGN_OR_RETURN(const ReadPoint merge, at_version(trace.at.branch, version));
  DOSQL_ASSIGN_OR_RETURN(const VersionRows::Found came, rows_.find(merge, table, row));
  if (!came.known) return Step::kUnknown;
  if (!came.row) return Step::kBegan;
  std::optional<ReadPoint> parent;
  if (raw(version) > 1) {
    DOSQL_ASSIGN_OR_RETURN(parent, at_version(trace.at.branch, Version{raw(version) - 1}));
    DOSQL_ASSIGN_OR_RETURN(const VersionRows::Found before, rows_.find(*parent, table, row));
    if (!before.known) return Step::kUnknown;
    if (!before.row) parent.reset();
    const bool stayed = before.row && is_same_content(*before.row, *came.row);
    // Branches that merge each other again and again would be traced back to where they parted.
    for (const version::MergeMark& mark : std::views::reverse(event.merged)) {
      DOSQL_ASSIGN_OR_RETURN(const ReadPoint merged, store_.at_commit(mark.lsn));
      if (!no_merge_between(merged, other.at)) continue;
      DOSQL_ASSIGN_OR_RETURN(const VersionRows::Found there, rows_.find(merged, table, row));
      if (!there.known) return Step::kUnknown;
      if (there.row && is_same_content(*there.row, *came.row)) return Step::kMet;
    }
    for (const version::MergeMark& mark : std::views::reverse(event.merged)) {
      if (stayed) break;
      DOSQL_ASSIGN_OR_RETURN(const ReadPoint merged, store_.at_commit(mark.lsn));
      DOSQL_ASSIGN_OR_RETURN(const VersionRows::Found there, rows_.find(merged, table, row));
      if (!there.known) return Step::kUnknown;
      if (!there.row || (parent && !is_same_content(*there.row, *came.row))) continue;
      trace = trace_from(merged);
      return Step::kDone;
    }
  }
  if (!parent) return event.brought ? go_to_source(table, row, merge, trace) : Step::kBegan;
  --trace.left;
  trace.at = *parent;
  return Step::kDone;
}

// What it says nothing of goes by as any commit does.
Result<RowIdentity::Step> RowIdentity::step_over_brought(const MergedTable& table, const RowAddress& row,
                                                         Trace& trace) {
  const Version version = trace.newest().version;
  --trace.left;
  DOSQL_ASSIGN_OR_RETURN(const ReadPoint commit, at_version(trace.at.branch, version));
  DOSQL_ASSIGN_OR_RETURN(const std::vector<version::MovedRun> runs, brought_runs(table, row, commit));
  if (runs.empty()) return Step::kDone;
  DOSQL_ASSIGN_OR_RETURN(const VersionRows::Found came, rows_.find(commit, table, row));
  if (!came.known) return Step::kUnknown;
  if (!came.row) return Step::kDone;
  if (raw(version) > 1) {
    DOSQL_ASSIGN_OR_RETURN(const ReadPoint parent, at_version(trace.at.branch, Version{raw(version) - 1}));
    DOSQL_ASSIGN_OR_RETURN(const VersionRows::Found before, rows_.find(parent, table, row));
    if (before.row) return Step::kDone;
  }
  DOSQL_ASSIGN_OR_RETURN(const Step step, go_to_source(table, row, commit, trace));
  return step == Step::kBegan ? Step::kDone : step;
}

Result<std::vector<version::MovedRun>> RowIdentity::brought_runs(const MergedTable& table,
                                                                 const RowAddress& row,
                                                                 const ReadPoint& commit) {
  auto known = brought_.find(commit.lsn);
  if (known == brought_.end()) {
    DOSQL_ASSIGN_OR_RETURN(std::vector<version::MovedRun> runs, version::brought_by(store_, commit));
    known = brought_.emplace(commit.lsn, std::move(runs)).first;
  }
  const std::vector<std::int64_t> numbers =
      row.key_of.empty() ? std::vector{row.rowid} : table.numbers_of(row.key_of, row.rowid);
  std::vector<version::MovedRun> found;
  std::ranges::copy_if(known->second, std::back_inserter(found), [&](const version::MovedRun& run) {
    return run.now == run.first && (run.table.empty() || sql::equals_ignoring_case(run.table, table.name)) &&
           std::ranges::any_of(
               numbers, [&](std::int64_t number) { return run.first <= number && number <= run.last; });
  });
  return found;
}

Result<RowIdentity::Step> RowIdentity::go_to_source(const MergedTable& table, const RowAddress& row,
                                                    const ReadPoint& commit, Trace& trace) {
  DOSQL_ASSIGN_OR_RETURN(const std::vector<version::MovedRun> runs, brought_runs(table, row, commit));
  for (const version::MovedRun& run : runs) {
    if (raw(run.source) == 0) continue;
    const auto source = store_.at_commit(run.source);
    // Its branch was dropped, and forgotten.
    if (!source) return Step::kUnknown;
    DOSQL_ASSIGN_OR_RETURN(const VersionRows::Found there, rows_.find(*source, table, row));
    if (!there.known) return Step::kUnknown;
    if (!there.row) continue;
    trace = trace_from(*source);
    return Step::kDone;
  }
  return Step::kBegan;
}

// Nothing brought or merged it since.
Result<bool> RowIdentity::begins_behind(const MergedTable& table, const RowAddress& row, const Trace& trace,
                                        Version shared, const ReadPoint& without) {
  const Version passed = shared_by(trace.at, without);
  if (passed <= shared || passed == trace.at.version) return false;
  DOSQL_ASSIGN_OR_RETURN(const ReadPoint point, at_version(trace.at.branch, passed));
  DOSQL_ASSIGN_OR_RETURN(const VersionRows::Found found, rows_.find(point, table, row));
  return found.known && !found.row;
}

// No merge is left on either way back to where their lines part.
Result<bool> RowIdentity::shares_beginning(const MergedTable& table, const RowAddress& row, const Trace& a,
                                           const Trace& b, Version shared) {
  if (shared == a.at.version || shared == b.at.version) return true;
  if (raw(shared) == 0) return false;
  DOSQL_ASSIGN_OR_RETURN(const ReadPoint parted, at_version(a.at.branch, shared));
  DOSQL_ASSIGN_OR_RETURN(const VersionRows::Found found, rows_.find(parted, table, row));
  return !found.known || found.row;
}

Result<bool> RowIdentity::is_same(const MergedTable& table, const RowAddress& row, const ReadPoint& version,
                                  const RowSide& side) {
  DOSQL_ASSIGN_OR_RETURN(const SameRow same, compare(table, row, version, side));
  return same != SameRow::kNo;
}

Result<SameRow> RowIdentity::compare(const MergedTable& table, const RowAddress& row,
                                     const ReadPoint& version, const RowSide& side,
                                     const ReadPoint* without) {
  std::optional<ReadPoint> from;
  std::vector<ReadPoint> ways{side.point};
  ways.insert(ways.end(), side.merged.begin(), side.merged.end());
  for (const ReadPoint& way : ways) {
    DOSQL_ASSIGN_OR_RETURN(const VersionRows::Found found, rows_.find(way, table, row));
    if (!found.known) return SameRow::kUnknown;
    if (!found.row) continue;
    from = way;
    break;
  }
  // The open transaction made it.
  if (!from) return SameRow::kUnknown;
  Trace a = trace_from(version);
  Trace b = trace_from(*from);
  while (true) {
    const Version shared = shared_by(a.at, b.at);
    const bool steps_a = a.newest_version() > shared;
    const bool steps_b = b.newest_version() > shared;
    if (!steps_a && !steps_b) {
      for (const Trace* const trace : {&a, &b}) {
        if (without == nullptr) break;
        DOSQL_ASSIGN_OR_RETURN(const bool is_new, begins_behind(table, row, *trace, shared, *without));
        if (is_new) return SameRow::kNo;
      }
      DOSQL_ASSIGN_OR_RETURN(const bool same, shares_beginning(table, row, a, b, shared));
      return same ? SameRow::kYes : SameRow::kNo;
    }
    // From the newest to the oldest: neither passes by where the other one may come to.
    bool takes_a = steps_a;
    if (steps_a && steps_b) {
      DOSQL_ASSIGN_OR_RETURN(const ReadPoint of_a, at_version(a.at.branch, a.newest_version()));
      DOSQL_ASSIGN_OR_RETURN(const ReadPoint of_b, at_version(b.at.branch, b.newest_version()));
      takes_a = of_a.lsn > of_b.lsn;
    }
    DOSQL_ASSIGN_OR_RETURN(const Step step,
                           takes_a ? step_back(table, row, a, b) : step_back(table, row, b, a));
    if (step == Step::kBegan) return SameRow::kNo;
    if (step == Step::kMet) return SameRow::kYes;
    if (step == Step::kUnknown) return SameRow::kUnknown;
  }
}

}  // namespace dosql::engine
