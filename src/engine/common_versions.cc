#include "engine/common_versions.h"

#include <algorithm>
#include <span>

namespace dosql::engine {

using version::ReadPoint;

namespace {

Result<bool> same_schema(VersionSchemas& schemas, const ReadPoint& a, const ReadPoint& b) {
  DOSQL_ASSIGN_OR_RETURN(const auto one, schemas.of(a));
  DOSQL_ASSIGN_OR_RETURN(const auto other, schemas.of(b));
  const auto are_same = [](const diff::SchemaEntry& x, const diff::SchemaEntry& y) {
    return x.type == y.type && x.name == y.name && x.table == y.table && x.sql == y.sql;
  };
  return std::ranges::is_permutation(one->entries, other->entries, are_same);
}

}  // namespace

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

Result<ReadPoint> base_of_schema(const version::VersionStore& store, VersionSchemas& schemas,
                                 const std::vector<ReadPoint>& bases) {
  ReadPoint base = bases[0];
  std::vector<ReadPoint> done{base};
  for (const ReadPoint& next : std::span(bases).subspan(1)) {
    DOSQL_ASSIGN_OR_RETURN(const bool same, same_schema(schemas, base, next));
    if (!same) {
      DOSQL_ASSIGN_OR_RETURN(const std::vector<ReadPoint> before, best_common(store, done, next));
      bool only_next_changed = !before.empty();
      for (const ReadPoint& point : before) {
        DOSQL_ASSIGN_OR_RETURN(const bool as_before, same_schema(schemas, base, point));
        only_next_changed = only_next_changed && as_before;
      }
      if (only_next_changed) base = next;
    }
    done.push_back(next);
  }
  return base;
}

}  // namespace dosql::engine
