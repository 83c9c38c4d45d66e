// The entries of a tree's parts one by one: rows of a table, or records of an index.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include <dosql/result.h>

#include "base/bytes.h"
#include "diff/btree_page.h"
#include "diff/key_order.h"
#include "diff/leaf_comparison.h"
#include "diff/tree.h"

namespace dosql::diff {

// One thread at a time. Does not move: views of its pages are handed out.
class Entries {
 public:
  // Before the first entry. `key`: of an index; it must outlive this.
  Entries(Tree tree, std::span<const KeyColumn> key) : tree_(std::move(tree)), key_(key) {}
  Entries(const Entries&) = delete;
  Entries& operator=(const Entries&) = delete;

  // To the next entry; views of the one before end. Errors: kCorrupt (also where it is not behind the one
  // before in the order of the key), those of the source.
  Status advance();
  bool at_end() const { return at_end_; }

  // REQUIRES of these: on an entry.
  std::int64_t rowid() const { return cell_.rowid; }
  const Cell& cell() const { return cell_; }
  // The whole payload.
  Result<Bytes> record();
  // Of an index: the values of the record.
  std::span<const Field> fields() const { return fields_; }

  Tree& tree() { return tree_; }

  // Steps both on to the last of the entries behind these that are seen to be the same without being decoded,
  // if there are such; `leaves` keeps what is known of the two leaves for the next call. REQUIRES: both are
  // on entries of tables. Errors: kCorrupt.
  static Status skip_same(Entries& a, Entries& b, std::optional<LeafComparison>& leaves);

 private:
  // A page in use. Interior pages have one of their own: their entries come between those of leaves.
  struct OpenPage {
    PageImage image;
    PageNo number{};
    std::optional<BtreePage> page;
  };

  // The leaf that it is on, where there are more entries; else null.
  const BtreePage* leaf_with_more() const;
  Status skip(std::uint32_t count);
  Result<bool> load_next_cell();
  Result<BtreePage> page_of(const TreePart& part);
  Status count_overflow_pages();
  Status check_order();
  Status check_rowid_order();
  Status check_key_order();

  Tree tree_;
  std::span<const KeyColumn> key_;
  std::size_t part_ = 0;     // the next one, or the leaf that is being read
  std::uint32_t index_ = 0;  // of the next cell in that leaf
  OpenPage leaf_;
  bool leaf_is_new_ = false;  // since the last skip_same()
  OpenPage interior_;
  Cell cell_;
  bool at_end_ = false;
  bool has_entry_ = false;
  std::uint64_t overflow_pages_ = 0;  // of all records by now

  std::optional<Bytes> record_;
  std::vector<std::byte> buffer_;
  std::vector<Field> fields_;
  // The one before, to check the order.
  std::int64_t rowid_before_ = 0;
  std::vector<std::byte> record_before_;
  std::vector<Field> fields_before_;
};

}  // namespace dosql::diff
