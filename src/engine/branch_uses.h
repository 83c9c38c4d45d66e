// Which branches connections are on: such a branch cannot be dropped.
#pragma once

#include <map>
#include <mutex>

#include "base/ids.h"

namespace dosql::engine {

// Threads: any. The mutex is held over looking a branch up and entering it, and over looking here and
// dropping one, so that nobody is ever on a branch that is gone.
class BranchUses {
 public:
  std::mutex& mutex() { return mutex_; }

  // REQUIRES of what follows: mutex() is held.
  void enter(BranchId branch) { ++connections_[branch]; }
  void leave(BranchId branch) {
    if (--connections_[branch] == 0) connections_.erase(branch);
  }
  int connections_on(BranchId branch) const {
    const auto found = connections_.find(branch);
    return found == connections_.end() ? 0 : found->second;
  }

 private:
  std::mutex mutex_;
  std::map<BranchId, int> connections_;
};

}  // namespace dosql::engine
