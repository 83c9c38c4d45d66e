#include <dosql/result.h>

#include <memory>
#include <string>

#include <gtest/gtest.h>

namespace dosql {
namespace {

Error no_such_file() { return Error(ErrorCode::kNotFound, "no such file"); }

TEST(Error, KeepsWhatItWasBuiltFrom) {
  const Error error = Error(ErrorCode::kSql, "near \"FORM\": syntax error")
                          .with_hint("did you mean FROM?")
                          .with_sqlite_code(1)
                          .with_sql_offset(9);
  EXPECT_EQ(error.code(), ErrorCode::kSql);
  EXPECT_EQ(error.message(), "near \"FORM\": syntax error");
  EXPECT_EQ(error.hint(), "did you mean FROM?");
  EXPECT_EQ(error.sqlite_code(), 1);
  EXPECT_EQ(error.sql_offset(), 9u);
}

TEST(Error, SaysNothingItWasNotTold) {
  const Error error = no_such_file();
  EXPECT_EQ(error.hint(), "");
  EXPECT_EQ(error.sqlite_code(), 0);
  EXPECT_EQ(error.sql_offset(), std::nullopt) << "an offset of 0 would put the caret under the first letter";
}

TEST(Error, ContextGoesInFrontOutermostFirst) {
  const Error error = no_such_file().with_context("reading the log").with_context("opening 'shop'");
  EXPECT_EQ(error.message(), "opening 'shop': reading the log: no such file");
  EXPECT_EQ(error.code(), ErrorCode::kNotFound);
}

TEST(Result, HoldsAValue) {
  Result<int> result = 7;
  ASSERT_TRUE(result);
  EXPECT_TRUE(result.has_value());
  EXPECT_EQ(*result, 7);
  EXPECT_EQ(result.value(), 7);
  *result = 8;
  EXPECT_EQ(*std::as_const(result), 8);
}

TEST(Result, HoldsAnError) {
  const Result<int> result = no_such_file();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), ErrorCode::kNotFound);
}

// Success is which alternative it holds, not what the value is.
TEST(Result, FalseValueIsNotAFailure) {
  EXPECT_TRUE(Result<bool>(false).has_value());
  EXPECT_TRUE(Result<std::string>(std::string()).has_value());
  EXPECT_TRUE(Result<std::unique_ptr<int>>(nullptr).has_value());
}

TEST(Result, ValueThrowsTheErrorItHolds) {
  const Result<int> result = Error(ErrorCode::kCorrupt, "bad checksum").with_hint("restore a backup");
  try {
    (void)result.value();
    FAIL() << "value() of an error returned";
  } catch (const Exception& exception) {
    EXPECT_STREQ(exception.what(), "bad checksum");
    EXPECT_EQ(exception.error().code(), ErrorCode::kCorrupt);
    EXPECT_EQ(exception.error().hint(), "restore a backup");
  }
}

TEST(Result, MovesOutWhatCannotBeCopied) {
  Result<std::unique_ptr<int>> result = std::make_unique<int>(5);
  std::unique_ptr<int> taken = *std::move(result);
  ASSERT_NE(taken, nullptr);
  EXPECT_EQ(*taken, 5);
}

TEST(Result, ValueOrFallsBackOnlyOnFailure) {
  EXPECT_EQ(Result<int>(3).value_or(9), 3);
  EXPECT_EQ(Result<int>(no_such_file()).value_or(9), 9);
}

Result<int> half(int number) {
  if (number % 2 != 0) return Error(ErrorCode::kInvalidArgument, "odd");
  return number / 2;
}

TEST(Result, AndThenStopsAtTheFirstFailure) {
  EXPECT_EQ(*half(12).and_then(half), 3);
  EXPECT_EQ(half(6).and_then(half).error().message(), "odd");
  int calls = 0;
  auto counted = [&calls](int number) {
    ++calls;
    return half(number);
  };
  EXPECT_EQ(half(5).and_then(counted).error().message(), "odd");
  EXPECT_EQ(calls, 0);
}

TEST(Result, TransformWrapsThePlainValue) {
  EXPECT_EQ(*half(12).transform([](int number) { return std::to_string(number); }), "6");
  EXPECT_EQ(half(1).transform([](int number) { return std::to_string(number); }).error().message(), "odd");
}

TEST(Status, DefaultIsSuccess) {
  Status status;
  EXPECT_TRUE(status);
  EXPECT_NO_THROW(status.value());
}

TEST(Status, ThrowsOnlyWhenFailed) {
  const Status status = no_such_file();
  EXPECT_FALSE(status);
  EXPECT_THROW(status.value(), Exception);
}

TEST(Status, AndThenStopsAtTheFirstFailure) {
  int calls = 0;
  auto counted = [&calls]() -> Status {
    ++calls;
    return {};
  };
  EXPECT_TRUE(Status().and_then(counted));
  EXPECT_EQ(Status(no_such_file()).and_then(counted).error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(calls, 1);
}

TEST(Status, IgnoreResultDropsTheValueButNotTheFailure) {
  EXPECT_TRUE(half(4).and_then(ignore_result));
  EXPECT_EQ(half(3).and_then(ignore_result).error().message(), "odd");
}

Status return_if_error(Status first, int& reached) {
  DOSQL_RETURN_IF_ERROR(std::move(first));
  ++reached;
  return {};
}

TEST(Macros, ReturnIfErrorPassesFailuresOn) {
  int reached = 0;
  EXPECT_EQ(return_if_error(no_such_file(), reached).error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(reached, 0);
  EXPECT_TRUE(return_if_error({}, reached));
  EXPECT_EQ(reached, 1);
}

Result<std::string> quarter(int number, int& evaluations) {
  auto counted_half = [&evaluations](int n) {
    ++evaluations;
    return half(n);
  };
  DOSQL_ASSIGN_OR_RETURN(int first, counted_half(number));
  DOSQL_ASSIGN_OR_RETURN(first, counted_half(first));  // an existing variable works too
  return std::to_string(first);
}

TEST(Macros, AssignOrReturnEvaluatesOnceAndPassesFailuresOn) {
  int evaluations = 0;
  EXPECT_EQ(*quarter(20, evaluations), "5");
  EXPECT_EQ(evaluations, 2);
  EXPECT_EQ(quarter(6, evaluations).error().message(), "odd");
  EXPECT_EQ(evaluations, 4);
  EXPECT_EQ(quarter(5, evaluations).error().message(), "odd");
  EXPECT_EQ(evaluations, 5);
}

Result<std::unique_ptr<int>> boxed(int number) { return std::make_unique<int>(number); }

Result<int> unboxed(int number) {
  DOSQL_ASSIGN_OR_RETURN(const std::unique_ptr<int> box, boxed(number));
  return *box;
}

TEST(Macros, AssignOrReturnMoves) { EXPECT_EQ(*unboxed(4), 4); }

}  // namespace
}  // namespace dosql
