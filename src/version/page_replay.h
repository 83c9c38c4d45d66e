// The commits of a line of versions one after the other, with the images of the pages that each wrote, before
// and after it.
//
// A page of an old version is rebuilt from its chain; who asks for the same page in each version rebuilds it
// again and again. Here the patch of a commit is applied to the image that the commit before it left, and the
// log is read in one go.
//
// Memory: KeptImages, the patches of EntryMemory, a stretch of the log, and an image for each page of one
// commit, of which there are kCommitPagesMax at most.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include <dosql/result.h>

#include "base/ids.h"
#include "log/entry_stretch.h"
#include "log/record.h"
#include "log/record_window.h"
#include "version/commit_index.h"
#include "version/entry_memory.h"
#include "version/kept_images.h"
#include "version/page_view.h"
#include "version/version_store.h"

namespace dosql::version {

class Branch;

// One thread at a time.
class PageReplay {
 public:
  static constexpr std::size_t kCommitPagesMax = 64;

  struct Written {
    PageNo page{};
    PageView before;
    PageView after;
    std::uint64_t blocks = 0;  // in which they may differ, by bits
  };

  explicit PageReplay(VersionStore& store);
  ~PageReplay();
  PageReplay(const PageReplay&) = delete;
  PageReplay& operator=(const PageReplay&) = delete;

  // To the commit that made `version` on the line of `branch`. False: it is the line's first, it says more
  // than its pages, it spilled, or it wrote too many pages; what there is to know of it the store knows.
  // Costs its own patches where it follows the commit that was asked for last. What was given out before
  // ends. The version before it is pinned from now on. REQUIRES: it is visible. Errors: kCorrupt, kIo.
  Result<bool> go_to(BranchId branch, Version version);

  // REQUIRES of what follows: go_to() was true.
  const CommitInfo& info() const { return info_; }
  const ReadPoint& before() const { return before_; }
  const ReadPoint& after() const { return after_; }
  // In the order of the pages.
  std::span<const Written> written() const { return written_; }
  // Whatever page, as it was and as it is. Errors: kCorrupt, kIo.
  Result<PageView> before(PageNo page);
  Result<PageView> after(PageNo page);

  // Gives memory back that is only good for going on with many commits. What was given out before ends.
  void rest() {
    kept_.give_back();
    stretch_ = {};
  }

 private:
  void pin(Lsn lsn);
  Status start(BranchId branch, Version version);
  CommitEntry commit_of(const Branch& committer, Version version);
  Result<bool> step(BranchId branch, Version version);
  Status replay(const log::EntryHead& head, Bytes payload, log::Position position);
  Status replace(const log::EntryHead& head, Bytes payload, PageImage& image);
  Error makes_no_sense(const log::EntryHead& head) const;
  Result<PageImage*> keep(PageNo page, const ReadPoint& point);
  bool reads_around() const;
  void keep_beside(PageNo page, const ReadPoint& point);
  EarlierImage& next_earlier();
  const Written* find_written(PageNo page) const;
  void look_ahead(const Branch& committer, Version version);

  VersionStore& store_;
  PinSlot* const pin_;
  // Of a branch's commits from `first_ahead_` on: asking for each would be to wait for the writer each time.
  std::vector<CommitEntry> ahead_;
  const Branch* ahead_of_ = nullptr;
  Version first_ahead_{};
  log::RecordWindow window_;
  // Of the commit behind `after_`, in the window.
  std::optional<log::RecordView> next_record_;
  log::Position next_position_{};
  EntryMemory patches_;
  log::EntryStretch stretch_;
  std::size_t stretches_ = 0;  // that were read for an image
  std::size_t beside_ = 0;     // images that these had besides
  bool follows_ = false;       // the kept images are those of `after_`
  BranchId branch_{};
  CommitInfo info_;
  ReadPoint before_;
  ReadPoint after_;
  std::vector<Written> written_;
  std::vector<std::unique_ptr<EarlierImage>> earlier_;  // of the pages that the commit wrote
  std::size_t earlier_used_ = 0;
  KeptImages kept_;  // the newest images
};

}  // namespace dosql::version
