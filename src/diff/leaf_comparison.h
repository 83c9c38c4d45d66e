// Two images of a leaf of a table: which entries are the same in both, told by where their bytes differ.
//
// Most leaves that a commit changed differ in one row of a hundred. To find that row, the others need not be
// decoded: entries do not overlap, so a byte that differs is of the last entry that begins at it or in front
// of it, and an entry without such a byte is the same.
#pragma once

#include <array>
#include <cstdint>

#include "base/bytes.h"
#include "diff/btree_page.h"

namespace dosql::diff {

class LeafComparison {
 public:
  // REQUIRES: leaves of tables, which must outlive it. Time: that of comparing two pages.
  LeafComparison(const BtreePage& a, const BtreePage& b);

  // Whether the two entries are the same for certain: at one place, with the same bytes, and all of them in
  // the page, since pages behind it may differ. REQUIRES: each index is less than its page's cell_count().
  bool same(std::uint32_t index_a, std::uint32_t index_b) const;

 private:
  // One bit for each byte of a page.
  static constexpr std::size_t kWordBits = 64;
  using PageBits = std::array<std::uint64_t, kPageBytes / kWordBits>;

  void mark_changed(const PageBits& begins);

  const BtreePage& a_;
  const BtreePage& b_;
  bool comparable_ = false;
  PageBits changed_{};  // where entries of `a` begin that have a byte that differs
};

}  // namespace dosql::diff
