// The thread on which the asynchronous calls of a handle or a feed run, one after another in the order of
// their making.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include <dosql/result.h>

#include "bindings/node/rows.h"

namespace dosql::node {

// What an asynchronous call gives.
struct Outcome {
  std::optional<Error> error;
  std::string sql;  // of the call; for the error
  ColumnNames columns;
  RowBatch rows;
};

struct Task {
  std::int64_t number = 0;
  std::function<Status(Outcome&)> work;
  Outcome outcome;
  std::atomic<bool> interrupted = false;
  // What the JavaScript side does when it takes the outcome.
  std::function<void()> when_taken;
};

// The thread is started by the first task and ends when there was none for a while.
class Worker {
 public:
  struct Callbacks {
    std::function<void(std::unique_ptr<Task>)> done;  // on the worker's thread, or of an interrupted task any
    std::function<void()> interrupt;                  // stops the running task; any thread
    std::function<void()> forget_interrupt = {};      // what was stopped has ended: nothing else is meant
    std::function<void()> idle;                       // the worker has had nothing to do for a second
  };
  explicit Worker(Callbacks callbacks) : callbacks_(std::move(callbacks)) {}
  ~Worker();  // stop()
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  void post(std::unique_ptr<Task> task);
  // A running task is made to fail, one that waits is done with DOSQL_INTERRUPTED, any other number is
  // ignored.
  void interrupt(std::int64_t number);
  // Returns when all that was posted is done. What the tasks did is visible to the caller then.
  void wait_until_idle() {
    if (unfinished_.load(std::memory_order_acquire) != 0) wait_for_tasks();
  }
  bool idle() const { return unfinished_.load(std::memory_order_acquire) == 0; }
  // Interrupts the running task, drops those that wait, and returns when the thread has ended.
  void stop();

 private:
  bool start_thread();
  void wait_for_tasks();
  void run();
  bool next_task(std::unique_lock<std::mutex>& lock);
  static void perform(Task& task);

  const Callbacks callbacks_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::unique_ptr<Task>> queue_;
  Task* running_ = nullptr;
  std::atomic<std::size_t> unfinished_ = 0;
  bool has_thread_ = false;
  bool stops_ = false;
  std::thread thread_;
};

}  // namespace dosql::node
