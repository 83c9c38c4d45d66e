// Which leaves of which tables a commit may have changed, found without opening the trees.
//
// Between a version and the next one mostly a few leaves differ, and nothing else of a tree that says which
// rows are in it. Then the pages that the commit wrote and the entries of the pointer map that it changed
// tell all:
//
//   C1  A page's tree is known by its way up through the pointer map, in each version by that version's map.
//   C2  A page that was not written and whose entry stayed is in the same tree in both versions, with the
//       same content, unless a page above it went from one tree to another. Such commits are not looked at.
//   C3  So a row that differs is in a leaf that was written or whose entry changed, or has a chain of
//       overflow pages of which one was written in its place. Such commits are not looked at either.
//
// A pointer map that lies makes the result wrong, as for PageChanges.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <dosql/result.h>

#include "base/ids.h"
#include "diff/page_source.h"
#include "diff/pointer_map.h"
#include "version/page_replay.h"

namespace dosql::diff {

// A leaf of the table with that root, where it exists as one of it.
struct CommitLeaf {
  PageNo root{};
  PageNo page{};
  version::PageView before;
  version::PageView after;
  std::uint64_t blocks = 0;  // of both: PageReplay::Written::blocks; 0: it was not written
};

// One thread at a time. Keeps its memory for the next commit.
class CommitLeaves {
 public:
  // Of the commit that `replay` is at; what is found views its images. False: the schema changed, or what
  // changed is more than leaves: ask PageChanges. Errors: kCorrupt, kIo.
  Result<bool> find(version::PageReplay& replay);

  // REQUIRES of these: find() was true. By root, and in the order of the pages.
  std::span<const CommitLeaf> leaves() const { return leaves_; }
  // The roots of the indexes and WITHOUT ROWID tables that may differ; some may come more than once.
  std::span<const PageNo> other_roots() const { return other_roots_; }
  std::uint32_t usable_bytes() const { return usable_bytes_; }

 private:
  // Of a page in one version.
  struct Role {
    version::PageView image;  // that exists where the version has the page, in a tree
    PageNo root{};
    bool is_overflow = false;
    std::uint8_t kind = 0;  // of a page of a b-tree: its first byte
  };
  enum class Side : std::uint8_t { kBefore, kAfter };

  Result<bool> same_header();
  Result<bool> gather_pages();
  void gather_entries(const version::PageReplay::Written& map_page);
  Result<bool> add(PageNo page);
  Result<Role> role_of(PageNo page, Side side);
  Result<Role> role_after(PageNo page, const Role& before);
  Result<version::PageView> image(PageNo page, Side side) {
    return side == Side::kBefore ? replay_->before(page) : replay_->after(page);
  }
  void add_leaf(PageNo page, const Role& before, const Role& after);
  std::uint64_t written_blocks(PageNo page) const;

  version::PageReplay* replay_ = nullptr;
  std::uint32_t usable_bytes_ = 0;
  bool map_changed_ = false;
  std::vector<PageNo> pages_;
  std::vector<CommitLeaf> leaves_;
  std::vector<PageNo> other_roots_;
};

// One of the two versions of a replay.
class ReplayedPages final : public PageSource {
 public:
  // `replay` must outlive it.
  enum class Version : std::uint8_t { kBefore, kAfter };
  ReplayedPages(version::PageReplay& replay, Version version) : replay_(replay), version_(version) {}
  std::uint32_t page_count() const override {
    return (version_ == Version::kBefore ? replay_.before() : replay_.after()).page_count;
  }
  Status read(PageNo page, std::uint32_t offset, MutableBytes out) override;

 private:
  version::PageReplay& replay_;
  const Version version_;
};

}  // namespace dosql::diff
