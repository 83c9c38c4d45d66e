#include "version/index_builder.h"

#include <fmt/format.h>

#include "version/merge_marks.h"
#include "version/moved_numbers.h"
#include "version/names.h"
#include "version/page_history.h"
#include "version/page_patch.h"

namespace dosql::version {
namespace {

using log::EntryKind;
using log::RecordType;

// Makes the image of a page's newest version that of the next one. False: what is at hand does not tell, and
// the image is good for nothing now.
bool move_forward(EntryKind kind, const std::optional<Bytes>& payload, std::byte* image) {
  if (!payload) return false;
  switch (kind) {
    case EntryKind::kFull:
      if (payload->size() != kPageBytes) return false;
      std::memcpy(image, payload->data(), kPageBytes);
      return true;
    case EntryKind::kZero: std::memset(image, 0, kPageBytes); return apply_patch(*payload, image);
    case EntryKind::kPatch: return apply_patch(*payload, image);
    case EntryKind::kKey: return false;
  }
  return false;
}

}  // namespace

Status IndexBuilder::on_record(const log::RecordView& record, log::Position position) {
  if (failure_) return *failure_;
  Status taken = take(record, position);
  if (live_ && !taken) failure_ = taken.error();
  return taken;
}

Status IndexBuilder::take(const log::RecordView& record, log::Position position) {
  const auto type = static_cast<RecordType>(record.header.type);
  if (type == RecordType::kName) return on_name(record, position);
  branch_ = store_.branches.get(BranchId{record.header.branch});
  const bool is_written = type == RecordType::kCommit || type == RecordType::kSpill;
  if (!branch_ || (is_written && branch_->dropped)) return bad(position, "it is for an unknown branch");
  switch (type) {
    case RecordType::kCommit: return on_commit(record, position);
    case RecordType::kSpill: return on_spill(record, position);
    case RecordType::kFold: return on_fold(record, position);
    case RecordType::kClose:
    case RecordType::kName: return {};
  }
  return {};
}

Status IndexBuilder::go_live() {
  DOSQL_RETURN_IF_ERROR(apply_waiting());
  store_.page_versions += versions_;
  for (Branch* branch : store_.branches.with_dropped()) branch->dropped_before_open = branch->dropped;
  live_ = true;
  return {};
}

void IndexBuilder::gather(const log::RecordView& record, log::Position position, Changes& changes) {
  record.for_each_entry([&](const log::EntryHead& head, Bytes, std::uint32_t offset) {
    changes[head.page] = {
        PageVersion::make(Lsn{record.header.last_lsn}, log::Position{raw(position) + offset},
                          static_cast<EntryKind>(head.kind), head.step),
        head.payload_bytes};
  });
}

Status IndexBuilder::on_spill(const log::RecordView& record, log::Position position) {
  Changes& changes = spilled_[branch_->id()];
  if (record.header.flags & log::kFirstSpill) changes.clear();
  gather(record, position, changes);
  return {};
}

Status IndexBuilder::on_commit(const log::RecordView& record, log::Position position) {
  const log::RecordHeader& header = record.header;
  if (header.last_lsn <= raw(newest_lsn_)) return bad(position, "its LSN does not follow its predecessor's");
  newest_lsn_ = Lsn{header.last_lsn};
  const bool has_spills = (header.flags & log::kHasSpills) != 0;
  if (has_spills) gather(record, position, spilled_[branch_->id()]);
  const std::uint64_t entries = has_spills ? spilled_[branch_->id()].size() : header.entry_count;
  if (header.page_count > branch_->known_pages + entries)
    return bad(position, "it adds pages without saying what is in them");
  const auto merges = merges_of(store_, record.merges(), Lsn{header.last_lsn});
  if (!merges) return bad(position, "it merges a version that does not exist");
  std::unique_lock publishing(branch_->publish_mutex(), std::defer_lock);
  if (live_) publishing.lock();
  DOSQL_RETURN_IF_ERROR(has_spills ? add_spilled(header, position) : add_entries(record, position));
  spilled_.erase(branch_->id());
  const Version version{raw(branch_->head().version) + 1};
  branch_->push_commit({Lsn{header.last_lsn}, position});
  const NoteKinds noted = kinds_of(record);
  branch_->push_merges(version, *merges, noted.moved);
  if (noted.brought) branch_->push_brought(version);
  branch_->set_head({branch_->id(), version, Lsn{header.last_lsn}, header.page_count});
  return {};
}

Status IndexBuilder::add_spilled(const log::RecordHeader& header, log::Position position) {
  for (auto& [page, change] : spilled_[branch_->id()]) {
    if (page > header.page_count) break;  // written, then truncated away
    change.version.lsn = header.last_lsn;
    DOSQL_RETURN_IF_ERROR(add(page, change, std::nullopt, position));
  }
  return {};
}

// The usual small commit: no detour through a map.
Status IndexBuilder::add_entries(const log::RecordView& record, log::Position position) {
  const log::RecordHeader& header = record.header;
  Status added;
  record.for_each_entry([&](const log::EntryHead& head, Bytes payload, std::uint32_t offset) {
    if (!added) return;
    const Change change{PageVersion::make(Lsn{header.last_lsn}, log::Position{raw(position) + offset},
                                          static_cast<EntryKind>(head.kind), head.step),
                        head.payload_bytes};
    added = head.page > header.page_count ? bad(position, fmt::format("page {} is beyond its end", head.page))
                                          : add(head.page, change, payload, position);
  });
  return added;
}

// Commits change pages all over the database, and each would wait for the processor to fetch its page's slot
// and then the end of its array. So each change is asked for when it is read and made kWaiting changes later.
Status IndexBuilder::add(std::uint32_t page, const Change& change, std::optional<Bytes> payload,
                         log::Position position) {
  if (page == 0) return bad(position, "it has an entry of page 0");
  if (live_) return apply_live(page, change, payload, position);
  PageSlot& slot = branch_->own(PageNo{page});
  __builtin_prefetch(&slot, 1);
  waiting_[queued_++ % kWaiting] = {&slot, page, change, position};
  if (queued_ - fetched_ > kWaiting / 2) {
    const PageSlot& near = *waiting_[fetched_++ % kWaiting].slot;
    if (near.count > 0) __builtin_prefetch(near.versions + near.count - 1, 1);
  }
  return queued_ - applied_ == kWaiting ? apply(waiting_[applied_++ % kWaiting]) : Status();
}

Status IndexBuilder::apply_waiting() {
  while (applied_ < queued_) DOSQL_RETURN_IF_ERROR(apply(waiting_[applied_++ % kWaiting]));
  fetched_ = queued_;
  return {};
}

Status IndexBuilder::apply(const Waiting& waiting) {
  PageSlot& slot = *waiting.slot;
  const PageVersion& version = waiting.change.version;
  if (!accepts(slot, version.kind(), version.step())) {
    return bad(waiting.position,
               fmt::format("its entry of page {} does not follow that page's history", waiting.page));
  }
  slot.push(version);
  slot.add_chain_bytes(version.kind(), waiting.change.payload_bytes);
  ++versions_;
  return {};
}

// Readers of older versions go on meanwhile. The frame stays with the page where its image can be moved
// forward, so that a page that is read all the time is not rebuilt after each commit.
Status IndexBuilder::apply_live(std::uint32_t page, const Change& change, std::optional<Bytes> payload,
                                log::Position position) {
  PageSlot& slot = branch_->own(PageNo{page});
  const PageVersion& version = change.version;
  if (!accepts(slot, version.kind(), version.step())) {
    return bad(position, fmt::format("its entry of page {} does not follow that page's history", page));
  }
  FrameId spoiled = 0;
  slot.lock.lock();
  slot.push(version);
  slot.add_chain_bytes(version.kind(), change.payload_bytes);
  slot.cold_reads = 0;
  if (slot.frame() != 0 && !move_forward(version.kind(), payload, store_.pool.data(slot.frame()))) {
    spoiled = slot.frame();
    slot.set_frame(0);
    store_.pool.take_from_slot(spoiled);
  }
  slot.lock.unlock();
  if (spoiled != 0) store_.pool.free(spoiled);
  store_.page_versions.fetch_add(1, std::memory_order_relaxed);
  return {};
}

Status IndexBuilder::on_name(const log::RecordView& record, log::Position position) {
  // What a branch shares with its parent is what the parent has now.
  DOSQL_RETURN_IF_ERROR(apply_waiting());
  if (record.header.last_lsn <= raw(newest_lsn_))
    return bad(position, "its LSN does not follow its predecessor's");
  newest_lsn_ = Lsn{record.header.last_lsn};
  return replay_name(store_, record, position);
}

Status IndexBuilder::on_fold(const log::RecordView& record, log::Position position) {
  DOSQL_RETURN_IF_ERROR(apply_waiting());
  Status folded;
  record.for_each_entry([&](const log::EntryHead& head, Bytes, std::uint32_t offset) {
    PageSlot* slot = branch_->own_newest(PageNo{head.page});
    const auto kind = static_cast<EntryKind>(head.kind);
    const bool has_history = slot && slot->count > 0;
    // L10: a base, or what the newest version is too, against the same base.
    const bool fits =
        has_history && ((kind == EntryKind::kFull && head.step == 0) ||
                        (kind == EntryKind::kKey && head.step > 0 && head.step == slot->newest_step));
    if (!fits) {
      folded = bad(position, fmt::format("its fold of page {} does not fit that page's history", head.page));
      return;
    }
    slot->lock.lock();
    const Lsn lsn{slot->newest().lsn};
    slot->replace_newest(PageVersion::make(lsn, log::Position{raw(position) + offset}, kind, head.step));
    slot->lock.unlock();
  });
  return folded;
}

}  // namespace dosql::version
