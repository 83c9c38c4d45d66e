#include "engine/event_order.h"

#include <gmock/gmock.h>

#include "engine/change_workload_test_support.h"
#include "testing/run_length.h"

namespace dosql::engine {
namespace {

using ::testing::ElementsAre;

class EventOrderTest : public ::testing::Test {
 protected:
  version::ReadPoint run(const std::string& sql) {
    DOSQL_EXPECT_OK(connection_.exec(sql));
    return core().store().head(kMainBranch);
  }
  DatabaseCore& core() { return DatabaseAccess::core(database_); }

  std::unique_ptr<CommitEvents> events_of(const version::ReadPoint& point) {
    auto events = CommitEvents::open(core().store(), *schemas_, point, connection_.sqlite_handle());
    EXPECT_TRUE(events) << failure_text(events.error());
    return events ? *std::move(events) : nullptr;
  }

  // "insert t 1": the kind, the table, the rowid.
  std::vector<std::string> lines_of(const version::ReadPoint& point) {
    const auto events = events_of(point);
    std::vector<std::string> lines;
    std::uint64_t lsn = raw(events->info().first_lsn);
    while (events->next().value()) {
      EXPECT_EQ(raw(events->lsn()), ++lsn) << "no gaps";
      static constexpr const char* kKinds[] = {"insert ", "update ", "delete "};
      lines.push_back(kKinds[static_cast<int>(events->row().kind())] + events->table().name() + " " +
                      std::to_string(events->row().rowid()));
    }
    EXPECT_LE(lsn, raw(events->info().last_lsn));
    return lines;
  }

  Database database_ = open_in_memory();
  Connection connection_ = database_.connect().value();
  std::unique_ptr<VersionSchemas> schemas_ = std::make_unique<VersionSchemas>(core());
};

TEST_F(EventOrderTest, ParentsBeforeChildrenAndDeletesTheOtherWayRound) {
  run("CREATE TABLE child(id INTEGER PRIMARY KEY, p REFERENCES parent);"
      "CREATE TABLE parent(id INTEGER PRIMARY KEY, g REFERENCES grand);"
      "CREATE TABLE grand(id INTEGER PRIMARY KEY, v); CREATE TABLE alone(id INTEGER PRIMARY KEY, v)");
  EXPECT_THAT(
      lines_of(
          run("BEGIN; INSERT INTO grand VALUES (1, 0), (2, 0); INSERT INTO parent VALUES (1, 1), (2, 2);"
              "INSERT INTO child VALUES (1, 1), (2, 2); INSERT INTO alone VALUES (2, 0), (1, 0); COMMIT")),
      ElementsAre("insert grand 1", "insert grand 2", "insert parent 1", "insert parent 2", "insert child 1",
                  "insert child 2", "insert alone 1", "insert alone 2"));
  EXPECT_THAT(
      lines_of(
          run("BEGIN; DELETE FROM child WHERE id = 1; DELETE FROM parent WHERE id = 1;"
              "DELETE FROM grand WHERE id = 1; UPDATE grand SET v = 1; UPDATE alone SET v = 1 WHERE id = 2;"
              "INSERT INTO alone VALUES (3, 0); DELETE FROM alone WHERE id = 1; COMMIT")),
      ElementsAre("delete alone 1", "delete child 1", "delete parent 1", "delete grand 1", "update grand 2",
                  "update alone 2", "insert alone 3"));
}

TEST_F(EventOrderTest, CirclesStandTogetherInTheOrderOfTheSchema) {
  run("CREATE TABLE last(id INTEGER PRIMARY KEY, r REFERENCES b); CREATE TABLE a(id INTEGER PRIMARY KEY, r "
      "REFERENCES b);"
      "CREATE TABLE b(id INTEGER PRIMARY KEY, r REFERENCES a, s REFERENCES first); CREATE TABLE self(id "
      "INTEGER "
      "PRIMARY KEY, r REFERENCES self);"
      "CREATE TABLE first(id INTEGER PRIMARY KEY)");
  EXPECT_THAT(
      lines_of(run(
          "BEGIN; PRAGMA defer_foreign_keys = 1; INSERT INTO last VALUES (1, 1); INSERT INTO a VALUES (1, 1);"
          "INSERT INTO b VALUES (1, 1, 1); INSERT INTO first VALUES (1); INSERT INTO self VALUES (1, 1); "
          "COMMIT")),
      ElementsAre("insert self 1", "insert first 1", "insert a 1", "insert b 1", "insert last 1"));
}

TEST_F(EventOrderTest, OnlyTablesOfTheUsers) {
  run("CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT, v); CREATE VIRTUAL TABLE texts USING fts5(x)");
  EXPECT_THAT(
      lines_of(run("BEGIN; INSERT INTO t(v) VALUES (1); INSERT INTO texts VALUES ('x'); ANALYZE; COMMIT")),
      ElementsAre("insert t 1"));
}

TEST_F(EventOrderTest, TheFirstVersionBeginsWithNothing) {
  EXPECT_THAT(
      lines_of(run("BEGIN; CREATE TABLE t(id INTEGER PRIMARY KEY); INSERT INTO t VALUES (5); COMMIT")),
      ElementsAre("insert t 5"));
}

TEST_F(EventOrderTest, DroppedAndRenamedTables) {
  run("CREATE TABLE t(id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1), (2)");
  EXPECT_THAT(lines_of(run("ALTER TABLE t RENAME TO u")), ElementsAre());
  EXPECT_THAT(lines_of(run("DROP TABLE u")), ElementsAre("delete u 1", "delete u 2"));
}

// What brings the most row changes for the fewest changed pages: the smallest rows there can be, in full
// pages.
TEST_F(EventOrderTest, CommitsHaveLsnsEnough) {
  constexpr const char* kFill =
      "INSERT INTO t SELECT value FROM generate_rows; INSERT INTO u SELECT value FROM generate_rows";
  for (const char* auto_vacuum : {"NONE", "FULL", "INCREMENTAL"}) {
    SCOPED_TRACE(auto_vacuum);
    schemas_.reset();
    database_ = open_in_memory();
    connection_ = database_.connect().value();
    schemas_ = std::make_unique<VersionSchemas>(core());
    run("PRAGMA auto_vacuum = " + std::string(auto_vacuum));
    run("CREATE TABLE t(id INTEGER PRIMARY KEY); CREATE TABLE u(a PRIMARY KEY) WITHOUT ROWID;"
        "CREATE TEMP VIEW generate_rows AS WITH RECURSIVE n(value) AS (VALUES (1) UNION ALL SELECT value + 1 "
        "FROM n "
        "WHERE value < 20000) SELECT value FROM n");
    EXPECT_EQ(lines_of(run("BEGIN; " + std::string(kFill) + "; COMMIT")).size(), 40'000u);
    // All rows gone, and others in their pages.
    EXPECT_EQ(
        lines_of(
            run("BEGIN; DELETE FROM t; DELETE FROM u; INSERT INTO t SELECT value + 50000 FROM generate_rows;"
                "INSERT INTO u SELECT value + 50000 FROM generate_rows; COMMIT"))
            .size(),
        80'000u);
    EXPECT_EQ(lines_of(run("REPLACE INTO t SELECT value + 40000 FROM generate_rows")).size(), 10'000u);
    EXPECT_EQ(lines_of(run("UPDATE t SET id = -id")).size(), 60'000u);
    EXPECT_EQ(lines_of(run("UPDATE u SET a = -a")).size(), 40'000u);
    run("BEGIN; DROP TABLE t; ALTER TABLE u RENAME TO v; CREATE TABLE t(id INTEGER PRIMARY KEY); COMMIT");
    EXPECT_EQ(lines_of(core().store().head(kMainBranch)).size(), 30'000u);
    EXPECT_EQ(lines_of(run("DELETE FROM v")).size(), 20'000u);
    run("INSERT INTO t SELECT value FROM generate_rows; PRAGMA incremental_vacuum");
    EXPECT_EQ(lines_of(run("BEGIN; DELETE FROM t; PRAGMA incremental_vacuum; COMMIT")).size(), 20'000u);
    lines_of(run("VACUUM"));
  }
}

TEST_F(EventOrderTest, EveryCommitOfARandomWorkload) {
  const int histories = testing::scaled(testing::soak() ? 100 : 3);
  const std::uint64_t seed = testing::test_seed();
  for (int h = 0; h < histories; ++h) {
    schemas_.reset();
    database_ = open_in_memory();
    connection_ = database_.connect().value();
    schemas_ = std::make_unique<VersionSchemas>(core());
    ChangeWorkload workload(connection_, seed * 7919 + static_cast<std::uint64_t>(h));
    for (int i = 0; i < 60; ++i) workload.step();
    for (std::uint64_t version = 1; version <= connection_.version(); ++version)
      lines_of(core().store().at_version(kMainBranch, Version{version}).value());
  }
}

}  // namespace
}  // namespace dosql::engine
