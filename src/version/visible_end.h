// Up to where the log is visible, when its records become visible in another order than that of the log, and
// telling the status page.
//
// Each commit and name is in here from before it is appended until it is told. What is told is the end of the
// newest that nothing in front keeps back: a record that may still be appended there, or one that waits for a
// sync. After a failed sync nothing gets durable any more, and so nothing behind is told.
//
// Threads: any; a Publication by one at a time.
#pragma once

#include <algorithm>
#include <limits>
#include <mutex>
#include <vector>

#include "log/log.h"
#include "version/status_page.h"

namespace dosql::version {

class VisibleEnd {
 public:
  // From now on `page` is told. Both must outlive this. `visible`: all that is in the log is visible.
  void start(StatusPage& page, const log::Log& log, const VisibleLog& visible) {
    std::lock_guard lock(mutex_);
    page_ = &page;
    log_ = &log;
    told_ = visible;
    reported_end_ = visible.end;
  }

  // After more of the log has become durable.
  void tell() {
    std::lock_guard lock(mutex_);
    settle();
  }

  VisibleLog told() const {
    std::lock_guard lock(mutex_);
    return told_;
  }

 private:
  friend class Publication;

  struct Ordered {
    log::Position end;
    Lsn lsn;
    Lsn awaits;
  };

  // REQUIRES: mutex_ is held.
  void settle() {
    log::Position bound{std::numeric_limits<std::uint64_t>::max()};
    for (const log::Position* unfinished : unfinished_) bound = std::min(bound, *unfinished);
    const Lsn durable = log_->durable_lsn();
    auto behind = ordered_.begin();
    while (behind != ordered_.end() && behind->end <= bound && behind->awaits <= durable) ++behind;
    if (behind == ordered_.begin()) return;
    told_ = {std::prev(behind)->end, std::prev(behind)->lsn, durable};
    ordered_.erase(ordered_.begin(), behind);
    page_->publish(told_);
  }

  mutable std::mutex mutex_;  // guards what follows
  StatusPage* page_ = nullptr;
  const log::Log* log_ = nullptr;
  VisibleLog told_;
  log::Position reported_end_{};  // the largest end of a record that is known here
  // Where the log ended, as far as known here, when each publication began: its record is behind that.
  std::vector<const log::Position*> unfinished_;
  std::vector<Ordered> ordered_;  // and not told yet, ascending
};

// Lives over the append of one commit or name. Destroyed without ordered(): the record is not in the log.
class Publication {
 public:
  explicit Publication(VisibleEnd& target) : target_(target) {
    std::lock_guard lock(target_.mutex_);
    bound_ = target_.reported_end_;
    target_.unfinished_.push_back(&bound_);
  }
  ~Publication() {
    std::lock_guard lock(target_.mutex_);
    std::erase(target_.unfinished_, &bound_);
    target_.settle();
  }
  Publication(const Publication&) = delete;
  Publication& operator=(const Publication&) = delete;

  // The record is in the log. It becomes visible when everything up to `awaits` is durable (0: at once), and
  // what is in front of it is visible.
  void ordered(const log::Appended& appended, std::uint32_t record_bytes, Lsn awaits) {
    const log::Position end{raw(appended.position) + record_bytes};
    std::lock_guard lock(target_.mutex_);
    target_.reported_end_ = std::max(target_.reported_end_, end);
    auto place = target_.ordered_.end();
    while (place != target_.ordered_.begin() && std::prev(place)->end > end) --place;
    target_.ordered_.insert(place, {end, appended.last_lsn, awaits});
  }

 private:
  VisibleEnd& target_;
  log::Position bound_{};
};

}  // namespace dosql::version
