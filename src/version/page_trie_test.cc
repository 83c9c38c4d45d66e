#include "version/page_trie.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <vector>

#include "testing/random_rounds.h"
#include "version/branch.h"

namespace dosql::version {
namespace {

struct Copy {
  PageTrie trie;
  std::map<std::uint32_t, BranchSlot*> model;
};

// Page numbers that lie together, as a table's do, and some anywhere.
std::uint32_t any_page(std::mt19937_64& random) {
  return static_cast<std::uint32_t>(random() % 8 == 0 ? random() : 1 + random() % 300);
}

// Copies share nodes and change on their own, whoever of them goes first.
TEST(PageTrieTest, CopiesAreMapsOfTheirOwn) {
  testing::for_random_rounds(30, 3'000, [](std::mt19937_64& random) {
    std::vector<std::unique_ptr<BranchSlot>> slots;
    std::vector<Copy> copies(1);
    for (int step = 0; step < 2'000; ++step) {
      Copy& copy = copies[random() % copies.size()];
      const std::uint32_t page = any_page(random);
      const std::uint64_t kind = random() % 100;
      if (kind == 0 && copies.size() < 6) {
        copies.push_back(Copy(copy));
      } else if (kind == 1 && copies.size() > 1) {
        std::swap(copy, copies.back());
        copies.pop_back();
      } else if (kind < 60) {
        slots.push_back(std::make_unique<BranchSlot>());
        slots.back()->page = PageNo{page};
        copy.trie.insert(slots.back().get());
        copy.model[page] = slots.back().get();
      } else {
        const auto found = copy.model.find(page);
        ASSERT_EQ(copy.trie.find(PageNo{page}), found == copy.model.end() ? nullptr : found->second);
      }
    }
    for (const Copy& copy : copies) {
      for (const auto& [page, slot] : copy.model) ASSERT_EQ(copy.trie.find(PageNo{page}), slot) << page;
    }
  });
}

}  // namespace
}  // namespace dosql::version
