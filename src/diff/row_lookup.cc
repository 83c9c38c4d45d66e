#include "diff/row_lookup.h"

#include <algorithm>

#include "diff/btree_page.h"
#include "diff/page_source.h"

namespace dosql::diff {
namespace {

constexpr int kHeightMax = 20;  // SQLite's own limit

class Lookup {
 public:
  Lookup(version::Reader& reader, std::uint32_t usable_bytes, bool is_table)
      : reader_(reader),
        pages_(reader, version::CacheUse::kKeepOlder),
        usable_bytes_(usable_bytes),
        is_table_(is_table) {}

  // `compare(cell)`: how the wanted key compares to the cell's, as Result<int>.
  template <class Compare>
  Result<FoundRow> run(PageNo root, Compare compare) {
    if (raw(root) == 0) return std::move(found_);
    PageNo page = root;
    for (int level = 0; level <= kHeightMax; ++level) {
      DOSQL_ASSIGN_OR_RETURN(const BtreePage parsed, open(page));
      DOSQL_ASSIGN_OR_RETURN(const Place place, place_in(parsed, compare));
      if (place.hit && (parsed.is_leaf() || !is_table_)) {
        DOSQL_RETURN_IF_ERROR(take(parsed, place.index));
        return std::move(found_);
      }
      if (parsed.is_leaf()) return std::move(found_);
      DOSQL_ASSIGN_OR_RETURN(page, child(parsed, place.index));
    }
    return malformed_page(root, "a tree is too high");
  }

  // The whole record of a cell; a view of the page or of a buffer.
  Result<Bytes> record(const Cell& cell) {
    DOSQL_RETURN_IF_ERROR(note_overflow(cell));
    return payload_of(pages_, cell, usable_bytes_, buffer_);
  }

 private:
  // The first cell whose key is not below the wanted one.
  struct Place {
    std::uint32_t index = 0;
    bool hit = false;  // it has that key
  };

  Result<BtreePage> open(PageNo page) {
    if (raw(page) == 0 || raw(page) > pages_.page_count())
      return malformed_page(page, "a tree leads out of the database");
    note(page);
    DOSQL_RETURN_IF_ERROR(pages_.read(page, 0, image_));
    DOSQL_ASSIGN_OR_RETURN(const BtreePage parsed, BtreePage::parse(image_, page, usable_bytes_));
    if (parsed.is_table() != is_table_)
      return malformed_page(page, "it is of another kind than its place in the tree");
    return parsed;
  }

  template <class Compare>
  Result<Place> place_in(const BtreePage& page, Compare& compare) {
    std::uint32_t low = 0;
    std::uint32_t high = page.cell_count();
    while (low < high) {
      const std::uint32_t middle = low + (high - low) / 2;
      DOSQL_ASSIGN_OR_RETURN(const Cell cell, page.cell(middle));
      DOSQL_ASSIGN_OR_RETURN(const int order, compare(cell));
      if (order == 0) return Place{middle, true};
      if (order < 0) {
        high = middle;
      } else {
        low = middle + 1;
      }
    }
    return Place{low, false};
  }

  // The subtree of the keys up to the cell's, in a table that key included.
  static Result<PageNo> child(const BtreePage& page, std::uint32_t index) {
    if (index >= page.cell_count()) return page.right_child();
    DOSQL_ASSIGN_OR_RETURN(const Cell cell, page.cell(index));
    return cell.left_child;
  }

  Status take(const BtreePage& page, std::uint32_t index) {
    DOSQL_ASSIGN_OR_RETURN(const Cell cell, page.cell(index));
    DOSQL_ASSIGN_OR_RETURN(const Bytes bytes, record(cell));
    found_.record.assign(bytes.begin(), bytes.end());
    found_.exists = true;
    return {};
  }

  void note(PageNo page) { found_.written = std::max(found_.written, reader_.written_at(page)); }
  Status note_overflow(const Cell& cell) {
    return for_each_overflow_page(pages_, cell, usable_bytes_,
                                  [&](PageNo page, std::uint32_t) -> Result<bool> {
                                    note(page);
                                    return true;
                                  });
  }

  version::Reader& reader_;
  VersionPages pages_;
  const std::uint32_t usable_bytes_;
  const bool is_table_;
  PageImage image_;
  std::vector<std::byte> buffer_;
  FoundRow found_;
};

}  // namespace

Result<FoundRow> find_row(version::Reader& reader, const TreePlace& table, std::int64_t rowid) {
  Lookup lookup(reader, table.usable_bytes, true);
  return lookup.run(table.root, [rowid](const Cell& cell) -> Result<int> {
    return rowid < cell.rowid ? -1 : rowid > cell.rowid ? 1 : 0;
  });
}

Result<FoundRow> find_row(version::Reader& reader, const TreePlace& table, std::span<const Field> key,
                          std::span<const KeyColumn> order) {
  Lookup lookup(reader, table.usable_bytes, false);
  std::vector<Field> fields;
  return lookup.run(table.root, [&](const Cell& cell) -> Result<int> {
    DOSQL_ASSIGN_OR_RETURN(const Bytes record, lookup.record(cell));
    DOSQL_RETURN_IF_ERROR(decode_record(record, fields));
    if (fields.size() < order.size()) return Error(ErrorCode::kCorrupt, "a record has no room for its key");
    return compare_keys(key, fields, order);
  });
}

}  // namespace dosql::diff
