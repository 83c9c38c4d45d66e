// What a statement that reads the past takes for the present while other connections commit: points that are
// counted from it, and what it reads and writes itself, are of one version.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <thread>

#include "engine/engine_test_support.h"

namespace dosql::engine {
namespace {

using namespace std::chrono_literals;

class AsOfPresentTest : public ::testing::Test {
 protected:
  ManualClock clock{1'700'000'000'000'000};
  Options options = [this] {
    Options impatient;
    impatient.clock = &clock;
    impatient.busy_timeout_ms = 0;
    return impatient;
  }();
  Database db = open_in_memory(options);
  Connection a = db.connect().value();
  Connection b = db.connect().value();
  std::function<void()> interleaved;
  int interleavings = 0;

  void SetUp() override {
    DOSQL_ASSERT_OK(a.exec("CREATE TABLE t(v); CREATE TABLE copy(v); CREATE TABLE u(v UNIQUE)"));
    for (int i = 0; i < 5; ++i) DOSQL_ASSERT_OK(a.exec("INSERT INTO t VALUES ('first')"));
  }

  void run_interleaved() {
    if (!interleaved) return;
    ++interleavings;
    interleaved();
  }

  // SQLite says that a statement begins before it locks the file.
  void interleave_at_beginning(std::function<void()> what) {
    interleaved = std::move(what);
    const auto begins = [](unsigned, void* self, void*, void*) {
      static_cast<AsOfPresentTest*>(self)->run_interleaved();
      return 0;
    };
    sqlite3_trace_v2(a.sqlite_handle(), SQLITE_TRACE_STMT, begins, this);
  }

  // disturbed(x) gives x, and others commit meanwhile.
  void interleave_at_evaluation(std::function<void()> what) {
    interleaved = std::move(what);
    const auto disturbed = [](sqlite3_context* context, int, sqlite3_value** values) {
      static_cast<AsOfPresentTest*>(sqlite3_user_data(context))->run_interleaved();
      sqlite3_result_value(context, values[0]);
    };
    sqlite3_create_function_v2(a.sqlite_handle(), "disturbed", 1, SQLITE_UTF8, this, disturbed, nullptr,
                               nullptr, nullptr);
  }

  void insert_on_b() {
    clock.set_us(clock.now_us() + 1'000'000);
    DOSQL_EXPECT_OK(b.exec("INSERT INTO t VALUES ('other')"));
  }

  std::string pins() { return rows_text(b, "SELECT value FROM dosql_status WHERE name = 'readers'"); }
};

TEST_F(AsOfPresentTest, CurrentIsWhatTheStatementReads) {
  interleave_at_beginning([this] { insert_on_b(); });
  const std::string sql =
      "SELECT (SELECT count(*) FROM t), (SELECT count(*) FROM t FOR SYSTEM_TIME AS OF VERSION CURRENT)"
      " - (SELECT count(*) FROM t FOR SYSTEM_TIME AS OF VERSION CURRENT - ?)";
  Statement kept = a.prepare(sql).value();
  Statement same = a.prepare(
                        "SELECT (SELECT count(*) FROM t) - (SELECT count(*) FROM t FOR SYSTEM_TIME AS OF"
                        " VERSION CURRENT)")
                       .value();
  std::int64_t last = 0;
  for (int i = 1; i <= 20; ++i) {
    DOSQL_ASSERT_OK(kept.bind(1, i % 3));
    ASSERT_TRUE(kept.step().value());
    EXPECT_GT(kept.integer(0), last) << "another connection did commit";
    EXPECT_EQ(kept.integer(1), i % 3);
    last = kept.integer(0);
    kept.reset();
    ASSERT_TRUE(same.step().value());
    EXPECT_EQ(same.integer(0), 0);
    same.reset();
  }
  EXPECT_GE(interleavings, 40);
}

TEST_F(AsOfPresentTest, CommitsWhileAPointIsEvaluated) {
  interleave_at_evaluation([this] { insert_on_b(); });
  const std::string counts =
      "SELECT (SELECT count(*) FROM t) - (SELECT count(*) FROM t FOR SYSTEM_TIME AS OF ";
  EXPECT_EQ(rows_text(a, counts + "VERSION CURRENT - disturbed(0))"), "0");
  EXPECT_EQ(rows_text(a, counts + "VERSION CURRENT - disturbed(2))"), "2");
  EXPECT_EQ(rows_text(a, counts + "TIMESTAMP disturbed(datetime('now', '+1 second')))"), "0")
      << "the time that the clock shows behind the commit";
  EXPECT_GE(interleavings, 3);
}

TEST_F(AsOfPresentTest, ATransactionIsSettledByItsFirstPoint) {
  interleave_at_evaluation([this] { insert_on_b(); });
  DOSQL_ASSERT_OK(a.exec("BEGIN"));
  const std::string differences =
      "SELECT (SELECT count(*) FROM t) - (SELECT count(*) FROM t FOR SYSTEM_TIME AS OF VERSION CURRENT - "
      "disturbed(0))";
  EXPECT_EQ(rows_text(a, differences), "0");
  const std::string count = rows_text(a, "SELECT count(*) FROM t");
  EXPECT_EQ(rows_text(a, differences), "0");
  EXPECT_EQ(rows_text(a, "SELECT count(*) FROM t"), count);
  DOSQL_ASSERT_OK(a.exec("COMMIT"));
  EXPECT_NE(rows_text(a, "SELECT count(*) FROM t"), count);
}

// Whoever would commit in between finds the slot taken.
TEST_F(AsOfPresentTest, AWriteIsNeverStale) {
  int refused = 0;
  interleave_at_beginning([&] {
    const Status done = b.exec("INSERT INTO t VALUES ('other')");
    if (!done) ++refused;
  });
  const std::string copy = "INSERT INTO copy SELECT v FROM t FOR SYSTEM_TIME AS OF VERSION CURRENT";
  Statement kept = a.prepare(copy + " - ?").value();
  for (int i = 0; i < 5; ++i) {
    DOSQL_EXPECT_OK(a.exec(copy));
    DOSQL_EXPECT_OK(kept.bind(1, 1));
    DOSQL_EXPECT_OK(kept.step());
    DOSQL_EXPECT_OK(a.exec("BEGIN; " + copy + "; COMMIT"));
    // Not compiled before it begins.
    DOSQL_EXPECT_OK(a.exec("BEGIN"));
    std::string_view tail;
    Statement fresh = a.prepare(copy + " - ?1", tail).value();
    DOSQL_EXPECT_OK(fresh.bind(1, 0));
    DOSQL_EXPECT_OK(fresh.step());
    DOSQL_EXPECT_OK(a.exec("COMMIT"));
  }
  EXPECT_GE(refused, 20);
  interleaved = {};
  DOSQL_EXPECT_OK(b.exec("INSERT INTO t VALUES ('other')"));
}

TEST_F(AsOfPresentTest, WithoutTheSlotAWriteIsBusyAndAReadIsNot) {
  const std::string copy = "INSERT INTO copy SELECT v FROM t FOR SYSTEM_TIME AS OF VERSION CURRENT";
  const std::string select = "SELECT count(*) FROM t FOR SYSTEM_TIME AS OF VERSION CURRENT";
  DOSQL_ASSERT_OK(b.exec("BEGIN IMMEDIATE; INSERT INTO t VALUES ('other')"));
  const Status ordinary = a.exec("DELETE FROM copy");
  for (const std::string begin : {"", "BEGIN; "}) {
    const Status busy = a.exec(begin + copy);
    ASSERT_FALSE(busy);
    EXPECT_EQ(busy.error().code(), ErrorCode::kBusy);
    EXPECT_EQ(busy.error().sqlite_code(), SQLITE_BUSY);
    EXPECT_EQ(busy.error().message(), ordinary.error().message());
    EXPECT_EQ(rows_text(a, select), "5");
    if (a.in_transaction()) DOSQL_ASSERT_OK(a.exec("ROLLBACK"));
  }
  DOSQL_EXPECT_OK(a.exec("CREATE TEMP TABLE old AS SELECT v FROM t FOR SYSTEM_TIME AS OF VERSION CURRENT"));
  DOSQL_EXPECT_OK(a.exec("INSERT INTO temp.old SELECT v FROM t FOR SYSTEM_TIME AS OF VERSION CURRENT"));
  DOSQL_EXPECT_OK(a.exec("EXPLAIN " + copy));
  DOSQL_ASSERT_OK(b.exec("COMMIT"));
  DOSQL_EXPECT_OK(a.exec(copy));
  EXPECT_EQ(rows_text(a, "SELECT count(*) FROM copy"), "6");
}

TEST_F(AsOfPresentTest, AWriteWaitsForTheSlot) {
  DOSQL_ASSERT_OK(a.exec("PRAGMA busy_timeout = 60000"));
  DOSQL_ASSERT_OK(b.exec("BEGIN IMMEDIATE; INSERT INTO t VALUES ('other')"));
  std::thread committer([this] {
    std::this_thread::sleep_for(50ms);
    DOSQL_EXPECT_OK(b.exec("COMMIT"));
  });
  DOSQL_EXPECT_OK(a.exec("INSERT INTO copy SELECT v FROM t FOR SYSTEM_TIME AS OF VERSION CURRENT"));
  committer.join();
  EXPECT_EQ(rows_text(a, "SELECT count(*) FROM copy"), "6") << "what was committed while it waited included";
}

TEST_F(AsOfPresentTest, TheWaitCanBeInterrupted) {
  DOSQL_ASSERT_OK(a.exec("PRAGMA busy_timeout = 60000"));
  DOSQL_ASSERT_OK(b.exec("BEGIN IMMEDIATE"));
  a.interrupt();  // one that came before is not for this statement
  std::thread interrupter([this] {
    std::this_thread::sleep_for(50ms);
    a.interrupt();
  });
  const auto begun = std::chrono::steady_clock::now();
  DOSQL_EXPECT_ERROR(a.exec("INSERT INTO copy SELECT v FROM t FOR SYSTEM_TIME AS OF VERSION CURRENT"),
                     kInterrupted);
  EXPECT_GE(std::chrono::steady_clock::now() - begun, 40ms);
  interrupter.join();
  DOSQL_ASSERT_OK(b.exec("COMMIT"));
  DOSQL_EXPECT_OK(a.exec("INSERT INTO copy SELECT v FROM t FOR SYSTEM_TIME AS OF VERSION CURRENT"));
}

// However it ends, nothing stays pinned and the slot is free.
TEST_F(AsOfPresentTest, EveryExitGivesBackPinAndSlot) {
  DOSQL_ASSERT_OK(a.exec("INSERT INTO u VALUES ('first')"));
  interleave_at_evaluation({});
  const std::string nothing_pinned = pins();
  const auto look = [&](const std::string& sql) {
    EXPECT_EQ(pins(), nothing_pinned) << sql;
    DOSQL_EXPECT_OK(b.exec("UPDATE u SET v = v"));
  };
  const std::string past = " FROM t FOR SYSTEM_TIME AS OF ";
  for (const std::string& sql :
       {"INSERT INTO u SELECT v" + past + "VERSION CURRENT",
        "INSERT INTO copy SELECT v" + past + "LSN 999999999",
        "INSERT INTO copy SELECT v" + past + "VERSION CURRENT - 1000",
        "INSERT INTO copy SELECT v" + past + "LSN abs(-9223372036854775807 - 1)",
        "INSERT INTO copy SELECT nope" + past + "VERSION CURRENT", "SELECT nope" + past + "VERSION CURRENT",
        "INSERT INTO nowhere SELECT v" + past + "VERSION CURRENT",
        "INSERT INTO copy SELECT abs(-9223372036854775807 - rowid / rowid)" + past + "VERSION CURRENT",
        "SELECT abs(-9223372036854775807 - rowid / rowid)" + past + "VERSION CURRENT",
        "INSERT INTO copy SELECT v" + past + "VERSION CURRENT - disturbed(-1)"}) {
    EXPECT_FALSE(a.exec(sql)) << sql;
    look(sql);
    Statement kept;
    if (auto prepared = a.prepare(sql)) kept = *std::move(prepared);
    for (int i = 0; i < 2; ++i) EXPECT_FALSE(kept.step()) << sql;
    look(sql);
    DOSQL_ASSERT_OK(a.exec("BEGIN"));
    EXPECT_FALSE(a.exec(sql)) << sql;
    DOSQL_ASSERT_OK(a.exec("ROLLBACK"));
    look(sql);
  }
  a.set_progress(1, [] { return false; });
  DOSQL_EXPECT_ERROR(a.exec("INSERT INTO copy SELECT v" + past + "VERSION CURRENT"), kInterrupted);
  a.set_progress(0, {});
  look("interrupted");
  Statement reading = a.prepare("SELECT v" + past + "VERSION CURRENT").value();
  ASSERT_TRUE(reading.step().value());
  DOSQL_EXPECT_OK(b.exec("UPDATE u SET v = v"));
  reading.reset();
  Statement writing = a.prepare("INSERT INTO copy SELECT v" + past + "VERSION CURRENT RETURNING v").value();
  ASSERT_TRUE(writing.step().value());
  writing.reset();
  look("RETURNING");
}

// A transaction that failed to write keeps nobody else from it.
TEST_F(AsOfPresentTest, ATransactionThatDidNotWriteHasNoSlot) {
  DOSQL_ASSERT_OK(a.exec("BEGIN"));
  Statement copy =
      a.prepare("INSERT INTO copy SELECT v FROM t FOR SYSTEM_TIME AS OF VERSION CURRENT - ?").value();
  DOSQL_ASSERT_OK(copy.bind(1, 1000));
  EXPECT_FALSE(copy.step());
  DOSQL_EXPECT_OK(b.exec("UPDATE t SET v = 'other'"));
  DOSQL_ASSERT_OK(a.exec("ROLLBACK"));
}

// A function in a point may run statements of its own, about the past too.
TEST_F(AsOfPresentTest, AStatementWithinABeginningOne) {
  const std::string inner = "SELECT count(*) FROM t FOR SYSTEM_TIME AS OF VERSION CURRENT";
  std::string seen;
  interleave_at_evaluation([&] {
    insert_on_b();
    seen = rows_text(a, inner);
    DOSQL_EXPECT_OK(b.exec("DELETE FROM t WHERE v = 'other'"));
  });
  const std::string difference = "SELECT (SELECT count(*) FROM t) - (" + inner + " - disturbed(0))";
  EXPECT_EQ(rows_text(a, difference), "0");
  EXPECT_EQ(seen, "5");
  EXPECT_EQ(rows_text(a, inner), "5");
}

}  // namespace
}  // namespace dosql::engine
