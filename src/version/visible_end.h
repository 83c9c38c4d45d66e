// Up to where the log is visible, when its records become visible in another order than that of the log, and
// telling the status page.
//
// Each commit and name is in here from its append until it is told. What is told is the end of the newest
// that nothing in front keeps back because it waits for a sync. After a failed sync nothing gets durable any
// more, and so nothing behind is told.
//
// Threads: any; a Publication by one at a time.
#pragma once

#include <iterator>
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

  struct Untold {
    log::Position end;
    Lsn lsn;
    bool needs_sync;
  };

  // REQUIRES: mutex_ is held.
  void settle() {
    const Lsn durable = log_->durable_lsn();
    auto behind = untold_.begin();
    while (behind != untold_.end() && (!behind->needs_sync || behind->lsn <= durable)) ++behind;
    if (behind == untold_.begin()) return;
    told_ = {std::prev(behind)->end, std::prev(behind)->lsn, durable};
    untold_.erase(untold_.begin(), behind);
    page_->publish(told_);
  }

  mutable std::mutex mutex_;  // guards what follows
  StatusPage* page_ = nullptr;
  const log::Log* log_ = nullptr;
  VisibleLog told_;
  std::vector<Untold> untold_;  // in the order of the log
};

// One commit or name: to be given to the append, and to live until it is visible in this process, or waits
// for a sync.
class Publication final : public log::AppendObserver {
 public:
  Publication(VisibleEnd& target, bool needs_sync) : target_(target), needs_sync_(needs_sync) {}
  ~Publication() { target_.tell(); }
  Publication(const Publication&) = delete;
  Publication& operator=(const Publication&) = delete;

  void on_append(const log::Appended& appended, log::Position end) override {
    std::lock_guard lock(target_.mutex_);
    target_.untold_.push_back({end, appended.last_lsn, needs_sync_});
  }

 private:
  VisibleEnd& target_;
  const bool needs_sync_;
};

}  // namespace dosql::version
