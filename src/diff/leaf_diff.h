// The rows of a table that differ between two versions, out of the leaves that may differ (commit_leaves.h).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <dosql/result.h>

#include "diff/btree_page.h"
#include "diff/commit_leaves.h"
#include "diff/page_source.h"
#include "diff/table_diff.h"

namespace dosql::diff {

// A change of one row; its cells view the images of the leaves.
struct LeafChange {
  ChangeKind kind = ChangeKind::kInsert;
  Cell before{};  // not of an insert
  Cell after{};   // not of a delete

  std::int64_t rowid() const { return kind == ChangeKind::kDelete ? before.rowid : after.rowid; }
};

// One thread at a time. Keeps its memory for the next table.
class LeafDiff {
 public:
  // Appends the changes between two versions of a table to `changes`, in the order of the rowids. `leaves`:
  // all of them that may differ. Costs comparing their images, and reading the cells that differ. Errors:
  // kCorrupt, those of the sources.
  Status find(std::span<const CommitLeaf> leaves, PageSource& before, PageSource& after,
              std::uint32_t usable_bytes, std::vector<LeafChange>& changes);

 private:
  Status add_cells(const CommitLeaf& leaf, std::uint32_t usable_bytes);
  Result<bool> add_overwritten_cells(const CommitLeaf& leaf, const BtreePage& after,
                                     std::uint32_t usable_bytes);
  Status add_overwritten_cell(const CommitLeaf& leaf, const BtreePage& after, std::uint32_t index,
                              std::uint32_t usable_bytes);
  Status merge(PageSource& before, PageSource& after, std::uint32_t usable_bytes,
               std::vector<LeafChange>& changes);
  Result<bool> same_record(PageSource& pages_before, const Cell& before, PageSource& pages_after,
                           const Cell& after, std::uint32_t usable_bytes);

  // Of rows that may differ.
  std::vector<Cell> before_;
  std::vector<Cell> after_;
  std::vector<std::byte> buffer_before_;
  std::vector<std::byte> buffer_after_;
};

}  // namespace dosql::diff
