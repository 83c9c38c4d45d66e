// A disk whose syncs wait until the test lets them: who has to wait for it, and who must not.

#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <thread>

#include "engine/engine_test_support.h"
#include "testing/simulated_disk.h"
#include "testing/sync_hook_file.h"
#include "version/store_test_support.h"

namespace dosql::engine {
namespace {

// Syncs wait while it is shut.
class Gate {
 public:
  void shut() {
    std::lock_guard lock(mutex_);
    shut_ = true;
  }
  void open() {
    std::lock_guard lock(mutex_);
    shut_ = false;
    changed_.notify_all();
  }
  void pass() {
    std::unique_lock lock(mutex_);
    ++waiting_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return !shut_; });
    --waiting_;
  }
  void await_somebody() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return waiting_ > 0; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool shut_ = false;
  int waiting_ = 0;
};

class GatedDirectory final : public version::SharedDirectory {
 public:
  GatedDirectory(io::Directory& shared, Gate& gate) : SharedDirectory(shared), gate_(gate) {}
  Result<std::unique_ptr<io::File>> open(std::string_view name, io::OpenMode mode) override {
    DOSQL_ASSIGN_OR_RETURN(auto file, SharedDirectory::open(name, mode));
    return std::unique_ptr<io::File>(
        std::make_unique<testing::SyncHookFile>(std::move(file), [this] { gate_.pass(); }));
  }

 private:
  Gate& gate_;
};

class SlowSyncTest : public ::testing::Test {
 protected:
  Gate gate;
  testing::SimulatedDisk disk;
  std::unique_ptr<io::Directory> shared = disk.directory();
  Database db = open_on(std::make_unique<GatedDirectory>(*shared, gate)).value();
  Connection conn = db.connect().value();
};

TEST_F(SlowSyncTest, NobodyWaitsForADropButWhoWantsThatBranch) {
  DOSQL_ASSERT_OK(
      conn.exec("CREATE TABLE t(a); INSERT INTO t VALUES (1); CREATE BRANCH kept; CREATE BRANCH gone"));
  Connection reader = db.connect().value();
  Connection other = db.connect().value();
  gate.shut();
  std::thread dropping([&] { DOSQL_EXPECT_OK(conn.exec("DROP BRANCH gone")); });
  gate.await_somebody();
  EXPECT_EQ(rows_text(reader, "SELECT a FROM t"), "1");
  DOSQL_EXPECT_OK(reader.exec("CHECKOUT kept"));
  EXPECT_EQ(rows_text(reader, "SELECT a FROM t"), "1");
  { Connection newcomer = db.connect().value(); }
  for (const char* const wanted : {"CHECKOUT gone", "DROP BRANCH gone"}) {
    const Status refused = other.exec(wanted);
    ASSERT_FALSE(refused) << wanted;
    EXPECT_EQ(refused.error().code(), ErrorCode::kBusy) << wanted;
    EXPECT_EQ(refused.error().message(), "branch 'gone' is being dropped") << wanted;
  }
  gate.open();
  dropping.join();
  EXPECT_EQ(other.exec("CHECKOUT gone").error().code(), ErrorCode::kBranchNotFound);
  DOSQL_EXPECT_OK(conn.exec("CREATE BRANCH gone; CHECKOUT gone"));
}

// A writer stands on commits that are not visible yet; whoever has seen one never sees less.
TEST_F(SlowSyncTest, AfterARollbackNothingIsSeenToGoBack) {
  DOSQL_ASSERT_OK(conn.exec("CREATE TABLE t(a); INSERT INTO t VALUES (0)"));
  Connection seeing = db.connect().value();
  gate.shut();
  std::thread committing([&] { DOSQL_EXPECT_OK(conn.exec("UPDATE t SET a = 1")); });
  gate.await_somebody();
  EXPECT_EQ(rows_text(seeing, "SELECT a FROM t"), "0") << "is not durable";
  DOSQL_ASSERT_OK(seeing.exec("BEGIN IMMEDIATE"));
  EXPECT_EQ(rows_text(seeing, "SELECT a FROM t"), "1");
  std::atomic<bool> rolled_back = false;
  std::thread rolling_back([&] {
    DOSQL_EXPECT_OK(seeing.exec("ROLLBACK"));
    rolled_back = true;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_FALSE(rolled_back);
  gate.open();
  rolling_back.join();
  EXPECT_EQ(rows_text(seeing, "SELECT a FROM t"), "1");
  committing.join();
}

// A NORMAL commit is visible at once, also while a commit in front of it in the log waits for its sync.
TEST_F(SlowSyncTest, AFeedGivesOnlyWhatIsDurable) {
  DOSQL_ASSERT_OK(conn.exec("CREATE TABLE t(a); CREATE BRANCH x; PRAGMA synchronous = NORMAL"));
  Connection other = db.connect().value();
  DOSQL_ASSERT_OK(other.checkout("x"));
  Slots slots = db.slots();
  DOSQL_ASSERT_OK(slots.create("s"));
  Changes feed = slots.subscribe("s").value();
  gate.shut();
  std::thread committing([&] { DOSQL_EXPECT_OK(other.exec("INSERT INTO t VALUES (1)")); });
  gate.await_somebody();
  DOSQL_EXPECT_OK(conn.exec("INSERT INTO t VALUES (2)"));
  EXPECT_EQ(rows_text(conn, "SELECT a FROM t"), "2");
  std::atomic<bool> is_open = false;
  const auto gives_two = [&](Changes& changes) {
    const auto change = changes.next(std::chrono::seconds(60));
    EXPECT_TRUE(is_open) << "it is not durable yet";
    DOSQL_ASSERT_OK(change);
    ASSERT_TRUE(*change);
    EXPECT_EQ((*change)->after->to_json(), "{\"a\":2}");
    DOSQL_EXPECT_OK(slots.acknowledge("s", (*change)->lsn));
  };
  std::thread reading([&] { gives_two(feed); });
  std::thread beginning([&] {
    auto begun = db.changes({.snapshot = true});
    DOSQL_ASSERT_OK(begun);
    gives_two(*begun);
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  is_open = true;
  gate.open();
  reading.join();
  beginning.join();
  committing.join();
}

}  // namespace
}  // namespace dosql::engine
