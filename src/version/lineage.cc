#include "version/lineage.h"

#include <algorithm>
#include <queue>
#include <set>
#include <utility>

#include "version/names.h"

namespace dosql::version {
namespace {

struct Arrival {
  ReadPoint point;  // by the branch that committed it
  std::size_t head;

  bool operator<(const Arrival& other) const { return point.lsn < other.point.lsn; }
};

ReadPoint source_of(const MergeMark& mark) { return {mark.branch, mark.version, mark.lsn, 0}; }

// The versions that one branch committed, up to `newest`, stand on these of other branches.
template <class Visit>
void for_each_parent(const StoreImpl& store, const Branch& branch, Version newest, Visit visit) {
  if (branch.parent()) visit(committed_on(store, branch.fork()));
  for (const BranchMerge& merge : branch.merges()) {
    if (merge.version > newest) break;
    visit(source_of(merge.mark));
  }
}

}  // namespace

// From the newest versions to the oldest: what a version stands on is older. So the first arrival on a branch
// is the newest version of it that a head contains, and the first one by way of another head the second.
Reach reach_of(const StoreImpl& store, std::span<const ReadPoint> heads) {
  std::priority_queue<Arrival> arrivals;
  for (std::size_t head = 0; head < heads.size(); ++head)
    arrivals.push({committed_on(store, heads[head]), head});
  Reach reach;
  while (!arrivals.empty()) {
    const auto [point, head] = arrivals.top();
    arrivals.pop();
    const auto [place, is_first] = reach.try_emplace(point.branch, LineReach{point.version, head});
    LineReach& line = place->second;
    if (!is_first) {
      if (line.shared || line.head == head) continue;
      line.second = point.version;
      line.shared = true;
    }
    for_each_parent(store, store.branch(point.branch), point.version,
                    [&, by = head](const ReadPoint& parent) {
                      arrivals.push({parent, by});
                    });
  }
  return reach;
}

std::uint64_t unshared(const Branch& branch, const LineReach& reach) {
  const Version shared = reach.shared ? reach.second : branch.fork().version;
  return raw(reach.newest) - raw(shared);
}

std::vector<ReadPoint> best_shared(const StoreImpl& store, const Reach& reach) {
  // All that is shared is shared with what it stands on. So the newest shared version of a branch is
  // contained in another one exactly when one stands on it directly.
  std::set<std::pair<BranchId, Version>> contained;
  for (const auto& [id, line] : reach) {
    if (!line.shared) continue;
    for_each_parent(store, store.branch(id), line.second,
                    [&](const ReadPoint& parent) { contained.emplace(parent.branch, parent.version); });
  }
  std::vector<ReadPoint> best;
  for (const auto& [id, line] : reach) {
    if (!line.shared || contained.contains({id, line.second})) continue;
    const bool is_commit = line.second > store.branch(id).fork().version;
    const Lsn lsn = is_commit ? store.branch(id).commit(line.second).lsn : Lsn{};
    best.push_back({id, line.second, lsn, 0});
  }
  std::ranges::sort(best, std::ranges::greater(), &ReadPoint::lsn);
  return best;
}

}  // namespace dosql::version
