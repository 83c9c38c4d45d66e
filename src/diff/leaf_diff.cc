#include "diff/leaf_diff.h"

#include <algorithm>
#include <array>
#include <bit>

namespace dosql::diff {
namespace {

using version::kAllBlocks;
using version::kBlockBytes;

// In front of a cell's payload: how many bytes that has, and the rowid.
constexpr std::size_t kCellHeadBytesMax = 18;

// The same leaf in two versions.
class LeafPair {
 public:
  // `blocks`: where the images may differ, by bits.
  LeafPair(const BtreePage& before, const BtreePage& after, std::uint64_t blocks)
      : before_(before), after_(after), blocks_(blocks) {
    if (blocks == kAllBlocks) return;
    for (std::uint32_t i = 0; i < before.cell_count(); ++i) {
      const std::uint32_t place = before.cell_place(i);
      const std::uint64_t behind = place < kPageBytes ? blocks_ >> (place / kBlockBytes) : 0;
      if (behind == 0) continue;
      const auto distance = static_cast<std::size_t>(std::countr_zero(behind));
      if (distance == 0) continue;
      const std::size_t block = place / kBlockBytes + distance;
      last_in_front_[block] = std::max(last_in_front_[block], static_cast<std::uint16_t>(place));
    }
  }

  // Whether the cells are known to have the same bytes in the same place: cells do not overlap, so of all
  // that begin in front of a block only the last one may reach into it.
  bool same(std::uint32_t index_before, std::uint32_t index_after) const {
    const std::uint32_t place = before_.cell_place(index_before);
    if (place != after_.cell_place(index_after) || place >= kPageBytes || blocks_ == kAllBlocks) return false;
    const std::uint64_t behind = blocks_ >> (place / kBlockBytes);
    if (behind == 0) return true;
    const auto distance = static_cast<std::size_t>(std::countr_zero(behind));
    return distance > 0 && last_in_front_[place / kBlockBytes + distance] != place;
  }

 private:
  const BtreePage& before_;
  const BtreePage& after_;
  const std::uint64_t blocks_;
  std::array<std::uint16_t, 64> last_in_front_{};  // by block: the last cell that begins in front of it
};

Status append_cells(const BtreePage& page, std::uint32_t begin, std::uint32_t end, std::vector<Cell>& cells) {
  for (std::uint32_t i = begin; i < end; ++i) {
    DOSQL_RETURN_IF_ERROR(page.read_cell(i, cells.emplace_back()));
  }
  return {};
}

// Leaves come in the order of their pages.
Status sort_by_rowid(std::vector<Cell>& cells) {
  if (cells.size() < 2) return {};
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
  if (!leaf.before.exists() || !leaf.after.exists()) {
    const PageImage& image = leaf.before.exists() ? leaf.before.whole() : leaf.after.whole();
    DOSQL_ASSIGN_OR_RETURN(const BtreePage page, BtreePage::parse(image, leaf.page, usable_bytes));
    return append_cells(page, 0, page.cell_count(), leaf.before.exists() ? before_ : after_);
  }
  if (leaf.before.is_same_image(leaf.after)) return {};
  DOSQL_ASSIGN_OR_RETURN(const BtreePage after,
                         BtreePage::parse(leaf.after.whole(), leaf.page, usable_bytes));
  DOSQL_ASSIGN_OR_RETURN(const bool were_overwritten, add_overwritten_cells(leaf, after, usable_bytes));
  if (were_overwritten) return {};
  DOSQL_ASSIGN_OR_RETURN(const BtreePage before,
                         BtreePage::parse(leaf.before.whole(), leaf.page, usable_bytes));
  const LeafPair pair(before, after, leaf.blocks);
  std::uint32_t end_before = before.cell_count();
  std::uint32_t end_after = after.cell_count();
  std::uint32_t begin = 0;
  while (begin < std::min(end_before, end_after) && pair.same(begin, begin)) ++begin;
  while (begin < std::min(end_before, end_after) && pair.same(end_before - 1, end_after - 1)) {
    --end_before;
    --end_after;
  }
  DOSQL_RETURN_IF_ERROR(append_cells(before, begin, end_before, before_));
  return append_cells(after, begin, end_after, after_);
}

// Most updates write into one stretch of a leaf, and leave the array of the cells' places as it was. False:
// this one did not.
Result<bool> LeafDiff::add_overwritten_cells(const CommitLeaf& leaf, const BtreePage& after,
                                             std::uint32_t usable_bytes) {
  if (leaf.blocks == 0) return false;
  const int first = std::countr_zero(leaf.blocks);
  const int count = std::countr_one(leaf.blocks >> first);
  const std::size_t begin = first * kBlockBytes;
  const std::size_t end = begin + count * kBlockBytes;
  const bool is_one_stretch = std::popcount(leaf.blocks) == count;
  if (!is_one_stretch || begin < after.cells_end()) return false;
  constexpr std::uint32_t kNone = ~std::uint32_t{0};
  std::uint32_t last_in_front = kNone;  // of the stretch: the only one of those that may reach into it
  std::uint32_t its_place = 0;
  for (std::uint32_t i = 0; i < after.cell_count(); ++i) {
    const std::uint32_t place = after.cell_place(i);
    if (place >= end) continue;
    if (place >= begin) {
      DOSQL_RETURN_IF_ERROR(add_overwritten_cell(leaf, after, i, usable_bytes));
    } else if (place >= its_place) {
      its_place = place;
      last_in_front = i;
    }
  }
  if (last_in_front != kNone)
    DOSQL_RETURN_IF_ERROR(add_overwritten_cell(leaf, after, last_in_front, usable_bytes));
  return true;
}

// Only what is read of the image before is brought there. REQUIRES: the cell lies in one place in both.
Status LeafDiff::add_overwritten_cell(const CommitLeaf& leaf, const BtreePage& after, std::uint32_t index,
                                      std::uint32_t usable_bytes) {
  DOSQL_RETURN_IF_ERROR(after.read_cell(index, after_.emplace_back()));
  const std::uint32_t place = after.cell_place(index);
  const auto bring = [&](std::size_t begin, std::size_t size_bytes) {
    leaf.before.part(begin, std::min(begin + size_bytes, kPageBytes));
  };
  bring(0, after.cells_end());
  bring(place, kCellHeadBytesMax);
  DOSQL_ASSIGN_OR_RETURN(const BtreePage before,
                         BtreePage::parse(leaf.before.part(0, 1), leaf.page, usable_bytes));
  // Where the rest of such a payload begins is said behind what the page has of it.
  if (before.may_overflow(place)) leaf.before.whole();
  Cell& cell = before_.emplace_back();
  DOSQL_RETURN_IF_ERROR(before.read_cell(index, cell));
  bring(place, kCellHeadBytesMax + cell.local.size());
  return {};
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
  if (before.payload_bytes != after.payload_bytes || compare_binary(before.local, after.local) != 0)
    return false;
  if (before.overflow == after.overflow) return true;
  DOSQL_ASSIGN_OR_RETURN(const Bytes record_before,
                         payload_of(pages_before, before, usable_bytes, buffer_before_));
  DOSQL_ASSIGN_OR_RETURN(const Bytes record_after,
                         payload_of(pages_after, after, usable_bytes, buffer_after_));
  return compare_binary(record_before, record_after) == 0;
}

}  // namespace dosql::diff
