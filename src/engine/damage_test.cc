// How far one damaged page reaches: to the versions that need it, and to a backup.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/engine_test_support.h"
#include "testing/simulated_disk.h"

namespace dosql::engine {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;

class DamageTest : public ::testing::Test {
 protected:
  Database open() { return open_on(disk.directory()).value(); }

  // main@2 is a record of 3 MB that a checkpoint covers.
  void SetUp() override {
    Database db = open();
    DOSQL_ASSERT_OK(db.connect()->exec(
        "CREATE TABLE a(x); INSERT INTO a VALUES (printf('%.3000000c', 'q')); CREATE TABLE b(x)"));
    DOSQL_ASSERT_OK(db.close());
    ASSERT_TRUE(fs_has("checkpoint"));
  }

  bool fs_has(std::string_view name) const {
    const auto files = disk.files();
    return std::any_of(files.begin(), files.end(), [&](const auto& file) { return file.name == name; });
  }

  // One bit, in the middle of one page of main@2's value.
  void damage_one_page() {
    const std::vector<std::byte> qs(1'000, std::byte{'q'});
    for (const auto& file : disk.files()) {
      if (!file.name.starts_with("log-")) continue;
      const std::vector<std::byte> content = disk.content(file.name);
      const std::size_t from = std::min<std::size_t>(content.size(), 1'000'000);
      const auto found = std::search(content.begin() + from, content.end(), qs.begin(), qs.end());
      if (found == content.end()) continue;
      disk.flip_bit(file.name, found - content.begin() + 500, 3);
      return;
    }
    FAIL() << "the value is nowhere";
  }

  TemporaryDirectory directory;
  testing::SimulatedDisk disk;
};

// A branch and a snapshot that are made of such a version stand behind the checkpoint, and are replayed.
TEST_F(DamageTest, NamesOfAVersionWithADamagedPageOpen) {
  {
    Database db = open();
    DOSQL_ASSERT_OK(
        db.connect()->exec("CREATE BRANCH old FROM main@2; CREATE SNAPSHOT 'then' AS OF SNAPSHOT 'main@2';"
                           "INSERT INTO b VALUES (7)"));
    DOSQL_ASSERT_OK(db.close());
  }
  damage_one_page();
  Database db = open();
  Connection conn = db.connect().value();
  EXPECT_EQ(rows_text(conn, "SELECT * FROM b"), "7");
  EXPECT_EQ(rows_text(conn, "SELECT count(*) FROM a FOR SYSTEM_TIME AS OF SNAPSHOT 'then'"), "1");
  DOSQL_EXPECT_ERROR(conn.query("SELECT x LIKE '%r' FROM a"), kCorrupt);
}

TEST_F(DamageTest, AVersionWithADamagedPageIsFoundAndGivesItsOtherPages) {
  damage_one_page();
  Database db = open();
  Connection conn = db.connect().value();
  EXPECT_EQ(rows_text(conn, "SELECT count(*) FROM a FOR SYSTEM_TIME AS OF SNAPSHOT 'main@2'"), "1");
  EXPECT_EQ(rows_text(conn, "SELECT count(*) FROM dosql_log"), "3");
  DOSQL_EXPECT_OK(conn.exec("CREATE BRANCH late FROM main@2"));
  DOSQL_EXPECT_OK(db.export_sqlite(directory.file("healthy"), 1));
  DOSQL_EXPECT_ERROR(db.export_sqlite(directory.file("damaged"), 2), kCorrupt);
}

// It could not be opened: without a checkpoint all of it is read first.
TEST_F(DamageTest, ADamagedPageIsNotBackedUp) {
  damage_one_page();
  Database db = open();
  const std::string copy = directory.file("copy");
  const Status made = db.backup(copy);
  DOSQL_EXPECT_ERROR(made, kCorrupt);
  EXPECT_THAT(made.error().message(),
              AllOf(HasSubstr("log-"), HasSubstr("at offset"), HasSubstr("an entry of page")));
  EXPECT_THAT(made.error().hint(), HasSubstr(".export-sqlite"));
  EXPECT_FALSE(fs::exists(copy));
  const auto problems = db.check().value();
  EXPECT_TRUE(std::any_of(problems.begin(), problems.end(), [&](const Problem& problem) {
    return made.error().message().find(fmt::format("at offset {} ", problem.offset)) != std::string::npos;
  }));
}

// One of two copies of a segment's header: nothing is lost, and the backup has both again.
TEST_F(DamageTest, ABackupMendsTheCopyOfAHeader) {
  std::string first;
  for (const auto& file : disk.files())
    if (first.empty() && file.name.starts_with("log-")) first = file.name;
  disk.flip_bit(first, 20, 1);
  Database db = open();
  EXPECT_FALSE(db.check()->empty());
  DOSQL_ASSERT_OK(db.backup(directory.file("copy")));
  Database copy = Database::open(directory.file("copy")).value();
  EXPECT_TRUE(copy.check()->empty());
  Connection conn = copy.connect().value();
  EXPECT_EQ(rows_text(conn, "SELECT length(x) FROM a"), "3000000");
}

}  // namespace
}  // namespace dosql::engine
