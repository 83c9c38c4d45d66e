// What versions have in common, where they are counted as one merged version.
#pragma once

#include <map>
#include <utility>
#include <vector>

#include <dosql/result.h>

#include "base/ids.h"
#include "version/version_store.h"

namespace dosql::engine {

// Of the versions that `other` has in common with any of `some` those that no other one contains. Errors:
// kIo, kCorrupt.
Result<std::vector<version::ReadPoint>> best_common(const version::VersionStore& store,
                                                    const std::vector<version::ReadPoint>& some,
                                                    const version::ReadPoint& other);

// The same for who asks often: keeps the answers. One thread at a time.
class CommonVersions {
 public:
  using Points = std::vector<version::ReadPoint>;

  explicit CommonVersions(const version::VersionStore& store) : store_(store) {}

  // Valid as long as this. Errors as above.
  Result<const Points*> of(const Points& some, const version::ReadPoint& other);

 private:
  const version::VersionStore& store_;
  std::map<std::pair<std::vector<Lsn>, Lsn>, Points> known_;
};

}  // namespace dosql::engine
