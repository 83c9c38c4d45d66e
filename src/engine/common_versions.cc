#include "engine/common_versions.h"

#include <algorithm>

namespace dosql::engine {

using version::ReadPoint;

Result<std::vector<ReadPoint>> best_common(const version::VersionStore& store,
                                           const std::vector<ReadPoint>& some, const ReadPoint& other) {
  std::vector<ReadPoint> all;
  for (const ReadPoint& point : some) {
    DOSQL_ASSIGN_OR_RETURN(const version::LineageComparison both, store.compare(point, other));
    for (const ReadPoint& base : both.bases) {
      if (std::ranges::find(all, base) == all.end()) all.push_back(base);
    }
  }
  std::vector<ReadPoint> best;
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

}  // namespace dosql::engine
