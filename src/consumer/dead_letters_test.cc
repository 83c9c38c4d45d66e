#include <dosql/dead_letters.h>

#include "engine/engine_test_support.h"

namespace dosql {
namespace {

using engine::failure_text;
using engine::open_in_memory;
using engine::open_on;
using engine::rows_text;

class DeadLettersTest : public ::testing::Test {
 protected:
  void run(const std::string& sql) { DOSQL_EXPECT_OK(connection_.exec(sql)); }

  std::vector<Change> changes() {
    std::vector<Change> all;
    Changes feed = database_.changes({.filter = {.tables = {"t"}}}).value();
    while (auto change = feed.next().value()) all.push_back(*std::move(change));
    return all;
  }

  ManualClock clock_{1'800'000'000'123'456};
  Database database_ = [this] {
    Options options;
    options.clock = &clock_;
    return open_in_memory(options);
  }();
  Connection connection_ = database_.connect().value();
  DeadLetters dead_ = DeadLetters::open(database_, {.clock = &clock_}).value();
};

TEST_F(DeadLettersTest, KeepsEveryValueAsItWas) {
  run("CREATE TABLE t(id INTEGER PRIMARY KEY, a, \"b \"\"c\")");
  run("INSERT INTO t VALUES (1, NULL, 'text'), (2, 2.0, x'00ff'), (3, 9e999, char(0, 1, 255)), (4, -7, '')");
  run("BEGIN; DELETE FROM t WHERE id = 1; UPDATE t SET a = id; COMMIT");
  const std::vector<Change> all = changes();
  ASSERT_EQ(all.size(), 8u);
  for (const Change& change : all)
    DOSQL_ASSERT_OK(dead_.add("c", change, Error(ErrorCode::kConstraint, "it is bad"), 3));
  const auto letters = dead_.list("c").value();
  ASSERT_EQ(letters.size(), all.size());
  for (std::size_t i = 0; i < all.size(); ++i) {
    const Change& was = all[i];
    const Change& is = letters[i].change;
    EXPECT_EQ(is.lsn, was.lsn);
    EXPECT_EQ(is.transaction, was.transaction);
    EXPECT_EQ(is.timestamp, was.timestamp);
    EXPECT_EQ(is.type, was.type);
    EXPECT_EQ(is.table, was.table);
    EXPECT_EQ(is.key, was.key);
    for (const auto& [a, b] : {std::pair(&is.before, &was.before), std::pair(&is.after, &was.after)}) {
      ASSERT_EQ(a->has_value(), b->has_value());
      if (!*a) continue;
      EXPECT_EQ((*a)->columns(), (*b)->columns());
      EXPECT_EQ((*a)->values(), (*b)->values());
    }
  }
  EXPECT_EQ(letters[0].code, "DOSQL_CONSTRAINT");
  EXPECT_EQ(letters[0].error, "it is bad");
  EXPECT_EQ(letters[0].attempts, 3);
  EXPECT_EQ(letters[0].failed_first, letters[0].failed_last);
  EXPECT_EQ(
      rows_text(connection_,
                "SELECT change, table_name, before, after, code, failed_first FROM dead_letters LIMIT 1"),
      "insert|t|NULL|{\"id\":1,\"a\":null,\"b \\\"c\":\"text\"}|DOSQL_CONSTRAINT|2027-01-15 08:00:00.123456");
}

TEST_F(DeadLettersTest, AChangeIsThereOnce) {
  run("CREATE TABLE t(id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1)");
  const Change change = changes()[0];
  DOSQL_ASSERT_OK(dead_.add("c", change, Error(ErrorCode::kIo, "first"), 3));
  clock_.set_us(clock_.now_us() + 5'000'000);
  DOSQL_ASSERT_OK(dead_.add("c", change, Error(ErrorCode::kSql, "second"), 2));
  DOSQL_ASSERT_OK(dead_.add("other", change, Error(ErrorCode::kSql, "x"), 1));
  const auto letters = dead_.list("c").value();
  ASSERT_EQ(letters.size(), 1u);
  EXPECT_EQ(letters[0].error, "second");
  EXPECT_EQ(letters[0].code, "DOSQL_SQL");
  EXPECT_EQ(letters[0].attempts, 5);
  EXPECT_EQ(letters[0].failed_last - letters[0].failed_first, std::chrono::seconds(5));
  EXPECT_EQ(dead_.count("c").value(), 1u);
  DOSQL_EXPECT_OK(dead_.remove(letters[0].id));
  DOSQL_EXPECT_ERROR(dead_.remove(letters[0].id), kNotFound);
  EXPECT_EQ(dead_.count("c").value(), 0u);
  EXPECT_EQ(dead_.count("other").value(), 1u);
}

TEST_F(DeadLettersTest, RetryTakesOffWhatIsDealtWith) {
  run("CREATE TABLE t(id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1), (2), (3), (4)");
  for (const Change& change : changes())
    DOSQL_ASSERT_OK(dead_.add("c", change, Error(ErrorCode::kSql, "x"), 1));
  std::vector<std::int64_t> seen;
  const DeadLetterRetry outcome = dead_
                                      .retry("c",
                                             [&](const Change& change) -> Status {
                                               seen.push_back((*change.after)[0].integer());
                                               if (seen.back() % 2 == 0)
                                                 return Error(ErrorCode::kIo, "still");
                                               return {};
                                             })
                                      .value();
  EXPECT_EQ(seen, (std::vector<std::int64_t>{1, 2, 3, 4}));
  EXPECT_EQ(outcome.dealt_with, 2u);
  EXPECT_EQ(outcome.failed, 2u);
  const auto left = dead_.list("c").value();
  ASSERT_EQ(left.size(), 2u);
  EXPECT_EQ(left[0].error, "still");
  EXPECT_EQ(left[0].attempts, 2);
  EXPECT_EQ(dead_.list("c", left[0].id, 10).value().size(), 1u);
}

TEST_F(DeadLettersTest, OnTheBranchThatIsNamed) {
  run("CREATE TABLE t(id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1); CREATE BRANCH ops");
  DeadLetters dead = DeadLetters::open(database_, {.branch = "ops", .table = "my \"letters\""}).value();
  DOSQL_ASSERT_OK(dead.add("c", changes()[0], Error(ErrorCode::kSql, "x"), 1));
  EXPECT_EQ(rows_text(connection_, "SELECT count(*) FROM sqlite_schema WHERE name LIKE 'my%'"), "0");
  run("CHECKOUT ops");
  EXPECT_EQ(rows_text(connection_, "SELECT count(*) FROM \"my \"\"letters\"\"\""), "1");
  DOSQL_EXPECT_ERROR(DeadLetters::open(database_, {.branch = "none"}), kBranchNotFound);
}

TEST_F(DeadLettersTest, WhatSomebodyWroteIntoTheTable) {
  for (const char* values : {"1, 'c', 5, 5, 'yesterday', 'insert', 't', x'', NULL, NULL, 'X', 'x', 1, "
                             "'2027-01-15 08:00:00.0', '2027-01-15 08:00:00.0'",
                             "1, 'c', 5, 5, '2027-01-15 08:00:00.0', 'upsert', 't', x'', NULL, NULL, 'X', "
                             "'x', 1, '2027-01-15 08:00:00.0', '2027-01-15 08:00:00.0'",
                             "1, 'c', 5, 5, '2027-01-15 08:00:00.0', 'insert', 't', x'', NULL, '[]', 'X', "
                             "'x', 1, '2027-01-15 08:00:00.0', '2027-01-15 08:00:00.0'",
                             "1, 'c', x'05', 5, '2027-01-15 08:00:00.0', 'insert', 't', x'', NULL, NULL, "
                             "'X', 'x', 1, '2027-01-15 08:00:00.0', '2027-01-15 08:00:00.0'"}) {
    run("DELETE FROM dead_letters; INSERT INTO dead_letters VALUES (" + std::string(values) + ")");
    const auto letters = dead_.list("c");
    ASSERT_FALSE(letters) << values;
    EXPECT_EQ(letters.error().code(), ErrorCode::kInvalidArgument);
    EXPECT_EQ(letters.error().message().substr(0, 13), "dead letter 1") << letters.error().message();
  }
}

TEST(DeadLetters, SurviveAndNeedAWriter) {
  engine::TemporaryDirectory folder;
  const std::string path = folder.file("d");
  const Change change{.lsn = 5, .transaction = 6, .table = "t"};
  {
    Database database = Database::open(path).value();
    DeadLetters dead = DeadLetters::open(database).value();
    DOSQL_ASSERT_OK(dead.add("c", change, Error(ErrorCode::kSql, "x"), 1));
  }
  Database database = Database::open(path, {.mode = OpenMode::kReadOnly}).value();
  DeadLetters dead = DeadLetters::open(database).value();
  EXPECT_EQ(dead.list("c").value().size(), 1u) << "they can be looked at";
  DOSQL_EXPECT_ERROR(dead.add("c", change, Error(ErrorCode::kSql, "x"), 1), kReadOnly);
  DOSQL_EXPECT_ERROR(DeadLetters::open(database, {.table = "others"}), kReadOnly);
}

}  // namespace
}  // namespace dosql
