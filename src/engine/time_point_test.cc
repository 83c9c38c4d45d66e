// Points in time as a program and a command line say them.

#include <gtest/gtest.h>

#include "engine/engine_test_support.h"

namespace dosql::engine {
namespace {

using namespace std::chrono_literals;

class TimePointTest : public ::testing::Test {
 protected:
  ManualClock clock{1'700'000'000'000'000};  // 2023-11-14
  Database db = open_in_memory({.clock = &clock});
  Connection conn = db.connect().value();

  // main@1 to main@4; x begins with main@2 and has two versions more; main@3 is called 'three'.
  void SetUp() override {
    DOSQL_ASSERT_OK(conn.exec(
        "CREATE TABLE t(n INT); INSERT INTO t VALUES (2); UPDATE t SET n = 3; CREATE SNAPSHOT 'three';"
        "UPDATE t SET n = 4; CREATE BRANCH x FROM main@2; CHECKOUT x; UPDATE t SET n = 103;"
        "UPDATE t SET n = 104; CHECKOUT main"));
    clock.set_us(1'800'000'000'000'000);  // 2027-01-15
  }
  std::string resolved(const TimePoint& point) {
    const auto version = conn.resolve(point);
    return version ? version->to_string() : "error: " + version.error().message();
  }
  std::string log(const std::string& column, int version) {
    return rows_text(conn, "SELECT " + column + " FROM dosql_log WHERE version = " + std::to_string(version));
  }
};

TEST(TimePoint, PrintsAsSqlSaysIt) {
  EXPECT_EQ(lsn(5).to_string(), "LSN 5");
  EXPECT_EQ(timestamp("2026-01-01").to_string(), "TIMESTAMP '2026-01-01'");
  EXPECT_EQ(timestamp(Timestamp{1'767'225'600'000'001us}).to_string(),
            "TIMESTAMP '2026-01-01 00:00:00.000001'");
  EXPECT_EQ(timestamp(std::chrono::sys_days{std::chrono::January / 2 / 2026}).to_string(),
            "TIMESTAMP '2026-01-02 00:00:00.000000'");
  EXPECT_EQ(snapshot("it's").to_string(), "SNAPSHOT 'it''s'");
  EXPECT_EQ(snapshot(VersionId{.branch = "x", .version = 7}).to_string(), "SNAPSHOT 'x@7'");
  EXPECT_EQ(branch("x").to_string(), "BRANCH 'x'");
  EXPECT_EQ(relative(-5).to_string(), "VERSION CURRENT - 5");
  EXPECT_EQ(current().to_string(), "VERSION CURRENT");
  EXPECT_EQ(time_point("main@5").to_string(), "main@5");
}

TEST_F(TimePointTest, EachKindMeansItsVersion) {
  EXPECT_EQ(resolved(lsn(std::stoull(log("lsn_last", 2)))), "main@2");
  EXPECT_EQ(resolved(lsn(std::stoull(log("lsn_last", 2)) + 1)), "main@3") << "inside the next commit";
  EXPECT_EQ(resolved(timestamp(log("timestamp", 3))), "main@3");
  EXPECT_EQ(resolved(timestamp("2026-12-31T12:00:00Z")), "main@4");
  EXPECT_EQ(resolved(timestamp(std::chrono::sys_days{std::chrono::January / 15 / 2027})), "main@4");
  EXPECT_EQ(resolved(snapshot("main@2")), "main@2");
  EXPECT_EQ(resolved(snapshot("three")), "main@3");
  EXPECT_EQ(resolved(branch("x")), "x@4");
  EXPECT_EQ(resolved(relative(-1)), "main@3");
  EXPECT_EQ(resolved(current()), "main@4");
  EXPECT_EQ(resolved(snapshot(conn.resolve(relative(-1)).value())), "main@3") << "a version is a point";
}

// SQLite's own 'now' is the millisecond that began before it.
TEST_F(TimePointTest, NowIsBehindWhatWasCommittedInThisMillisecond) {
  clock.set_us(1'800'000'000'000'999);
  DOSQL_ASSERT_OK(conn.exec("UPDATE t SET n = 5"));
  EXPECT_EQ(resolved(timestamp("now")), "main@5");
  EXPECT_EQ(resolved(timestamp("Now")), "main@5") << "in any case, as SQLite reads it";
  EXPECT_EQ(rows_text(conn, "SELECT n FROM t FOR SYSTEM_TIME AS OF 'now'"), "5");
}

TEST_F(TimePointTest, CountsOnTheBranchOfTheConnection) {
  DOSQL_ASSERT_OK(conn.checkout("x"));
  EXPECT_EQ(resolved(current()), "x@4");
  EXPECT_EQ(resolved(relative(-1)), "x@3");
  EXPECT_EQ(resolved(relative(-2)), "main@2") << "who committed it names it";
  EXPECT_EQ(resolved(time_point("3")), "x@3");
  EXPECT_EQ(resolved(timestamp("2026-12-31")), "x@4");
}

TEST_F(TimePointTest, TextOfACommandLineMayBeAnyKind) {
  EXPECT_EQ(resolved(time_point("main@2")), "main@2");
  EXPECT_EQ(resolved(time_point("three")), "main@3");
  EXPECT_EQ(resolved(time_point("snapshot:three")), "main@3");
  EXPECT_EQ(resolved(time_point("x")), "x@4");
  EXPECT_EQ(resolved(time_point("branch:x")), "x@4");
  EXPECT_EQ(resolved(time_point("lsn:" + log("lsn_last", 1))), "main@1");
  EXPECT_EQ(resolved(time_point("2")), "main@2");
  EXPECT_EQ(resolved(time_point("current")), "main@4");
  EXPECT_EQ(resolved(time_point("current-3")), "main@1");
  EXPECT_EQ(resolved(time_point("2026-12-31")), "main@4");
  DOSQL_ASSERT_OK(conn.run("CREATE BRANCH y FROM ?", "lsn:" + log("lsn_last", 1)));
  EXPECT_EQ(resolved(branch("y")), "y@1") << "a parameter of a statement is read in the same way";
}

TEST_F(TimePointTest, WhatDoesNotExistIsNamed) {
  EXPECT_EQ(resolved(relative(-4)), "error: VERSION CURRENT - 4 is before the beginning: this is main@4");
  EXPECT_EQ(resolved(relative(1)), "error: VERSION CURRENT + 1 is in the future: this is main@4");
  EXPECT_EQ(resolved(snapshot("four")), "error: snapshot 'four' does not exist");
  EXPECT_EQ(resolved(branch("z")), "error: branch 'z' does not exist");
  EXPECT_EQ(resolved(timestamp("soon")), "error: 'soon' is not a date or time");
  EXPECT_EQ(resolved(time_point("lsn:x")), "error: an LSN is a whole number from 0 up, not 'x'");
  EXPECT_EQ(resolved(time_point("current-x")), "error: branch 'current-x' does not exist");
  EXPECT_EQ(resolved(time_point("current-18446744073709551615")),
            "error: branch 'current-18446744073709551615' does not exist");
  DOSQL_EXPECT_ERROR(conn.resolve(lsn(~std::uint64_t{0})), kVersionNotFound);
  DOSQL_EXPECT_ERROR(conn.resolve(time_point("99")), kVersionNotFound);
  DOSQL_EXPECT_ERROR(conn.resolve(time_point("")), kBranchNotFound);
}

}  // namespace
}  // namespace dosql::engine
