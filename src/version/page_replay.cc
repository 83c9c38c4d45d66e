#include "version/page_replay.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "version/page_patch.h"
#include "version/store_impl.h"

namespace dosql::version {

using log::EntryKind;

namespace {

constexpr std::size_t kCommitsAhead = 256;

std::uint64_t differing_blocks(const PageImage& a, const PageImage& b) {
  std::uint64_t blocks = 0;
  for (std::size_t block = 0; block < 64; ++block) {
    const bool same =
        std::memcmp(a.data() + block * kBlockBytes, b.data() + block * kBlockBytes, kBlockBytes) == 0;
    blocks |= std::uint64_t{same ? 0u : 1u} << block;
  }
  return blocks;
}

}  // namespace

PageReplay::PageReplay(VersionStore& store)
    : store_(store),
      pin_(store.impl().pins.take(PinnedImages::kHas)),
      kept_(store.impl().replay_room, store.impl().pool) {}

PageReplay::~PageReplay() { store_.impl().pins.give_back(pin_); }

void PageReplay::pin(Lsn lsn) {
  pin_->lsn_plus_one.store(raw(lsn) + 1, std::memory_order_release);
  store_.impl().note_pin(lsn);
}

Result<bool> PageReplay::go_to(BranchId branch, Version version) {
  const bool is_next = follows_ && branch == branch_ && raw(version) == raw(after_.version) + 1;
  follows_ = false;
  written_.clear();
  earlier_used_ = 0;
  kept_.begin_turn();
  if (raw(version) == 1) return false;
  if (is_next) {
    // What is cut off may come again with another content.
    if (after_.page_count < before_.page_count) kept_.forget_all();
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
  kept_.forget_all();
  DOSQL_ASSIGN_OR_RETURN(before_, store_.at_version(branch, Version{raw(version) - 1}));
  return {};
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
  // Whatever comes of it: reading changes the window that the record ahead lies in.
  std::optional<log::RecordView> ahead = std::exchange(next_record_, std::nullopt);
  if (!ahead || next_position_ != entry.position) {
    DOSQL_ASSIGN_OR_RETURN(ahead, store.log->read_record(entry.position, window_));
  }
  const log::RecordView record = *ahead;
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
  look_ahead(committer, Version{raw(version) + 1});
  return true;
}

// What the next commit writes to is mostly not in the processor's cache, and is on its way there meanwhile.
void PageReplay::look_ahead(const Branch& committer, Version version) {
  const std::uint64_t ahead = raw(version) - raw(first_ahead_);
  if (ahead_of_ != &committer || ahead >= ahead_.size()) return;
  next_position_ = ahead_[ahead].position;
  next_record_ = store_.impl().log->find_record(next_position_, window_);
  if (!next_record_) return;
  next_record_->for_each_entry([&](const log::EntryHead& head, Bytes payload, std::uint32_t) {
    if (static_cast<EntryKind>(head.kind) == EntryKind::kPatch)
      kept_.prefetch(PageNo{head.page}, blocks_of_patch(payload).value_or(0));
  });
}

Status PageReplay::replay(const log::EntryHead& head, Bytes payload, log::Position position) {
  const PageNo page{head.page};
  const bool was_there = head.page <= before_.page_count;
  const bool is_patch = static_cast<EntryKind>(head.kind) == EntryKind::kPatch;
  // Made where it stays: putting together and copying what was written a moment ago is slow.
  Written& written = written_.emplace_back();
  written.page = page;
  PageImage* image = nullptr;
  EarlierImage* earlier = nullptr;
  if (was_there) {
    DOSQL_ASSIGN_OR_RETURN(image, keep(page, before_));
    earlier = &next_earlier();
    written.before = PageView(*earlier);
  } else {
    image = &kept_.find_or_add(page);
  }
  if (earlier != nullptr && is_patch) {
    const auto blocks = blocks_of_patch(payload);
    if (!blocks) return makes_no_sense(head);
    written.blocks = *blocks;
    earlier->keep(*image, *blocks);
    apply_patch(payload, image->data());
  } else {
    if (earlier != nullptr) earlier->keep(*image, kAllBlocks);
    DOSQL_RETURN_IF_ERROR(replace(head, payload, *image));
    written.blocks = earlier != nullptr ? differing_blocks(earlier->whole(), *image) : kAllBlocks;
  }
  if (is_patch) patches_.add(position, payload);
  if (head.page <= after_.page_count) written.after = PageView(image);
  return {};
}

// What does not stand on the image that is here.
Status PageReplay::replace(const log::EntryHead& head, Bytes payload, PageImage& image) {
  switch (static_cast<EntryKind>(head.kind)) {
    case EntryKind::kFull:
      if (payload.size() != kPageBytes) return makes_no_sense(head);
      std::memcpy(image.data(), payload.data(), kPageBytes);
      return {};
    case EntryKind::kZero:
      image.fill(std::byte{0});
      return apply_patch(payload, image.data()) ? Status() : makes_no_sense(head);
    default: return store_.impl().read(after_, PageNo{head.page}, 0, image, CacheUse::kBypass);
  }
}

Error PageReplay::makes_no_sense(const log::EntryHead& head) const {
  return Error(ErrorCode::kCorrupt,
               fmt::format("the commit of version {} is damaged: its entry of page {} makes no sense",
                           raw(after_.version), head.page));
}

EarlierImage& PageReplay::next_earlier() {
  if (earlier_used_ == earlier_.size()) earlier_.push_back(std::make_unique_for_overwrite<EarlierImage>());
  return *earlier_[earlier_used_++];
}

// The image of a page that is the same in `point` and in what is kept.
Result<PageImage*> PageReplay::keep(PageNo page, const ReadPoint& point) {
  if (PageImage* const kept = kept_.find(page)) return kept;
  PageImage& image = kept_.add(page);
  const bool around = reads_around();
  const Status read = store_.impl().read(point, page, 0, image, CacheUse::kBypass,
                                         {.known = &patches_, .around = around ? &stretch_ : nullptr});
  if (!read) {
    kept_.forget(page);
    return read.error();
  }
  if (around) keep_beside(page, point);
  return &image;
}

// Where all pages will be kept in the end, each of them is read once anyway. Not where images that were
// written at one time do not lie side by side: most of a stretch is for nobody then.
bool PageReplay::reads_around() const {
  constexpr std::size_t kTries = 16;
  constexpr std::size_t kLeastBeside = 4;
  return kept_.can_keep_all(before_.page_count) &&
         kLeastBeside * stretches_ <= beside_ + kLeastBeside * kTries;
}

// What is damaged there is reported once it is asked for.
void PageReplay::keep_beside(PageNo page, const ReadPoint& point) {
  constexpr std::uint32_t kReach = log::EntryStretch::kBytes / kPageBytes;
  const StoreImpl& store = store_.impl();
  const ReadAid aid{.known = &patches_, .around = &stretch_};
  const std::uint32_t first = raw(page) - std::min(raw(page) - 1, kReach);
  const std::uint32_t last = std::min(raw(page) + kReach, point.page_count);
  Chain chain;
  ++stretches_;
  for (std::uint32_t number = first; number <= last; ++number) {
    const PageNo other{number};
    if (!store.find_held(point, other, aid, chain)) continue;
    PageImage* const image = kept_.add_unasked(other);
    if (image == nullptr) continue;
    if (store.rebuild(other, chain, image->data(), nullptr, aid)) {
      ++beside_;
    } else {
      kept_.forget(other);
    }
  }
}

const PageReplay::Written* PageReplay::find_written(PageNo page) const {
  const auto found = std::ranges::find(written_, page, &Written::page);
  return found != written_.end() ? &*found : nullptr;
}

Result<PageView> PageReplay::before(PageNo page) {
  if (const Written* const written = find_written(page)) return written->before;
  if (raw(page) == 0 || raw(page) > before_.page_count) return PageView();
  DOSQL_ASSIGN_OR_RETURN(const PageImage* const image, keep(page, before_));
  return PageView(image);
}

Result<PageView> PageReplay::after(PageNo page) {
  if (const Written* const written = find_written(page)) return written->after;
  if (raw(page) == 0 || raw(page) > after_.page_count) return PageView();
  DOSQL_ASSIGN_OR_RETURN(const PageImage* const image, keep(page, after_));
  return PageView(image);
}

}  // namespace dosql::version
