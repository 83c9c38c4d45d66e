// A b-tree as a sequence of its parts in the order of their keys, opened only as far as two versions differ.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include <dosql/result.h>

#include "base/ids.h"
#include "diff/btree_page.h"
#include "diff/page_changes.h"
#include "diff/page_source.h"

namespace dosql::diff {

// A subtree, or one entry in the interior of an index.
struct TreePart {
  static constexpr std::uint16_t kSubtree = 0xffff;

  PageNo page{};
  std::uint16_t cell = kSubtree;  // of an entry: its index
  std::uint8_t level = 0;         // of the page; 0: a leaf

  bool is_subtree() const { return cell == kSubtree; }
};

// One thread at a time.
class Tree {
 public:
  // `root`: 0 for a tree without entries. `pages` must outlive it. Errors: kCorrupt, those of the source.
  static Result<Tree> open(PageSource& pages, PageNo root);

  // REQUIRES of is_table(): not empty().
  bool empty() const { return raw(root_) == 0; }
  bool is_table() const { return is_table_; }
  PageSource& pages() const { return *pages_; }
  std::uint32_t usable_bytes() const { return usable_bytes_; }

  const std::vector<TreePart>& parts() const { return parts_; }
  // The interior pages that were opened.
  const std::vector<PageNo>& opened() const { return opened_; }

  // Puts their children in the place of interior pages for which `wanted` is true, and of those children in
  // turn. True: there were some. Errors: kCorrupt.
  using Wanted = std::function<bool(PageNo)>;
  Result<bool> open_where(const Wanted& wanted);
  // Puts their children in the place of all interior pages.
  Result<bool> open_one_level();
  // Takes out the subtrees for which `gone` is true.
  void take_out(const Wanted& gone);

  // Reads a page of the tree that has the level. Errors: kCorrupt.
  Result<BtreePage> read_page(PageNo page, std::uint8_t level, PageImage& image);

 private:
  Tree(PageSource& pages, PageNo root) : pages_(&pages), root_(root) {}
  Status find_height();
  Status append(const TreePart& part, const Wanted& wanted, bool deeper, std::vector<TreePart>& parts);
  Status append_children(const TreePart& part, std::vector<TreePart>& children);

  PageSource* pages_;
  PageNo root_;
  std::uint32_t usable_bytes_ = 0;
  bool is_table_ = false;
  std::uint64_t subtrees_ = 1;  // met by now
  std::vector<TreePart> parts_;
  std::vector<PageNo> opened_;
};

// Opens both trees where they may differ, and takes out of both what is the same in both: afterwards all
// parts are leaves and entries, and each entry that only one version has, or that differs, is in them.
Status keep_differences(Tree& a, Tree& b, const PageChanges& changes);

}  // namespace dosql::diff
