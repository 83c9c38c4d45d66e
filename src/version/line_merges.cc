#include "version/line_merges.h"

#include <algorithm>
#include <iterator>
#include <ranges>

#include "version/names.h"
#include "version/store_impl.h"

namespace dosql::version {

std::vector<Version> brought_on_line(VersionStore& store, const ReadPoint& newest) {
  std::vector<Version> found;
  Version last = newest.version;
  for (const Branch* branch = &store.impl().branch(newest.branch); branch != nullptr;
       branch = branch->parent()) {
    const std::vector<Version> brought = branch->brought();
    std::ranges::copy_if(std::views::reverse(brought), std::back_inserter(found),
                         [&](Version version) { return version <= last; });
    last = std::min(last, branch->fork().version);
  }
  std::ranges::reverse(found);
  return found;
}

std::vector<LineMerge> merges_on_line(VersionStore& store, const ReadPoint& newest) {
  std::vector<LineMerge> found;
  Version last = newest.version;
  for (const Branch* branch = &store.impl().branch(newest.branch); branch != nullptr;
       branch = branch->parent()) {
    const std::vector<BranchMerge> merges = branch->merges();
    // Those of one commit stay in their order.
    for (const BranchMerge& merge : std::views::reverse(merges)) {
      if (merge.version <= last) found.push_back({merge.version, merge.mark});
    }
    last = std::min(last, branch->fork().version);
  }
  std::ranges::reverse(found);
  return found;
}

}  // namespace dosql::version
