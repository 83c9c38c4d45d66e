#include "version/kept_images.h"

#include <algorithm>
#include <bit>
#include <memory>
#include <utility>

#include "version/page_view.h"

namespace dosql::version {

KeptImages::~KeptImages() { give_back(); }

void KeptImages::begin_turn() {
  forget_those_beside();
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
  const std::vector<Set> before = std::exchange(sets_, std::vector<Set>(sets_.size() * 2));
  for (const Set& set : before) {
    for (const Kept& kept : set) {
      if (kept.frame != 0) *std::ranges::find(sets_[set_of(kept.page)], FrameId{0}, &Kept::frame) = kept;
    }
  }
}

void KeptImages::give_back() {
  forget_all();
  forget_those_beside();
  room_.give_back(room() - kLeast);
  sets_ = std::vector<Set>(kLeast / kWays);
  count_anew();
}

KeptImages::Kept* KeptImages::find_kept(PageNo page) {
  for (Kept& kept : sets_[set_of(page)]) {
    if (kept.page == page) return &kept;
  }
  for (const auto& beside : beside_) {
    if (beside->page == page) return beside.get();
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
  return &image_of(*kept);
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
  return image_of(*kept);
}

PageImage& KeptImages::add(PageNo page) {
  Kept* room = to_give_up(sets_[set_of(page)]);
  if (room == nullptr) room = beside_.emplace_back(std::make_unique<Kept>()).get();
  if (room->frame == 0) room->frame = pool_.allocate();
  room->page = page;
  room->used = turns_;
  return image_of(*room);
}

PageImage* KeptImages::add_unasked(PageNo page) {
  if (find_kept(page) != nullptr) return nullptr;
  const Set& set = sets_[set_of(page)];
  if (std::ranges::find(set, PageNo{}, &Kept::page) == set.end()) return nullptr;
  ++missed_;
  return &add(page);
}

void KeptImages::prefetch(PageNo page, std::uint64_t blocks) {
  const Kept* const kept = find_kept(page);
  if (kept == nullptr) return;
  // The heads of b-tree pages and the places of their cells are at the beginning. A row begins before what
  // changed of it, and mostly has more behind.
  constexpr std::uint64_t kBeginning = 0b111;
  std::uint64_t wanted = blocks >> 1 | blocks | blocks << 1 | blocks << 2 | kBeginning;
  const std::byte* const image = pool_.data(kept->frame);
  for (; wanted != 0; wanted &= wanted - 1)
    __builtin_prefetch(image + std::countr_zero(wanted) * kBlockBytes, 1);
}

void KeptImages::forget(PageNo page) { forget(*find_kept(page)); }

void KeptImages::forget_all() {
  for (Set& set : sets_) {
    for (Kept& kept : set) forget(kept);
  }
}

void KeptImages::forget_those_beside() {
  for (const auto& kept : beside_) forget(*kept);
  beside_.clear();
}

void KeptImages::forget(Kept& kept) {
  if (kept.frame != 0) pool_.free(kept.frame);
  kept = {};
}

}  // namespace dosql::version
