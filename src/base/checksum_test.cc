#include "base/checksum.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/environment.h"

namespace dosql {
namespace {

Bytes as_bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

// Files written by an older release are read with these; 0x2D06800538D394C2 is XXH3's published value for no
// bytes.
TEST(Checksum, IsXxh3) {
  EXPECT_EQ(checksum64({}, 0), 0x2D06800538D394C2ull);
  EXPECT_EQ(checksum64(as_bytes("abc"), 0), 0x78AF5F94892F3950ull);
}

TEST(Checksum, SaltIsMixedInAfterwards) {
  EXPECT_EQ(checksum64(as_bytes("abc"), 1), 0x78AF5F94892F3950ull ^ 0x9E3779B97F4A7C15ull);
}

// A record copied from a recycled segment has right bytes under a wrong salt: it must not look valid.
TEST(Checksum, SaltsSeparate) {
  for (std::uint64_t salt = 1; salt < 1000; ++salt) {
    EXPECT_NE(checksum64(as_bytes("record"), salt), checksum64(as_bytes("record"), salt - 1));
    EXPECT_NE(checksum32(as_bytes("record"), salt), checksum32(as_bytes("record"), salt - 1));
  }
}

TEST(Checksum, ThirtyTwoBitsAreTheLowHalf) {
  const std::uint64_t whole = checksum64(as_bytes("some bytes"), 42);
  EXPECT_EQ(checksum32(as_bytes("some bytes"), 42), static_cast<std::uint32_t>(whole));
}

// Lengths cross every one of XXH3's code paths (16, 128, 240 bytes and above).
TEST(Checksum, EveryFlippedBitChangesIt) {
  SeededRandom random(1);
  for (std::size_t length : {1, 3, 4, 8, 9, 16, 17, 128, 129, 240, 241, 1024, 1025}) {
    std::vector<std::byte> bytes(length);
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(random.next_u64());
    const std::uint64_t before = checksum64(bytes, 7);
    const std::uint32_t before32 = checksum32(bytes, 7);
    for (std::size_t bit = 0; bit < length * 8; ++bit) {
      bytes[bit / 8] ^= static_cast<std::byte>(1u << (bit % 8));
      EXPECT_NE(checksum64(bytes, 7), before) << "bit " << bit << " of " << length << " bytes";
      EXPECT_NE(checksum32(bytes, 7), before32) << "bit " << bit << " of " << length << " bytes";
      bytes[bit / 8] ^= static_cast<std::byte>(1u << (bit % 8));
    }
    EXPECT_EQ(checksum64(bytes, 7), before);
  }
}

// Zeros are what a torn write leaves; a run of zeros must not check out as a shorter or longer one.
TEST(Checksum, LengthMatters) {
  const std::vector<std::byte> zeros(512);
  for (std::size_t length = 1; length < zeros.size(); ++length) {
    EXPECT_NE(checksum64(Bytes(zeros).first(length), 0), checksum64(Bytes(zeros).first(length - 1), 0))
        << length;
  }
}

}  // namespace
}  // namespace dosql
