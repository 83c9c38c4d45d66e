// Group commit: of the threads that wait for their records to be durable, one syncs for all.
//
// Whoever finds no leader becomes it, and syncs for all that have appended until then; the others sleep.
// Records that are appended while a sync runs need the next one: those who wait for it are the next round,
// and one of them leads it.
//
// Those that a sync has served will be back soon. A leader that did not wait for some of them would sync for
// itself alone, and all others would wait for two syncs. So it first waits for those that committed at the
// same time before, at most as long as a sync takes: for half of them, so that one half appends while the
// other's sync runs, or for all, where a sync takes longer than they do. With N of them, a sync of S and a
// return of R the halves make N / max(2 S, R) commits in a time, all together N / (S + R).
//
// Threads: any.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>

#include "base/wait_groups.h"

namespace dosql::log {

// What is synced.
class SyncSource {
 public:
  virtual ~SyncSource() = default;
  // Everything up to this LSN is durable.
  virtual std::uint64_t durable() const = 0;
  // A sync has failed; none will succeed any more.
  virtual bool failed() const = 0;
  // What a sync that begins now makes durable.
  virtual std::uint64_t appended() = 0;
  // Makes at least that durable, or fails.
  virtual void sync_appended() = 0;
};

class GroupSync {
 public:
  explicit GroupSync(SyncSource& source) : source_(source) {}

  // Until everything up to `lsn` is durable; false: a sync failed before it was.
  bool wait(std::uint64_t lsn);

 private:
  using Round = std::uint64_t;
  static constexpr Round kNone = 0;
  // The longest that a sync waits for more commits to come.
  static constexpr std::chrono::microseconds kGatherMax{300};
  // Who takes longer is not waited for, but where a sync takes longer still.
  static constexpr std::chrono::microseconds kReturnMax = 2 * kGatherMax;

  void lead(std::unique_lock<std::mutex>& lock);
  void gather(std::unique_lock<std::mutex>& lock);
  bool complete() const;
  bool waits_for_all() const { return sync_time_ > return_time_; }
  void note_return();
  void end_round(std::unique_lock<std::mutex>& lock);
  void find_leader(Round round);
  static unsigned group_of(Round round) { return static_cast<unsigned>(round % 2); }

  SyncSource& source_;
  std::mutex mutex_;  // guards what follows but for the atomic
  Round round_ = 1;   // whose sync is running, or will be the next
  bool has_leader_ = false;
  bool gathering_ = false;  // the leader waits for others to append
  bool syncing_ = false;
  std::uint64_t syncing_to_ = 0;
  std::size_t waiting_ = 0;       // for round_, without the leader
  std::size_t waiting_next_ = 0;  // for the one behind it
  std::size_t concurrent_ = 1;    // waited at the same time of late
  std::chrono::microseconds sync_time_{0};
  // From the end of a sync until as many as wait at the same time have come back for the next one.
  std::chrono::microseconds return_time_{kReturnMax};
  std::chrono::steady_clock::time_point served_at_{};
  std::size_t served_ = 0;    // by the newest sync
  std::size_t returned_ = 0;  // since
  std::condition_variable gathered_;

  // The round of which one was woken to lead it, and nobody does yet.
  std::atomic<Round> leaderless_{kNone};
  WaitGroups sleepers_;
};

}  // namespace dosql::log
