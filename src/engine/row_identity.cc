#include "engine/row_identity.h"

#include <algorithm>
#include <ranges>

#include "version/line_merges.h"

namespace dosql::engine {
namespace {

using version::LineMerge;
using version::ReadPoint;
using version::VersionStore;

// Where a trace has come to: the row is there.
class Trace {
 public:
  Trace(VersionStore& store, const ReadPoint& at) : store_(store) { move_to(at); }

  const ReadPoint& at() const { return at_; }
  // Of the newest merge on the line; 0: there is none.
  Version newest_merge() const { return merges_.empty() ? Version{} : merges_.back().version; }

  // Where the row came from into that merge; none: the merge, or what came behind it, made it. `unsure`: it
  // cannot be said.
  Result<bool> step_back(VersionRows& rows, const MergedTable& table, const RowAddress& row, bool& unsure) {
    const Version version = newest_merge();
    DOSQL_ASSIGN_OR_RETURN(const ReadPoint merge, store_.at_version(at_.branch, version));
    std::vector<ReadPoint> from;
    if (raw(version) > 1) {
      DOSQL_ASSIGN_OR_RETURN(from.emplace_back(), store_.at_version(at_.branch, Version{raw(version) - 1}));
    }
    from.push_back(merge);
    for (const LineMerge& one : std::views::reverse(merges_)) {
      if (one.version != version) break;
      DOSQL_ASSIGN_OR_RETURN(from.emplace_back(), store_.at_commit(one.mark.lsn));
    }
    for (const ReadPoint& point : from) {
      DOSQL_ASSIGN_OR_RETURN(const std::optional<bool> has, rows.has(point, table, row));
      unsure = unsure || !has;
      if (!has) return false;
      if (point == merge) {
        if (!*has) return false;
        continue;
      }
      if (!*has) continue;
      move_to(point);
      return true;
    }
    return false;
  }

 private:
  void move_to(const ReadPoint& point) {
    at_ = point;
    merges_ = version::merges_on_line(store_, point);
  }

  VersionStore& store_;
  ReadPoint at_;
  std::vector<LineMerge> merges_;
};

// The newest version that both lines go through.
Version shared_by(const VersionStore& store, const ReadPoint& a, const ReadPoint& b) {
  const Version shared = store.shared_version(a.branch, b.branch).version;
  return std::min({shared, a.version, b.version});
}

}  // namespace

bool may_be_others(VersionStore& store, const ReadPoint& version, const RowSide& side) {
  if (!side.merged.empty()) return true;
  const Version shared = shared_by(store, version, side.point);
  return std::ranges::any_of(std::array{version, side.point}, [&](const ReadPoint& point) {
    const std::vector<LineMerge> merges = version::merges_on_line(store, point);
    return !merges.empty() && merges.back().version > shared;
  });
}

Result<bool> is_same_row(VersionStore& store, VersionRows& rows, const MergedTable& table,
                         const RowAddress& row, const ReadPoint& version, const RowSide& side) {
  std::optional<ReadPoint> from;
  std::vector<ReadPoint> ways{side.point};
  ways.insert(ways.end(), side.merged.begin(), side.merged.end());
  for (const ReadPoint& way : ways) {
    DOSQL_ASSIGN_OR_RETURN(const std::optional<bool> has, rows.has(way, table, row));
    if (!has) return true;
    if (!*has) continue;
    from = way;
    break;
  }
  // The open transaction made it.
  if (!from) return true;
  Trace a(store, version);
  Trace b(store, *from);
  while (true) {
    const Version shared = shared_by(store, a.at(), b.at());
    const bool steps_a = a.newest_merge() > shared;
    const bool steps_b = b.newest_merge() > shared;
    if (!steps_a && !steps_b) {
      if (shared == a.at().version || shared == b.at().version) return true;
      if (raw(shared) == 0) return false;
      DOSQL_ASSIGN_OR_RETURN(const ReadPoint parted, store.at_version(a.at().branch, shared));
      DOSQL_ASSIGN_OR_RETURN(const std::optional<bool> has, rows.has(parted, table, row));
      return has.value_or(true);
    }
    // From the newest to the oldest: neither passes by where the other one may come to.
    bool takes_a = steps_a;
    if (steps_a && steps_b) {
      DOSQL_ASSIGN_OR_RETURN(const ReadPoint of_a, store.at_version(a.at().branch, a.newest_merge()));
      DOSQL_ASSIGN_OR_RETURN(const ReadPoint of_b, store.at_version(b.at().branch, b.newest_merge()));
      takes_a = of_a.lsn > of_b.lsn;
    }
    bool unsure = false;
    DOSQL_ASSIGN_OR_RETURN(const bool stepped, (takes_a ? a : b).step_back(rows, table, row, unsure));
    if (unsure) return true;
    if (!stepped) return false;
  }
}

}  // namespace dosql::engine
