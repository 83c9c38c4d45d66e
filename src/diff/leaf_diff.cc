#include "diff/leaf_diff.h"

#include <algorithm>
#include <cstring>

namespace dosql::diff {
namespace {

constexpr std::size_t kBlockBytes = kPageBytes / 64;

// Bit i: the images differ in the i-th of 64 blocks.
std::uint64_t differing_blocks(const PageImage& a, const PageImage& b) {
  std::uint64_t blocks = 0;
  for (std::size_t i = 0; i < 64; ++i) {
    const bool differs =
        std::memcmp(a.data() + i * kBlockBytes, b.data() + i * kBlockBytes, kBlockBytes) != 0;
    blocks |= std::uint64_t{differs} << i;
  }
  return blocks;
}

// The same leaf in two versions.
class LeafPair {
 public:
  LeafPair(const BtreePage& before, const BtreePage& after, std::uint64_t differing)
      : before_(before), after_(after), differing_(differing) {}

  // Whether the cells lie in the same place and in none of the blocks that differ.
  Result<bool> same(std::uint32_t index_before, std::uint32_t index_after) const {
    const std::uint32_t place = before_.cell_place(index_before);
    if (place != after_.cell_place(index_after) || place >= kPageBytes) return false;
    const std::size_t first = place / kBlockBytes;
    const std::uint64_t behind = differing_ >> first;
    if (behind == 0) return true;
    DOSQL_ASSIGN_OR_RETURN(const Cell cell, before_.cell(index_before));
    constexpr std::size_t kOverflowBytes = kOverflowHeadBytes;
    const std::size_t end = static_cast<std::size_t>(cell.local.data() - before_.bytes()) +
                            cell.local.size() + (raw(cell.overflow) != 0 ? kOverflowBytes : 0);
    const std::size_t last = (end - 1) / kBlockBytes;
    return (behind << (63 - (last - first))) == 0;
  }

 private:
  const BtreePage& before_;
  const BtreePage& after_;
  const std::uint64_t differing_;
};

Status append_cells(const BtreePage& page, std::uint32_t begin, std::uint32_t end, std::vector<Cell>& cells) {
  for (std::uint32_t i = begin; i < end; ++i) {
    DOSQL_ASSIGN_OR_RETURN(const Cell cell, page.cell(i));
    cells.push_back(cell);
  }
  return {};
}

// Leaves come in the order of their pages.
Status sort_by_rowid(std::vector<Cell>& cells) {
  if (!std::ranges::is_sorted(cells, {}, &Cell::rowid)) std::ranges::sort(cells, {}, &Cell::rowid);
  if (std::ranges::adjacent_find(cells, {}, &Cell::rowid) == cells.end()) return {};
  return Error(ErrorCode::kCorrupt, "a table has two rows with the same rowid");
}

}  // namespace

Status LeafDiff::find(std::span<const CommitLeaf> leaves, PageSource& before, PageSource& after,
                      std::uint32_t usable_bytes, std::vector<LeafChange>& changes) {
  before_.clear();
  after_.clear();
  for (const CommitLeaf& leaf : leaves) DOSQL_RETURN_IF_ERROR(add_cells(leaf, usable_bytes));
  DOSQL_RETURN_IF_ERROR(sort_by_rowid(before_));
  DOSQL_RETURN_IF_ERROR(sort_by_rowid(after_));
  return merge(before, after, usable_bytes, changes);
}

// Without those at both ends of the leaf that are the same in both versions.
Status LeafDiff::add_cells(const CommitLeaf& leaf, std::uint32_t usable_bytes) {
  if (leaf.before == nullptr || leaf.after == nullptr) {
    const PageImage& image = leaf.before != nullptr ? *leaf.before : *leaf.after;
    DOSQL_ASSIGN_OR_RETURN(const BtreePage page, BtreePage::parse(image, leaf.page, usable_bytes));
    return append_cells(page, 0, page.cell_count(), leaf.before != nullptr ? before_ : after_);
  }
  if (leaf.before == leaf.after) return {};
  DOSQL_ASSIGN_OR_RETURN(const BtreePage before, BtreePage::parse(*leaf.before, leaf.page, usable_bytes));
  DOSQL_ASSIGN_OR_RETURN(const BtreePage after, BtreePage::parse(*leaf.after, leaf.page, usable_bytes));
  const LeafPair pair(before, after, differing_blocks(*leaf.before, *leaf.after));
  std::uint32_t end_before = before.cell_count();
  std::uint32_t end_after = after.cell_count();
  std::uint32_t begin = 0;
  for (; begin < std::min(end_before, end_after); ++begin) {
    DOSQL_ASSIGN_OR_RETURN(const bool same, pair.same(begin, begin));
    if (!same) break;
  }
  while (begin < std::min(end_before, end_after)) {
    DOSQL_ASSIGN_OR_RETURN(const bool same, pair.same(end_before - 1, end_after - 1));
    if (!same) break;
    --end_before;
    --end_after;
  }
  DOSQL_RETURN_IF_ERROR(append_cells(before, begin, end_before, before_));
  return append_cells(after, begin, end_after, after_);
}

Status LeafDiff::merge(PageSource& before, PageSource& after, std::uint32_t usable_bytes,
                       std::vector<LeafChange>& changes) {
  auto old = before_.begin();
  auto now = after_.begin();
  while (old != before_.end() || now != after_.end()) {
    const bool is_gone = now == after_.end() || (old != before_.end() && old->rowid < now->rowid);
    const bool is_new = old == before_.end() || (now != after_.end() && now->rowid < old->rowid);
    if (is_gone) {
      changes.push_back({.kind = ChangeKind::kDelete, .before = *old++});
    } else if (is_new) {
      changes.push_back({.kind = ChangeKind::kInsert, .after = *now++});
    } else {
      DOSQL_ASSIGN_OR_RETURN(const bool same, same_record(before, *old, after, *now, usable_bytes));
      if (!same) changes.push_back({.kind = ChangeKind::kUpdate, .before = *old, .after = *now});
      ++old;
      ++now;
    }
  }
  return {};
}

// A chain that begins with the same page has the same pages: none was written in its place (C3).
Result<bool> LeafDiff::same_record(PageSource& pages_before, const Cell& before, PageSource& pages_after,
                                   const Cell& after, std::uint32_t usable_bytes) {
  if (before.payload_bytes != after.payload_bytes || !std::ranges::equal(before.local, after.local))
    return false;
  if (before.overflow == after.overflow) return true;
  DOSQL_ASSIGN_OR_RETURN(const Bytes record_before,
                         payload_of(pages_before, before, usable_bytes, buffer_before_));
  DOSQL_ASSIGN_OR_RETURN(const Bytes record_after,
                         payload_of(pages_after, after, usable_bytes, buffer_after_));
  return std::ranges::equal(record_before, record_after);
}

}  // namespace dosql::diff
