// What the documents point at exists.

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <regex>

#include "testing/paths.h"
#include "tests/docs/markdown.h"

namespace dosql::docs {
namespace {

namespace fs = std::filesystem;

const fs::path kRoot = testing::source_dir();

std::vector<fs::path> documents() {
  std::vector<fs::path> paths;
  for (const auto& entry : fs::directory_iterator(kRoot)) {
    if (entry.path().extension() == ".md") paths.push_back(entry.path());
  }
  for (const auto& entry : fs::recursive_directory_iterator(kRoot / "docs")) {
    if (entry.path().extension() == ".md") paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

// "## Where to look" is #where-to-look.
std::string anchor_of(std::string_view heading) {
  std::string anchor;
  for (const char letter : heading) {
    if (letter == ' ') anchor += '-';
    if (std::isalnum(static_cast<unsigned char>(letter)) || letter == '-' || letter == '_') {
      anchor += static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
    }
  }
  return anchor;
}

bool has_anchor(const std::string& document, std::string_view anchor) {
  static const std::regex heading("(?:^|\n)#+ ([^\n]+)");
  for (std::sregex_iterator hit(document.begin(), document.end(), heading), end; hit != end; ++hit) {
    if (anchor_of(hit->str(1)) == anchor) return true;
  }
  return false;
}

TEST(Documents, LinksLeadSomewhere) {
  std::size_t links = 0;
  for (const fs::path& path : documents()) {
    const std::string document = read_document(fs::relative(path, kRoot).string());
    for (const std::string& target : link_targets(document)) {
      if (target.find("://") != std::string::npos) continue;
      ++links;
      const std::size_t hash = target.find('#');
      const std::string file = target.substr(0, hash);
      const fs::path place = file.empty() ? path : path.parent_path() / file;
      ASSERT_TRUE(fs::exists(place)) << path << " links to " << target;
      if (hash == std::string::npos) continue;
      EXPECT_TRUE(has_anchor(read_document(fs::relative(place, kRoot).string()), target.substr(hash + 1)))
          << path << " links to " << target;
    }
  }
  EXPECT_GT(links, 10u) << "the search finds nothing";
}

// `src/log/log.cc` in a text is a promise that there is such a file. Upper case in a name stands for
// something.
TEST(Documents, PathsOfTheRepositoryExist) {
  const std::regex repository_path(
      "(src|include|apps|docs|tests|testing|scripts|bench|fuzz|examples)/[a-z0-9_./-]*");
  std::size_t paths = 0;
  for (const fs::path& path : documents()) {
    if (path.filename() == "CONTRIBUTING.md") continue;  // shows how files would be called
    for (const std::string& word : code_words(read_document(fs::relative(path, kRoot).string()))) {
      if (!std::regex_match(word, repository_path)) continue;
      ++paths;
      EXPECT_TRUE(fs::exists(kRoot / word)) << path << " names " << word;
    }
  }
  EXPECT_GT(paths, 20u) << "the search finds nothing";
}

TEST(Documents, EveryDecisionIsInTheListOfDecisions) {
  const std::string list = read_document("docs/decisions/README.md");
  const std::vector<std::string> linked = link_targets(list);
  for (const auto& entry : fs::directory_iterator(kRoot / "docs/decisions")) {
    const std::string name = entry.path().filename().string();
    if (name == "README.md") continue;
    EXPECT_NE(std::find(linked.begin(), linked.end(), name), linked.end()) << name << " is not in the list";
    const std::string text = read_document("docs/decisions/" + name);
    EXPECT_TRUE(text.starts_with("# " + name.substr(0, 3) + ' ')) << name << " begins with another number";
    for (const char* part : {"**Context.**", "**Choice.**", "**Not chosen.**"}) {
      EXPECT_NE(text.find(part), std::string::npos) << name << " lacks " << part;
    }
  }
}

}  // namespace
}  // namespace dosql::docs
