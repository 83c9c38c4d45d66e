// The states that a database went through, and which of them a crash may leave.
//
// Changes come one after another, and each one gets an LSN. So what is left is what the database was at some
// moment: not before the newest change known to be on disk, and at most one change behind the newest
// acknowledged one, whose outcome is unknown.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/ids.h"

namespace dosql::testing {

enum class Loss {
  kNothing,     // as after a process kill: everything acknowledged must be there
  kNotDurable,  // as after a power loss: the newest may be missing down to the durable ones
};

// A State has a member `Lsn lsn`: that of its newest change, 0 while it is not known.
template <class State>
class CrashHistory {
 public:
  const State& newest() const { return states_.back(); }
  // For filling in what is only known afterwards.
  State& newest() { return states_.back(); }

  void acknowledge(State state) { states_.push_back(std::move(state)); }
  void note_all_durable() {
    states_.erase(states_.begin(), states_.end() - 1);
    durable_ = 0;
  }
  // Everything up to `lsn` is on disk.
  void note_durable(Lsn lsn) {
    while (durable_ + 1 < states_.size() && states_[durable_ + 1].lsn <= lsn) ++durable_;
  }

  // A change that may have happened or not, and what the state would be.
  void set_unknown(State state) {
    state.lsn = Lsn{};
    unknown_ = std::move(state);
  }
  bool outcome_unknown() const { return unknown_.has_value(); }

  // Goes on from the state with that LSN. Empty: all is well; newest().lsn is 0 when it is the one of the
  // unknown outcome. Else what is wrong.
  std::string settle(Lsn found, Loss loss) {
    const bool unknown_happened = unknown_ && found > states_.back().lsn;
    const std::size_t least = loss == Loss::kNothing || unknown_happened ? states_.size() - 1 : durable_;
    std::size_t index = states_.size() - 1;
    while (index > least && states_[index].lsn > found) --index;
    if (!unknown_happened && states_[index].lsn != found) {
      return fmt::format("the newest change is at LSN {}; the newest acknowledged is {}, {} must be there{}",
                         raw(found), raw(states_.back().lsn), raw(states_[least].lsn),
                         unknown_ ? ", and one more may" : "");
    }
    lost_ += states_.size() - 1 - index;
    states_.resize(index + 1);
    durable_ = std::min(durable_, index);
    if (unknown_happened) states_.push_back(*std::move(unknown_));
    unknown_.reset();
    return {};
  }

  // Acknowledged changes that a power loss took.
  std::uint64_t lost() const { return lost_; }

 private:
  std::vector<State> states_ = std::vector<State>(1);  // oldest first
  std::size_t durable_ = 0;                            // the newest one that must survive
  std::optional<State> unknown_;
  std::uint64_t lost_ = 0;
};

}  // namespace dosql::testing
