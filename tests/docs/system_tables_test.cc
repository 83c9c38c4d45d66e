// docs/system-tables.md names every column of the tables and every row of dosql_status.

#include <dosql/dosql.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/docs/markdown.h"
#include "tests/shell/process.h"

namespace dosql::docs {
namespace {

class SystemTablesDocument : public ::testing::Test {
 protected:
  // The words in backticks in the first cells of the section's table.
  std::vector<std::string> documented(const std::string& title) const {
    std::vector<std::string> words;
    for (const TableRow& row : table_rows(section(document_, title))) {
      for (const std::string& word : code_words(row[0])) words.push_back(word);
    }
    return words;
  }

  std::vector<std::string> names(std::string_view sql) {
    std::vector<std::string> result;
    for (const Row& row : connection_.query(sql).value()) result.push_back(row[0].text());
    return result;
  }

  const std::string document_ = read_document("docs/system-tables.md");
  const shell_test::TemporaryFolder folder_;
  Database database_ = Database::open((folder_.path() / "d").string()).value();
  Connection connection_ = database_.connect().value();
};

TEST_F(SystemTablesDocument, NamesEveryColumnOfTheLogInOrder) {
  EXPECT_EQ(documented("dosql_log"), names("SELECT name FROM pragma_table_info('dosql_log')"));
}

TEST_F(SystemTablesDocument, NamesEveryColumnOfTheNamesInOrder) {
  for (const std::string table : {"dosql_branches", "dosql_snapshots"})
    EXPECT_EQ(documented(table), names("SELECT name FROM pragma_table_info('" + table + "')"));
}

TEST_F(SystemTablesDocument, NamesEveryRowOfTheStatus) {
  EXPECT_THAT(documented("dosql_status"),
              ::testing::UnorderedElementsAreArray(names("SELECT name FROM dosql_status")));
}

}  // namespace
}  // namespace dosql::docs
