// Random threads write, read, branch and move over one database on a disk whose syncs take their time; a
// checker holds what each of them saw against what can have happened.
//
// Each branch has a chain of entries: a transaction reads the newest entry n and appends n + 1. So
//   - a branch's history is serialisable when it has each of 1..n once, in the order of its versions;
//   - a reader that finds n has seen all up to n, never less than was acknowledged before it began, nor
//     less than it saw there before;
//   - what a reader finds is visible: an entry that was committed with synchronous=FULL is on disk by then.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <thread>

#include "engine/engine_test_support.h"
#include "testing/run_length.h"
#include "testing/sync_hook_file.h"
#include "version/store_test_support.h"

namespace dosql::engine {
namespace {

// A disk in memory whose syncs take up to a quarter of a millisecond.
class SlowDirectory final : public version::SharedDirectory {
 public:
  using SharedDirectory::SharedDirectory;
  Result<std::unique_ptr<io::File>> open(std::string_view name, io::OpenMode mode) override {
    DOSQL_ASSIGN_OR_RETURN(auto file, SharedDirectory::open(name, mode));
    return std::unique_ptr<io::File>(std::make_unique<testing::SyncHookFile>(std::move(file), [this] {
      std::this_thread::sleep_for(std::chrono::microseconds(syncs_++ * 37 % 250));
    }));
  }

 private:
  std::atomic<unsigned> syncs_{0};
};

constexpr const char* kModes[] = {"OFF", "NORMAL", "FULL"};

// What has been acknowledged: per branch the newest entry, and all that it committed itself.
class Acknowledged {
 public:
  void add(const std::string& branch, std::int64_t n, int writer) {
    std::lock_guard lock(mutex_);
    Branch& entry = branches_[branch];
    entry.newest = std::max(entry.newest, n);
    EXPECT_TRUE(entry.writers.try_emplace(n, writer).second) << branch << " has two entries " << n;
  }
  std::int64_t newest(const std::string& branch) {
    std::lock_guard lock(mutex_);
    return branches_[branch].newest;
  }
  std::map<std::int64_t, int> writers(const std::string& branch) {
    std::lock_guard lock(mutex_);
    return branches_[branch].writers;
  }

 private:
  struct Branch {
    std::int64_t newest = 0;
    std::map<std::int64_t, int> writers;
  };
  std::mutex mutex_;
  std::map<std::string, Branch> branches_;
};

class ConcurrencyTest : public ::testing::Test {
 protected:
  void SetUp() override {
    SCOPED_TRACE(seed_);
    open();
    Connection connection = db_->connect().value();
    DOSQL_ASSERT_OK(
        connection.exec("CREATE TABLE entry(n INTEGER PRIMARY KEY, writer INT, mode INT, pad TEXT); CREATE "
                        "INDEX w ON entry(writer)"));
    for (int i = 0; i < kBranches; ++i) DOSQL_ASSERT_OK(connection.branch(branch_name(i)));
  }

  void open() { db_.emplace(open_on(std::make_unique<SlowDirectory>(*disk_)).value()); }

  static std::string branch_name(int i) { return "b" + std::to_string(i); }
  std::string any_branch(std::mt19937_64& random) const {
    const int i = static_cast<int>(random() % (kBranches + 1));
    return i == kBranches ? "main" : branch_name(i);
  }
  std::mt19937_64 random_of(int thread) const { return std::mt19937_64(seed_ * 1000 + thread); }

  // BUSY at the end of its patience is an answer, not an error.
  static bool may_fail(const Error& error) {
    return error.code() == ErrorCode::kBusy || error.code() == ErrorCode::kBusySnapshot;
  }

  void write(int thread);
  bool append_entry(Connection& connection, const std::string& branch, int writer, std::mt19937_64& random);
  void read(int thread);
  void name(int thread);
  void change_schema(int thread);
  void maintain();
  void expect_serial(Connection& connection, const std::string& branch);

  static constexpr int kBranches = 3;
  const std::uint64_t seed_ = test_seed();
  const int turns_ = std::max(20, testing::scaled(400));
  std::unique_ptr<io::Directory> disk_ = io::make_memory_directory();
  std::optional<Database> db_;
  Acknowledged acknowledged_;
  std::atomic<bool> over_{false};
};

// One transaction, of a kind by chance. False: it did not commit.
bool ConcurrencyTest::append_entry(Connection& connection, const std::string& branch, int writer,
                                   std::mt19937_64& random) {
  const int mode = static_cast<int>(random() % 3);
  DOSQL_EXPECT_OK(connection.exec(std::string("PRAGMA synchronous = ") + kModes[mode]));
  const std::string pad(random() % 20 == 0 ? 9'000 : random() % 60, 'p');
  constexpr std::string_view kInsert =
      "INSERT INTO entry(n, writer, mode, pad) SELECT ifnull(max(n), 0) + 1, ?1, ?2, ?3 FROM entry RETURNING "
      "n";
  const auto insert = [&]() -> Result<std::int64_t> {
    DOSQL_ASSIGN_OR_RETURN(const auto row, connection.query_one(kInsert, writer, mode, pad));
    return (*row)[0].integer();
  };
  Result<std::int64_t> n = std::int64_t{0};
  switch (random() % 4) {
    case 0:
    case 1: n = insert(); break;
    case 2: {
      const Status done = connection.transaction([&](Connection&) -> Status {
        n = insert();
        return n ? Status() : n.error();
      });
      if (!done) n = done.error();
      break;
    }
    default: {
      // Reads first: refused when somebody else has committed since.
      Status done = connection.exec("BEGIN; SELECT count(*) FROM entry");
      if (done) {
        n = insert();
        if (!n) done = n.error();
      }
      if (done) done = connection.exec("COMMIT");
      if (!done) {
        n = done.error();
        if (connection.in_transaction()) DOSQL_EXPECT_OK(connection.exec("ROLLBACK"));
      }
    }
  }
  if (!n) {
    EXPECT_TRUE(may_fail(n.error())) << failure_text(n.error()) << ", seed " << seed_;
    return false;
  }
  acknowledged_.add(branch, *n, writer);
  return true;
}

void ConcurrencyTest::write(int thread) {
  std::mt19937_64 random = random_of(thread);
  std::optional<Connection> connection;
  int committed = 0;
  for (int turn = 0; turn < turns_; ++turn) {
    if (!connection || random() % 30 == 0) connection.emplace(db_->connect().value());
    const std::string branch =
        random() % 8 == 0 ? any_branch(random) : std::string(connection->current_branch());
    DOSQL_ASSERT_OK(connection->checkout(branch));
    committed += append_entry(*connection, branch, thread, random);
    // Its own commit is visible to the writer at once.
    const std::int64_t acknowledged = acknowledged_.newest(branch);
    const auto row = connection->query_one("SELECT ifnull(max(n), 0) FROM entry");
    DOSQL_ASSERT_OK(row);
    EXPECT_GE((**row)[0].integer(), acknowledged) << branch << ", seed " << seed_;
  }
  EXPECT_GT(committed, 0);
}

void ConcurrencyTest::read(int thread) {
  std::mt19937_64 random = random_of(thread);
  Connection connection = db_->connect().value();
  version::VersionStore& store = DatabaseAccess::core(*db_).store();
  std::map<std::string, std::int64_t> seen;
  while (!over_) {
    const std::string branch = any_branch(random);
    DOSQL_ASSERT_OK(connection.checkout(branch));
    const std::int64_t acknowledged = acknowledged_.newest(branch);
    DOSQL_ASSERT_OK(connection.exec("BEGIN"));
    const auto row = connection.query_one(
        "SELECT ifnull(max(n), 0), count(*), ifnull(sum(n), 0), "
        "(SELECT count(*) FROM entry INDEXED BY w WHERE writer >= 0), "
        "(SELECT mode FROM entry ORDER BY n DESC LIMIT 1) FROM entry");
    DOSQL_ASSERT_OK(row);
    const std::int64_t n = (**row)[0].integer();
    EXPECT_EQ((**row)[1].integer(), n) << branch << ", seed " << seed_;
    EXPECT_EQ((**row)[2].integer(), n * (n + 1) / 2) << branch << ", seed " << seed_;
    EXPECT_EQ((**row)[3].integer(), n) << "through the index, " << branch << ", seed " << seed_;
    EXPECT_GE(n, acknowledged) << "of " << branch << " was acknowledged, seed " << seed_;
    EXPECT_GE(n, seen[branch]) << "of " << branch << " was seen before, seed " << seed_;
    if (n > seen[branch] && (**row)[4].integer() == 2) {
      const auto point = store.at_version(store.find_branch(branch)->id, Version{connection.version()});
      DOSQL_ASSERT_OK(point);
      EXPECT_LE(point->lsn, store.status().durable_lsn) << "seen before it was on disk, seed " << seed_;
    }
    seen[branch] = n;
    // The same once more: the transaction stays at its version.
    EXPECT_EQ(rows_text(connection, "SELECT ifnull(max(n), 0) FROM entry"), std::to_string(n));
    DOSQL_ASSERT_OK(connection.exec("COMMIT"));
  }
}

// Branches and snapshots come and go, and begin with what was visible.
void ConcurrencyTest::name(int thread) {
  std::mt19937_64 random = random_of(thread);
  Connection connection = db_->connect().value();
  for (int turn = 0; !over_; ++turn) {
    const std::string branch = any_branch(random);
    const std::string made = "made-" + std::to_string(turn);
    DOSQL_ASSERT_OK(connection.checkout(branch));
    DOSQL_EXPECT_OK(connection.exec(std::string("PRAGMA synchronous = ") + kModes[random() % 3]));
    const std::int64_t acknowledged = acknowledged_.newest(branch);
    DOSQL_ASSERT_OK(connection.branch(made));
    DOSQL_ASSERT_OK(connection.create_snapshot(made));
    DOSQL_ASSERT_OK(connection.checkout(made));
    const auto row = connection.query_one("SELECT ifnull(max(n), 0), count(*) FROM entry");
    DOSQL_ASSERT_OK(row);
    EXPECT_EQ((**row)[0], (**row)[1]) << made << ", seed " << seed_;
    EXPECT_GE((**row)[0].integer(), acknowledged) << made << " of " << branch << ", seed " << seed_;
    if (random() % 2 == 0) append_entry(connection, made, thread, random);
    expect_serial(connection, made);
    DOSQL_ASSERT_OK(connection.checkout("main"));
    if (random() % 2 == 0) DOSQL_ASSERT_OK(connection.delete_branch(made, {.force = true}));
    if (random() % 2 == 0) DOSQL_ASSERT_OK(connection.drop_snapshot(made));
  }
}

// Columns, indexes and tables come and go below those who read and write; with FULL, so that the version with
// the newest entry stays one that is on disk.
void ConcurrencyTest::change_schema(int thread) {
  std::mt19937_64 random = random_of(thread);
  Connection connection = db_->connect().value();
  for (int turn = 0; !over_; ++turn) {
    DOSQL_ASSERT_OK(connection.checkout(any_branch(random)));
    const std::string changes[] = {
        "CREATE INDEX IF NOT EXISTS pads ON entry(pad)",
        "DROP INDEX IF EXISTS pads",
        "CREATE TABLE IF NOT EXISTS more(x); DROP TABLE more",
        "ALTER TABLE entry ADD COLUMN c" + std::to_string(turn) +
            " DEFAULT 7; ALTER TABLE entry DROP COLUMN c" + std::to_string(turn),
    };
    const Status done = connection.exec(changes[random() % std::size(changes)]);
    EXPECT_TRUE(done || may_fail(done.error())) << failure_text(done.error()) << ", seed " << seed_;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
}

void ConcurrencyTest::maintain() {
  while (!over_) {
    DOSQL_ASSERT_OK(db_->maintain(1'000));
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

// Each version appended the next entry, and what was acknowledged is there.
void ConcurrencyTest::expect_serial(Connection& connection, const std::string& branch) {
  DOSQL_ASSERT_OK(connection.checkout(branch));
  const auto count = connection.query_one("SELECT count(*), ifnull(max(n), 0) FROM entry");
  DOSQL_ASSERT_OK(count);
  EXPECT_EQ((**count)[0], (**count)[1]);
  for (const auto& [n, writer] : acknowledged_.writers(branch)) {
    const auto row = connection.query_one("SELECT writer FROM entry WHERE n = ?", n);
    DOSQL_ASSERT_OK(row);
    ASSERT_TRUE(row->has_value()) << branch << " lost " << n << ", seed " << seed_;
    EXPECT_EQ((**row)[0].integer(), writer) << branch << ", " << n << ", seed " << seed_;
  }
}

TEST_F(ConcurrencyTest, EveryHistoryIsSerial) {
  std::vector<std::thread> threads;
  std::vector<std::thread> writers;
  for (int i = 0; i < 6; ++i) writers.emplace_back([this, i] { write(i); });
  for (int i = 0; i < 3; ++i) threads.emplace_back([this, i] { read(100 + i); });
  threads.emplace_back([this] { name(200); });
  threads.emplace_back([this] { change_schema(300); });
  threads.emplace_back([this] { maintain(); });
  for (std::thread& writer : writers) writer.join();
  over_ = true;
  for (std::thread& thread : threads) thread.join();
  for (int times = 0; times < 2; ++times) {
    {
      Connection connection = db_->connect().value();
      for (const BranchInfo& branch : connection.list_branches()) {
        expect_serial(connection, branch.name);
        EXPECT_EQ(rows_text(connection, "PRAGMA integrity_check"), "ok");
        // Version by version.
        const std::int64_t newest = static_cast<std::int64_t>(connection.version());
        std::int64_t before = -1;
        for (std::int64_t back = newest - 2; back >= 0; back -= 1 + back / 40) {
          const auto row = connection.query_one(
              "SELECT ifnull(max(n), 0), count(*) FROM entry FOR SYSTEM_TIME AS OF VERSION CURRENT - ?",
              back);
          DOSQL_ASSERT_OK(row);
          EXPECT_EQ((**row)[0], (**row)[1]);
          EXPECT_GE((**row)[0].integer(), before);
          before = (**row)[0].integer();
        }
      }
    }
    DOSQL_ASSERT_OK(db_->close());
    db_.reset();
    open();
  }
}

}  // namespace
}  // namespace dosql::engine
