#include "diff/commit_leaves.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "diff/btree_page.h"

namespace dosql::diff {
namespace {

using version::PageReplay;
using version::PageView;

constexpr std::size_t kFileHeaderBytes = 100;
constexpr std::size_t kReservedBytesOffset = 20;
constexpr std::size_t kCookieOffset = 40;
constexpr std::size_t kLargestRootOffset = 52;  // 0: no pointer map
constexpr std::size_t kEncodingOffset = 56;
constexpr PageNo kSchemaRoot{1};
// Higher no tree is, but for the chain of overflow pages that hangs on a leaf.
constexpr int kStepsMax = 64;

constexpr std::uint8_t kTableLeaf = 13;
constexpr std::uint8_t kTableInterior = 5;
constexpr std::uint8_t kIndexInterior = 2;

bool is_interior(std::uint8_t kind) { return kind == kTableInterior || kind == kIndexInterior; }

std::uint8_t kind_of(const PageView& image) { return std::to_integer<std::uint8_t>(image.part(0, 1)[0]); }

bool same_bytes(const PageImage& a, const PageImage& b, std::size_t begin, std::size_t end) {
  return std::memcmp(a.data() + begin, b.data() + begin, end - begin) == 0;
}

}  // namespace

Result<bool> CommitLeaves::find(PageReplay& replay) {
  replay_ = &replay;
  pages_.clear();
  leaves_.clear();
  other_roots_.clear();
  map_changed_ = false;
  DOSQL_ASSIGN_OR_RETURN(const bool is_usual, same_header());
  if (!is_usual) return false;
  DOSQL_ASSIGN_OR_RETURN(const bool is_small, gather_pages());
  if (!is_small) return false;
  for (const PageNo page : pages_) {
    DOSQL_ASSIGN_OR_RETURN(const bool known, add(page));
    if (!known) return false;
  }
  std::ranges::sort(leaves_, {}, [](const CommitLeaf& leaf) { return std::pair(leaf.root, leaf.page); });
  return true;
}

// Also whether there is a pointer map. The pages of the schema behind the first one are found later.
Result<bool> CommitLeaves::same_header() {
  DOSQL_ASSIGN_OR_RETURN(const PageView view_before, replay_->before(PageNo{1}));
  DOSQL_ASSIGN_OR_RETURN(const PageView view_after, replay_->after(PageNo{1}));
  if (!view_before.exists() || !view_after.exists()) return false;
  const PageImage& after = view_after.whole();
  if (load_big32(after.data() + kLargestRootOffset) == 0) return false;
  usable_bytes_ =
      static_cast<std::uint32_t>(kPageBytes) - std::to_integer<std::uint32_t>(after[kReservedBytesOffset]);
  if (view_before.is_same_image(view_after)) return true;
  const PageImage& before = view_before.whole();
  return same_bytes(before, after, kReservedBytesOffset, kReservedBytesOffset + 1) &&
         same_bytes(before, after, kCookieOffset, kCookieOffset + 4) &&
         same_bytes(before, after, kLargestRootOffset, kEncodingOffset + 4) &&
         same_bytes(before, after, kFileHeaderBytes, kPageBytes);
}

// The pages that may have another content or be in another tree. False: they are too many.
Result<bool> CommitLeaves::gather_pages() {
  const std::uint32_t count_before = replay_->before().page_count;
  const std::uint32_t count_after = replay_->after().page_count;
  if (count_after < count_before || count_after - count_before > PageReplay::kCommitPagesMax) return false;
  const PointerMapLayout layout(usable_bytes_);
  for (const PageReplay::Written& written : replay_->written()) {
    if (raw(written.page) == 1) continue;
    if (layout.is_map_page(written.page)) {
      map_changed_ = true;
      gather_entries(written);
    } else {
      pages_.push_back(written.page);
    }
  }
  for (std::uint32_t page = count_before + 1; page <= count_after; ++page) pages_.push_back(PageNo{page});
  std::ranges::sort(pages_);
  const auto repeated = std::ranges::unique(pages_);
  pages_.erase(repeated.begin(), repeated.end());
  return true;
}

// Those whose entries differ. A map page that is new has none of pages that were there before.
void CommitLeaves::gather_entries(const PageReplay::Written& map_page) {
  if (!map_page.before.exists() || !map_page.after.exists()) return;
  const PageImage& before = map_page.before.whole();
  const PageImage& after = map_page.after.whole();
  constexpr std::size_t kEntryBytes = PointerMapLayout::kEntryBytes;
  const std::uint32_t entries = PointerMapLayout(usable_bytes_).entries_per_map_page();
  for (std::uint32_t i = 0; i < entries; ++i) {
    // Whole stretches are the same, mostly.
    constexpr std::uint32_t kStretch = 64;
    if (i % kStretch == 0 && i + kStretch <= entries &&
        same_bytes(before, after, i * kEntryBytes, (i + kStretch) * kEntryBytes)) {
      i += kStretch - 1;
      continue;
    }
    if (!same_bytes(before, after, i * kEntryBytes, (i + 1) * kEntryBytes))
      pages_.push_back(PageNo{raw(map_page.page) + 1 + i});
  }
}

// Where it is in a tree, in one version. Without an image: in none.
Result<CommitLeaves::Role> CommitLeaves::role_of(PageNo start, Side side) {
  const PointerMapLayout layout(usable_bytes_);
  Role role;
  if (!layout.has_entry(start)) return role;
  DOSQL_ASSIGN_OR_RETURN(const PageView own, image(start, side));
  if (!own.exists()) return role;
  PageNo page = start;
  for (int steps = 0; raw(role.root) == 0 && steps < kStepsMax; ++steps) {
    if (page == kSchemaRoot) role.root = page;
    if (raw(page) <= 1 || !layout.has_entry(page)) break;
    const PageNo map_page = layout.map_page_of(page);
    DOSQL_ASSIGN_OR_RETURN(const PageView map, image(map_page, side));
    if (!map.exists()) break;
    const PointerMapEntry entry = PointerMapLayout::entry(map.whole(), page, map_page);
    if (page == start) role.is_overflow = entry.is_overflow();
    if (entry.use == PointerMapEntry::kRoot) role.root = page;
    if (!entry.has_parent()) break;
    page = entry.parent;
  }
  // What hangs at the end of a long chain is taken for an overflow page of who knows which tree.
  if (raw(role.root) == 0 && !role.is_overflow) return Role{};
  role.image = own;
  if (!role.is_overflow) role.kind = kind_of(own);
  return role;
}

Result<CommitLeaves::Role> CommitLeaves::role_after(PageNo page, const Role& before) {
  if (map_changed_ || !before.image.exists()) return role_of(page, Side::kAfter);
  Role role = before;
  DOSQL_ASSIGN_OR_RETURN(role.image, replay_->after(page));
  if (!role.is_overflow) role.kind = kind_of(role.image);
  return role;
}

// False: more than leaves changed (C2, C3).
Result<bool> CommitLeaves::add(PageNo page) {
  DOSQL_ASSIGN_OR_RETURN(const Role before, role_of(page, Side::kBefore));
  DOSQL_ASSIGN_OR_RETURN(const Role after, role_after(page, before));
  if (before.is_overflow && after.is_overflow) return false;
  if (before.root == kSchemaRoot || after.root == kSchemaRoot) return false;
  const bool moved = before.image.exists() && after.image.exists() && before.root != after.root;
  if (moved && (is_interior(before.kind) || is_interior(after.kind))) return false;
  add_leaf(page, before, after);
  return true;
}

void CommitLeaves::add_leaf(PageNo page, const Role& before, const Role& after) {
  for (const Role* const role : {&before, &after}) {
    const bool is_table = role->kind == kTableLeaf || role->kind == kTableInterior;
    if (role->image.exists() && !role->is_overflow && !is_table) other_roots_.push_back(role->root);
  }
  const bool was = before.kind == kTableLeaf;
  const bool is = after.kind == kTableLeaf;
  if (was && is && before.root == after.root) {
    leaves_.push_back({before.root, page, before.image, after.image, written_blocks(page)});
    return;
  }
  if (was) leaves_.push_back({before.root, page, before.image, PageView(), 0});
  if (is) leaves_.push_back({after.root, page, PageView(), after.image, 0});
}

std::uint64_t CommitLeaves::written_blocks(PageNo page) const {
  const auto found = std::ranges::find(replay_->written(), page, &PageReplay::Written::page);
  return found != replay_->written().end() ? found->blocks : 0;
}

Status ReplayedPages::read(PageNo page, std::uint32_t offset, MutableBytes out) {
  DOSQL_ASSIGN_OR_RETURN(const PageView image,
                         version_ == Version::kBefore ? replay_.before(page) : replay_.after(page));
  if (!image.exists()) return malformed_page(page, "it is outside of the database");
  std::memcpy(out.data(), image.whole().data() + offset, out.size());
  return {};
}

}  // namespace dosql::diff
