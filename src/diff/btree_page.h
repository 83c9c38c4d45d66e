// One page of an SQLite b-tree, and the payload of its cells (fileformat2.html, "B-tree Pages").
//
// The bytes may come from a damaged or hostile file: all is checked, nothing is read outside of the page, and
// what is read elsewhere is bounded by the size of the database.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include <dosql/result.h>

#include "base/bytes.h"
#include "base/ids.h"
#include "diff/page_source.h"

namespace dosql::diff {

// An error kCorrupt that names the page.
Error malformed_page(PageNo page, std::string_view what);

// kPageBytes without what is reserved at the end of each page. REQUIRES: the database has a page.
Result<std::uint32_t> usable_bytes_of(PageSource& pages);

// REQUIRES of a field: it is of such a page.
struct Cell {
  std::int64_t rowid = 0;           // of a table
  PageNo left_child{};              // of an interior page
  std::uint64_t payload_bytes = 0;  // 0 in the interior of a table
  Bytes local;                      // the start of the payload; a view of the page
  PageNo overflow{};                // where the rest begins; 0: there is none
};

// A view of a page image.
class BtreePage {
 public:
  // Errors: kCorrupt.
  static Result<BtreePage> parse(const PageImage& image, PageNo page, std::uint32_t usable_bytes);

  // A table holds rows under their rowids, in leaves only; an index holds records, in the interior too.
  bool is_table() const { return is_table_; }
  bool is_leaf() const { return is_leaf_; }
  std::uint32_t cell_count() const { return cell_count_; }
  // REQUIRES of both: index < cell_count(). Errors: kCorrupt; then `cell` is undefined.
  Result<Cell> cell(std::uint32_t index) const;
  Status read_cell(std::uint32_t index, Cell& cell) const;
  // REQUIRES: !is_leaf().
  PageNo right_child() const;

  // The bytes of the page, as it may use them.
  Bytes usable() const { return usable_; }
  // Behind the array of the cells' places.
  std::uint32_t cells_end() const { return cells_ + cell_count_ * kPlaceBytes; }
  // Where the cell is, which may be anywhere. REQUIRES: index < cell_count().
  std::uint32_t cell_place(std::uint32_t index) const {
    return load_big16(usable_.data() + cells_ + index * kPlaceBytes);
  }
  // False: all of the cell at that place is in the page. REQUIRES: a leaf of a table; place <
  // usable().size().
  bool may_overflow(std::uint32_t place) const;

 private:
  static constexpr std::uint32_t kPlaceBytes = 2;

  BtreePage() = default;
  bool read_whole_row(std::uint32_t place, Cell& cell) const;
  Status read_any_cell(std::uint32_t place, Cell& cell) const;
  Status read_payload_place(Bytes bytes, Cell& cell) const;
  Error malformed(std::string_view what) const { return malformed_page(page_, what); }

  Bytes usable_;
  PageNo page_{};
  std::uint32_t header_ = 0;  // where it begins
  std::uint32_t cells_ = 0;   // where the array of their places begins
  std::uint32_t cell_count_ = 0;
  bool is_table_ = false;
  bool is_leaf_ = false;
};

// Calls visit(page, bytes of the payload in it) for each page of the cell's overflow chain, until it returns
// false or fails. `visit` returns Result<bool>. Errors: kCorrupt (the chain leaves the database or is longer
// than it), those of the source and of `visit`.
template <class Visit>
Status for_each_overflow_page(PageSource& pages, const Cell& cell, std::uint32_t usable_bytes, Visit visit);

// The whole payload: a view of the page, or of `buffer` where some overflows.
Result<Bytes> payload_of(PageSource& pages, const Cell& cell, std::uint32_t usable_bytes,
                         std::vector<std::byte>& buffer);

// --- implementation ---

inline constexpr std::uint32_t kOverflowHeadBytes = 4;  // the number of the next page

// Errors: kCorrupt, when there are not as many pages in the database.
Status check_overflow_length(PageSource& pages, const Cell& cell, std::uint32_t usable_bytes);

template <class Visit>
Status for_each_overflow_page(PageSource& pages, const Cell& cell, std::uint32_t usable_bytes, Visit visit) {
  if (raw(cell.overflow) == 0) return {};
  DOSQL_RETURN_IF_ERROR(check_overflow_length(pages, cell, usable_bytes));
  std::uint64_t left = cell.payload_bytes - cell.local.size();
  // So many steps and no more: a chain that goes round in a circle ends too.
  for (PageNo page = cell.overflow; left > 0;) {
    if (raw(page) == 0 || raw(page) > pages.page_count())
      return malformed_page(page, "an overflow chain leads out of the database");
    const auto bytes =
        static_cast<std::uint32_t>(std::min<std::uint64_t>(left, usable_bytes - kOverflowHeadBytes));
    DOSQL_ASSIGN_OR_RETURN(const bool go_on, visit(page, bytes));
    left -= bytes;
    if (!go_on || left == 0) return {};
    std::array<std::byte, kOverflowHeadBytes> next;
    DOSQL_RETURN_IF_ERROR(pages.read(page, 0, next));
    page = PageNo{load_big32(next.data())};
  }
  return {};
}

}  // namespace dosql::diff
