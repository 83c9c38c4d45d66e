// The commits of a line of versions one after the other, with the images of the pages that each wrote, before
// and after it.
//
// A page of an old version is rebuilt from its chain; who asks for the same page in each version rebuilds it
// again and again. Here the patch of a commit is applied to the image that the commit before it left, and the
// log is read in one go.
//
// Memory: kPagesKept images (2 MiB), the patches of EntryMemory, and two images for each page of one commit,
// of which there are kCommitPagesMax at most.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include <dosql/result.h>

#include "base/ids.h"
#include "log/record.h"
#include "log/record_window.h"
#include "version/commit_index.h"
#include "version/entry_memory.h"
#include "version/version_store.h"

namespace dosql::version {

class Branch;

// One thread at a time.
class PageReplay {
 public:
  static constexpr std::size_t kPagesKept = 512;
  static constexpr std::size_t kCommitPagesMax = 64;

  // Null: a page that the version does not have.
  struct Written {
    PageNo page{};
    const PageImage* before = nullptr;
    const PageImage* after = nullptr;
    // In which of 64 blocks of the same size they may differ, by bits.
    std::uint64_t blocks = 0;
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
  // Whatever page, as it was and as it is; null: the version does not have it. Errors: kCorrupt, kIo.
  Result<const PageImage*> before(PageNo page);
  Result<const PageImage*> after(PageNo page);

 private:
  // The newest image of a page.
  struct Kept {
    PageNo page{};           // 0: none
    std::uint64_t used = 0;  // the commit that used it last, counted in turns_
    std::unique_ptr<PageImage> image;
  };
  static constexpr std::size_t kWays = 4;
  using Set = std::array<Kept, kWays>;

  void pin(Lsn lsn);
  Status start(BranchId branch, Version version);
  CommitEntry commit_of(const Branch& committer, Version version);
  Result<bool> step(BranchId branch, Version version);
  Status replay(const log::EntryHead& head, Bytes payload, log::Position position);
  Status apply(const log::EntryHead& head, Bytes payload, PageImage& image, std::uint64_t& blocks);
  Set& set_of(PageNo page) { return sets_[raw(page) * 0x9E3779B1u >> 8 & (sets_.size() - 1)]; }
  Kept* find(PageNo page);
  PageImage* use(Kept& kept);
  Kept* to_give_up(Set& set) const;
  Kept& make_room(PageNo page);
  Kept& place_of(PageNo page);
  Result<PageImage*> keep(PageNo page, const ReadPoint& point);
  PageImage& next_before();
  const Written* find_written(PageNo page) const;
  void forget();

  VersionStore& store_;
  PinSlot* const pin_;
  // Of a branch's commits from `first_ahead_` on: asking for each would be to wait for the writer each time.
  std::vector<CommitEntry> ahead_;
  const Branch* ahead_of_ = nullptr;
  Version first_ahead_{};
  log::RecordWindow window_;
  EntryMemory patches_;
  bool follows_ = false;  // the kept images are those of `after_`
  BranchId branch_{};
  CommitInfo info_;
  ReadPoint before_;
  ReadPoint after_;
  std::vector<Written> written_;
  std::vector<std::unique_ptr<PageImage>> befores_;  // of the pages that the commit wrote
  std::vector<Set> sets_;
  std::vector<std::unique_ptr<Kept>> beside_;  // for which their set had no room in this turn
  std::uint64_t turns_ = 0;
};

}  // namespace dosql::version
