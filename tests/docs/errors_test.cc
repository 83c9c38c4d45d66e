// docs/errors.md lists every error code, and SQLite's as the engine translates them.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <map>
#include <regex>

#include <dosql/result.h>
#include <dosql/retry.h>

#include "engine/sqlite_error.h"
#include "tests/docs/markdown.h"

namespace dosql::docs {
namespace {

std::vector<ErrorCode> all_codes() {
  std::vector<ErrorCode> codes;
  for (int code = 0; code <= static_cast<int>(ErrorCode::kInternal); ++code)
    codes.push_back(static_cast<ErrorCode>(code));
  return codes;
}

const std::map<std::string, int> kSqliteCodes{
    {"SQLITE_ERROR", SQLITE_ERROR},
    {"SQLITE_CONSTRAINT", SQLITE_CONSTRAINT},
    {"SQLITE_BUSY", SQLITE_BUSY},
    {"SQLITE_BUSY_SNAPSHOT", SQLITE_BUSY_SNAPSHOT},
    {"SQLITE_READONLY", SQLITE_READONLY},
    {"SQLITE_IOERR", SQLITE_IOERR},
    {"SQLITE_IOERR_FSYNC", SQLITE_IOERR_FSYNC},
    {"SQLITE_IOERR_DATA", SQLITE_IOERR_DATA},
    {"SQLITE_IOERR_NOMEM", SQLITE_IOERR_NOMEM},
    {"SQLITE_CANTOPEN", SQLITE_CANTOPEN},
    {"SQLITE_FULL", SQLITE_FULL},
    {"SQLITE_CORRUPT", SQLITE_CORRUPT},
    {"SQLITE_NOTADB", SQLITE_NOTADB},
    {"SQLITE_MISUSE", SQLITE_MISUSE},
    {"SQLITE_RANGE", SQLITE_RANGE},
    {"SQLITE_AUTH", SQLITE_AUTH},
    {"SQLITE_PERM", SQLITE_PERM},
    {"SQLITE_INTERRUPT", SQLITE_INTERRUPT},
    {"SQLITE_NOMEM", SQLITE_NOMEM},
    {"SQLITE_INTERNAL", SQLITE_INTERNAL},
};

std::vector<int> sqlite_codes_in(const std::string& cell) {
  std::vector<int> codes;
  for (const std::string& name : code_words(cell)) {
    const auto known = kSqliteCodes.find(name);
    EXPECT_NE(known, kSqliteCodes.end()) << name << " is unknown to this test";
    if (known != kSqliteCodes.end()) codes.push_back(known->second);
  }
  return codes;
}

TEST(ErrorsDocument, ListsEveryCodeOnceInTheOrderOfTheHeader) {
  std::vector<std::string> documented;
  for (const TableRow& row : table_rows(read_document("docs/errors.md"))) documented.push_back(plain(row[0]));
  std::vector<std::string> expected;
  for (const ErrorCode code : all_codes()) expected.emplace_back(error_code_name(code));
  EXPECT_THAT(documented, ::testing::ContainerEq(expected));
}

TEST(ErrorsDocument, NamesThoseThatMayGoAway) {
  const std::string document = read_document("docs/errors.md");
  const std::string sentence = document.substr(document.find("`is_retryable()`"), 300);
  for (const ErrorCode code : all_codes()) {
    const bool named = sentence.find("`" + std::string(error_code_name(code)) + "`") != std::string::npos;
    EXPECT_EQ(named, is_retryable(code)) << error_code_name(code);
  }
}

TEST(ErrorsDocument, SaysOfEveryCodeWhatItMeansAndWhatToDo) {
  for (const TableRow& row : table_rows(read_document("docs/errors.md"))) {
    ASSERT_EQ(row.size(), 4u) << row[0];
    EXPECT_FALSE(row[1].empty() || row[2].empty() || row[3].empty()) << row[0];
  }
}

// A code in SQLite's column is one that ours becomes inside SQLite, or one that becomes ours on the way out.
TEST(ErrorsDocument, NamesTheSqliteCodesThatTheEngineTranslates) {
  const auto rows = table_rows(read_document("docs/errors.md"));
  const auto codes = all_codes();
  ASSERT_EQ(rows.size(), codes.size());
  for (std::size_t i = 0; i < codes.size(); ++i) {
    const std::vector<int> documented = sqlite_codes_in(rows[i][2]);
    const int inside = engine::sqlite_code_of(Error(codes[i], "x"), SQLITE_IOERR);
    if (inside != SQLITE_IOERR) {
      EXPECT_THAT(documented, ::testing::Contains(inside)) << rows[i][0];
    }
    for (const int code : documented) {
      EXPECT_TRUE(code == inside || engine::error_code_of(code) == codes[i])
          << rows[i][0] << " and SQLite's " << code;
    }
  }
}

}  // namespace
}  // namespace dosql::docs
