#include "version/page_patch.h"

#include <gtest/gtest.h>

#include <array>
#include <random>
#include <vector>

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
    Guarded guarded;
    apply_patch(patch, guarded.page.data());
    ASSERT_EQ(guarded.front, (std::array<std::byte, 64>{}));
    ASSERT_EQ(guarded.back, (std::array<std::byte, 64>{}));
  }
}

}  // namespace
}  // namespace dosql::version
