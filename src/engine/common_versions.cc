#include "engine/common_versions.h"

#include <algorithm>

namespace dosql::engine {

using version::ReadPoint;
using Points = CommonVersions::Points;

Result<Points> best_common(const version::VersionStore& store, const Points& some, const ReadPoint& other) {
  Points all;
  for (const ReadPoint& point : some) {
    DOSQL_ASSIGN_OR_RETURN(const version::LineageComparison both, store.compare(point, other));
    for (const ReadPoint& base : both.bases) {
      if (std::ranges::find(all, base) == all.end()) all.push_back(base);
    }
  }
  Points best;
  for (const ReadPoint& point : all) {
    bool in_another = false;
    for (const ReadPoint& another : all) {
      if (another == point) continue;
      DOSQL_ASSIGN_OR_RETURN(const version::LineageComparison both, store.compare(point, another));
      in_another = in_another || both.ahead == 0;
    }
    if (!in_another) best.push_back(point);
  }
  return best;
}

Result<const Points*> CommonVersions::of(const Points& some, const ReadPoint& other) {
  std::pair<std::vector<Lsn>, Lsn> name({}, other.lsn);
  for (const ReadPoint& point : some) name.first.push_back(point.lsn);
  const auto known = known_.find(name);
  if (known != known_.end()) return &known->second;
  DOSQL_ASSIGN_OR_RETURN(Points best, best_common(store_, some, other));
  return &known_.emplace(std::move(name), std::move(best)).first->second;
}

}  // namespace dosql::engine
