#include "version/branch.h"

#include <algorithm>
#include <shared_mutex>

#include "base/check.h"

namespace dosql::version {

Branch::Branch(PageTable& pages, std::shared_ptr<FrontBudget> front_budget)
    : id_(kMainBranch),
      name_(kMainName),
      parent_(nullptr),
      jump_(this),
      created_lsn_{},
      created_us_(0),
      main_pages_(pages),
      front_budget_(std::move(front_budget)),
      main_cap_(kLsnUnbounded) {}

Branch::Branch(BranchId id, std::string name, Branch& parent, const ReadPoint& fork, Lsn created_lsn,
               TimestampUs created_us, bool from_head)
    : known_pages(std::max(parent.known_pages, fork.page_count)),
      id_(id),
      name_(std::move(name)),
      parent_(&parent),
      depth_(parent.depth_ + 1),
      jump_(jump_from(parent)),
      fork_(fork),
      created_lsn_(created_lsn),
      created_us_(created_us),
      main_pages_(parent.main_pages_),
      front_budget_(parent.front_budget_),
      main_cap_(parent.parent_ ? parent.main_cap_ : fork.lsn),
      caps_(parent.caps_),
      head_{id, fork.version, fork.lsn, fork.page_count} {
  if (!parent.parent_) return;  // B3
  std::lock_guard lock(parent.pages_lock_);
  pages_ = parent.pages_;
  if (from_head) {
    ++parent.generation_;  // B1
  } else {
    caps_ = std::make_shared<const Cap>(parent.id_, fork.lsn, std::move(caps_));  // B2
  }
}

// Skew-binary jump pointers (Myers 1983): any ancestor is found in a logarithm of steps.
const Branch* Branch::jump_from(const Branch& parent) {
  const Branch& jump = *parent.jump_;
  const bool equal_steps = parent.depth_ - jump.depth_ == jump.depth_ - jump.jump_->depth_;
  return equal_steps ? jump.jump_ : &parent;
}

const Branch& Branch::committer(Version version) const {
  const Branch* branch = this;
  const auto is_older = [version](const Branch& one) { return one.parent_ && version <= one.fork_.version; };
  while (is_older(*branch)) branch = is_older(*branch->jump_) ? branch->jump_ : branch->parent_;
  return *branch;
}

void Branch::set_head(const ReadPoint& head) {
  known_pages = std::max(known_pages, head.page_count);
  std::lock_guard lock(head_lock_);
  CHECK(awaiting_.empty());
  head_ = head;
}

Lsn Branch::order(const ReadPoint& point, bool needs_sync) {
  known_pages = std::max(known_pages, point.page_count);
  std::lock_guard lock(head_lock_);
  if (!needs_sync && awaiting_.empty()) {
    head_ = point;
    return Lsn{};
  }
  awaiting_.push_back({point, needs_sync});
  return newest_sync();
}

// The LSN of the newest commit that awaits its own sync; 0: none does. REQUIRES: head_lock_ is held.
Lsn Branch::newest_sync() const {
  const auto newest = std::find_if(awaiting_.rbegin(), awaiting_.rend(),
                                   [](const Awaiting& commit) { return commit.needs_sync; });
  return newest == awaiting_.rend() ? Lsn{} : newest->point.lsn;
}

void Branch::show_durable(Lsn durable) {
  std::lock_guard lock(head_lock_);
  const auto still = std::find_if(awaiting_.begin(), awaiting_.end(), [durable](const Awaiting& commit) {
    return commit.needs_sync && commit.point.lsn > durable;
  });
  if (still == awaiting_.begin()) return;
  head_ = std::prev(still)->point;
  awaiting_.erase(awaiting_.begin(), still);
}

void Branch::push_merges(Version version, std::span<const MergeMark> marks, bool moved) {
  if (marks.empty()) return;
  std::lock_guard lock(merges_lock_);
  for (const MergeMark& mark : marks) merges_.push_back({version, mark, moved});
}

void Branch::push_brought(Version version) {
  std::lock_guard lock(merges_lock_);
  brought_.push_back(version);
}

PageRef Branch::with_cap(BranchSlot* slot) const {
  PageRef ref{slot};
  if (slot->owner == id_) return ref;
  for (const Cap* cap = caps_.get(); cap; cap = cap->next.get()) {
    if (cap->owner == slot->owner) ref.cap = std::min(ref.cap, cap->lsn);
  }
  return ref;
}

PageRef Branch::shown(PageSlot* slot) const {
  return slot && slot->on_branch ? with_cap(static_cast<BranchSlot*>(slot)) : PageRef{slot, main_cap_};
}

PageRef Branch::find(PageNo page) const {
  if (!parent_) return {main_pages_.find(page)};
  const PageFront* const front = front_.load(std::memory_order_acquire);
  PageSlot* const slot = front ? front->find(page) : nullptr;
  return slot ? shown(slot) : find_in_trie(page);
}

PageRef Branch::find_in_trie(PageNo page) const {
  if (finds_.load(std::memory_order_relaxed) < front_budget_->finds_first()) {
    finds_.fetch_add(1, std::memory_order_relaxed);
  } else if (!front_is_full_.load(std::memory_order_relaxed)) {
    return find_and_note(page);
  }
  pages_lock_.lock_shared();
  BranchSlot* const slot = pages_.find(page);
  pages_lock_.unlock_shared();
  return slot ? with_cap(slot) : PageRef{main_pages_.find(page), main_cap_};
}

PageRef Branch::find_and_note(PageNo page) const {
  std::lock_guard lock(pages_lock_);
  BranchSlot* const in_trie = pages_.find(page);
  PageSlot* const slot = in_trie ? in_trie : main_pages_.find(page);
  if (!front_owner_) {
    front_owner_ = std::make_unique<PageFront>(front_budget_);
    front_.store(front_owner_.get(), std::memory_order_release);
  }
  if (slot && !front_owner_->note(page, slot)) front_is_full_.store(true, std::memory_order_relaxed);
  return shown(slot);
}

// Whether the next version of the page may go into this slot (B1).
bool Branch::is_own(const PageSlot* slot) const {
  if (!slot || !slot->on_branch) return false;
  const auto& mine = static_cast<const BranchSlot&>(*slot);
  return mine.owner == id_ && mine.generation == generation_;
}

PageSlot& Branch::own(PageNo page) {
  if (!parent_) return main_pages_.at(page);
  // Nobody forks the branch meanwhile, and so its generation stays.
  const PageFront* const front = front_.load(std::memory_order_acquire);
  if (PageSlot* const in_front = front ? front->find(page) : nullptr; is_own(in_front)) return *in_front;
  std::lock_guard lock(pages_lock_);
  BranchSlot* const found = pages_.find(page);
  if (is_own(found)) return *found;
  slots_.push_back(std::make_unique<BranchSlot>());
  BranchSlot& slot = *slots_.back();
  slot.on_branch = true;
  slot.page = page;
  slot.owner = id_;
  slot.generation = generation_;
  slot.older = found ? with_cap(found) : PageRef{main_pages_.find(page), main_cap_};
  pages_.insert(&slot);
  if (front_owner_) front_owner_->note(page, &slot);
  return slot;
}

PageSlot* Branch::own_newest(PageNo page) const {
  if (!parent_) return main_pages_.find(page);
  pages_lock_.lock_shared();
  BranchSlot* const slot = pages_.find(page);
  const bool mine = is_own(slot);
  pages_lock_.unlock_shared();
  return mine ? slot : nullptr;
}

void Branch::for_each_slot(const std::function<void(PageNo, PageSlot&)>& visit) const {
  if (!parent_) return main_pages_.for_each(visit);
  for (std::size_t i = 0;; ++i) {
    pages_lock_.lock_shared();
    BranchSlot* const slot = i < slots_.size() ? slots_[i].get() : nullptr;
    pages_lock_.unlock_shared();
    if (!slot) return;
    visit(slot->page, *slot);
  }
}

std::uint64_t Branch::memory_bytes() const {
  std::uint64_t bytes = sizeof *this + commits_.memory_bytes() + merges().size() * sizeof(BranchMerge) +
                        brought().size() * sizeof(Version);
  if (!parent_) return bytes + main_pages_.memory_bytes();
  pages_lock_.lock_shared();
  if (front_owner_) bytes += front_owner_->memory_bytes();
  pages_lock_.unlock_shared();
  for_each_slot([&bytes](PageNo, PageSlot& slot) {
    slot.lock.lock_shared();
    bytes += sizeof(BranchSlot) + sizeof(PageVersion) * std::max(slot.count, slot.capacity);
    slot.lock.unlock_shared();
  });
  return bytes;
}

}  // namespace dosql::version
