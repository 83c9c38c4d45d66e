// Which pages differ between two versions, and which b-tree pages have such pages below them.
#pragma once

#include <vector>

#include <dosql/result.h>

#include "base/ids.h"
#include "version/version_store.h"

namespace dosql::diff {

// Found from the index of the store, without reading the pages. A page that was written is taken to differ,
// and so is one that only one of the versions has.
//
// Threads: constant once made.
class PageChanges {
 public:
  // Of the versions that the two readers have pinned; it keeps no reference to them. Costs the pages that the
  // commits between the versions wrote, or one look at each page of the database, whichever seems less.
  static Result<PageChanges> between(const version::VersionStore& store, version::Reader& a,
                                     version::Reader& b);

  // Ascending.
  const std::vector<PageNo>& pages() const { return pages_; }
  bool contains(PageNo page) const { return has(pages_, page); }

  // Whether the changes below a page are known: both versions have a pointer map. Else nothing is known of
  // what is below the pages, and overflow pages may differ below any leaf.
  bool knows_paths() const { return knows_paths_; }
  // Whether the page and all below it, overflow pages too, are the same in both versions. A pointer map that
  // lies makes this wrong. REQUIRES: knows_paths().
  bool same_with_all_below(PageNo page) const { return !has(paths_, page); }

 private:
  static bool has(const std::vector<PageNo>& sorted, PageNo page);
  Status find_paths(version::Reader& a, version::Reader& b);

  std::vector<PageNo> pages_;
  std::vector<PageNo> paths_;  // those of pages_, and all on the ways from them to their roots; ascending
  bool knows_paths_ = false;
};

}  // namespace dosql::diff
