// One branch: its head, its commits, and the pages on which it departs from main.
//
// A branch is forked off a version of another branch, its parent, in constant time: it shares the parent's
// PageTrie. For this to be safe, what it shares must not gain versions that it must not see:
//
//   B1  A slot takes versions of its owner only, and only until its owner is forked at its head: the owner's
//       next version of that page goes into a new slot in front of it. So what a fork shares stays as it was.
//   B2  A fork from an older version of its parent shares slots with versions that are too new for it. It has
//       a cap for each such ancestor (`Cap`) and sees nothing of them above it.
//   B3  Main's pages are in one table and never in a trie; each other branch has one cap for all of them.
//
// A branch is fast-forwarded to a newer version by giving its name to a new Branch that is forked off that
// version: its *successor*. To readers and to the index it is a branch like any other.
//
//   B5  Who is on a branch that has a successor goes on there, from the next version it pins. Nothing is
//       committed on such a branch any more.
//
// A commit is *ordered* when it is in the log and its versions in the slots: the branch's next writer stands
// on it. It is *visible* when its durability mode is met and the commit before it is visible:
//
//   B4  head() is visible; of the commits behind it up to ordered_head() some await a sync. Whatever reads
//       the branch without writing to it reads at or below head().
//
// Threads: any; one writer at a time (V2).
#pragma once

#include <algorithm>
#include <atomic>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "version/commit_index.h"
#include "version/locks.h"
#include "version/page_front.h"
#include "version/page_table.h"
#include "version/page_trie.h"
#include "version/version_store.h"

namespace dosql::version {

// The versions of one page that one branch committed between two forks of it. In one line of the processor's
// cache: a read looks at all of it.
struct alignas(kCacheLineBytes) BranchSlot : PageSlot {
  PageNo page{};
  BranchId owner{};
  std::uint32_t generation = 0;  // how often the owner had been forked at its head
  PageRef older;                 // what the owner saw before the first version here
};

// A merge mark of one of a branch's own commits.
struct BranchMerge {
  Version version{};  // of the commit
  MergeMark mark;
  bool moved = false;  // its record says which numbers it moved
};

class Branch {
 public:
  // Main. `pages` must outlive it.
  Branch(PageTable& pages, std::shared_ptr<FrontBudget> front_budget);
  // Forked off `parent` at `fork`. `from_head`: nothing had been committed on the parent behind it (the
  // answer of ordered_head(), or what the log says). REQUIRES: `fork` is the head of `parent` or one of its
  // own commits; the parent's publish_mutex() is held.
  Branch(BranchId id, std::string name, Branch& parent, const ReadPoint& fork, Lsn created_lsn,
         TimestampUs created_us, bool from_head);

  BranchId id() const { return id_; }
  const std::string& name() const { return name_; }
  // Null: main.
  Branch* parent() const { return parent_; }
  // The branch on its line that committed a version of it. In a logarithm of the line's depth.
  const Branch& committer(Version version) const;
  // The version it was forked from; that of main is version 0.
  const ReadPoint& fork() const { return fork_; }
  Lsn created_lsn() const { return created_lsn_; }
  TimestampUs created_us() const { return created_us_; }

  ReadPoint head() const {
    std::lock_guard lock(head_lock_);
    return head_;
  }
  // Calls `pinned(head)` in the moment in which it is the head.
  template <class Pinned>
  void pin_head(Pinned pinned) const {
    std::lock_guard lock(head_lock_);
    pinned(head_);
  }
  // Sets both heads. REQUIRES: nobody else has the store yet, or publish_mutex() is held and nothing is
  // awaited.
  void set_head(const ReadPoint& head);

  // Takes the writer's place, of which there is one (V2). False: somebody has it.
  bool begin_write() { return !writing_.exchange(true, std::memory_order_seq_cst); }
  void end_write() { writing_.store(false, std::memory_order_release); }
  bool being_written() const { return writing_.load(std::memory_order_seq_cst); }

  // The newest version that is in the log, visible or not.
  ReadPoint ordered_head() const {
    std::lock_guard lock(head_lock_);
    return awaiting_.empty() ? head_ : awaiting_.back().point;
  }
  // Calls `pinned(ordered_head())` in the moment in which it is that.
  template <class Pinned>
  void pin_ordered_head(Pinned pinned) const {
    std::lock_guard lock(head_lock_);
    pinned(awaiting_.empty() ? head_ : awaiting_.back().point);
  }
  // The next ordered head. `needs_sync`: it is visible only when it is durable. Returns the LSN that must be
  // durable before it is visible; 0: it is visible now. REQUIRES: publish_mutex() is held.
  Lsn order(const ReadPoint& point, bool needs_sync);
  // What order() said of the ordered head.
  Lsn ordered_head_awaits() const {
    std::lock_guard lock(head_lock_);
    return newest_sync();
  }
  // Makes visible what need not wait any more, everything up to `durable` being on disk.
  void show_durable(Lsn durable);

  // The branch's own commits: those above fork().version.
  const CommitIndex& commits() const { return commits_; }
  void push_commit(const CommitEntry& entry) { commits_.push(entry); }
  // REQUIRES: fork().version < version <= head().version.
  CommitEntry commit(Version version) const {
    return commits_.at(Version{raw(version) - raw(fork_.version)});
  }
  // That one and its own ones behind it, as many as there are and fit, also such as are not visible yet;
  // returns their number. REQUIRES: as above.
  std::size_t commits(Version first, std::span<CommitEntry> out) const {
    return commits_.read(Version{raw(first) - raw(fork_.version)}, out);
  }
  // The newest of its own versions at or below `lsn`; fork().version when there is none.
  Version find_commit(Lsn lsn) const { return Version{raw(commits_.find(lsn)) + raw(fork_.version)}; }

  // Of its own commits, oldest first. Those of a commit are pushed before its head is set.
  std::vector<BranchMerge> merges() const {
    std::lock_guard lock(merges_lock_);
    return merges_;
  }
  void push_merges(Version version, std::span<const MergeMark> marks, bool moved);

  // Which of its own commits say that they brought rows, oldest first; pushed as above.
  std::vector<Version> brought() const {
    std::lock_guard lock(merges_lock_);
    return brought_;
  }
  void push_brought(Version version);

  // Where the versions of `page` are that this branch sees.
  PageRef find(PageNo page) const;
  // The slot that the next version of `page` on this branch goes into. REQUIRES: the writer, publishing or
  // replaying.
  PageSlot& own(PageNo page);
  // How often the branch was forked at its head (B1). The setter is the checkpoint's.
  std::uint32_t generation() const {
    std::lock_guard lock(pages_lock_);
    return generation_;
  }
  void set_generation(std::uint32_t generation) {
    std::lock_guard lock(pages_lock_);
    generation_ = generation;
  }
  // The slot for a fold of the newest version, null when that is not the branch's own.
  PageSlot* own_newest(PageNo page) const;
  // Every page that has versions here, main's ascending.
  void for_each_slot(const std::function<void(PageNo, PageSlot&)>& visit) const;

  // Held from when a commit is appended to the log until its versions are in the slots, and while the branch
  // is forked: so forks see all of a commit or nothing, in the order of the log.
  std::mutex& publish_mutex() { return publish_mutex_; }

  // The most pages any version had (L14).
  std::uint32_t known_pages = 0;
  // It has no name any more: it was dropped, or it has a successor.
  std::atomic<bool> dropped{false};
  // It had none before the store was opened: nobody can have a version of it in hand any more.
  bool dropped_before_open = false;
  // Who has its name since it was fast-forwarded, who had the name before, and who had it first; null:
  // nobody.
  std::atomic<Branch*> successor{nullptr};
  const Branch* predecessor = nullptr;
  const Branch* origin = nullptr;

  std::uint64_t memory_bytes() const;

 private:
  // B2
  struct Cap {
    BranchId owner;
    Lsn lsn;
    std::shared_ptr<const Cap> next;
  };

  static const Branch* jump_from(const Branch& parent);
  PageRef with_cap(BranchSlot* slot) const;
  PageRef shown(PageSlot* slot) const;
  PageRef find_in_trie(PageNo page) const;
  PageRef find_and_note(PageNo page) const;
  bool is_own(const PageSlot* slot) const;
  Lsn newest_sync() const;

  const BranchId id_;
  const std::string name_;
  Branch* const parent_;
  const std::uint32_t depth_ = 0;
  const Branch* const jump_;  // an ancestor, or itself
  const ReadPoint fork_;
  const Lsn created_lsn_;
  const TimestampUs created_us_;
  PageTable& main_pages_;
  const std::shared_ptr<FrontBudget> front_budget_;  // one for all branches
  const Lsn main_cap_;
  std::shared_ptr<const Cap> caps_;

  // Ordered, not visible yet.
  struct Awaiting {
    ReadPoint point;
    bool needs_sync;
  };

  // In other lines than what stands before: each commit changes it.
  alignas(kCacheLineBytes) std::atomic<bool> writing_{false};
  // For a few instructions only: a pin never waits for I/O.
  mutable SpinLock head_lock_;
  ReadPoint head_;
  std::vector<Awaiting> awaiting_;  // oldest first; the first needs a sync
  CommitIndex commits_;
  mutable SpinLock merges_lock_;
  std::vector<BranchMerge> merges_;
  std::vector<Version> brought_;
  std::mutex publish_mutex_;

  mutable SharedSpinLock pages_lock_;  // guards what follows
  PageTrie pages_;
  std::uint32_t generation_ = 0;
  std::vector<std::unique_ptr<BranchSlot>> slots_;
  // Of a branch that is read much. Noted in under pages_lock_, held exclusively, and read without it.
  mutable std::unique_ptr<PageFront> front_owner_;
  mutable std::atomic<PageFront*> front_{nullptr};
  mutable std::atomic<std::uint32_t> finds_{0};
  mutable std::atomic<bool> front_is_full_{false};  // pages that are not in it are found in the trie
};

}  // namespace dosql::version
