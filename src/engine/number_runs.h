// A set of numbers that keeps neighbours together.
#pragma once

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <limits>
#include <map>

namespace dosql::engine {

class NumberRuns {
 public:
  // REQUIRES: first <= last.
  void add(std::int64_t first, std::int64_t last) {
    auto at = last_.upper_bound(first);
    if (at != last_.begin() && touches(std::prev(at)->second, first)) --at;
    while (at != last_.end() && touches(last, at->first)) {
      first = std::min(first, at->first);
      last = std::max(last, at->second);
      at = last_.erase(at);
    }
    last_[first] = last;
  }
  void add(std::int64_t number) { add(number, number); }
  void add(const NumberRuns& others) {
    for (const auto& [first, last] : others.last_) add(first, last);
  }
  bool contains(std::int64_t number) const {
    const auto behind = last_.upper_bound(number);
    return behind != last_.begin() && number <= std::prev(behind)->second;
  }
  bool empty() const { return last_.empty(); }
  // REQUIRES: !empty().
  std::int64_t lowest() const { return last_.begin()->first; }
  std::int64_t highest() const { return last_.rbegin()->second; }
  // By the first number of each run its last one, ascending.
  const std::map<std::int64_t, std::int64_t>& runs() const { return last_; }

 private:
  // Whether a run that begins with `first` goes on one that ends with `last`, or overlaps it.
  static bool touches(std::int64_t last, std::int64_t first) {
    return first <= last || (last != std::numeric_limits<std::int64_t>::max() && first == last + 1);
  }

  std::map<std::int64_t, std::int64_t> last_;
};

}  // namespace dosql::engine
