#include "diff/tree.h"

#include <algorithm>
#include <iterator>

namespace dosql::diff {
namespace {

constexpr std::uint8_t kHeightMax = 20;  // SQLite's own limit

bool always(PageNo) { return true; }

}  // namespace

Result<Tree> Tree::open(PageSource& pages, PageNo root) {
  Tree tree(pages, root);
  if (tree.empty()) return tree;
  if (raw(root) > pages.page_count()) return malformed_page(root, "a tree's root is outside of the database");
  DOSQL_ASSIGN_OR_RETURN(tree.usable_bytes_, usable_bytes_of(pages));
  DOSQL_RETURN_IF_ERROR(tree.find_height());
  return tree;
}

// All leaves of a b-tree have the same depth.
Status Tree::find_height() {
  PageImage image;
  PageNo page = root_;
  for (std::uint8_t level = 0; level <= kHeightMax; ++level) {
    if (raw(page) == 0 || raw(page) > pages_->page_count())
      return malformed_page(page, "a tree leads out of the database");
    DOSQL_RETURN_IF_ERROR(pages_->read(page, 0, image));
    DOSQL_ASSIGN_OR_RETURN(const BtreePage parsed, BtreePage::parse(image, page, usable_bytes_));
    is_table_ = parsed.is_table();
    if (parsed.is_leaf()) {
      parts_ = {{.page = root_, .level = level}};
      return {};
    }
    page = parsed.right_child();
  }
  return malformed_page(root_, "a tree is too high");
}

Result<BtreePage> Tree::read_page(PageNo page, std::uint8_t level, PageImage& image) {
  if (raw(page) == 0 || raw(page) > pages_->page_count())
    return malformed_page(page, "a tree leads out of the database");
  DOSQL_RETURN_IF_ERROR(pages_->read(page, 0, image));
  DOSQL_ASSIGN_OR_RETURN(const BtreePage parsed, BtreePage::parse(image, page, usable_bytes_));
  if (parsed.is_table() != is_table_ || parsed.is_leaf() != (level == 0))
    return malformed_page(page, "it is of another kind than its place in the tree");
  return parsed;
}

Status Tree::append_children(const TreePart& part, std::vector<TreePart>& children) {
  PageImage image;
  DOSQL_ASSIGN_OR_RETURN(const BtreePage page, read_page(part.page, part.level, image));
  opened_.push_back(part.page);
  subtrees_ += page.cell_count() + 1;
  // Where pages are in a tree more than once, it has no end that anybody would wait for.
  if (subtrees_ > pages_->page_count())
    return malformed_page(part.page, "a tree has more pages than the database");
  const auto below = static_cast<std::uint8_t>(part.level - 1);
  for (std::uint32_t i = 0; i < page.cell_count(); ++i) {
    DOSQL_ASSIGN_OR_RETURN(const Cell cell, page.cell(i));
    children.push_back({.page = cell.left_child, .level = below});
    if (!is_table_)
      children.push_back({.page = part.page, .cell = static_cast<std::uint16_t>(i), .level = part.level});
  }
  children.push_back({.page = page.right_child(), .level = below});
  return {};
}

Status Tree::append(const TreePart& part, const Wanted& wanted, bool deeper, std::vector<TreePart>& parts) {
  if (!part.is_subtree() || part.level == 0 || !wanted(part.page)) {
    parts.push_back(part);
    return {};
  }
  std::vector<TreePart> children;
  DOSQL_RETURN_IF_ERROR(append_children(part, children));
  if (!deeper) {
    parts.insert(parts.end(), children.begin(), children.end());
    return {};
  }
  for (const TreePart& child : children) DOSQL_RETURN_IF_ERROR(append(child, wanted, deeper, parts));
  return {};
}

Result<bool> Tree::open_where(const Wanted& wanted) {
  const std::size_t before = opened_.size();
  std::vector<TreePart> parts;
  for (const TreePart& part : parts_) DOSQL_RETURN_IF_ERROR(append(part, wanted, true, parts));
  parts_ = std::move(parts);
  return opened_.size() > before;
}

Result<bool> Tree::open_one_level() {
  const std::size_t before = opened_.size();
  std::vector<TreePart> parts;
  for (const TreePart& part : parts_) DOSQL_RETURN_IF_ERROR(append(part, always, false, parts));
  parts_ = std::move(parts);
  return opened_.size() > before;
}

void Tree::take_out(const Wanted& gone) {
  std::erase_if(parts_, [&](const TreePart& part) { return part.is_subtree() && gone(part.page); });
}

namespace {

using Pages = std::vector<PageNo>;

bool has(const Pages& sorted, PageNo page) { return std::ranges::binary_search(sorted, page); }

// The subtrees of a tree for which `chosen` is true, ascending.
Pages subtrees(const Tree& tree, const Tree::Wanted& chosen) {
  Pages pages;
  for (const TreePart& part : tree.parts()) {
    if (part.is_subtree() && chosen(part.page)) pages.push_back(part.page);
  }
  std::ranges::sort(pages);
  return pages;
}

Pages shared_subtrees(const Tree& a, const Tree& b, const Tree::Wanted& same) {
  Pages shared;
  std::ranges::set_intersection(subtrees(a, same), subtrees(b, same), std::back_inserter(shared));
  return shared;
}

void take_out_of_both(Tree& a, Tree& b, const Pages& pages) {
  const auto gone = [&](PageNo page) { return has(pages, page); };
  a.take_out(gone);
  b.take_out(gone);
}

// What only one version has is opened level by level: the other may have some of what is below.
Status keep_where_paths_differ(Tree& a, Tree& b, const PageChanges& changes) {
  const auto same = [&](PageNo page) { return changes.same_with_all_below(page); };
  const auto differs = [&](PageNo page) { return !changes.same_with_all_below(page); };
  while (true) {
    DOSQL_RETURN_IF_ERROR(a.open_where(differs));
    DOSQL_RETURN_IF_ERROR(b.open_where(differs));
    take_out_of_both(a, b, shared_subtrees(a, b, same));
    DOSQL_ASSIGN_OR_RETURN(const bool more_of_a, a.open_one_level());
    DOSQL_ASSIGN_OR_RETURN(const bool more_of_b, b.open_one_level());
    if (!more_of_a && !more_of_b) return {};
  }
}

// Changed pages that belong to neither tree as leaves or interior pages: some may be overflow pages of
// theirs.
Pages strange_pages(const Tree& a, const Tree& b, const PageChanges& changes) {
  Pages known{PageNo{1}};
  for (const Tree* const tree : {&a, &b}) {
    std::ranges::copy(tree->opened(), std::back_inserter(known));
    std::ranges::copy(subtrees(*tree, always), std::back_inserter(known));
  }
  std::ranges::sort(known);
  Pages strange;
  std::ranges::set_difference(changes.pages(), known, std::back_inserter(strange));
  return strange;
}

// Whether an overflow page below the leaf is one of `strange`.
Result<bool> overflows_into(Tree& tree, PageNo leaf, const Pages& strange) {
  PageImage image;
  DOSQL_ASSIGN_OR_RETURN(const BtreePage page, tree.read_page(leaf, 0, image));
  bool found = false;
  for (std::uint32_t i = 0; i < page.cell_count() && !found; ++i) {
    DOSQL_ASSIGN_OR_RETURN(const Cell cell, page.cell(i));
    DOSQL_RETURN_IF_ERROR(for_each_overflow_page(tree.pages(), cell, tree.usable_bytes(),
                                                 [&](PageNo overflow, std::uint32_t) -> Result<bool> {
                                                   found = has(strange, overflow);
                                                   return !found;
                                                 }));
  }
  return found;
}

// Without a pointer map nothing tells what is below a page but reading it: all interior pages, and where
// overflow pages may have changed the leaves too.
Status keep_where_leaves_differ(Tree& a, Tree& b, const PageChanges& changes) {
  DOSQL_RETURN_IF_ERROR(a.open_where(always));
  DOSQL_RETURN_IF_ERROR(b.open_where(always));
  Pages shared = shared_subtrees(a, b, [&](PageNo page) { return !changes.contains(page); });
  if (const Pages strange = strange_pages(a, b, changes); !strange.empty()) {
    Pages same;
    for (const PageNo leaf : shared) {
      // A chain that differs contains a changed page up to where it differs: one version's chain is enough.
      DOSQL_ASSIGN_OR_RETURN(const bool differs, overflows_into(a, leaf, strange));
      if (!differs) same.push_back(leaf);
    }
    shared = std::move(same);
  }
  take_out_of_both(a, b, shared);
  return {};
}

}  // namespace

Status keep_differences(Tree& a, Tree& b, const PageChanges& changes) {
  return changes.knows_paths() ? keep_where_paths_differ(a, b, changes)
                               : keep_where_leaves_differ(a, b, changes);
}

}  // namespace dosql::diff
