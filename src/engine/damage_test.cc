// How far one damaged page reaches: to the versions that need it.

#include <gtest/gtest.h>

#include "engine/engine_test_support.h"
#include "testing/simulated_disk.h"

namespace dosql::engine {
namespace {


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

}  // namespace
}  // namespace dosql::engine
