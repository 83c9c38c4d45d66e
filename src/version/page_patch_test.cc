#include "version/page_patch.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <random>
#include <vector>

#include "version/page_view.h"

namespace dosql::version {
namespace {

using Page = std::array<std::byte, kPageBytes>;

std::size_t patch_size(const Page& before, const Page& after) {
  std::byte out[kPatchBytesMax];
  const auto size = make_patch(before.data(), after.data(), out);
  EXPECT_TRUE(size);
  Page applied = before;
  EXPECT_TRUE(apply_patch(Bytes(out, *size), applied.data()));
  EXPECT_TRUE(applied == after);
  const auto blocks = blocks_of_patch(Bytes(out, *size));
  EXPECT_TRUE(blocks);
  for (std::size_t i = 0; i < kPageBytes; ++i)
    EXPECT_TRUE(before[i] == after[i] || (*blocks >> (i / kBlockBytes) & 1) != 0);
  return *size;
}

TEST(PagePatch, EqualPagesNeedNothing) {
  const Page page{};
  EXPECT_EQ(patch_size(page, page), 0u);
}

// The log's size per commit depends on these: byte-exact runs, near ones joined.
TEST(PagePatch, RunsAreByteExact) {
  const Page before{};
  Page after{};
  after[100] = std::byte{1};
  EXPECT_EQ(patch_size(before, after), 3u);
  after[102] = std::byte{1};
  EXPECT_EQ(patch_size(before, after), 5u);
  after[4095] = std::byte{1};
  EXPECT_EQ(patch_size(before, after), 9u);
}

TEST(PagePatch, RandomChangesRoundTrip) {
  std::mt19937_64 random(11);
  for (int round = 0; round < 3'000; ++round) {
    Page before;
    for (auto& byte : before) byte = static_cast<std::byte>(random());
    Page after = before;
    for (std::size_t run = 0; run < random() % 12; ++run) {
      const std::size_t at = random() % kPageBytes;
      for (std::size_t i = at; i < std::min<std::size_t>(at + random() % 200, kPageBytes); ++i) {
        after[i] = static_cast<std::byte>(random());
      }
    }
    patch_size(before, after);
  }
}

Page random_page(std::mt19937_64& random) {
  Page page;
  for (auto& byte : page) byte = static_cast<std::byte>(random());
  return page;
}

// SQLite moves rows when it compacts or halves a page. Logged as new bytes, such pages were half of the log.
TEST(PagePatch, MovedBytesAreNotRepeated) {
  std::mt19937_64 random(13);
  for (int round = 0; round < 1'000; ++round) {
    const Page before = random_page(random);
    Page after = before;
    // A row in the middle is gone, and what lies before it moves to the end.
    const std::size_t row = 1'000 + random() % 2'000;
    const std::size_t row_bytes = 1 + random() % 300;
    std::memmove(after.data() + 300 + row_bytes, before.data() + 300, row - 300);
    for (std::size_t i = 300; i < 300 + row_bytes; ++i) after[i] = std::byte{0};
    EXPECT_LE(patch_size(before, after), row_bytes + 20);
  }
}

// Rows change places, also so that each is overwritten before it is wanted: sources are those of the page
// before the patch.
TEST(PagePatch, BytesThatChangePlacesRoundTrip) {
  std::mt19937_64 random(14);
  for (int round = 0; round < 3'000; ++round) {
    const Page before = random_page(random);
    Page after = before;
    for (std::size_t move = 0; move < 1 + random() % 30; ++move) {
      const std::size_t length = 1 + random() % 400;
      const std::size_t from = random() % (kPageBytes - length + 1);
      const std::size_t to = random() % (kPageBytes - length + 1);
      std::memcpy(after.data() + to, before.data() + from, length);
      after[random() % kPageBytes] = static_cast<std::byte>(random());
    }
    EXPECT_LE(patch_size(before, after), 1'000u);
  }
}

TEST(PagePatch, NewContentIsRefusedWithMovesToo) {
  std::mt19937_64 random(15);
  const Page before = random_page(random);
  Page after = random_page(random);
  std::memcpy(after.data(), before.data() + 2'000, 300);
  std::byte out[kPatchBytesMax];
  EXPECT_FALSE(make_patch(before.data(), after.data(), out));
}

TEST(PagePatch, MovesNeedTheMarkAndPlacesInThePage) {
  const auto applies = [](std::vector<int> bytes) {
    std::vector<std::byte> patch;
    for (const int byte : bytes) patch.push_back(static_cast<std::byte>(byte));
    Page page{};
    return apply_patch(patch, page.data());
  };
  EXPECT_TRUE(applies({0, 0, 5, 0, 16, 32}));
  EXPECT_FALSE(applies({5, 0, 16, 32}));                // no mark
  EXPECT_FALSE(applies({0, 0, 5, 0, 0, 32}));           // nothing moves
  EXPECT_FALSE(applies({0, 0, 5, 0, 16, 0xf1, 0x1f}));  // from beyond the end: 4081 + 16
  EXPECT_FALSE(applies({0, 0, 0xf1, 0x1f, 0, 16, 0}));  // to beyond the end
  EXPECT_FALSE(applies({0, 0, 5, 0, 16}));              // cut short
}

TEST(PagePatch, TooLongIsRefused) {
  Page before{};
  Page after;
  after.fill(std::byte{1});
  std::byte out[kPatchBytesMax];
  EXPECT_FALSE(make_patch(before.data(), after.data(), out));
}

// A patch from a damaged disk must not write outside the page.
TEST(PagePatch, GarbageIsRefusedOrHarmless) {
  std::mt19937_64 random(12);
  struct Guarded {
    std::array<std::byte, 64> front{};
    Page page{};
    std::array<std::byte, 64> back{};
  };
  for (int round = 0; round < 20'000; ++round) {
    std::vector<std::byte> patch(random() % 40);
    for (auto& byte : patch) byte = static_cast<std::byte>(random());
    // Half of them with moves.
    if (patch.size() >= 2 && round % 2 == 0) patch[0] = patch[1] = std::byte{0};
    Guarded guarded;
    apply_patch(patch, guarded.page.data());
    ASSERT_EQ(guarded.front, (std::array<std::byte, 64>{}));
    ASSERT_EQ(guarded.back, (std::array<std::byte, 64>{}));
  }
}

}  // namespace
}  // namespace dosql::version
