#include "diff/leaf_comparison.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "diff/diff_test_support.h"
#include "testing/run_length.h"

namespace dosql::diff {
namespace {

// The only page of table t.
PageImage leaf_of(StockSqlite& sqlite) {
  const DatabaseImage image = sqlite.image();
  return image.back();
}

class Leaves {
 public:
  Leaves(const PageImage& before, const PageImage& after)
      : before_(before),
        after_(after),
        a_(BtreePage::parse(before_, PageNo{2}, kPageBytes).value()),
        b_(BtreePage::parse(after_, PageNo{2}, kPageBytes).value()),
        comparison_(a_, b_) {}

  // What is said to be the same is the same. Gives how many pairs were seen to be.
  int check() const {
    int seen = 0;
    for (std::uint32_t i = 0; i < a_.cell_count(); ++i) {
      for (std::uint32_t j = 0; j < b_.cell_count(); ++j) {
        if (!comparison_.same(i, j)) continue;
        ++seen;
        const Cell one = a_.cell(i).value();
        const Cell other = b_.cell(j).value();
        EXPECT_EQ(one.rowid, other.rowid);
        EXPECT_TRUE(std::ranges::equal(one.local, other.local)) << one.rowid;
        EXPECT_EQ(one.overflow, PageNo{});
      }
    }
    return seen;
  }

 private:
  const PageImage before_;
  const PageImage after_;
  const BtreePage a_;
  const BtreePage b_;
  const LeafComparison comparison_;
};

TEST(LeafComparison, SeesAllRowsButTheOneThatChanged) {
  StockSqlite sqlite;
  sqlite.exec(
      "CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT);"
      "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50) INSERT INTO t SELECT i, 'row ' || "
      "i "
      "FROM n");
  const PageImage before = leaf_of(sqlite);
  EXPECT_EQ(Leaves(before, before).check(), 50);
  sqlite.exec("UPDATE t SET v = 'ROW 25' WHERE id = 25");
  EXPECT_EQ(Leaves(before, leaf_of(sqlite)).check(), 49);
  sqlite.exec("UPDATE t SET v = 'Row ' || id WHERE id % 7 = 4 OR id IN (1, 50)");
  EXPECT_EQ(Leaves(before, leaf_of(sqlite)).check(), 41) << "rows here and there";
}

// Also where rows came, went, grew, moved, or lie in overflow pages.
TEST(LeafComparison, NeverTakesForTheSameWhatIsNot) {
  std::mt19937_64 random(testing::test_seed());
  for (int round = 0; round < testing::scaled(300); ++round) {
    StockSqlite sqlite;
    sqlite.exec("CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT)");
    const auto change = [&](int count) {
      for (; count > 0; --count) {
        const std::string id = std::to_string(random() % 40);
        const std::string value = "printf('%.*c', " + std::to_string(random() % 60) + ", 'x')";
        sqlite.exec(random() % 3 == 0 ? "DELETE FROM t WHERE id = " + id
                                      : "REPLACE INTO t VALUES(" + id + ", " + value + ")");
      }
    };
    change(40);
    const PageImage before = leaf_of(sqlite);
    change(1 + static_cast<int>(random() % 4));
    Leaves(before, leaf_of(sqlite)).check();
  }
}

}  // namespace
}  // namespace dosql::diff
