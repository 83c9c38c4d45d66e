#include "engine/row_identity.h"

#include <algorithm>
#include <array>
#include <optional>

#include "merge/row_merge.h"

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
  std::shared_ptr<const Merges>& merges = merges_[{at.branch, at.version}];
  if (!merges) merges = std::make_shared<const Merges>(version::merges_on_line(store_, at));
  return {at, merges, merges->size()};
}

bool RowIdentity::may_be_others(const ReadPoint& version, const RowSide& side) {
  if (!side.merged.empty()) return true;
  const Version shared = shared_by(version, side.point);
  return std::ranges::any_of(std::array{version, side.point}, [&](const ReadPoint& point) {
    return trace_from(point).newest_merge() > shared;
  });
}

bool RowIdentity::no_merge_between(const ReadPoint& a, const ReadPoint& b) {
  const auto [older, newer] =
      std::minmax(a, b, [](const ReadPoint& x, const ReadPoint& y) { return x.version < y.version; });
  return older.branch == newer.branch && trace_from(newer).newest_merge() <= older.version;
}

// What a merge made of a row that both have shows whose it is: cells of both are so of one row only.
Result<RowIdentity::Step> RowIdentity::step_back(const MergedTable& table, const RowAddress& row,
                                                 Trace& trace, const Trace& other) {
  const Version version = trace.newest_merge();
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
    for (std::size_t i = trace.left; i > 0 && (*trace.merges)[i - 1].version == version; --i) {
      DOSQL_ASSIGN_OR_RETURN(const ReadPoint merged, store_.at_commit((*trace.merges)[i - 1].mark.lsn));
      if (!no_merge_between(merged, other.at)) continue;
      DOSQL_ASSIGN_OR_RETURN(const VersionRows::Found there, rows_.find(merged, table, row));
      if (!there.known) return Step::kUnknown;
      if (there.row && is_same_content(*there.row, *came.row)) return Step::kMet;
    }
    for (std::size_t i = stayed ? 0 : trace.left; i > 0 && (*trace.merges)[i - 1].version == version; --i) {
      DOSQL_ASSIGN_OR_RETURN(const ReadPoint merged, store_.at_commit((*trace.merges)[i - 1].mark.lsn));
      DOSQL_ASSIGN_OR_RETURN(const VersionRows::Found there, rows_.find(merged, table, row));
      if (!there.known) return Step::kUnknown;
      if (!there.row || (parent && !is_same_content(*there.row, *came.row))) continue;
      trace = trace_from(merged);
      return Step::kDone;
    }
  }
  if (!parent) return Step::kBegan;
  while (trace.newest_merge() == version) --trace.left;
  trace.at = *parent;
  return Step::kDone;
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
  std::optional<ReadPoint> from;
  std::vector<ReadPoint> ways{side.point};
  ways.insert(ways.end(), side.merged.begin(), side.merged.end());
  for (const ReadPoint& way : ways) {
    DOSQL_ASSIGN_OR_RETURN(const VersionRows::Found found, rows_.find(way, table, row));
    if (!found.known) return true;
    if (!found.row) continue;
    from = way;
    break;
  }
  // The open transaction made it.
  if (!from) return true;
  Trace a = trace_from(version);
  Trace b = trace_from(*from);
  while (true) {
    const Version shared = shared_by(a.at, b.at);
    const bool steps_a = a.newest_merge() > shared;
    const bool steps_b = b.newest_merge() > shared;
    if (!steps_a && !steps_b) return shares_beginning(table, row, a, b, shared);
    // From the newest to the oldest: neither passes by where the other one may come to.
    bool takes_a = steps_a;
    if (steps_a && steps_b) {
      DOSQL_ASSIGN_OR_RETURN(const ReadPoint of_a, at_version(a.at.branch, a.newest_merge()));
      DOSQL_ASSIGN_OR_RETURN(const ReadPoint of_b, at_version(b.at.branch, b.newest_merge()));
      takes_a = of_a.lsn > of_b.lsn;
    }
    DOSQL_ASSIGN_OR_RETURN(const Step step,
                           takes_a ? step_back(table, row, a, b) : step_back(table, row, b, a));
    if (step != Step::kDone) return step != Step::kBegan;
  }
}

}  // namespace dosql::engine
