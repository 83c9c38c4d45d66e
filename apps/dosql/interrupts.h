// Ctrl-C. A thread waits for SIGINT and interrupts what runs, so that no code runs inside a signal handler.
#pragma once

#include <atomic>
#include <mutex>

#include <dosql/connection.h>

namespace dosql::shell {

class Interrupts {
 public:
  enum class WhenIdle : unsigned char {
    kEndProcess,  // nothing runs: end as a program does that knows nothing of SIGINT
    kKeep,        // the line editor sees it through wake_descriptor()
  };

  // Starts the thread; call it before any other thread exists. Does nothing when the process was started
  // with SIGINT ignored. The one object lives as long as the process.
  static Interrupts& start(WhenIdle when_idle);

  // While something is watched, Ctrl-C interrupts it; the third one without clear() ends the process.
  void watch(Connection* connection);
  void unwatch();

  // A Ctrl-C came since the last clear().
  bool pending() const { return count_ > 0; }
  void clear();
  // Readable while pending().
  int wake_descriptor() const { return wake_descriptor_; }

 private:
  explicit Interrupts(WhenIdle when_idle);
  [[noreturn]] void wait_for_signals();
  void take_signal();

  const WhenIdle when_idle_;
  std::atomic<int> count_ = 0;
  int wake_descriptor_ = -1;
  std::mutex mutex_;
  Connection* watched_ = nullptr;  // guarded by mutex_
};

// Watches a connection for the time of a scope.
class WatchScope {
 public:
  WatchScope(Interrupts& interrupts, Connection& connection) : interrupts_(interrupts) {
    interrupts_.watch(&connection);
  }
  ~WatchScope() { interrupts_.unwatch(); }
  WatchScope(const WatchScope&) = delete;
  WatchScope& operator=(const WatchScope&) = delete;

 private:
  Interrupts& interrupts_;
};

}  // namespace dosql::shell
