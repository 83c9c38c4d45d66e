// Up to where the log is visible, when records become visible in another order than that of the log, and
// telling the status page.
//
// Each commit and name is a Publication from before it is appended until it is visible. What is told is the
// end of the newest of them that has nothing unfinished in front of it. A record of unknown outcome (its sync
// failed) stays unfinished for ever: nothing behind it is told.
//
// Threads: any; a Publication by one at a time.
#pragma once

#include <algorithm>
#include <functional>
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

  // Nothing unfinished is left: all up to `end` is visible.
  VisibleLog told() const {
    std::lock_guard lock(mutex_);
    return told_;
  }

 private:
  friend class Publication;

  struct Visible {
    log::Position end;
    Lsn lsn;
  };

  // Tells what there is to tell. REQUIRES: mutex_ is held.
  void settle() {
    log::Position bound = stuck_;
    for (const log::Position* unfinished : unfinished_) bound = std::min(bound, *unfinished);
    const VisibleLog before = told_;
    auto behind = visible_.begin();
    for (; behind != visible_.end() && behind->end <= bound; ++behind) {
      told_.end = behind->end;
      told_.lsn = behind->lsn;
    }
    visible_.erase(visible_.begin(), behind);
    if (told_.end == before.end) return;
    told_.durable_lsn = log_->durable_lsn();
    page_->publish(told_);
  }

  mutable std::mutex mutex_;  // guards what follows, and the bounds of publications
  StatusPage* page_ = nullptr;
  const log::Log* log_ = nullptr;
  VisibleLog told_;
  log::Position reported_end_{};  // the largest end of a record that was appended
  // In front of each lies nothing that its publication wrote: where its record is, or before that is known,
  // where the log ended when it began.
  std::vector<const log::Position*> unfinished_;
  log::Position stuck_{std::numeric_limits<std::uint64_t>::max()};
  std::vector<Visible> visible_;  // and not told yet, ascending
};

// One commit or name on its way into the log and into sight.
class Publication {
 public:
  // Before the record is appended.
  explicit Publication(VisibleEnd& target) : target_(target) {
    std::lock_guard lock(target_.mutex_);
    bound_ = target_.reported_end_;
    target_.unfinished_.push_back(&bound_);
  }
  // Without visible(): never in the log, or of unknown outcome.
  ~Publication() {
    if (is_visible_) return;
    std::lock_guard lock(target_.mutex_);
    std::erase(target_.unfinished_, &bound_);
    if (record_.end != log::Position{}) target_.stuck_ = std::min(target_.stuck_, bound_);
    target_.settle();
  }
  Publication(const Publication&) = delete;
  Publication& operator=(const Publication&) = delete;

  void appended(const log::Appended& appended, std::uint32_t record_bytes) {
    std::lock_guard lock(target_.mutex_);
    bound_ = appended.position;
    record_ = {log::Position{raw(appended.position) + record_bytes}, appended.last_lsn};
    target_.reported_end_ = std::max(target_.reported_end_, record_.end);
    if (target_.unfinished_.size() > 1) target_.settle();
  }

  // It is visible to readers of this process; others are told now, or as soon as what is in front of it is
  // visible too. REQUIRES: appended().
  void visible() {
    std::lock_guard lock(target_.mutex_);
    is_visible_ = true;
    std::erase(target_.unfinished_, &bound_);
    auto place = target_.visible_.end();
    while (place != target_.visible_.begin() && std::prev(place)->end > record_.end) --place;
    target_.visible_.insert(place, record_);
    target_.settle();
  }

 private:
  VisibleEnd& target_;
  log::Position bound_{};
  VisibleEnd::Visible record_{};
  bool is_visible_ = false;
};

}  // namespace dosql::version
