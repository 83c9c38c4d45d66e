// Which branches connections are on: such a branch cannot be dropped.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <string_view>

namespace dosql::engine {

// By their names, which a branch keeps when it is fast-forwarded. Threads: any. The mutex is held over
// looking a branch up and entering it, and over looking here and dropping one, so that nobody is ever on a
// branch that is gone.
class BranchUses {
 public:
  std::mutex& mutex() { return mutex_; }

  // REQUIRES of what follows: mutex() is held.
  void enter(const std::string& branch) { ++connections_[branch]; }
  void leave(const std::string& branch) {
    if (--connections_[branch] == 0) connections_.erase(branch);
  }
  int connections_on(std::string_view branch) const {
    const auto found = connections_.find(branch);
    return found == connections_.end() ? 0 : found->second;
  }

 private:
  std::mutex mutex_;
  std::map<std::string, int, std::less<>> connections_;
};

}  // namespace dosql::engine
