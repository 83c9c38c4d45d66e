#include "version/kept_images.h"

#include <gtest/gtest.h>

#include <random>

namespace dosql::version {
namespace {

constexpr std::size_t kAllRoom = 16'384;

std::byte mark_of(std::uint32_t page) { return static_cast<std::byte>(page * 37 % 251); }

// Uses pages at random; what is found is what was put there. How many were.
std::size_t use(KeptImages& kept, std::uint32_t pages, int turns, std::mt19937_64& random) {
  std::size_t found = 0;
  for (int turn = 0; turn < turns; ++turn) {
    kept.begin_turn();
    const auto page = static_cast<std::uint32_t>(1 + random() % pages);
    PageImage* image = kept.find(PageNo{page});
    if (image != nullptr) {
      ++found;
      EXPECT_EQ((*image)[page % kPageBytes], mark_of(page));
    } else {
      image = &kept.add(PageNo{page});
      (*image)[page % kPageBytes] = mark_of(page);
    }
    if (random() % 50 == 0) kept.forget(PageNo{page});
  }
  return found;
}

TEST(KeptImages, MoreRoomWherePagesAreWantedAgain) {
  std::mt19937_64 random(1);
  Pool pool(4 * kAllRoom * kPageBytes);
  ReplayRoom room(kAllRoom);
  {
    KeptImages kept(room, pool);
    use(kept, KeptImages::kLeast / 4, 20'000, random);
    EXPECT_EQ(kept.room(), KeptImages::kLeast) << "they fit";
    use(kept, 4 * KeptImages::kLeast, 20'000, random);
    EXPECT_GE(kept.room(), 4 * KeptImages::kLeast);
    EXPECT_GT(use(kept, 4 * KeptImages::kLeast, 1'000, random), 900u);
    kept.give_back();
    EXPECT_EQ(kept.room(), KeptImages::kLeast);
    EXPECT_EQ(pool.used_bytes(), 0u) << "all was given back";
    EXPECT_TRUE(room.take(kAllRoom)) << "all was given back";
    room.give_back(kAllRoom);
    use(kept, 4 * KeptImages::kLeast, 20'000, random);
    EXPECT_FALSE(room.take(kAllRoom));
  }
  EXPECT_TRUE(room.take(kAllRoom)) << "all was given back";
  EXPECT_EQ(pool.used_bytes(), 0u);
}

TEST(KeptImages, NoMoreThanThereIs) {
  std::mt19937_64 random(2);
  Pool pool(4 * kAllRoom * kPageBytes);
  ReplayRoom room(kAllRoom);
  KeptImages one(room, pool);
  use(one, 8 * kAllRoom, 60'000, random);
  EXPECT_LE(one.room(), kAllRoom + KeptImages::kLeast);
  EXPECT_GT(one.room(), kAllRoom / 2);
  KeptImages other(room, pool);
  use(other, 8 * kAllRoom, 20'000, random);
  EXPECT_LE(one.room() + other.room(), kAllRoom + 2 * KeptImages::kLeast);
}

// They count as wanted, so that there is room for the next; and take nobody's place.
TEST(KeptImages, WhatNobodyAskedForTakesNoPlace) {
  Pool pool(4 * kAllRoom * kPageBytes);
  ReplayRoom room(2 * KeptImages::kLeast);
  KeptImages kept(room, pool);
  EXPECT_FALSE(kept.can_keep_all(1)) << "nothing was missed yet";
  std::uint32_t added = 0;
  std::uint32_t refused = 0;
  for (std::uint32_t page = 1; page <= 4 * KeptImages::kLeast; ++page) {
    kept.begin_turn();
    PageImage* const image = kept.add_unasked(PageNo{page});
    if (image == nullptr) {
      ++refused;
      continue;
    }
    ++added;
    (*image)[0] = mark_of(page);
    EXPECT_EQ(kept.add_unasked(PageNo{page}), nullptr) << "it is kept";
  }
  EXPECT_GT(refused, 0u);
  EXPECT_GT(kept.room(), KeptImages::kLeast) << "as if they had been wanted";
  EXPECT_TRUE(kept.can_keep_all(3 * KeptImages::kLeast));
  EXPECT_FALSE(kept.can_keep_all(3 * KeptImages::kLeast + 1));
  std::uint32_t found = 0;
  for (std::uint32_t page = 1; page <= 4 * KeptImages::kLeast; ++page) {
    const PageImage* const image = kept.find(PageNo{page});
    if (image == nullptr) continue;
    ++found;
    EXPECT_EQ((*image)[0], mark_of(page));
  }
  EXPECT_EQ(found, added);
}

// As many pages in one turn as there are, and more than a set has places.
TEST(KeptImages, WhatATurnUsesStays) {
  Pool pool(4 * kAllRoom * kPageBytes);
  ReplayRoom room(kAllRoom);
  KeptImages kept(room, pool);
  kept.begin_turn();
  std::vector<PageImage*> images;
  for (std::uint32_t page = 1; page <= 2 * KeptImages::kLeast; ++page) {
    images.push_back(&kept.find_or_add(PageNo{page}));
    (*images.back())[0] = mark_of(page);
  }
  for (std::uint32_t page = 1; page <= 2 * KeptImages::kLeast; ++page) {
    EXPECT_EQ(kept.find(PageNo{page}), images[page - 1]);
    EXPECT_EQ((*images[page - 1])[0], mark_of(page));
    EXPECT_EQ(&kept.find_or_add(PageNo{page}), images[page - 1]);
  }
  kept.begin_turn();
  EXPECT_LE(pool.used_bytes(), KeptImages::kLeast * kPageBytes) << "those beside the sets are gone";
  kept.forget_all();
  EXPECT_EQ(kept.find(PageNo{1}), nullptr);
  EXPECT_EQ(pool.used_bytes(), 0u);
}

}  // namespace
}  // namespace dosql::version
