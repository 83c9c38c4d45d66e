// Write transactions: collecting pages, spilling them, committing them as the next version.

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "base/check.h"
#include "version/merge_marks.h"
#include "version/moved_numbers.h"
#include "version/names.h"
#include "version/overlay.h"
#include "version/page_encoder.h"
#include "version/page_history.h"
#include "version/sqlite_header.h"
#include "version/store_impl.h"

namespace dosql::version {
namespace {

using log::EntryKind;
using log::RecordType;

// Frames a transaction keeps for its next run instead of giving them back to the pool one by one.
constexpr std::size_t kFramesKept = 16;
// How many commits a look at all pins is good for, and one more for so many pins.
constexpr std::uint32_t kCommitsPerLook = 32;
constexpr std::uint32_t kPinsPerCommit = 16;
// Dirty pages of one transaction are spilled at the latest here: a record must stay below 16 MiB.
constexpr std::size_t kSpillBytesMax = std::size_t{8} << 20;

}  // namespace

class WriteTransaction::Overlay {
 public:
  explicit Overlay(StoreImpl& store)
      : store_(store),
        encoder_(store),
        record_(store.log->database_id()),
        dirty_pages_max_(std::clamp(store.options.spill_bytes, kPageBytes, kSpillBytesMax) / kPageBytes) {}
  ~Overlay() {
    for (const FrameId frame : kept_frames_) store_.pool.free(frame);
  }

  void begin(const ReadPoint& base, CacheUse spilled) {
    base_ = base;
    branch_ = &store_.branch(base.branch);
    spilled_use_ = spilled;
    page_count_ = base.page_count;
    low_water_ = base.page_count;
  }

  Status write(PageNo page, Bytes image);
  Result<bool> read(PageNo page, std::uint32_t offset, MutableBytes out);
  void truncate(std::uint32_t page_count);
  Result<OrderedCommit> order(Durability durability, const CommitMarks& marks);
  // Gives the branch back and forgets all pages.
  void end();

  std::uint32_t page_count() const { return page_count_; }

 private:
  // A page entry of the record being built, or of a spill.
  struct Change {
    OverlayPage* page;
    std::uint32_t entry_offset;  // from the start of the record
    EntryKind kind;
    std::uint8_t step;
    std::uint16_t payload_bytes;
  };

  bool only_counts(Bytes header_page);
  FrameId take_frame();
  void give_frame(FrameId frame);
  void give_spilled_frame(OverlayPage& place);
  Status load_spilled(const OverlayPage& page, std::byte* out) const;
  Status spill();
  Status encode_dirty_pages();
  Status fill_holes();
  bool differs_from_base();
  MergeMark canonical(MergeMark mark) const;
  void add_marks(const CommitMarks& marks);
  Result<std::uint32_t> freelist_growth();
  Status set_commit_header();
  void look_for_readers();
  void publish_pages(const log::Appended& appended);
  void publish_page(OverlayPage& page, PageVersion version, std::uint16_t payload_bytes);

  StoreImpl& store_;
  PageEncoder encoder_;
  log::RecordBuilder record_;
  const std::size_t dirty_pages_max_;

  ReadPoint base_;
  Branch* branch_ = nullptr;
  CacheUse spilled_use_ = CacheUse::kKeep;
  std::uint32_t page_count_ = 0;
  std::uint32_t low_water_ = 0;  // the smallest page_count_ of this transaction
  OverlayMap pages_;
  std::size_t dirty_pages_ = 0;
  // Numbers of the dirty pages, and of some that were cut off since: a transaction may have far more pages
  // than it dirtied since its last spill.
  std::vector<std::uint32_t> dirtied_;
  std::uint64_t spill_bytes_ = 0;
  std::uint32_t spill_records_ = 0;
  bool frames_kept_ = false;  // of pages that were spilled
  bool spill_failed_ = false;

  std::vector<Change> changes_;
  std::vector<MergeMark> merges_;  // of the commit being made
  NoteKinds noted_;                // by it
  std::vector<FrameId> kept_frames_;

  // The newest version that somebody has been reading for a while.
  std::optional<Lsn> retained_for_;
  Lsn last_look_{};
  std::uint32_t commits_to_next_look_ = kCommitsPerLook;
};

FrameId WriteTransaction::Overlay::take_frame() {
  if (kept_frames_.empty()) return store_.pool.allocate();
  const FrameId frame = kept_frames_.back();
  kept_frames_.pop_back();
  return frame;
}

void WriteTransaction::Overlay::give_frame(FrameId frame) {
  if (kept_frames_.size() < kFramesKept) {
    kept_frames_.push_back(frame);
  } else {
    store_.pool.free(frame);
  }
}

void WriteTransaction::Overlay::give_spilled_frame(OverlayPage& place) {
  // A page that turned out unchanged has no entry to be read from.
  if (place.frame == 0 || place.spilled.word == 0) return;
  give_frame(place.frame);
  place.frame = 0;
}

// Whether page 1 is what it was but for the change counters (V5), as in most commits: SQLite writes it in
// each.
bool WriteTransaction::Overlay::only_counts(Bytes header_page) {
  if (pages_.find(kHeaderPage)) return false;
  const VisibleVersion newest = lock_visible(branch_->find(kHeaderPage), kLsnUnbounded);
  if (!newest.slot) return false;
  const FrameId frame = newest.is_newest() ? newest.slot->frame() : 0;
  const bool same = frame != 0 && same_but_for_change_counter(store_.pool.data(frame), header_page.data());
  newest.slot->lock.unlock_shared();
  return same;
}

Status WriteTransaction::Overlay::write(PageNo page, Bytes image) {
  CHECK(image.size() == kPageBytes && raw(page) != 0);
  if (page == kHeaderPage && only_counts(image)) return {};
  OverlayPage& place = pages_.find_or_insert(page);
  if (place.frame == 0) place.frame = take_frame();
  std::byte* const frame = store_.pool.data(place.frame);
  std::memcpy(frame, image.data(), kPageBytes);
  // V5: SQLite counts every commit on page 1; the log would carry that for nothing.
  if (page == kHeaderPage) set_change_counter(frame, kStoredChangeCounter);
  place.cut = false;
  if (!place.dirty) {
    place.dirty = true;
    dirtied_.push_back(raw(page));
    ++dirty_pages_;
  }
  page_count_ = std::max(page_count_, raw(page));
  if (dirty_pages_ < dirty_pages_max_) return {};
  Status spilled = spill();
  if (!spilled) spill_failed_ = true;
  return spilled;
}

// The spilled entry on top of the version it was encoded against.
Status WriteTransaction::Overlay::load_spilled(const OverlayPage& page, std::byte* out) const {
  Chain chain;
  if (page.spilled.kind() == EntryKind::kPatch || page.spilled.kind() == EntryKind::kKey) {
    newest_chain(branch_->find(PageNo{page.page}), chain);
    if (page.spilled.kind() == EntryKind::kKey) chain.keep_key_base();
  }
  std::copy_backward(chain.entries.begin(), chain.entries.begin() + chain.size,
                     chain.entries.begin() + chain.size + 1);
  chain.entries[0] = page.spilled;
  ++chain.size;
  return store_.rebuild(PageNo{page.page}, chain, out);
}

Result<bool> WriteTransaction::Overlay::read(PageNo page, std::uint32_t offset, MutableBytes out) {
  const OverlayPage* place = pages_.find(page);
  if (!place || place->cut) {
    if (raw(page) <= low_water_) return false;
    std::memset(out.data(), 0, out.size());
    return true;
  }
  if (place->frame != 0) {
    std::memcpy(out.data(), store_.pool.data(place->frame) + offset, out.size());
    return true;
  }
  std::byte image[kPageBytes];
  DOSQL_RETURN_IF_ERROR(load_spilled(*place, image));
  std::memcpy(out.data(), image + offset, out.size());
  return true;
}

void WriteTransaction::Overlay::truncate(std::uint32_t page_count) {
  if (page_count < page_count_) {
    pages_.for_each([&](OverlayPage& place) {
      if (place.page <= page_count || place.cut) return;
      place.cut = true;
      if (place.dirty) --dirty_pages_;
      place.dirty = false;
      if (place.frame != 0) give_frame(place.frame);
      place.frame = 0;
    });
  }
  page_count_ = page_count;
  low_water_ = std::min(low_water_, page_count);
}

// Adds an entry to record_ for each dirty page that differs from its newest version.
Status WriteTransaction::Overlay::encode_dirty_pages() {
  std::sort(dirtied_.begin(), dirtied_.end());
  changes_.clear();
  std::uint32_t previous = 0;
  for (const std::uint32_t number : dirtied_) {
    OverlayPage* const place = pages_.find(PageNo{number});
    if (number == previous || !place->dirty) continue;
    previous = number;
    const PageNo page{place->page};
    const std::byte* image = store_.pool.data(place->frame);
    DOSQL_ASSIGN_OR_RETURN(auto encoded, encoder_.encode(branch_->find(page), page, image));
    place->restored = false;
    if (!encoded) {
      // Back to what it was. An earlier spill of it must be overruled, though.
      if (place->spilled.word == 0) continue;
      place->restored = true;
      encoded = EncodedPage{EntryKind::kFull, 0, Bytes(image, kPageBytes)};
    }
    const std::uint32_t offset =
        encoded->kind == EntryKind::kFull
            ? record_.add_referenced(page, encoded->kind, encoded->step, encoded->payload)
            : record_.add_copied(page, encoded->kind, encoded->step, encoded->payload);
    changes_.push_back(
        {place, offset, encoded->kind, encoded->step, static_cast<std::uint16_t>(encoded->payload.size())});
  }
  return {};
}

// Writes the dirty pages to the log ahead of the commit. If that is wanted, their frames stay while the pool
// has room.
Status WriteTransaction::Overlay::spill() {
  record_.start(RecordType::kSpill, spill_records_ == 0 ? log::kFirstSpill : 0, base_.branch);
  record_.header().page_count = page_count_;
  DOSQL_RETURN_IF_ERROR(encode_dirty_pages());
  if (!changes_.empty()) {
    const CheckpointGate::Pass pass(store_.checkpoint_gate);
    DOSQL_ASSIGN_OR_RETURN(const log::Appended appended,
                           store_.log->append(record_, log::WriteStyle::kWrite));
    if (spill_records_ == 0) store_.checkpoint_gate.begin_spilling();
    for (const Change& change : changes_) {
      change.page->spilled = PageVersion::make(
          Lsn{}, log::Position{raw(appended.position) + change.entry_offset}, change.kind, change.step);
    }
    spill_bytes_ += record_.record_bytes();
    ++spill_records_;
  }
  const bool keep_frames = spilled_use_ == CacheUse::kKeep && !store_.pool.full();
  for (const std::uint32_t number : dirtied_) {
    OverlayPage& place = *pages_.find(PageNo{number});
    place.dirty = false;
    if (!keep_frames) give_spilled_frame(place);
  }
  // Those of earlier spills, kept while there was room.
  if (!keep_frames && frames_kept_) pages_.for_each([&](OverlayPage& place) { give_spilled_frame(place); });
  frames_kept_ = keep_frames;
  dirtied_.clear();
  dirty_pages_ = 0;
  return {};
}

// Pages that the transaction made part of the database without writing them read as zeros.
Status WriteTransaction::Overlay::fill_holes() {
  for (std::uint32_t number = low_water_ + 1; number <= page_count_; ++number) {
    const OverlayPage* place = pages_.find(PageNo{number});
    if (place && !place->cut) continue;
    DOSQL_RETURN_IF_ERROR(write(PageNo{number}, Bytes(zero_page(), kPageBytes)));
  }
  return {};
}

Result<std::uint32_t> WriteTransaction::Overlay::freelist_growth() {
  std::byte before[4] = {};
  std::byte after[4] = {};
  if (base_.page_count > 0) {
    DOSQL_RETURN_IF_ERROR(store_.read(base_, kHeaderPage, kFreelistCountOffset, before, CacheUse::kKeep));
  }
  DOSQL_ASSIGN_OR_RETURN(const bool changed, read(kHeaderPage, kFreelistCountOffset, after));
  if (!changed) return 0u;
  const std::uint32_t count_before = load_big32(before);
  const std::uint32_t count_after = load_big32(after);
  return count_after > count_before ? count_after - count_before : 0u;
}

// The LSN range is a strict bound on the row changes inside, found without looking at a row: every page
// that changed, was cut off or went to the freelist could have lost and gained a page full of rows.
Status WriteTransaction::Overlay::set_commit_header() {
  DOSQL_ASSIGN_OR_RETURN(const std::uint32_t freed_pages, freelist_growth());
  auto changed_pages = static_cast<std::uint32_t>(changes_.size());
  if (spill_records_ > 0) {
    pages_.for_each([&](const OverlayPage& place) {
      if (place.spilled.word != 0 && !place.dirty && !place.cut) ++changed_pages;
    });
    record_.set_spill_summary(
        {.spill_bytes = spill_bytes_, .spill_records = spill_records_, .changed_pages = changed_pages});
  }
  const std::uint32_t cut_pages = base_.page_count > low_water_ ? base_.page_count - low_water_ : 0;
  record_.header().lsn_units = changed_pages + cut_pages + freed_pages;
  record_.header().page_count = page_count_;
  return {};
}

// REQUIRES: the dirty pages are encoded.
bool WriteTransaction::Overlay::differs_from_base() {
  if (page_count_ != base_.page_count) return true;
  if (spill_records_ == 0) return !changes_.empty();
  bool differs = false;
  for (const Change& change : changes_) differs |= !change.page->restored;
  pages_.for_each([&](const OverlayPage& place) {
    differs |= !place.dirty && !place.cut && !place.restored && place.spilled.word != 0;
  });
  return differs;
}

// By the branch that committed it, as the index knows it.
MergeMark WriteTransaction::Overlay::canonical(MergeMark mark) const {
  const ReadPoint source = committed_on(store_, {mark.branch, mark.version, mark.lsn, 0});
  CHECK(is_commit(store_, source));
  mark.branch = source.branch;
  return mark;
}

void WriteTransaction::Overlay::add_marks(const CommitMarks& marks) {
  std::vector<log::MergeMark> rows;
  for (const MergeMark& mark : marks.merges) {
    merges_.push_back(canonical(mark));
    rows.push_back(row_of(merges_.back()));
  }
  record_.set_marks(rows, marks.message);
  if (marks.moved.empty()) return;
  noted_ = kinds_of(marks.moved);
  const MovedRows moved = rows_of(marks.moved);
  record_.set_moved(moved.runs, moved.bytes);
}

Result<OrderedCommit> WriteTransaction::Overlay::order(Durability durability, const CommitMarks& marks) {
  if (spill_failed_)
    return Error(ErrorCode::kIo, "an earlier write of this transaction failed: it can only be rolled back");
  DOSQL_RETURN_IF_ERROR(fill_holes());
  record_.start(RecordType::kCommit, spill_records_ > 0 ? log::kHasSpills : 0, base_.branch);
  if (spill_records_ > 0) record_.set_spill_summary({});
  merges_.clear();
  noted_ = {};
  if (!marks.empty()) add_marks(marks);
  DOSQL_RETURN_IF_ERROR(encode_dirty_pages());
  // It may have read what is not visible yet.
  if (marks.empty() && !differs_from_base()) return OrderedCommit{base_, branch_->ordered_head_awaits()};
  DOSQL_RETURN_IF_ERROR(set_commit_header());

  look_for_readers();
  const bool needs_sync = durability == Durability::kFull;
  const auto style = needs_sync ? log::WriteStyle::kWrite : log::WriteStyle::kStore;
  const CheckpointGate::Pass pass(store_.checkpoint_gate);
  Publication publication(store_.visible_end, branch_, needs_sync);
  std::lock_guard publishing(branch_->publish_mutex());
  DOSQL_ASSIGN_OR_RETURN(const log::Appended appended, store_.log->append(record_, style, &publication));
  publish_pages(appended);
  branch_->push_commit({appended.last_lsn, appended.position});
  branch_->push_merges(Version{raw(base_.version) + 1}, merges_, noted_.moved);
  if (noted_.brought) branch_->push_brought(Version{raw(base_.version) + 1});
  const ReadPoint point{base_.branch, Version{raw(base_.version) + 1}, appended.last_lsn, page_count_};
  return OrderedCommit{point, branch_->order(point, needs_sync)};
}

void WriteTransaction::Overlay::publish_page(OverlayPage& place, PageVersion version,
                                             std::uint16_t payload_bytes) {
  PageSlot& slot = branch_->own(PageNo{place.page});
  slot.lock.lock();
  FrameId old_frame = slot.frame();
  if (old_frame != 0) {
    store_.pool.take_from_slot(old_frame);
    // Under the lock: a reader finds it in the slot or here.
    if (retained_for_ && slot.newest().lsn <= raw(*retained_for_)) {
      store_.retained.add(slot.newest().position(), std::exchange(old_frame, 0));
    }
  }
  slot.push(version);
  slot.add_chain_bytes(version.kind(), payload_bytes);
  slot.set_frame(place.frame);
  slot.cold_reads = 0;
  if (place.frame != 0) store_.pool.give_to_slot(place.frame, slot);
  slot.lock.unlock();
  place.frame = 0;
  place.spilled = {};
  if (old_frame != 0) give_frame(old_frame);
}

void WriteTransaction::Overlay::look_for_readers() {
  if (--commits_to_next_look_ > 0) return;
  commits_to_next_look_ =
      std::max(kCommitsPerLook, static_cast<std::uint32_t>(store_.pins.slots()) / kPinsPerCommit);
  // Those that began before the last look; our own reader is at the newest version.
  retained_for_ = store_.pins.newest_below(last_look_);
  last_look_ = base_.lsn;
  if (store_.pool.full()) retained_for_.reset();
  if (!retained_for_) store_.retained.clear();
}

// Versions first, the head last: a reader pinned before sees none of it, one pinned after all of it.
void WriteTransaction::Overlay::publish_pages(const log::Appended& appended) {
  std::uint64_t published = changes_.size();
  for (const Change& change : changes_) {
    publish_page(
        *change.page,
        PageVersion::make(appended.last_lsn, log::Position{raw(appended.position) + change.entry_offset},
                          change.kind, change.step),
        change.payload_bytes);
  }
  if (spill_records_ > 0) {
    pages_.for_each([&](OverlayPage& place) {
      if (place.spilled.word == 0 || place.cut) return;
      place.spilled.lsn = raw(appended.last_lsn);
      // The payload's size is not known any more; an average patch stands for it.
      publish_page(place, place.spilled, kPatchBytesMax / 8);
      ++published;
    });
  }
  store_.page_versions.fetch_add(published, std::memory_order_relaxed);
}

void WriteTransaction::Overlay::end() {
  if (spill_records_ > 0) store_.checkpoint_gate.end_spilling();
  pages_.for_each([&](OverlayPage& place) {
    if (place.frame != 0) give_frame(place.frame);
  });
  pages_.clear();
  dirtied_.clear();
  dirty_pages_ = 0;
  spill_bytes_ = 0;
  spill_records_ = 0;
  frames_kept_ = false;
  spill_failed_ = false;
  branch_->end_write();
}

Status StoreImpl::await_visible(const OrderedCommit& commit) {
  if (commit.awaits == Lsn{}) return {};
  DOSQL_RETURN_IF_ERROR(log->wait_durable(commit.awaits));
  branch(commit.point.branch).show_durable(log->durable_lsn());
  visible_end.tell();
  return {};
}

WriteTransaction::WriteTransaction(VersionStore& store) : store_(store.impl()) {}

WriteTransaction::~WriteTransaction() { rollback(); }

Status WriteTransaction::begin(const ReadPoint& base, CacheUse spilled) {
  CHECK(!active_);
  if (store_.options.access == Access::kReadOnly) {
    return Error(ErrorCode::kReadOnly, "the database is open for reading only");
  }
  if (store_.log->poisoned()) {
    return Error(ErrorCode::kPoisoned,
                 "the database refuses writes after a failed sync until it is reopened");
  }
  Branch& branch = store_.branch(base.branch);
  if (!branch.begin_write()) return Error(ErrorCode::kBusy, "another connection is writing to this branch");
  // Looked at behind begin_write(): who closes or drops does it the other way round.
  const bool dropped_for_good = branch.dropped && branch.successor == nullptr;
  if (store_.closed || dropped_for_good) {
    branch.end_write();
    if (store_.closed) return Error(ErrorCode::kInvalidArgument, "the database is closed");
    return Error(ErrorCode::kBranchNotFound, "the branch was dropped");
  }
  if (branch.dropped || branch.ordered_head() != base) {
    branch.end_write();
    return Error(ErrorCode::kBusySnapshot, "the branch moved on since this transaction began to read");
  }
  if (!overlay_) overlay_ = std::make_unique<Overlay>(store_);
  overlay_->begin(base, spilled);
  active_ = true;
  return {};
}

Status WriteTransaction::write(PageNo page, Bytes image) { return overlay_->write(page, image); }

Result<bool> WriteTransaction::read(PageNo page, std::uint32_t offset, MutableBytes out) {
  return overlay_->read(page, offset, out);
}

void WriteTransaction::truncate(std::uint32_t page_count) { overlay_->truncate(page_count); }

std::uint32_t WriteTransaction::page_count() const { return overlay_->page_count(); }

Result<OrderedCommit> WriteTransaction::order(Durability durability, const CommitMarks& marks) {
  CHECK(active_);
  auto ordered = overlay_->order(durability, marks);
  rollback();
  return ordered;
}

Result<ReadPoint> WriteTransaction::commit(Durability durability, const CommitMarks& marks) {
  DOSQL_ASSIGN_OR_RETURN(const OrderedCommit ordered, order(durability, marks));
  DOSQL_RETURN_IF_ERROR(store_.await_visible(ordered));
  return ordered.point;
}

void WriteTransaction::rollback() {
  if (!active_) return;
  overlay_->end();
  active_ = false;
}

}  // namespace dosql::version
