#include "diff/page_changes.h"

#include <algorithm>
#include <optional>
#include <unordered_set>

#include "diff/pointer_map.h"

namespace dosql::diff {
namespace {

using version::Reader;
using version::ReadPoint;
using version::VersionStore;

// Reading what a commit wrote costs as much as looking at so many pages in the index, about.
constexpr std::uint64_t kPagesPerCommit = 32;

void sort_unique(std::vector<PageNo>& pages) {
  std::ranges::sort(pages);
  const auto repeated = std::ranges::unique(pages);
  pages.erase(repeated.begin(), repeated.end());
}

// Of the commits behind `base` up to `point`.
Status add_written(const VersionStore& store, const ReadPoint& point, Version base,
                   std::vector<PageNo>& pages) {
  for (std::uint64_t version = raw(base) + 1; version <= raw(point.version); ++version) {
    DOSQL_ASSIGN_OR_RETURN(const std::vector<PageNo> written,
                           store.changed_pages(point.branch, Version{version}));
    pages.insert(pages.end(), written.begin(), written.end());
  }
  return {};
}

// Pages that may differ: all that do, and others.
Result<std::vector<PageNo>> candidates(const VersionStore& store, const ReadPoint& a, const ReadPoint& b) {
  const auto [fewer, more] = std::minmax(a.page_count, b.page_count);
  const Version base = std::min({store.shared_version(a.branch, b.branch).version, a.version, b.version});
  const std::uint64_t commits = raw(a.version) + raw(b.version) - 2 * raw(base);
  std::vector<PageNo> pages;
  if (commits > 1 && commits > more / kPagesPerCommit) {
    for (std::uint32_t page = 1; page <= more; ++page) pages.push_back(PageNo{page});
    return pages;
  }
  DOSQL_RETURN_IF_ERROR(add_written(store, a, base, pages));
  DOSQL_RETURN_IF_ERROR(add_written(store, b, base, pages));
  for (std::uint32_t page = fewer + 1; page <= more; ++page) pages.push_back(PageNo{page});
  sort_unique(pages);
  return pages;
}

// Adds the pages on the ways from `pages` to their roots. Ends at what is in `paths` before: also where
// damaged entries go round in a circle.
Status add_paths(PointerMap& map, const std::vector<PageNo>& pages, std::unordered_set<PageNo>& seen) {
  for (const PageNo start : pages) {
    std::optional<PageNo> page = start;
    while (page && seen.insert(*page).second) {
      DOSQL_ASSIGN_OR_RETURN(page, map.pointing_to(*page));
    }
  }
  return {};
}

}  // namespace

Result<PageChanges> PageChanges::between(const VersionStore& store, Reader& a, Reader& b) {
  PageChanges changes;
  DOSQL_ASSIGN_OR_RETURN(changes.pages_, candidates(store, a.point(), b.point()));
  const std::uint32_t shared = std::min(a.point().page_count, b.point().page_count);
  std::erase_if(changes.pages_,
                [&](PageNo page) { return raw(page) <= shared && a.written_at(page) == b.written_at(page); });
  DOSQL_RETURN_IF_ERROR(changes.find_paths(a, b));
  return changes;
}

Status PageChanges::find_paths(Reader& a, Reader& b) {
  for (Reader* const reader : {&a, &b}) {
    if (reader->point().page_count == 0) continue;
    DOSQL_ASSIGN_OR_RETURN(std::optional<PointerMap> map, PointerMap::open(*reader));
    if (!map) return {};
    // Each version's ways are its own.
    std::unordered_set<PageNo> seen;
    DOSQL_RETURN_IF_ERROR(add_paths(*map, pages_, seen));
    paths_.insert(paths_.end(), seen.begin(), seen.end());
  }
  sort_unique(paths_);
  knows_paths_ = true;
  return {};
}

bool PageChanges::has(const std::vector<PageNo>& sorted, PageNo page) {
  return std::ranges::binary_search(sorted, page);
}

}  // namespace dosql::diff
