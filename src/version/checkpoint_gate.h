// Keeps commits and new names out of the log while a checkpoint is taken: what it holds must be what the log
// says up to one point.
//
// Threads: any. To pass costs two atomic operations; whoever finds the gate closed waits on a mutex.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>

#include <sched.h>

namespace dosql::version {

class CheckpointGate {
 public:
  // Held from the append of a record until what it says is in the index.
  class Pass {
   public:
    explicit Pass(CheckpointGate& gate) : gate_(gate) {
      gate_.inside_.fetch_add(1);
      while (gate_.closed_.load()) gate_.wait_until_open();
    }
    ~Pass() { gate_.inside_.fetch_sub(1, std::memory_order_release); }
    Pass(const Pass&) = delete;
    Pass& operator=(const Pass&) = delete;

   private:
    CheckpointGate& gate_;
  };

  // Waits until nobody is inside and keeps everybody out.
  class Closed {
   public:
    explicit Closed(CheckpointGate& gate) : gate_(gate), closing_(gate.closing_) {
      gate_.closed_.store(true);
      while (gate_.inside_.load() != 0) sched_yield();
    }
    ~Closed() { gate_.closed_.store(false); }
    Closed(const Closed&) = delete;
    Closed& operator=(const Closed&) = delete;

   private:
    CheckpointGate& gate_;
    std::lock_guard<std::mutex> closing_;
  };

  // Transactions with spill records in the log: no checkpoint covers a spill without its commit (L9). The
  // first is called with a pass.
  void begin_spilling() { spilling_.fetch_add(1); }
  void end_spilling() { spilling_.fetch_sub(1); }
  bool spilling() const { return spilling_.load() != 0; }

 private:
  void wait_until_open() {
    inside_.fetch_sub(1);
    std::lock_guard waiting(closing_);
    inside_.fetch_add(1);
  }

  std::atomic<std::uint32_t> inside_{0};
  std::atomic<bool> closed_{false};
  std::atomic<std::uint32_t> spilling_{0};
  std::mutex closing_;
};

}  // namespace dosql::version
