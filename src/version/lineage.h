// What a version contains: all versions that lead to it, by its line and by the merge marks on it.
//
// A version contains its parent, the version that a merge mark names (a squash's too: it counts as merged),
// and what these contain. Of each line it thus contains the versions up to some newest one, so that is all
// there is to know, and finding it takes time that depends on branches and marks alone, not on commits.
#pragma once

#include <span>
#include <unordered_map>
#include <vector>

#include "version/store_impl.h"

namespace dosql::version {

// How far the heads of a walk contain the versions that one branch committed.
struct LineReach {
  Version newest{};      // that any head contains
  std::size_t head = 0;  // one that does
  // The newest that another head contains; none does where it is not `shared`.
  Version second{};
  bool shared = false;
};
using Reach = std::unordered_map<BranchId, LineReach>;

// Of all heads at once. Main's version 0, the empty database, is in all.
Reach reach_of(const StoreImpl& store, std::span<const ReadPoint> heads);

// How many of the versions of `branch` only the head that contains the newest of them contains.
std::uint64_t unshared(const Branch& branch, const LineReach& reach);

// The versions that both heads of the walk contain and that no other such version contains; the newest first,
// their page_count not filled in. REQUIRES: a walk of two heads.
std::vector<ReadPoint> best_shared(const StoreImpl& store, const Reach& reach);

}  // namespace dosql::version
