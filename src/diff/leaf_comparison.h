// Two images of a leaf of a table: which entries are the same in both, told by where their bytes differ.
//
// Most leaves that a commit changed differ in one row of a hundred. To find that row, the others need not be
// decoded: what begins and ends outside of the bytes that differ is the same.
#pragma once

#include <cstdint>

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
  const BtreePage& a_;
  const BtreePage& b_;
  // Bytes outside of these are the same in both.
  std::uint32_t begin_ = 0;
  std::uint32_t end_ = 0;
  std::uint32_t last_before_ = 0;  // the place of the entry that may reach into them
};

}  // namespace dosql::diff
