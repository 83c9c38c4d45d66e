// What a DRY RUN needs, and what it leaves behind: nothing.

#include "engine/engine_test_support.h"
#include "engine/trial_pages.h"
#include "version/store_test_support.h"

namespace dosql::engine {
namespace {

constexpr const char* kDryRun = "MERGE BRANCH x DRY RUN";

class DryRunTest : public ::testing::Test {
 protected:
  void SetUp() override {
    DOSQL_ASSERT_OK(
        conn.exec("PRAGMA busy_timeout = 0; CREATE TABLE t(id INTEGER PRIMARY KEY, a, b);"
                  "INSERT INTO t VALUES(1, 'a', 'b'), (2, 'a', 'b');"
                  "CREATE BRANCH x; CHECKOUT x; UPDATE t SET a = 'x';"
                  "CHECKOUT main; UPDATE t SET a = 'm' WHERE id = 1"));
  }
  Database open(OpenMode mode) {
    Options options;
    options.mode = mode;
    return open_on(std::make_unique<version::SharedDirectory>(*disk), options).value();
  }
  std::uint64_t log_bytes() { return DatabaseAccess::core(db).store().status().log_bytes; }

  const std::unique_ptr<io::Directory> disk = io::make_memory_directory();
  Database db = open(OpenMode::kCreateIfMissing);
  Connection conn = db.connect().value();

  const std::string expected =
      "would conflict|main@3|t|NULL|0|1|0|1|NULL|NULL|NULL|NULL|NULL\n"
      "would "
      "conflict|main@3|t|NULL|NULL|NULL|NULL|NULL|1|update_update|{\"a\":\"a\"}|{\"a\":\"m\"}|{\"a\":\"x\"}";
};

TEST_F(DryRunTest, WaitsForNoWriterAndWritesNothing) {
  Connection writer = db.connect().value();
  DOSQL_ASSERT_OK(writer.exec("BEGIN IMMEDIATE; DELETE FROM t"));
  const std::uint64_t before = log_bytes();
  EXPECT_EQ(rows_text(conn, kDryRun), expected);
  EXPECT_EQ(log_bytes(), before);
  EXPECT_EQ(rows_text(conn, "SELECT * FROM t"), "1|m|b\n2|a|b");
  // It has no part in the writer's slot either.
  DOSQL_EXPECT_ERROR(conn.exec("INSERT INTO t VALUES(9, 9, 9)"), kBusy);
  DOSQL_ASSERT_OK(writer.exec("INSERT INTO t VALUES(7, 7, 7); COMMIT"));
  EXPECT_EQ(rows_text(conn, "SELECT * FROM t"), "7|7|7");
  DOSQL_ASSERT_OK(conn.exec("INSERT INTO t VALUES(9, 9, 9)"));
  EXPECT_EQ(rows_text(conn, "PRAGMA integrity_check"), "ok");
}

TEST_F(DryRunTest, IsPossibleWhereTheDatabaseIsReadOnly) {
  Database follower = open(OpenMode::kReadOnly);
  Connection read = follower.connect().value();
  EXPECT_EQ(rows_text(read, kDryRun), expected);
  EXPECT_EQ(rows_text(read, "SELECT * FROM t"), "1|m|b\n2|a|b");
  DOSQL_EXPECT_ERROR(read.exec("MERGE BRANCH x STRATEGY theirs"), kReadOnly);
  // On the version that its transaction reads.
  DOSQL_ASSERT_OK(read.exec("BEGIN; SELECT * FROM t"));
  DOSQL_ASSERT_OK(conn.exec("UPDATE t SET a = 'a' WHERE id = 1"));
  EXPECT_EQ(rows_text(read, kDryRun), expected);
  DOSQL_ASSERT_OK(read.exec("COMMIT"));
  EXPECT_EQ(rows_text(read, kDryRun), "would merge|NULL|t|NULL|0|2|0|0|NULL|NULL|NULL|NULL|NULL");
}

TEST_F(DryRunTest, OfAReadOnlyDatabaseEnforcesForeignKeysAsTheConnectionDoes) {
  DOSQL_ASSERT_OK(
      conn.exec("CREATE TABLE c(p REFERENCES t); CREATE BRANCH y; CHECKOUT y;"
                "DELETE FROM t WHERE id = 2; CHECKOUT main; INSERT INTO c VALUES(2)"));
  Database follower = open(OpenMode::kReadOnly);
  Connection read = follower.connect().value();
  EXPECT_EQ(rows_text(read, "MERGE BRANCH y DRY RUN").substr(0, 14), "would conflict");
  DOSQL_ASSERT_OK(read.exec("PRAGMA foreign_keys = OFF"));
  EXPECT_EQ(rows_text(read, "MERGE BRANCH y DRY RUN").substr(0, 11), "would merge");
}

TEST_F(DryRunTest, SeesWhatItsTransactionHasChanged) {
  DOSQL_ASSERT_OK(conn.exec("BEGIN; UPDATE t SET a = 'a' WHERE id = 1"));
  EXPECT_EQ(rows_text(conn, kDryRun), "would merge|NULL|t|NULL|0|2|0|0|NULL|NULL|NULL|NULL|NULL");
  DOSQL_ASSERT_OK(conn.exec("INSERT INTO t VALUES(5, 5, 5); COMMIT"));
  EXPECT_EQ(rows_text(conn, "SELECT * FROM t"), "1|a|b\n2|a|b\n5|5|5");
}

// Far beyond SQLite's cache, and what a trial keeps in memory.
TEST_F(DryRunTest, MayBeLarge) {
  DOSQL_ASSERT_OK(
      conn.exec("PRAGMA cache_size = 50; CREATE TABLE large(id INTEGER PRIMARY KEY, v TEXT UNIQUE, w);"
                "CREATE BRANCH y; CHECKOUT y;"
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)"
                "INSERT INTO large SELECT i, printf('%d %0900d', i % 7, i), 1 FROM n;"
                "CHECKOUT main; INSERT INTO large VALUES(30000, 'mine', 1)"));
  const std::uint64_t before = log_bytes();
  EXPECT_EQ(rows_text(conn, "MERGE BRANCH y DRY RUN"),
            "would merge|NULL|large|NULL|20000|0|0|0|NULL|NULL|NULL|NULL|NULL");
  EXPECT_EQ(log_bytes(), before);
  EXPECT_EQ(rows_text(conn, "SELECT count(*) FROM large"), "1");
  EXPECT_EQ(rows_text(conn, "PRAGMA integrity_check"), "ok");
  EXPECT_EQ(rows_text(conn, "MERGE BRANCH y"), "merged|main@6|large|NULL|20000|0|0|0");
  EXPECT_EQ(rows_text(conn, "PRAGMA integrity_check"), "ok");
}

TEST(TrialPages, KeepWhatWasWrittenLast) {
  constexpr std::uint32_t kPages = 5'000;  // more than stay in memory
  TrialPages pages;
  pages.begin(kPages);
  const auto image_of = [](std::uint32_t page, std::uint32_t round) {
    std::vector<std::byte> image(kPageBytes);
    for (std::size_t i = 0; i < image.size(); ++i) image[i] = static_cast<std::byte>(page * 7 + round + i);
    return image;
  };
  for (std::uint32_t round = 0; round < 2; ++round) {
    for (std::uint32_t page = 1; page <= kPages; page += 1 + round)
      DOSQL_ASSERT_OK(pages.write(PageNo{page}, image_of(page, round)));
  }
  std::vector<std::byte> read(100);
  for (std::uint32_t page = 1; page <= kPages; ++page) {
    const auto expected = image_of(page, page % 2);
    EXPECT_TRUE(pages.read(PageNo{page}, 1'000, read).value());
    EXPECT_TRUE(std::equal(read.begin(), read.end(), expected.begin() + 1'000)) << page;
  }
  pages.truncate(10);
  DOSQL_ASSERT_OK(pages.write(PageNo{13}, image_of(13, 5)));
  EXPECT_EQ(pages.page_count(), 13u);
  EXPECT_TRUE(pages.read(PageNo{12}, 0, read).value());
  EXPECT_TRUE(std::ranges::all_of(read, [](std::byte b) { return b == std::byte{0}; }));
  pages.end();
  pages.begin(kPages);
  EXPECT_FALSE(pages.read(PageNo{13}, 0, read).value());
}

}  // namespace
}  // namespace dosql::engine
