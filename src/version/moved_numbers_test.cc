#include "version/moved_numbers.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <random>

#include "log/format.h"
#include "testing/run_length.h"

namespace dosql::version {
namespace {

constexpr std::int64_t kLowest = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t kHighest = std::numeric_limits<std::int64_t>::max();

std::optional<std::vector<MovedRun>> again(std::span<const MovedRun> runs) {
  const MovedRows rows = rows_of(runs);
  return moved_of({rows.runs, rows.bytes});
}

// Of a run of all numbers a signed difference would overflow.
std::uint64_t moved_by(const MovedRun& run) {
  return static_cast<std::uint64_t>(run.now) - static_cast<std::uint64_t>(run.first);
}

bool covers(std::span<const MovedRun> runs, const MovedRun& one) {
  std::int64_t at = one.first;
  for (bool found = true; found;) {
    found = false;
    for (const MovedRun& run : runs) {
      const bool same_source =
          run.source == kLostSource || (run.source == one.source && moved_by(run) == moved_by(one));
      const bool here = (run.table.empty() || run.table == one.table) && (run.from & one.from) == one.from &&
                        (one.from != kBrought || same_source) && run.first <= at && at <= run.last;
      if (!here) continue;
      if (run.last >= one.last) return true;
      at = run.last + 1;
      found = true;
    }
  }
  return false;
}

TEST(MovedNumbers, AreReadAsTheyWereWritten) {
  const std::vector<MovedRun> runs{{"", kLowest, kHighest, kFromParent},
                                   {"a table", -3, 5, kFromMerged},
                                   {"a table", 9, 9, kFromMerged | kFromParent},
                                   {"a table", 1, 4, kBrought, Lsn{0}, 1},
                                   {"a table", 2, 2, kBrought, Lsn{77}, 2},
                                   {"a table", 3, 4, kBrought, Lsn{77}, kHighest - 1},
                                   {"t", 1, kHighest, kFromMerged}};
  EXPECT_EQ(again(runs), runs);
  EXPECT_EQ(again({}), std::vector<MovedRun>());
}

// A run that is lost would be a row that is taken for another one, silently.
TEST(MovedNumbers, BecomeFewerAndWiderButAreNeverLost) {
  const std::uint64_t seed = testing::test_seed();
  std::mt19937_64 random(seed);
  for (int round = 0; round < testing::scaled(200); ++round) {
    SCOPED_TRACE("DOSQL_SEED=" + std::to_string(seed) + ", round " + std::to_string(round));
    std::vector<MovedRun> runs;
    const std::size_t tables = 1 + random() % (round % 10 == 0 ? 400 : 6);
    for (std::size_t count = random() % 600; count > 0; --count) {
      std::string table = "t" + std::to_string(random() % tables);
      if (random() % 50 == 0) table.append(random() % 4'000, 'x');
      const auto first = static_cast<std::int64_t>(random() % 10'000) - 5'000;
      const auto last = random() % 20 == 0 ? kHighest : first + static_cast<std::int64_t>(random() % 4);
      runs.push_back({std::move(table), first, last, static_cast<std::uint8_t>(1 + random() % 3)});
      if (random() % 3 != 0) continue;
      runs.back().from = kBrought;
      runs.back().source = Lsn{random() % (round % 7 == 0 ? 500 : 3)};
      runs.back().now = first - static_cast<std::int64_t>(random() % 3);
    }
    const std::vector<MovedRun> fewer = bounded(runs);
    EXPECT_LE(fewer.size(), log::kMovedRunsMax);
    ASSERT_TRUE(std::ranges::all_of(runs, [&](const MovedRun& run) { return covers(fewer, run); }));
    ASSERT_EQ(again(runs), fewer);
    ASSERT_LE(rows_of(runs).bytes.size(), log::kMovedBytesMax);
  }
}

// Who brought rows is asked for their source, and who moved numbers is not.
TEST(MovedNumbers, BroughtRowsAreToldApart) {
  const MovedRun moved{"t", 1, 2, kFromMerged};
  const MovedRun brought{"t", 3, 4, kBrought, Lsn{9}, 3};
  EXPECT_TRUE(kinds_of(std::vector{moved}).moved);
  EXPECT_FALSE(kinds_of(std::vector{moved}).brought);
  EXPECT_FALSE(kinds_of(std::vector{brought}).moved);
  EXPECT_TRUE(kinds_of(std::vector{brought}).brought);
  // Neighbours of other sources stay what they are, also where they are many.
  std::vector<MovedRun> runs;
  for (std::int64_t i = 0; i < 100; ++i) {
    runs.push_back({"t", 2 * i, 2 * i, kBrought, Lsn{5}, 2 * i});
    runs.push_back({"t", 2 * i + 1, 2 * i + 1, kBrought, Lsn{6}, 2 * i + 1});
    runs.push_back({"t", 2 * i, 2 * i, kFromMerged});
  }
  for (const MovedRun& run : bounded(runs)) {
    EXPECT_TRUE(run.from == kFromMerged || run.source == Lsn{5} || run.source == Lsn{6});
    EXPECT_EQ(run.from == kBrought ? run.now : run.first, run.first);
  }
}

TEST(MovedNumbers, OfManyRunsTheNearestBecomeOne) {
  std::vector<MovedRun> runs;
  for (std::int64_t i = 0; i < 64; ++i) runs.push_back({"t", i * 100, i * 100, kFromMerged});
  EXPECT_EQ(bounded(runs), runs);
  runs.push_back({"t", 52, 52, kFromMerged});
  const std::vector<MovedRun> fewer = bounded(runs);
  EXPECT_LE(fewer.size(), 64u);
  EXPECT_EQ(fewer.back(), runs[63]);
}

// Whatever bytes there are, nothing outside of them is read, and what is impossible is said to be.
TEST(MovedNumbers, DamagedOnesAreNoticed) {
  const std::vector<MovedRun> runs{{"one", 1, 2, kFromMerged}, {"one", 5, 6, kFromMerged}};
  const MovedRows rows = rows_of(runs);
  for (std::size_t length = 0; length < rows.bytes.size(); ++length)
    EXPECT_FALSE(moved_of({rows.runs, Bytes(rows.bytes).first(length)})) << length;
  EXPECT_FALSE(moved_of({rows.runs - 1, rows.bytes}));
  EXPECT_FALSE(moved_of({rows.runs + 1, rows.bytes}));
  const auto changed = [&](auto change) {
    std::vector<std::byte> bytes = rows.bytes;
    auto row = load<log::MovedRun>(bytes.data());
    change(row);
    std::memcpy(bytes.data(), &row, sizeof row);
    return moved_of({rows.runs, bytes});
  };
  EXPECT_TRUE(changed([](log::MovedRun&) {}));
  EXPECT_FALSE(changed([](log::MovedRun& row) { row.first = 3; }));
  EXPECT_FALSE(changed([](log::MovedRun& row) { row.flags = 0; }));
  EXPECT_FALSE(changed([](log::MovedRun& row) { row.flags = 16; }));
  // Its source would be what is the next run.
  EXPECT_FALSE(changed([](log::MovedRun& row) { row.flags = log::kBrought; }));
  EXPECT_FALSE(changed([](log::MovedRun& row) { row.flags |= log::kBrought; }));
  EXPECT_FALSE(changed([](log::MovedRun& row) { row.flags |= log::kMovedSameTable; }));
  EXPECT_FALSE(changed([](log::MovedRun& row) { row.name_bytes = 0xffffffff; }));
  const MovedRows brought = rows_of(std::vector<MovedRun>{{"one", 1, 2, kBrought, Lsn{3}, 8}});
  for (std::size_t length = 0; length < brought.bytes.size(); ++length)
    EXPECT_FALSE(moved_of({brought.runs, Bytes(brought.bytes).first(length)})) << length;
  // Numbers that there are not.
  std::vector<std::byte> beyond = brought.bytes;
  const log::BroughtFrom from{3, kHighest};
  std::memcpy(beyond.data() + beyond.size() - sizeof from, &from, sizeof from);
  EXPECT_FALSE(moved_of({brought.runs, beyond}));
  const std::uint64_t seed = testing::test_seed();
  std::mt19937_64 random(seed);
  for (int round = 0; round < testing::scaled(2'000); ++round) {
    std::vector<std::byte> bytes = rows.bytes;
    for (int flips = 0; flips < 3; ++flips) bytes[random() % bytes.size()] ^= std::byte{1} << (random() % 8);
    const auto read = moved_of({rows.runs, bytes});
    if (read) {
      EXPECT_EQ(read->size(), runs.size());
    }
  }
}

}  // namespace
}  // namespace dosql::version
