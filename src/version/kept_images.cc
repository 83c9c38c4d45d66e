#include "version/kept_images.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "version/page_view.h"

namespace dosql::version {

KeptImages::KeptImages(ReplayRoom& room)
    : room_(room), sets_(kLeast / kWays), least_(std::make_unique_for_overwrite<PageImage[]>(kLeast)) {
  for (std::size_t i = kLeast; i-- > 0;) unused_.push_back(&least_[i]);
}

KeptImages::~KeptImages() { room_.give_back(room() - kLeast); }

void KeptImages::begin_turn() {
  beside_.clear();
  ++turns_;
  if (missed_ > room() / 2) grow();
  if (turns_ - counted_since_ > 8 * room()) count_anew();
}

void KeptImages::count_anew() {
  missed_ = 0;
  counted_since_ = turns_;
}

// Twice as many sets: the pages of a set go to two of them, so none of these has too many.
void KeptImages::grow() {
  count_anew();
  const std::size_t more = room();
  if (!room_.take(more)) return;
  // They are used at random, and little of each: in small pages that is a walk through the system's tables.
  auto memory = std::make_unique<FrameMemory>(more, 0);
  if (!memory->has_frames()) return room_.give_back(more);
  for (std::size_t i = more; i-- > 0;) unused_.push_back(reinterpret_cast<PageImage*>(memory->frame(i)));
  memory_.push_back(std::move(memory));
  std::vector<Set> before = std::exchange(sets_, std::vector<Set>(sets_.size() * 2));
  for (Set& set : before) {
    for (Kept& kept : set) {
      if (kept.image == nullptr) continue;
      if (kept.page == PageNo{}) {
        unused_.push_back(kept.image);
        continue;
      }
      Set& now = sets_[set_of(kept.page)];
      *std::ranges::find(now, nullptr, &Kept::image) = kept;
    }
  }
}

void KeptImages::shrink() {
  if (room() == kLeast) return;
  room_.give_back(room() - kLeast);
  sets_ = std::vector<Set>(kLeast / kWays);
  memory_.clear();
  unused_.clear();
  for (std::size_t i = kLeast; i-- > 0;) unused_.push_back(&least_[i]);
  beside_.clear();
  count_anew();
}

KeptImages::Kept* KeptImages::find_kept(PageNo page) {
  for (Kept& kept : sets_[set_of(page)]) {
    if (kept.page == page) return &kept;
  }
  for (const auto& beside : beside_) {
    if (beside->kept.page == page) return &beside->kept;
  }
  return nullptr;
}

PageImage* KeptImages::find(PageNo page) {
  Kept* const kept = find_kept(page);
  if (kept == nullptr) {
    ++missed_;
    return nullptr;
  }
  kept->used = turns_;
  return kept->image;
}

// The one that was used longest ago; null: this turn uses all.
KeptImages::Kept* KeptImages::to_give_up(Set& set) {
  Kept* chosen = nullptr;
  for (Kept& kept : set) {
    if (kept.page == PageNo{}) return &kept;
    if (kept.used != turns_ && (chosen == nullptr || kept.used < chosen->used)) chosen = &kept;
  }
  return chosen;
}

PageImage& KeptImages::find_or_add(PageNo page) {
  Kept* const kept = find_kept(page);
  if (kept == nullptr) return add(page);
  kept->used = turns_;
  return *kept->image;
}

PageImage& KeptImages::add(PageNo page) {
  Kept* room = to_give_up(sets_[set_of(page)]);
  if (room == nullptr) {
    Beside& beside = *beside_.emplace_back(std::make_unique_for_overwrite<Beside>());
    beside.kept.image = &beside.image;
    room = &beside.kept;
  }
  if (room->image == nullptr) {
    room->image = unused_.back();
    unused_.pop_back();
  }
  room->page = page;
  room->used = turns_;
  return *room->image;
}

void KeptImages::prefetch(PageNo page, std::uint64_t blocks) {
  const Kept* const kept = find_kept(page);
  if (kept == nullptr) return;
  // The heads of b-tree pages and the places of their cells are at the beginning.
  constexpr std::uint64_t kBeginning = 0b111;
  std::uint64_t wanted = blocks | blocks << 1 | blocks >> 1 | kBeginning;
  for (; wanted != 0; wanted &= wanted - 1)
    __builtin_prefetch(kept->image->data() + std::countr_zero(wanted) * kBlockBytes, 1);
}

void KeptImages::forget(PageNo page) { find_kept(page)->page = PageNo{}; }

void KeptImages::forget_all() {
  for (Set& set : sets_) {
    for (Kept& kept : set) kept.page = PageNo{};
  }
}

}  // namespace dosql::version
