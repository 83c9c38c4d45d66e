#include "base/own_process.h"

#include <pthread.h>

#include <atomic>

namespace dosql {
namespace {

std::atomic<std::uint32_t> forks_so_far{0};

}  // namespace

std::uint32_t OwnProcess::forks() {
  static const int registered = pthread_atfork(nullptr, nullptr, [] { forks_so_far.fetch_add(1); });
  static_cast<void>(registered);  // fails without memory only, at the first database that is opened
  return forks_so_far.load(std::memory_order_relaxed);
}

}  // namespace dosql
