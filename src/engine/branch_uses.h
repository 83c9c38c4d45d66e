// Which branches connections are on: such a branch cannot be dropped. And which are being dropped: nobody
// gets on those.
#pragma once

#include <map>
#include <mutex>
#include <set>
#include <string>
#include <string_view>

#include <dosql/result.h>
#include <fmt/format.h>

namespace dosql::engine {

inline Error branch_being_dropped(std::string_view branch) {
  return Error(ErrorCode::kBusy, fmt::format("branch '{}' is being dropped", branch));
}

// By their names, which a branch keeps when it is fast-forwarded. Threads: any. The mutex is held over
// looking a branch up and entering it, and over looking here and beginning to drop one, so that nobody is
// ever on a branch that is gone. Dropping itself waits for the disk, and nobody for that.
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
  bool dropping(std::string_view branch) const { return dropping_.contains(branch); }

  // Nobody may enter the branch for as long as this lives. REQUIRES: not dropping(branch).
  class Drop {
   public:
    Drop(BranchUses& uses, const std::string& branch)
        : uses_(uses), place_(uses.dropping_.insert(branch).first) {}
    ~Drop() {
      std::lock_guard lock(uses_.mutex_);
      uses_.dropping_.erase(place_);
    }
    Drop(const Drop&) = delete;
    Drop& operator=(const Drop&) = delete;

   private:
    BranchUses& uses_;
    const std::set<std::string, std::less<>>::iterator place_;
  };

 private:
  std::mutex mutex_;
  std::set<std::string, std::less<>> dropping_;
  std::map<std::string, int, std::less<>> connections_;
};

}  // namespace dosql::engine
