#include "version/kept_images.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "version/page_view.h"

namespace dosql::version {

KeptImages::~KeptImages() { give_back(); }

void KeptImages::begin_turn() {
  forget_those_beside();
  ++turn_;
  while (images_ > images_max_) give_up(to_give_up(sets_[hand_]));
  if (missed_ > images_max_ / 2) grow();
  if (++counted_turns_ > 8 * images_max_) count_anew();
}

void KeptImages::count_anew() {
  missed_ = 0;
  counted_turns_ = 0;
}

// Twice as many sets: the pages of a set go to two of them, so none of these has too many.
void KeptImages::grow() {
  count_anew();
  if (!room_.take(images_max_)) return;
  images_max_ *= 2;
  const std::vector<Set> before = std::exchange(sets_, {});
  empty_sets();
  for (const Set& from : before) {
    for (std::size_t way = 0; way < kWays; ++way) {
      if (from.pages[way] == PageNo{}) continue;
      Set& to = set_of(from.pages[way]);
      const auto place = static_cast<std::size_t>(std::ranges::find(to.pages, PageNo{}) - to.pages.begin());
      to.pages[place] = from.pages[way];
      to.frames[place] = from.frames[way];
      to.used[place] = from.used[way];
    }
  }
}

void KeptImages::give_back() {
  forget_all();
  forget_those_beside();
  room_.give_back(images_max_ - kLeast);
  images_max_ = kLeast;
  empty_sets();
  hand_ = 0;
  count_anew();
}

// 0: it is not kept. It is used in this turn.
FrameId KeptImages::find_frame(PageNo page) {
  Set& set = set_of(page);
  for (std::size_t way = 0; way < kWays; ++way) {
    if (set.pages[way] != page) continue;
    set.used[way] = turn_;
    return set.frames[way];
  }
  const auto beside = std::ranges::find(beside_, page, &Beside::page);
  return beside == beside_.end() ? FrameId{0} : beside->frame;
}

PageImage* KeptImages::find(PageNo page) {
  const FrameId frame = find_frame(page);
  if (frame != 0) return &image_of(frame);
  ++missed_;
  return nullptr;
}

PageImage& KeptImages::find_or_add(PageNo page) {
  const FrameId frame = find_frame(page);
  return frame != 0 ? image_of(frame) : add(page);
}

KeptImages::Place KeptImages::older(Set& set, Place other) const {
  for (std::size_t way = 0; way < kWays; ++way) {
    if (set.pages[way] == PageNo{} || set.used[way] == turn_) continue;
    const bool is_older = other.set == nullptr || turn_ - set.used[way] > turn_ - other.set->used[other.way];
    if (is_older) other = {&set, way};
  }
  return other;
}

// Of two sets: one has too few to say what was not used for long.
KeptImages::Place KeptImages::to_give_up(Set& set) {
  Place place = older(set, {});
  for (std::size_t looked_at = 0; looked_at < sets_.size(); ++looked_at) {
    hand_ = (hand_ + 1) % sets_.size();
    place = older(sets_[hand_], place);
    if (place.set != nullptr) break;
  }
  return place;
}

void KeptImages::give_up(const Place& place) {
  pool_.free(place.set->frames[place.way]);
  place.set->pages[place.way] = PageNo{};
  --images_;
}

PageImage& KeptImages::add(PageNo page) {
  Set& set = set_of(page);
  if (images_ >= images_max_) {
    if (const Place place = to_give_up(set); place.set != nullptr) give_up(place);
  }
  auto free = std::ranges::find(set.pages, PageNo{});
  if (free == set.pages.end()) {
    const Place place = older(set, {});
    if (place.set == nullptr) return image_of(beside_.emplace_back(page, pool_.allocate()).frame);
    give_up(place);
    free = set.pages.begin() + static_cast<std::ptrdiff_t>(place.way);
  }
  const auto way = static_cast<std::size_t>(free - set.pages.begin());
  set.pages[way] = page;
  set.frames[way] = pool_.allocate();
  set.used[way] = turn_;
  ++images_;
  return image_of(set.frames[way]);
}

PageImage* KeptImages::add_unasked(PageNo page) {
  if (find_frame(page) != 0 || images_ >= images_max_) return nullptr;
  if (std::ranges::find(set_of(page).pages, PageNo{}) == set_of(page).pages.end()) return nullptr;
  ++missed_;
  return &add(page);
}

void KeptImages::prefetch(PageNo page, std::uint64_t blocks) {
  const FrameId frame = find_frame(page);
  if (frame == 0) return;
  // The heads of b-tree pages and the places of their cells are at the beginning. A row begins before what
  // changed of it, and mostly has more behind.
  constexpr std::uint64_t kBeginning = 0b111;
  std::uint64_t wanted = blocks >> 1 | blocks | blocks << 1 | blocks << 2 | kBeginning;
  const std::byte* const image = pool_.data(frame);
  for (; wanted != 0; wanted &= wanted - 1)
    __builtin_prefetch(image + std::countr_zero(wanted) * kBlockBytes, 1);
}

void KeptImages::forget(PageNo page) {
  Set& set = set_of(page);
  const auto found = std::ranges::find(set.pages, page);
  if (found != set.pages.end()) {
    give_up({&set, static_cast<std::size_t>(found - set.pages.begin())});
    return;
  }
  const auto beside = std::ranges::find(beside_, page, &Beside::page);
  pool_.free(beside->frame);
  beside_.erase(beside);
}

void KeptImages::forget_all() {
  for (Set& set : sets_) {
    for (std::size_t way = 0; way < kWays; ++way) {
      if (set.pages[way] != PageNo{}) give_up({&set, way});
    }
  }
  forget_those_beside();
}

void KeptImages::forget_those_beside() {
  for (const Beside& beside : beside_) pool_.free(beside.frame);
  beside_.clear();
}

}  // namespace dosql::version
