// docs/limits.md lists every option and every PRAGMA of ours.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>
#include <set>

#include "tests/docs/markdown.h"

namespace dosql::docs {
namespace {

std::set<std::string> matches(const std::string& text, const std::regex& pattern) {
  std::set<std::string> found;
  for (std::sregex_iterator hit(text.begin(), text.end(), pattern), end; hit != end; ++hit)
    found.insert((*hit)[1]);
  return found;
}

// The words in backticks in the first cells of all tables.
std::set<std::string> documented() {
  std::set<std::string> words;
  for (const TableRow& row : table_rows(read_document("docs/limits.md"))) {
    for (const std::string& word : code_words(row[0])) words.insert(word);
  }
  return words;
}

TEST(LimitsDocument, ListsEveryOption) {
  const std::string header = read_document("include/dosql/options.h");
  const std::string structure = header.substr(header.find("struct Options {"));
  const std::set<std::string> options = matches(structure, std::regex("\n  [A-Za-z:0-9_]+\\*? ([a-z_]+) = "));
  ASSERT_THAT(options, ::testing::IsSupersetOf({"mode", "pool_bytes", "clock"}))
      << "the search finds nothing";
  EXPECT_THAT(documented(), ::testing::IsSupersetOf(options));
}

TEST(LimitsDocument, ListsEveryPragmaThatTheEngineAnswers) {
  const std::set<std::string> pragmas =
      matches(read_document("src/engine/pragma.cc"), std::regex("\n    \\{\"([a-z_]+)\", "));
  ASSERT_THAT(pragmas, ::testing::IsSupersetOf({"journal_mode", "page_size"})) << "the search finds nothing";
  EXPECT_THAT(documented(), ::testing::IsSupersetOf(pragmas));
}

}  // namespace
}  // namespace dosql::docs
