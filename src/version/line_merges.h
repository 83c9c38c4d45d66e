// The merges on a line of versions, and what else brought rows there.
#pragma once

#include <vector>

#include "version/version_store.h"

namespace dosql::version {

// A version, and one that the commit which made it merged.
struct LineMerge {
  Version version{};
  MergeMark mark;
};

// Which versions on the line that ends with `newest` were made by commits that brought rows
// (moved_numbers.h), ascending. Reads nothing from the log.
std::vector<Version> brought_on_line(VersionStore& store, const ReadPoint& newest);

// All on the line that ends with `newest`, in the order of their versions. Reads nothing from the log.
std::vector<LineMerge> merges_on_line(VersionStore& store, const ReadPoint& newest);

}  // namespace dosql::version
