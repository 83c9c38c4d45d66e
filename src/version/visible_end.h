// Up to where the log is visible, when its records become visible in another order than that of the log, and
// telling the status page.
//
// Each commit and name is in here from its append until it is told. What is told is the end of the newest
// that nothing in front keeps back because it waits for a sync. After a failed sync nothing gets durable any
// more, and so nothing behind is told.
//
// Threads: any; a Publication by one at a time.
#pragma once

#include <algorithm>
#include <iterator>
#include <mutex>
#include <vector>

#include "log/log.h"
#include "version/branch.h"
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

  // Of what is told, the newest LSN up to which all is in the index of this process too.
  Lsn shown_here() const {
    std::lock_guard lock(mutex_);
    return unindexed_.empty() ? told_.lsn : std::min(told_.lsn, unindexed_.front().before);
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
    Branch* branch;  // of a commit
    bool needs_sync;
  };

  // In the log, and told where it needs no sync, but not in the index yet.
  struct Unindexed {
    Lsn before;  // the LSNs of the commit are above this
    Lsn lsn;
  };

  // REQUIRES: mutex_ is held.
  void settle() {
    const Lsn durable = log_->durable_lsn();
    auto behind = untold_.begin();
    while (behind != untold_.end() && (!behind->needs_sync || behind->lsn <= durable)) {
      // Whoever waits for it looks at its branch next, maybe before the one who committed it does.
      if (behind->branch) behind->branch->show_durable(durable);
      ++behind;
    }
    if (behind == untold_.begin()) return;
    told_ = {std::prev(behind)->end, std::prev(behind)->lsn, durable};
    untold_.erase(untold_.begin(), behind);
    page_->publish(told_);
  }

  mutable std::mutex mutex_;  // guards what follows
  StatusPage* page_ = nullptr;
  const log::Log* log_ = nullptr;
  VisibleLog told_;
  std::vector<Untold> untold_;        // in the order of the log
  std::vector<Unindexed> unindexed_;  // as well
};

// One commit or name: to be given to the append, and to live until it is in the index of this process.
class Publication final : public log::AppendObserver {
 public:
  // `branch`: of a commit. It must outlive `target`.
  Publication(VisibleEnd& target, Branch* branch, bool needs_sync)
      : target_(target), branch_(branch), needs_sync_(needs_sync) {}
  ~Publication() {
    std::lock_guard lock(target_.mutex_);
    std::erase_if(target_.unindexed_, [this](const auto& other) { return other.lsn == lsn_; });
    target_.settle();
    if (lsn_ == Lsn{} || target_.told_.lsn < lsn_) return;
    // It was told before it was in the index, and who waits here waits on.
    if (branch_) branch_->show_durable(target_.log_->durable_lsn());
    target_.page_->wake_waiters();
  }
  Publication(const Publication&) = delete;
  Publication& operator=(const Publication&) = delete;

  void on_append(const log::Appended& appended, log::Position end) override {
    std::lock_guard lock(target_.mutex_);
    lsn_ = appended.last_lsn;
    target_.untold_.push_back({end, appended.last_lsn, branch_, needs_sync_});
    target_.unindexed_.push_back({appended.first_lsn, appended.last_lsn});
  }

 private:
  VisibleEnd& target_;
  Branch* const branch_;
  const bool needs_sync_;
  Lsn lsn_{};  // 0: it was not appended
};

}  // namespace dosql::version
