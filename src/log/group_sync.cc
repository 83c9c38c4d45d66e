#include "log/group_sync.h"

#include <algorithm>
#include <utility>

namespace dosql::log {

bool GroupSync::wait(std::uint64_t lsn) {
  Round counted = kNone;
  bool has_returned = false;
  while (source_.durable() < lsn) {
    std::unique_lock lock(mutex_);
    if (source_.durable() >= lsn) break;
    if (!std::exchange(has_returned, true)) note_return();
    if (source_.failed()) {
      // If it was woken to lead, the others still sleep.
      if (counted != kNone) sleepers_.wake_all(group_of(counted));
      return false;
    }
    if (!has_leader_) {
      if (counted == round_) --waiting_;
      lead(lock);
      continue;
    }
    const bool next = syncing_ && lsn > syncing_to_;
    const Round round = round_ + (next ? 1 : 0);
    if (std::exchange(counted, round) != round) {
      ++(next ? waiting_next_ : waiting_);
      if (gathering_ && complete()) gathered_.notify_one();
    }
    const std::uint32_t ticket = sleepers_.ticket();
    lock.unlock();
    sleepers_.wait(group_of(round), ticket);
  }
  // Woken to lead, and served by somebody else's sync: at the end of a segment.
  if (counted != kNone && leaderless_.load(std::memory_order_relaxed) == counted) find_leader(counted);
  return true;
}

void GroupSync::lead(std::unique_lock<std::mutex>& lock) {
  has_leader_ = true;
  leaderless_.store(kNone, std::memory_order_relaxed);
  if (!complete()) gather(lock);
  syncing_to_ = source_.appended();
  syncing_ = true;
  lock.unlock();
  const auto begun = std::chrono::steady_clock::now();
  source_.sync_appended();
  const auto took = std::chrono::steady_clock::now() - begun;
  lock.lock();
  sync_time_ += (std::chrono::duration_cast<std::chrono::microseconds>(took) - sync_time_) / 4;
  end_round(lock);
}

bool GroupSync::complete() const {
  return waiting_ + 1 >= (waits_for_all() ? concurrent_ : (concurrent_ + 1) / 2);
}

void GroupSync::note_return() {
  if (++returned_ != served_) return;
  const auto took =
      std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - served_at_);
  const auto of_all = took * concurrent_ / served_;
  return_time_ += (std::min<std::chrono::microseconds>(of_all, kReturnMax) - return_time_) / 4;
}

void GroupSync::gather(std::unique_lock<std::mutex>& lock) {
  gathering_ = true;
  gathered_.wait_for(lock, std::min(sync_time_, kGatherMax), [this] { return complete(); });
  gathering_ = false;
}

// The next leader first: its sync is what the most wait for.
void GroupSync::end_round(std::unique_lock<std::mutex>& lock) {
  const Round done = round_++;
  served_ = waiting_ + 1;
  served_at_ = std::chrono::steady_clock::now();
  returned_ = 0;
  concurrent_ = waiting_ + waiting_next_ + 1;
  waiting_ = std::exchange(waiting_next_, 0);
  syncing_ = false;
  has_leader_ = false;
  const bool more = waiting_ > 0;
  const bool failed = source_.failed();
  if (more && !failed) leaderless_.store(done + 1, std::memory_order_relaxed);
  lock.unlock();
  if (failed) {
    sleepers_.wake_all(group_of(done + 1));
  } else if (more) {
    sleepers_.wake_one(group_of(done + 1));
  }
  sleepers_.wake_all(group_of(done));
}

void GroupSync::find_leader(Round round) {
  {
    std::lock_guard lock(mutex_);
    if (has_leader_ || leaderless_.load(std::memory_order_relaxed) != round) return;
  }
  sleepers_.wake_one(group_of(round));
}

}  // namespace dosql::log
