#include <dosql/checkpoints.h>

#include "engine/engine_test_support.h"

namespace dosql {
namespace {

using engine::failure_text;
using engine::rows_text;

class CheckpointsTest : public ::testing::Test {
 protected:
  void run(const std::string& sql) { DOSQL_EXPECT_OK(connection_.exec(sql)); }

  ManualClock clock_{1'800'000'000'123'456};
  Database database_ = engine::open_in_memory();
  Connection connection_ = database_.connect().value();
  Checkpoints checkpoints_{"my \"places\"", &clock_};
};

TEST_F(CheckpointsTest, SavedLoadedReplacedRemoved) {
  EXPECT_FALSE(checkpoints_.load(connection_, "a").value()) << "there is no table yet";
  EXPECT_TRUE(checkpoints_.list(connection_).value().empty());
  DOSQL_ASSERT_OK(checkpoints_.save(connection_, "b", {.lsn = 7}));
  DOSQL_ASSERT_OK(checkpoints_.save(connection_, "a", {.lsn = 70, .processed = 3, .metadata = "{\"x\":1}"}));
  const Checkpoint a = *checkpoints_.load(connection_, "a").value();
  EXPECT_EQ(a.name, "a");
  EXPECT_EQ(a.lsn, 70u);
  EXPECT_EQ(a.processed, 3u);
  EXPECT_EQ(a.metadata, "{\"x\":1}");
  EXPECT_EQ(a.saved.time_since_epoch().count(), clock_.now_us());
  DOSQL_ASSERT_OK(checkpoints_.save(connection_, "a", {.lsn = 5}));
  const auto all = checkpoints_.list(connection_).value();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].lsn, 5u) << "backwards, too";
  EXPECT_EQ(all[1].lsn, 7u);
  DOSQL_EXPECT_OK(checkpoints_.remove(connection_, "a"));
  DOSQL_EXPECT_ERROR(checkpoints_.remove(connection_, "a"), kNotFound);
  EXPECT_FALSE(checkpoints_.load(connection_, "a").value());
}

TEST_F(CheckpointsTest, PartOfTheTransaction) {
  run("CREATE TABLE total(n); INSERT INTO total VALUES (0)");
  const std::uint64_t before = connection_.version();
  const auto count_to = [&](std::uint64_t n, bool fails) {
    return connection_.transaction([&](Connection& tx) -> Status {
      DOSQL_RETURN_IF_ERROR(tx.run("UPDATE total SET n = ?", n));
      DOSQL_RETURN_IF_ERROR(checkpoints_.save(tx, "total", {.lsn = n}));
      if (fails) return Error(ErrorCode::kIo, "no");
      return {};
    });
  };
  DOSQL_EXPECT_OK(count_to(1, false));
  EXPECT_EQ(connection_.version(), before + 1) << "one commit";
  DOSQL_EXPECT_ERROR(count_to(2, true), kIo);
  EXPECT_EQ(rows_text(connection_, "SELECT n FROM total"), "1");
  EXPECT_EQ(checkpoints_.load(connection_, "total").value()->lsn, 1u);
}

// A consumer that writes into the same database counts each change once, wherever it is stopped.
TEST_F(CheckpointsTest, ExactlyOnce) {
  run("CREATE TABLE t(id INTEGER PRIMARY KEY, n INT); CREATE TABLE total(n); INSERT INTO total VALUES (0)");
  run("INSERT INTO t VALUES (1, 10), (2, 20), (3, 30); UPDATE t SET n = n + 1 WHERE id > 1");
  for (int stop_behind = 1; stop_behind <= 10; ++stop_behind) {
    const auto begin = checkpoints_.load(connection_, "total").value();
    Changes changes =
        database_.changes({.after_lsn = begin ? begin->lsn : 0, .filter = {.tables = {"t"}}}).value();
    for (int i = 0; i < stop_behind % 3; ++i) {
      const auto change = changes.next().value();
      if (!change) break;
      const auto n = [](const std::optional<Row>& row) { return row ? (*row)[1].integer() : 0; };
      DOSQL_ASSERT_OK(connection_.transaction([&](Connection& tx) -> Status {
        DOSQL_RETURN_IF_ERROR(tx.run("UPDATE total SET n = n + ?", n(change->after) - n(change->before)));
        return checkpoints_.save(tx, "total", {.lsn = change->lsn});
      }));
    }
  }
  EXPECT_EQ(rows_text(connection_, "SELECT n FROM total"), "62");
}

}  // namespace
}  // namespace dosql
