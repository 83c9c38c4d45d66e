#include "io/sparse_bytes.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "base/environment.h"
#include "testing/run_length.h"

namespace dosql::io {
namespace {

constexpr std::uint64_t kBlock = SparseBytes::kBlockBytes;

void write(SparseBytes& content, std::uint64_t offset, std::string_view text) {
  content.write(offset, std::as_bytes(std::span(text)));
}

std::string read(const SparseBytes& content, std::uint64_t offset, std::size_t count) {
  std::string text(count, '?');
  text.resize(content.read(offset, std::as_writable_bytes(std::span(text))));
  return text;
}

TEST(SparseBytesTest, WhatWasCutOffReadsAsZerosAfterGrowingAgain) {
  for (const std::uint64_t size : {std::uint64_t{0}, std::uint64_t{5}, kBlock - 1, kBlock, kBlock + 1}) {
    SparseBytes content;
    write(content, 0, std::string(3 * kBlock, 'x'));
    content.resize(size);
    content.resize(3 * kBlock);
    EXPECT_TRUE(read(content, 0, 3 * kBlock) == std::string(size, 'x') + std::string(3 * kBlock - size, '\0'))
        << size;
  }
}

TEST(SparseBytesTest, AnEmptyTerabyteIsFreeAndReadsAsZeros) {
  SparseBytes content;
  content.resize(SparseBytes::kMaxBytes);
  EXPECT_EQ(read(content, SparseBytes::kMaxBytes - 2, 10), std::string(2, '\0'));
}

// Copies share blocks: a write to one must not show in another, in whichever order they are made.
TEST(SparseBytesTest, CopiesAreIndependentWhateverIsDoneToThem) {
  SeededRandom random(dosql::testing::test_seed());
  const auto below = [&](std::uint64_t bound) { return random.next_u64() % bound; };
  struct Pair {
    SparseBytes content;
    std::string model;
  };
  std::vector<Pair> pairs(4);
  const int steps = dosql::testing::scaled(5000);
  for (int step = 0; step < steps; ++step) {
    Pair& pair = pairs[below(pairs.size())];
    const std::uint64_t offset = below(5 * kBlock);
    switch (below(6)) {
      case 0: pair = pairs[below(pairs.size())]; break;
      case 1:
        pair.content.resize(offset);
        pair.model.resize(offset);
        break;
      default: {
        const std::string text(1 + below(below(4) == 0 ? 2 * kBlock : 100),
                               static_cast<char>('a' + below(26)));
        write(pair.content, offset, text);
        if (pair.model.size() < offset + text.size()) pair.model.resize(offset + text.size());
        pair.model.replace(offset, text.size(), text);
      }
    }
    for (const Pair& each : pairs) {
      ASSERT_EQ(each.content.size(), each.model.size()) << "step " << step;
      const std::uint64_t from = below(each.model.size() + 1);
      ASSERT_TRUE(read(each.content, from, 1000) == each.model.substr(from, 1000)) << "step " << step;
    }
  }
  for (const Pair& each : pairs) EXPECT_TRUE(read(each.content, 0, each.model.size()) == each.model);
}

// For the thread sanitizer: copies of one content in the hands of several threads.
TEST(SparseBytesTest, ThreadsMayUseCopiesOfOneContent) {
  SparseBytes original;
  write(original, 0, std::string(4 * kBlock, 'x'));
  std::vector<std::thread> threads;
  std::vector<std::string> results(4);
  for (std::size_t i = 0; i < results.size(); ++i) {
    threads.emplace_back([copy = original, &result = results[i], i]() mutable {
      for (int round = 0; round < 100; ++round) {
        SparseBytes inner = copy;
        write(inner, kBlock - 2, std::string(5, static_cast<char>('a' + i)));
        copy = inner;
      }
      result = read(copy, kBlock - 3, 7);
    });
  }
  original = SparseBytes();
  for (std::thread& thread : threads) thread.join();
  for (std::size_t i = 0; i < results.size(); ++i) {
    EXPECT_EQ(results[i], "x" + std::string(5, static_cast<char>('a' + i)) + "x");
  }
}

}  // namespace
}  // namespace dosql::io
