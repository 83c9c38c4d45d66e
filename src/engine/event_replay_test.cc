#include "engine/event_replay.h"

#include <gmock/gmock.h>

#include "engine/change_workload_test_support.h"
#include "testing/run_length.h"

namespace dosql::engine {
namespace {

using diff::Field;

std::string text_of(std::span<const Field> fields) {
  std::string text;
  for (const Field& field : fields) {
    text += std::to_string(static_cast<int>(field.type)) + ":" + std::to_string(field.integer) + ":" +
            std::to_string(field.real) + ":" +
            std::string(reinterpret_cast<const char*>(field.bytes.data()), field.bytes.size()) + "|";
  }
  return text;
}

// All that an event says.
std::string line_of(Lsn lsn, const TablePair& table, ChangedRow& row) {
  static constexpr const char* kKinds[] = {"insert ", "update ", "delete "};
  std::string line = std::to_string(raw(lsn)) + " " + kKinds[static_cast<int>(row.kind())] + table.name() +
                     " " + std::to_string(row.rowid());
  if (row.kind() != diff::ChangeKind::kInsert) line += " " + text_of(row.before().value());
  if (row.kind() != diff::ChangeKind::kDelete) line += " -> " + text_of(row.after().value());
  return line;
}

template <class Events>
std::vector<std::string> lines_of(Events& events) {
  std::vector<std::string> lines;
  while (true) {
    const auto found = events.next();
    EXPECT_TRUE(found) << failure_text(found.error());
    if (!found || !*found) return lines;
    lines.push_back(line_of(events.lsn(), events.table(), events.row()));
  }
}

class EventReplayTest : public ::testing::Test {
 protected:
  void run(const std::string& sql) { DOSQL_EXPECT_OK(connection_.exec(sql)); }
  DatabaseCore& core() { return DatabaseAccess::core(database_); }
  BranchId branch() { return core().store().find_branch(connection_.current_branch())->id; }
  void begin_anew() {
    schemas_.reset();
    database_ = open_in_memory();
    connection_ = database_.connect().value();
    schemas_ = std::make_unique<VersionSchemas>(core());
  }
  EventReplay make() { return {core().store(), *schemas_, connection_.sqlite_handle()}; }

  // What the plain diff of the two versions says.
  std::vector<std::string> plain(std::uint64_t version) {
    const auto point = core().store().at_version(branch(), Version{version}).value();
    auto events = CommitEvents::open(core().store(), *schemas_, point, connection_.sqlite_handle());
    EXPECT_TRUE(events) << failure_text(events.error());
    return events ? lines_of(**events) : std::vector<std::string>();
  }

  // The versions [first, last] by a replay, each against the plain diff. How many were replayed.
  int compare(EventReplay& replay, std::uint64_t first, std::uint64_t last) {
    int replayed = 0;
    for (std::uint64_t version = first; version <= last; ++version) {
      SCOPED_TRACE("version " + std::to_string(version));
      const Status there = replay.go_to(branch(), Version{version});
      EXPECT_TRUE(there) << failure_text(there.error());
      if (!there) return replayed;
      replayed += replay.is_replayed() ? 1 : 0;
      const std::uint64_t count = replay.events();
      const std::vector<std::string> lines = lines_of(replay);
      EXPECT_EQ(lines.size(), count);
      EXPECT_EQ(lines, plain(version));
    }
    return replayed;
  }

  Database database_ = open_in_memory();
  Connection connection_ = database_.connect().value();
  std::unique_ptr<VersionSchemas> schemas_ = std::make_unique<VersionSchemas>(core());
};

TEST_F(EventReplayTest, SmallCommitsAreReplayed) {
  run("CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT); CREATE INDEX by_v ON t(v)");
  for (int i = 0; i < 300; ++i) run("INSERT INTO t VALUES (NULL, hex(randomblob(60)))");
  for (int i = 0; i < 100; ++i)
    run("UPDATE t SET v = hex(randomblob(60)) WHERE id = " + std::to_string(i * 3 + 1));
  for (int i = 0; i < 300; ++i) run("DELETE FROM t WHERE id = " + std::to_string((i * 7) % 300 + 1));
  EventReplay replay = make();
  const std::uint64_t last = connection_.version();
  EXPECT_GE(compare(replay, 1, last), static_cast<int>(last) - 10) << "leaves that split or merge, too";
}

// Many rows begin in the bytes that a commit changed, and one reaches into them from in front.
TEST_F(EventReplayTest, RowsThatShareTheBytesThatChanged) {
  run("CREATE TABLE t(id INTEGER PRIMARY KEY, v); WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE "
      "i < 300) INSERT INTO t SELECT i, 1000 + i FROM n");
  for (int i = 1; i <= 300; ++i)
    run("UPDATE t SET v = v + 1 WHERE id IN (" + std::to_string(i) + ", " + std::to_string(i % 7 + 1) + ")");
  EventReplay replay = make();
  EXPECT_GE(compare(replay, 1, connection_.version()), 300);
}

TEST_F(EventReplayTest, TablesInOneCommitKeepTheirOrder) {
  run("CREATE TABLE child(id INTEGER PRIMARY KEY, p REFERENCES parent, v); "
      "CREATE TABLE parent(id INTEGER PRIMARY KEY, v); INSERT INTO parent VALUES (1, 0), (2, 0), (3, 0); "
      "INSERT INTO child VALUES (1, 1, 0), (2, 2, 0), (3, 3, 0)");
  run("BEGIN; DELETE FROM child WHERE id = 1; DELETE FROM parent WHERE id = 1; UPDATE child SET v = 1; "
      "UPDATE parent SET v = 1; INSERT INTO parent VALUES (4, 0); INSERT INTO child VALUES (4, 4, 0); "
      "COMMIT");
  EventReplay replay = make();
  EXPECT_GE(compare(replay, 1, connection_.version()), 1);
  EXPECT_TRUE(replay.is_replayed());
}

TEST_F(EventReplayTest, RowsThatOverflow) {
  run("CREATE TABLE t(id INTEGER PRIMARY KEY, a, b)");
  for (int i = 0; i < 20; ++i) run("INSERT INTO t VALUES (NULL, randomblob(9000), 0)");
  for (int i = 0; i < 20; ++i) run("UPDATE t SET b = b + 1 WHERE id = " + std::to_string(i + 1));
  // The same length: the chain stays where it is, and its pages are written in place.
  for (int i = 0; i < 20; ++i) run("UPDATE t SET a = randomblob(9000) WHERE id = " + std::to_string(i + 1));
  for (int i = 0; i < 20; i += 2) run("DELETE FROM t WHERE id = " + std::to_string(i + 1));
  EventReplay replay = make();
  compare(replay, 1, connection_.version());
}

// The bytes that changed are in front of those that lie elsewhere, and rowids take up to nine bytes.
TEST_F(EventReplayTest, RowsWhoseBeginningIsWrittenOver) {
  run("CREATE TABLE t(id INTEGER PRIMARY KEY, b, a)");
  const std::vector<std::string> rowids = {"-7", "1", "200", "72057594037927936", "9223372036854775807"};
  for (const std::string& rowid : rowids) {
    for (const char* const bytes : {"3", "300", "1500", "5000"})
      run("INSERT OR REPLACE INTO t VALUES (" + rowid + " - " + bytes + ", 10, randomblob(" + bytes + "))");
  }
  const std::uint64_t first = connection_.version() + 1;
  for (const std::string& rowid : rowids) {
    for (const char* const bytes : {"3", "300", "1500", "5000"})
      run("UPDATE t SET b = b + 1 WHERE id = " + rowid + " - " + bytes);
  }
  EventReplay replay = make();
  EXPECT_EQ(compare(replay, first, connection_.version()), 20);
}

TEST_F(EventReplayTest, PagesGoFromOneTableToAnother) {
  run("CREATE TABLE t(id INTEGER PRIMARY KEY, v); CREATE TABLE u(id INTEGER PRIMARY KEY, v); "
      "CREATE TABLE w(a PRIMARY KEY, b) WITHOUT ROWID");
  const std::string fill =
      " WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400) SELECT i, hex(zeroblob(30)) FROM "
      "n";
  run("INSERT INTO t" + fill);
  for (const std::string to : {"u", "w", "t"}) {
    run("BEGIN; DELETE FROM t; DELETE FROM u; DELETE FROM w; INSERT INTO " + to + fill + "; COMMIT");
  }
  run("BEGIN; DELETE FROM t WHERE id > 200; INSERT INTO u" + fill +
      "; COMMIT; PRAGMA incremental_vacuum; "
      "DELETE FROM u WHERE id < 300; VACUUM; INSERT INTO t VALUES (1000, 1)");
  EventReplay replay = make();
  compare(replay, 1, connection_.version());
}

// In the order, again, from the middle, backwards.
TEST_F(EventReplayTest, AnyVersionAfterAnyOther) {
  run("CREATE TABLE t(id INTEGER PRIMARY KEY, v)");
  for (int i = 0; i < 100; ++i)
    run("INSERT OR REPLACE INTO t VALUES (" + std::to_string(i * 17 % 40) + ", randomblob(100))");
  EventReplay replay = make();
  for (const std::uint64_t version : {50, 51, 51, 52, 2, 3, 90, 91, 1, 2, 101})
    EXPECT_EQ(compare(replay, version, version), version == 1 ? 0 : 1);
}

TEST_F(EventReplayTest, RandomHistories) {
  const int histories = testing::scaled(testing::soak() ? 100 : 4);
  const std::uint64_t seed = testing::test_seed();
  int replayed = 0;
  for (int h = 0; h < histories; ++h) {
    begin_anew();
    const std::uint64_t own_seed = seed * 7919 + static_cast<std::uint64_t>(h);
    ChangeWorkload workload(connection_, own_seed);
    std::mt19937_64 random(own_seed);
    for (int i = 0; i < 40; ++i) {
      workload.step();
      for (int j = 0; j < 5; ++j) {
        const std::string id = std::to_string(random() % 300);
        connection_
            .exec(random() % 3 == 0 ? "DELETE FROM parents WHERE id = " + id
                                    : "INSERT OR REPLACE INTO parents VALUES (" + id + ", hex(zeroblob(" +
                                          std::to_string(random() % 90) + ")))")
            .ignore("children may refer to it");
      }
      if (i == 25) workload.fork("b", "main@" + std::to_string(connection_.version() - 3));
    }
    EventReplay replay = make();
    replayed += compare(replay, 1, connection_.version());
  }
  EXPECT_GT(replayed, histories * 40);
}

}  // namespace
}  // namespace dosql::engine
