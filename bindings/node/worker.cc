#include "bindings/node/worker.h"

#include <algorithm>
#include <chrono>
#include <system_error>

namespace dosql::node {
namespace {

constexpr std::chrono::seconds kIdleTime{1};
constexpr std::chrono::milliseconds kInterruptInterval{10};

Error interrupted() { return Error(ErrorCode::kInterrupted, "interrupted"); }

}  // namespace

Worker::~Worker() { stop(); }

void Worker::post(std::unique_ptr<Task> task) {
  {
    std::lock_guard lock(mutex_);
    if (has_thread_ || start_thread()) {
      queue_.push_back(std::move(task));
      unfinished_.fetch_add(1, std::memory_order_relaxed);
      changed_.notify_all();
      return;
    }
  }
  task->outcome.error = Error(ErrorCode::kOutOfMemory, "the system gives no more threads");
  callbacks_.done(std::move(task));
}

bool Worker::start_thread() {
  if (thread_.joinable()) thread_.join();  // it has left the mutex for good
  try {
    thread_ = std::thread([this] { run(); });
    has_thread_ = true;
  } catch (const std::system_error&) {
    has_thread_ = false;
  }
  return has_thread_;
}

void Worker::interrupt(std::int64_t number) {
  std::unique_ptr<Task> waiting;
  {
    std::lock_guard lock(mutex_);
    if (running_ != nullptr && running_->number == number) {
      running_->interrupted = true;
      callbacks_.interrupt();
      return;
    }
    const auto found =
        std::find_if(queue_.begin(), queue_.end(), [&](const auto& task) { return task->number == number; });
    if (found == queue_.end()) return;
    waiting = std::move(*found);
    queue_.erase(found);
    unfinished_.fetch_sub(1, std::memory_order_release);
    changed_.notify_all();
  }
  waiting->outcome.error = interrupted();
  callbacks_.done(std::move(waiting));
}

void Worker::wait_for_tasks() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return idle(); });
}

void Worker::stop() {
  std::deque<std::unique_ptr<Task>> dropped;
  {
    std::unique_lock lock(mutex_);
    stops_ = true;
    dropped.swap(queue_);
    unfinished_.fetch_sub(dropped.size(), std::memory_order_release);
    changed_.notify_all();
    // Again and again: a statement that has not begun when it is interrupted goes on.
    while (has_thread_) {
      if (running_ != nullptr) {
        running_->interrupted = true;
        callbacks_.interrupt();
      }
      changed_.wait_for(lock, kInterruptInterval);
    }
  }
  if (thread_.joinable()) thread_.join();
}

// False: the thread has nothing more to do.
bool Worker::next_task(std::unique_lock<std::mutex>& lock) {
  const auto has_something = [&] { return stops_ || !queue_.empty(); };
  if (!changed_.wait_for(lock, kIdleTime, has_something)) {
    lock.unlock();
    callbacks_.idle();
    lock.lock();
  }
  return !stops_ && !queue_.empty();
}

void Worker::perform(Task& task) {
  const Status done = task.interrupted ? Status(interrupted()) : task.work(task.outcome);
  if (!done) task.outcome.error = done.error();
  task.work = nullptr;  // with it goes what it held
}

void Worker::run() {
  std::unique_lock lock(mutex_);
  while (next_task(lock)) {
    std::unique_ptr<Task> task = std::move(queue_.front());
    queue_.pop_front();
    running_ = task.get();
    lock.unlock();
    perform(*task);
    lock.lock();
    running_ = nullptr;
    if (task->interrupted && callbacks_.forget_interrupt) callbacks_.forget_interrupt();
    unfinished_.fetch_sub(1, std::memory_order_release);
    if (idle()) changed_.notify_all();
    lock.unlock();
    callbacks_.done(std::move(task));
    lock.lock();
  }
  has_thread_ = false;
  changed_.notify_all();
}

}  // namespace dosql::node
