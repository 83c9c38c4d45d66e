// What versions have in common, where they are counted as one merged version.
#pragma once

#include <vector>

#include <dosql/result.h>

#include "engine/table_shape.h"
#include "version/version_store.h"

namespace dosql::engine {

// Of the versions that `other` has in common with any of `some` those that no other one contains. Errors:
// kIo, kCorrupt.
Result<std::vector<version::ReadPoint>> best_common(const version::VersionStore& store,
                                                    const std::vector<version::ReadPoint>& some,
                                                    const version::ReadPoint& other);

// The one of them, which are in common to two versions, from which the schema is counted: whose schema is
// what they are merged, since the others' is as it was in what they have in common. Where several of them
// changed it otherwise, one of those. REQUIRES: there is one. Errors: those of VersionSchemas::of() and as
// above.
Result<version::ReadPoint> base_of_schema(const version::VersionStore& store, VersionSchemas& schemas,
                                          const std::vector<version::ReadPoint>& bases);

}  // namespace dosql::engine
