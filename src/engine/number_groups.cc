#include "engine/number_groups.h"

#include <algorithm>
#include <set>

namespace dosql::engine {
namespace {

// Each of them is compared with each.
constexpr std::size_t kNumbersMax = 64;

}  // namespace

void NumberGroups::add(const std::string& table, const version::MovedRun& run) {
  std::vector<version::MovedRun>& known = runs_[table];
  const bool says_something = run.now != run.first || run.source == version::kLostSource;
  if (says_something && std::ranges::find(known, run) == known.end()) known.push_back(run);
}

NumberGroups::Group NumberGroups::find(const std::string& table, std::int64_t number) const {
  std::set<std::int64_t> all{number};
  std::vector<std::int64_t> left{number};
  bool is_whole = true;
  const auto add = [&](std::int64_t other) {
    if (all.insert(other).second) left.push_back(other);
  };
  const auto runs = runs_.find(table);
  while (runs != runs_.end() && !left.empty() && all.size() < kNumbersMax) {
    const std::int64_t at = left.back();
    left.pop_back();
    for (const version::MovedRun& run : runs->second) {
      const bool is_there = version::has_there(run, at);
      if (is_there && run.source == version::kLostSource) is_whole = false;
      if (is_there) add(version::number_here(run, at));
      if (version::has_here(run, at)) add(version::number_there(run, at));
    }
  }
  return {.numbers = {all.begin(), all.end()}, .is_whole = is_whole && all.size() < kNumbersMax};
}

}  // namespace dosql::engine
