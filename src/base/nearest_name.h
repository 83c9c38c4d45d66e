// "Did you mean ...?": the name that somebody who mistyped it meant.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace dosql {

// How many letters must be put in, taken out or replaced to get from one to the other (Levenshtein); the case
// of ASCII letters does not count. Takes time in proportion to the product of the lengths.
std::size_t edit_distance(std::string_view a, std::string_view b);

// The candidate nearest to `word` by edit distance, empty when none is near enough to be meant. The result
// points into `candidates`.
template <class Range>
std::string_view nearest_name(std::string_view word, const Range& candidates) {
  std::string_view best;
  // One slip in a short word, more in a long one; with its only letter replaced it is another word.
  const std::size_t short_slips = word.size() < 2 ? 0 : 1;
  const std::size_t slips = word.size() < 5 ? short_slips : std::max<std::size_t>(2, word.size() / 4);
  std::size_t best_distance = slips + 1;
  for (std::string_view candidate : candidates) {
    const std::size_t distance = edit_distance(word, candidate);
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

}  // namespace dosql
