// Remembers the process that made it: after a fork(), a child has copies of everything that its parent holds,
// locks that both now share included, and must leave the parent's files alone.
#pragma once

#include <cstdint>

namespace dosql {

class OwnProcess {
 public:
  OwnProcess() : forks_(forks()) {}
  // Whether this is the process that made it. Costs reading a number.
  bool is_this() const { return forks_ == forks(); }

 private:
  // How often fork() was called on the way to this process, as far as it is known here.
  static std::uint32_t forks();

  const std::uint32_t forks_;
};

}  // namespace dosql
