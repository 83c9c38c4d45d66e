#include "diff/entries.h"

#include <algorithm>

namespace dosql::diff {

Status Entries::advance() {
  rowid_before_ = cell_.rowid;
  if (has_entry_ && !tree_.is_table()) {
    // record_ was asked for, to know the key.
    record_before_.assign(record_->begin(), record_->end());
  }
  DOSQL_ASSIGN_OR_RETURN(const bool found, load_next_cell());
  record_.reset();
  at_end_ = !found;
  if (at_end_) return {};
  DOSQL_RETURN_IF_ERROR(check_order());
  has_entry_ = true;
  return {};
}

const BtreePage* Entries::leaf_with_more() const {
  const std::vector<TreePart>& parts = tree_.parts();
  if (part_ >= parts.size() || !parts[part_].is_subtree() || parts[part_].level != 0) return nullptr;
  if (!leaf_.page || leaf_.number != parts[part_].page || index_ >= leaf_.page->cell_count()) return nullptr;
  return &*leaf_.page;
}

Status Entries::skip_same(Entries& a, Entries& b, std::optional<LeafComparison>& leaves) {
  const BtreePage* const leaf_a = a.leaf_with_more();
  const BtreePage* const leaf_b = b.leaf_with_more();
  if (leaf_a == nullptr || leaf_b == nullptr) return {};
  if (!leaves || a.leaf_is_new_ || b.leaf_is_new_) {
    leaves.emplace(*leaf_a, *leaf_b);
    a.leaf_is_new_ = false;
    b.leaf_is_new_ = false;
  }
  const std::uint32_t most = std::min(leaf_a->cell_count() - a.index_, leaf_b->cell_count() - b.index_);
  std::uint32_t count = 0;
  while (count < most && leaves->same(a.index_ + count, b.index_ + count)) ++count;
  if (count == 0) return {};
  DOSQL_RETURN_IF_ERROR(a.skip(count));
  return b.skip(count);
}

Status Entries::skip(std::uint32_t count) {
  rowid_before_ = cell_.rowid;
  index_ += count;
  DOSQL_RETURN_IF_ERROR(leaf_.page->read_cell(index_ - 1, cell_));
  record_.reset();
  return check_rowid_order();
}

// False: there is none.
Result<bool> Entries::load_next_cell() {
  if (const BtreePage* const leaf = leaf_with_more()) {
    DOSQL_RETURN_IF_ERROR(leaf->read_cell(index_++, cell_));
    return true;
  }
  const std::vector<TreePart>& parts = tree_.parts();
  while (part_ < parts.size()) {
    const TreePart& part = parts[part_];
    DOSQL_ASSIGN_OR_RETURN(const BtreePage page, page_of(part));
    const std::uint32_t index = part.is_subtree() ? index_ : part.cell;
    if (!part.is_subtree() || index_ >= page.cell_count()) {
      ++part_;
      index_ = 0;
      if (part.is_subtree()) continue;
    } else {
      ++index_;
    }
    if (index >= page.cell_count()) return malformed_page(part.page, "an entry is missing");
    DOSQL_RETURN_IF_ERROR(page.read_cell(index, cell_));
    return true;
  }
  return false;
}

Result<BtreePage> Entries::page_of(const TreePart& part) {
  OpenPage& open = part.level == 0 ? leaf_ : interior_;
  if (!open.page || open.number != part.page) {
    open.page.reset();
    DOSQL_ASSIGN_OR_RETURN(open.page, tree_.read_page(part.page, part.level, open.image));
    open.number = part.page;
    if (part.level == 0) leaf_is_new_ = true;
  }
  return *open.page;
}

Result<Bytes> Entries::record() {
  if (tree_.is_table() && raw(cell_.overflow) == 0) return cell_.local;
  if (!record_) {
    DOSQL_RETURN_IF_ERROR(count_overflow_pages());
    DOSQL_ASSIGN_OR_RETURN(record_, payload_of(tree_.pages(), cell_, tree_.usable_bytes(), buffer_));
  }
  return *record_;
}

// Each page belongs to one chain. A thousand records that share a long one would take for ever.
Status Entries::count_overflow_pages() {
  if (raw(cell_.overflow) == 0) return {};
  const std::uint64_t page_bytes = tree_.usable_bytes() - kOverflowHeadBytes;
  overflow_pages_ += (cell_.payload_bytes - cell_.local.size()) / page_bytes;
  if (overflow_pages_ <= tree_.pages().page_count()) return {};
  return Error(ErrorCode::kCorrupt, "the rows of a table are longer than the database");
}

Status Entries::check_order() { return tree_.is_table() ? check_rowid_order() : check_key_order(); }

Status Entries::check_rowid_order() {
  if (!has_entry_ || rowid_before_ < cell_.rowid) return {};
  return Error(ErrorCode::kCorrupt, "the rows of a table are not in the order of their rowids");
}

Status Entries::check_key_order() {
  DOSQL_ASSIGN_OR_RETURN(const Bytes bytes, record());
  DOSQL_RETURN_IF_ERROR(decode_record(bytes, fields_));
  if (fields_.size() < key_.size()) return Error(ErrorCode::kCorrupt, "a record has no room for its key");
  if (!has_entry_) return {};
  DOSQL_RETURN_IF_ERROR(decode_record(record_before_, fields_before_));
  if (compare_keys(fields_before_, fields_, key_) < 0) return {};
  return Error(ErrorCode::kCorrupt, "the rows of a table are not in the order of their key");
}

}  // namespace dosql::diff
