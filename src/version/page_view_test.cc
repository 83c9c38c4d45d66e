#include "version/page_view.h"

#include <gtest/gtest.h>

#include <memory>
#include <random>

namespace dosql::version {
namespace {

TEST(PageView, BlocksOfARange) {
  EXPECT_EQ(blocks_of(0, 1), 1u);
  EXPECT_EQ(blocks_of(63, 65), 3u);
  EXPECT_EQ(blocks_of(64, 128), 2u);
  EXPECT_EQ(blocks_of(kPageBytes - 1, kPageBytes), std::uint64_t{1} << 63);
  EXPECT_EQ(blocks_of(0, kPageBytes), kAllBlocks);
}

// Whatever is asked for, in whatever order, is as it was.
TEST(PageView, PartsOfAnEarlierImage) {
  std::mt19937_64 random(3);
  const auto earlier = std::make_unique<EarlierImage>();
  for (int round = 0; round < 300; ++round) {
    PageImage before;
    for (std::byte& byte : before) byte = static_cast<std::byte>(random());
    PageImage image = before;
    const std::size_t at = random() % kPageBytes;
    const std::size_t end = std::min(kPageBytes, at + 1 + random() % 300);
    earlier->keep(image, round % 10 == 0 ? kAllBlocks : blocks_of(at, end));
    for (std::size_t i = at; i < end; ++i) image[i] = static_cast<std::byte>(random());
    const PageView view(*earlier);
    ASSERT_TRUE(view.exists());
    EXPECT_FALSE(view.is_same_image(PageView(&image)));
    for (int i = 0; i < 4; ++i) {
      const std::size_t begin = random() % kPageBytes;
      const std::size_t bytes = 1 + random() % (kPageBytes - begin);
      const PageImage& part = view.part(begin, begin + bytes);
      EXPECT_EQ(std::memcmp(part.data() + begin, before.data() + begin, bytes), 0);
    }
    EXPECT_TRUE(view.whole() == before);
  }
  EXPECT_FALSE(PageView().exists());
}

}  // namespace
}  // namespace dosql::version
