// What versions have in common, where they are counted as one merged version.
#pragma once

#include <vector>

#include <dosql/result.h>

#include "version/version_store.h"

namespace dosql::engine {

// Of the versions that `other` has in common with any of `some` those that no other one contains. Errors:
// kIo, kCorrupt.
Result<std::vector<version::ReadPoint>> best_common(const version::VersionStore& store,
                                                    const std::vector<version::ReadPoint>& some,
                                                    const version::ReadPoint& other);

}  // namespace dosql::engine
