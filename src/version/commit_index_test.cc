#include "version/commit_index.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <random>

namespace dosql::version {
namespace {

// Differences of every size, also those that do not fit into a chunk's 32 bits.
TEST(CommitIndex, AnswersLikeAList) {
  std::mt19937_64 random(5);
  CommitIndex index;
  std::vector<CommitEntry> list;
  std::uint64_t lsn = 0;
  std::uint64_t position = log::raw(log::make_position(1, log::kFirstRecordOffset));
  for (int i = 0; i < 5'000; ++i) {
    lsn += i % 500 == 0 ? std::uint64_t{1} << 40 : 1 + random() % 10'000;
    position += i % 700 == 0 ? std::uint64_t{1} << 37 : 8 * (1 + random() % 1'000);
    list.push_back({Lsn{lsn}, log::Position{position}});
    index.push(list.back());
  }
  ASSERT_EQ(index.size(), list.size());
  for (std::size_t i = 0; i < list.size(); ++i) {
    const CommitEntry entry = index.at(Version{i + 1});
    ASSERT_EQ(entry.lsn, list[i].lsn);
    ASSERT_EQ(entry.position, list[i].position);
    ASSERT_EQ(index.find(list[i].lsn), Version{i + 1});
    ASSERT_EQ(index.find(Lsn{raw(list[i].lsn) - 1}), Version{i});
  }
  EXPECT_EQ(index.find(Lsn{~std::uint64_t{0}}), Version{list.size()});
  // Stretches, across chunks and to the end.
  for (std::size_t first = 0; first < list.size(); first += 1 + random() % 40) {
    std::array<CommitEntry, 50> entries;
    ASSERT_EQ(index.read(Version{first + 1}, entries), std::min(entries.size(), list.size() - first));
    for (std::size_t i = 0; i < entries.size() && first + i < list.size(); ++i) {
      ASSERT_EQ(entries[i].lsn, list[first + i].lsn);
      ASSERT_EQ(entries[i].position, list[first + i].position);
    }
  }
}

// docs/benchmarks.md counts on it: eight bytes a commit.
TEST(CommitIndex, StaysSmall) {
  CommitIndex index;
  for (std::uint64_t i = 1; i <= 100'000; ++i) {
    index.push({Lsn{i * 1'364}, log::Position{log::raw(log::make_position(1, 4096)) + i * 120}});
  }
  EXPECT_LT(index.memory_bytes(), 100'000u * 9);
}

}  // namespace
}  // namespace dosql::version
