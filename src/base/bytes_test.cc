#include "base/bytes.h"

#include <array>

#include <gtest/gtest.h>

namespace dosql {
namespace {

TEST(Bytes, StoresLittleEndianByteByByte) {
  std::array<std::byte, 8> buffer{};
  store<std::uint64_t>(buffer.data(), 0x0102030405060708ull);
  for (int i = 0; i < 8; ++i) EXPECT_EQ(std::to_integer<int>(buffer[i]), 8 - i);
  EXPECT_EQ(load<std::uint64_t>(buffer.data()), 0x0102030405060708ull);
  EXPECT_EQ(load<std::uint16_t>(buffer.data()), 0x0708);
}

// Under UBSan a plain pointer cast would be reported here.
TEST(Bytes, LoadsAndStoresAtOddAddresses) {
  std::array<std::byte, 16> buffer{};
  for (std::size_t offset = 0; offset + 8 <= buffer.size(); ++offset) {
    store<std::uint64_t>(buffer.data() + offset, 0x1122334455667788ull + offset);
    EXPECT_EQ(load<std::uint64_t>(buffer.data() + offset), 0x1122334455667788ull + offset);
  }
}

TEST(Bytes, StoreTouchesOnlyItsWidth) {
  std::array<std::byte, 6> buffer;
  buffer.fill(std::byte{0xEE});
  store<std::uint32_t>(buffer.data() + 1, 0);
  EXPECT_EQ(buffer.front(), std::byte{0xEE});
  EXPECT_EQ(buffer[1], std::byte{0});
  EXPECT_EQ(buffer[4], std::byte{0});
  EXPECT_EQ(buffer.back(), std::byte{0xEE});
}

// The page size in SQLite's header: 0x10 0x00 is 4096.
TEST(Bytes, ReadsSqlitesBigEndianIntegers) {
  const std::array<std::byte, 4> bytes{std::byte{0x10}, std::byte{0x00}, std::byte{0xAB}, std::byte{0xCD}};
  EXPECT_EQ(load_big16(bytes.data()), 4096);
  EXPECT_EQ(load_big32(bytes.data()), 0x1000ABCDu);
  std::array<std::byte, 4> out{};
  store_big32(out.data(), 0x1000ABCDu);
  EXPECT_EQ(out, bytes);
}

struct Pair {
  std::uint32_t first;
  std::uint32_t second;
};

TEST(Bytes, ViewsAnObjectInPlace) {
  Pair pair{1, 2};
  ASSERT_EQ(bytes_of(pair).size(), sizeof(Pair));
  EXPECT_EQ(load<std::uint32_t>(bytes_of(pair).data() + 4), 2u);
  store<std::uint32_t>(mutable_bytes_of(pair).data() + 4, 9);
  EXPECT_EQ(pair.second, 9u);
  EXPECT_EQ(pair.first, 1u);
}

}  // namespace
}  // namespace dosql
