// What docs/merge.md says a merge makes of rows, done with maps: the oracle of the random tests.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "merge/row_merge.h"

namespace dosql::engine {

using ModelCells = std::vector<std::string>;
using ModelRows = std::map<std::string, ModelCells>;  // by what rows are known by

struct ModelMerge {
  ModelRows rows;
  std::size_t conflicts = 0;
};

// Cell by cell over all keys.
inline ModelMerge merge_model_rows(const ModelRows& base, const ModelRows& ours, const ModelRows& theirs,
                                   merge::Preference preference) {
  using merge::Preference;
  ModelMerge merged;
  ModelRows all = base;
  all.insert(ours.begin(), ours.end());
  all.insert(theirs.begin(), theirs.end());
  const auto row_of = [](const ModelRows& rows, const std::string& key) {
    const auto row = rows.find(key);
    return row == rows.end() ? std::nullopt : std::optional(row->second);
  };
  for (const auto& [key, unused] : all) {
    const auto b = row_of(base, key);
    const auto o = row_of(ours, key);
    const auto t = row_of(theirs, key);
    std::optional<ModelCells> result = o;
    if (b != t && (b == o || o == t)) {
      result = t;
    } else if (b != t && o.has_value() != t.has_value()) {
      if (preference == Preference::kNone) ++merged.conflicts;
      if (preference == Preference::kTheirs) result = t;
    } else if (b != t) {
      bool clash = false;
      for (std::size_t i = 0; i < o->size(); ++i) {
        const bool we_changed = !b || (*b)[i] != (*o)[i];
        const bool they_changed = !b || (*b)[i] != (*t)[i];
        const bool both = we_changed && they_changed && (*o)[i] != (*t)[i];
        clash = clash || both;
        if (they_changed && (!we_changed || (both && preference == Preference::kTheirs)))
          (*result)[i] = (*t)[i];
      }
      if (clash && preference == Preference::kNone) ++merged.conflicts;
    }
    if (result) merged.rows[key] = *result;
  }
  return merged;
}

}  // namespace dosql::engine
