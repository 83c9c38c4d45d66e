// One thread waits for one call of another. Not std::binary_semaphore: that of GCC 12 may sleep for ever.
#pragma once

#include <condition_variable>
#include <mutex>

namespace dosql {

class WakeUp {
 public:
  void wait() {
    std::unique_lock lock(mutex_);
    condition_.wait(lock, [this] { return called_; });
  }
  // The object may be destroyed as soon as wait() has returned.
  void call() {
    std::lock_guard lock(mutex_);
    called_ = true;
    condition_.notify_one();
  }

 private:
  std::mutex mutex_;
  std::condition_variable condition_;
  bool called_ = false;
};

}  // namespace dosql
