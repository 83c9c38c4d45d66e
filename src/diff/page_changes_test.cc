#include "diff/page_changes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "diff/diff_test_support.h"

namespace dosql::diff {
namespace {

// The pages that differ in a byte, or that only one of the versions has.
std::vector<PageNo> differing_pages(const DatabaseImage& a, const DatabaseImage& b) {
  std::vector<PageNo> pages;
  for (std::size_t i = 0; i < std::max(a.size(), b.size()); ++i) {
    const bool both = i < a.size() && i < b.size();
    if (!both || a[i] != b[i]) pages.push_back(PageNo{static_cast<std::uint32_t>(i + 1)});
  }
  return pages;
}

// Neighbours by what the commit wrote, others by the index or by many commits: all must find what differs.
TEST(PageChangesTest, AllThatDiffer) {
  SqliteHistory history("PRAGMA auto_vacuum=FULL");
  history.commit("CREATE TABLE t(id INTEGER PRIMARY KEY, v); CREATE TABLE u(v)");
  for (int i = 0; i < 60; ++i) {
    if (i == 30) history.branch_from(HistoryVersion(history.versions()[10]), "x");
    const std::string number = std::to_string(i);
    history.commit(i % 10 == 9 ? "DELETE FROM t"
                               : "INSERT INTO t(v) VALUES (zeroblob(20000 + " + number +
                                     ")); INSERT INTO u VALUES (" + number + ")");
  }
  const auto& versions = history.versions();
  version::Reader a(history.store());
  version::Reader b(history.store());
  for (std::size_t i = 0; i < versions.size(); ++i) {
    for (std::size_t j = 0; j < versions.size(); j += 1 + j % 7) {
      a.pin(versions[i].point);
      b.pin(versions[j].point);
      const PageChanges changes = PageChanges::between(history.store(), a, b).value();
      const auto differing = differing_pages(versions[i].image, versions[j].image);
      EXPECT_TRUE(std::ranges::includes(changes.pages(), differing)) << i << " " << j;
      EXPECT_TRUE(std::ranges::is_sorted(changes.pages()));
      if (j == i) {
        EXPECT_TRUE(changes.pages().empty());
      }
    }
  }
}

TEST(PageChangesTest, OfNeighboursOnlyWhatDiffers) {
  SqliteHistory history;
  history.commit("CREATE TABLE t(v); INSERT INTO t VALUES (zeroblob(100000)); CREATE TABLE u(v)");
  history.commit("INSERT INTO u VALUES (1)");
  const auto& versions = history.versions();
  version::Reader a(history.store());
  version::Reader b(history.store());
  a.pin(versions[0].point);
  b.pin(versions[1].point);
  EXPECT_EQ(PageChanges::between(history.store(), a, b).value().pages(),
            differing_pages(versions[0].image, versions[1].image));
}

// A change marks all above it, and nothing else.
TEST(PageChangesTest, WaysToTheRoot) {
  SqliteHistory history("PRAGMA auto_vacuum=INCREMENTAL");
  history.commit(
      "CREATE TABLE t(v); CREATE TABLE u(v); INSERT INTO t VALUES (zeroblob(9000)), (zeroblob(90000))");
  sqlite3_blob* blob = nullptr;
  history.sqlite().check(sqlite3_blob_open(history.sqlite().db(), "main", "t", "v", 2, 1, &blob));
  history.sqlite().check(sqlite3_blob_write(blob, "x", 1, 80'000));
  history.sqlite().check(sqlite3_blob_close(blob));
  history.commit();
  const auto& versions = history.versions();
  version::Reader a(history.store());
  version::Reader b(history.store());
  a.pin(versions[0].point);
  b.pin(versions[1].point);
  const PageChanges changes = PageChanges::between(history.store(), a, b).value();
  ASSERT_TRUE(changes.knows_paths());
  const PageNo root_of_t{3};  // behind the pointer map's page
  const PageNo root_of_u{4};
  EXPECT_FALSE(changes.contains(root_of_t));
  EXPECT_FALSE(changes.same_with_all_below(root_of_t));
  EXPECT_TRUE(changes.same_with_all_below(root_of_u));
}

}  // namespace
}  // namespace dosql::diff
