#include "version/page_replay.h"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

#include "version/page_patch.h"
#include "version/store_impl.h"

namespace dosql::version {

using log::EntryKind;

namespace {

constexpr std::uint64_t kAllBlocks = ~std::uint64_t{0};
constexpr std::size_t kCommitsAhead = 256;

}  // namespace

PageReplay::PageReplay(VersionStore& store)
    : store_(store), pin_(store.impl().pins.take(PinnedImages::kHas)), sets_(kPagesKept / kWays) {}

PageReplay::~PageReplay() { store_.impl().pins.give_back(pin_); }

void PageReplay::pin(Lsn lsn) {
  pin_->lsn_plus_one.store(raw(lsn) + 1, std::memory_order_release);
  store_.impl().note_pin(lsn);
}

Result<bool> PageReplay::go_to(BranchId branch, Version version) {
  const bool is_next = follows_ && branch == branch_ && raw(version) == raw(after_.version) + 1;
  follows_ = false;
  written_.clear();
  beside_.clear();
  ++turns_;
  if (raw(version) == 1) return false;
  if (is_next) {
    // What is cut off may come again with another content.
    if (after_.page_count < before_.page_count) forget();
    before_ = after_;
  } else {
    DOSQL_RETURN_IF_ERROR(start(branch, version));
  }
  pin(before_.lsn);
  auto replayed = step(branch, version);
  follows_ = replayed && *replayed;
  return replayed;
}

Status PageReplay::start(BranchId branch, Version version) {
  forget();
  DOSQL_ASSIGN_OR_RETURN(before_, store_.at_version(branch, Version{raw(version) - 1}));
  return {};
}

void PageReplay::forget() {
  for (Set& set : sets_) {
    for (Kept& kept : set) kept.page = PageNo{};
  }
}

CommitEntry PageReplay::commit_of(const Branch& committer, Version version) {
  const bool is_ahead =
      ahead_of_ == &committer && version >= first_ahead_ && raw(version) - raw(first_ahead_) < ahead_.size();
  if (!is_ahead) {
    ahead_.resize(kCommitsAhead);
    ahead_.resize(committer.commits(version, ahead_));
    ahead_of_ = &committer;
    first_ahead_ = version;
  }
  return ahead_[raw(version) - raw(first_ahead_)];
}

Result<bool> PageReplay::step(BranchId branch, Version version) {
  StoreImpl& store = store_.impl();
  const Branch& committer = store.branch(branch).committer(version);
  const CommitEntry entry = commit_of(committer, version);
  DOSQL_ASSIGN_OR_RETURN(const log::RecordView record, store.log->read_record(entry.position, window_));
  const log::RecordHeader& header = record.header;
  if (header.last_lsn != raw(entry.lsn)) return store.log->corrupt(entry.position, "expected another commit");
  const bool says_more = (header.flags & (log::kHasSpills | log::kHasMarks)) != 0;
  if (says_more || header.entry_count > kCommitPagesMax) return false;
  branch_ = branch;
  after_ = {committer.id(), version, entry.lsn, header.page_count};
  info_ = info_of(header, version);
  Status replayed;
  record.for_each_entry([&](const log::EntryHead& head, Bytes payload, std::uint32_t offset) {
    const log::Position position{raw(entry.position) + offset};
    if (replayed) replayed = replay(head, payload, position);
  });
  DOSQL_RETURN_IF_ERROR(replayed);
  return true;
}

Status PageReplay::replay(const log::EntryHead& head, Bytes payload, log::Position position) {
  const PageNo page{head.page};
  Written written{.page = page};
  PageImage* image = nullptr;
  const auto kind = static_cast<EntryKind>(head.kind);
  const bool is_patch_of_image = kind == EntryKind::kPatch && head.page <= before_.page_count;
  if (head.page <= before_.page_count) {
    DOSQL_ASSIGN_OR_RETURN(image, keep(page, before_));
    PageImage& before = next_before();
    before = *image;
    written.before = &before;
  } else {
    image = place_of(page).image.get();
  }
  if (is_patch_of_image || kind == EntryKind::kFull || kind == EntryKind::kZero) {
    DOSQL_RETURN_IF_ERROR(apply(head, payload, *image, written.blocks));
  } else {
    // It stands on an image that is not here.
    written.blocks = kAllBlocks;
    DOSQL_RETURN_IF_ERROR(store_.impl().read(after_, page, 0, *image, CacheUse::kBypass));
  }
  if (kind == EntryKind::kPatch) patches_.add(position, payload);
  if (head.page <= after_.page_count) written.after = image;
  written_.push_back(written);
  return {};
}

Status PageReplay::apply(const log::EntryHead& head, Bytes payload, PageImage& image, std::uint64_t& blocks) {
  const auto kind = static_cast<EntryKind>(head.kind);
  if (kind != EntryKind::kPatch) blocks = kAllBlocks;
  const auto corrupt = [&] {
    return Error(ErrorCode::kCorrupt,
                 fmt::format("the commit of version {} is damaged: its entry of page {} makes no sense",
                             raw(after_.version), head.page));
  };
  if (kind == EntryKind::kFull) {
    if (payload.size() != kPageBytes) return corrupt();
    std::memcpy(image.data(), payload.data(), kPageBytes);
    return {};
  }
  if (kind == EntryKind::kZero) image.fill(std::byte{0});
  return apply_patch(payload, image.data(), blocks) ? Status() : corrupt();
}

PageImage& PageReplay::next_before() {
  const std::size_t used = static_cast<std::size_t>(
      std::ranges::count_if(written_, [](const Written& written) { return written.before != nullptr; }));
  if (used == befores_.size()) befores_.push_back(std::make_unique<PageImage>());
  return *befores_[used];
}

// --- The images that are kept ---

PageReplay::Kept* PageReplay::find(PageNo page) {
  for (Kept& kept : set_of(page)) {
    if (kept.page == page) return &kept;
  }
  for (const auto& kept : beside_) {
    if (kept->page == page) return kept.get();
  }
  return nullptr;
}

PageImage* PageReplay::use(Kept& kept) {
  kept.used = turns_;
  return kept.image.get();
}

// The one to be given up, which was used longest ago; null: this turn uses all.
PageReplay::Kept* PageReplay::to_give_up(Set& set) const {
  Kept* chosen = nullptr;
  for (Kept& kept : set) {
    if (kept.page == PageNo{}) return &kept;
    if (kept.used != turns_ && (chosen == nullptr || kept.used < chosen->used)) chosen = &kept;
  }
  return chosen;
}

PageReplay::Kept& PageReplay::make_room(PageNo page) {
  Kept* room = to_give_up(set_of(page));
  if (room == nullptr) {
    beside_.push_back(std::make_unique<Kept>());
    room = beside_.back().get();
  }
  if (!room->image) room->image = std::make_unique<PageImage>();
  room->page = page;
  room->used = turns_;
  return *room;
}

PageReplay::Kept& PageReplay::place_of(PageNo page) {
  Kept* const kept = find(page);
  if (kept == nullptr) return make_room(page);
  use(*kept);
  return *kept;
}

// The image of a page that is the same in `point` and in what is kept.
Result<PageImage*> PageReplay::keep(PageNo page, const ReadPoint& point) {
  if (Kept* const kept = find(page)) return use(*kept);
  Kept& kept = make_room(page);
  kept.page = PageNo{};
  DOSQL_RETURN_IF_ERROR(
      store_.impl().read(point, page, 0, *kept.image, CacheUse::kBypass, {.known = &patches_}));
  kept.page = page;
  return kept.image.get();
}

const PageReplay::Written* PageReplay::find_written(PageNo page) const {
  const auto found = std::ranges::find(written_, page, &Written::page);
  return found != written_.end() ? &*found : nullptr;
}

Result<const PageImage*> PageReplay::before(PageNo page) {
  if (const Written* const written = find_written(page)) return written->before;
  if (raw(page) == 0 || raw(page) > before_.page_count) return nullptr;
  DOSQL_ASSIGN_OR_RETURN(const PageImage* const image, keep(page, before_));
  return image;
}

Result<const PageImage*> PageReplay::after(PageNo page) {
  if (const Written* const written = find_written(page)) return written->after;
  if (raw(page) == 0 || raw(page) > after_.page_count) return nullptr;
  DOSQL_ASSIGN_OR_RETURN(const PageImage* const image, keep(page, after_));
  return image;
}

}  // namespace dosql::version
