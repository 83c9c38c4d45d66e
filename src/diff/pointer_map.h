// SQLite's pointer map: which page points to a page (fileformat2.html, "Pointer Map or Ptrmap Pages").
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>

#include <dosql/result.h>

#include "base/ids.h"
#include "version/version_store.h"

namespace dosql::diff {

// What the map says of a page.
struct PointerMapEntry {
  enum Use : std::uint8_t {
    kNone = 0,
    kRoot = 1,
    kFree = 2,
    kFirstOverflow = 3,
    kLaterOverflow = 4,
    kTree = 5
  };
  std::uint8_t use = kNone;  // others in damaged maps
  PageNo parent{};           // what points to it, where something does

  bool is_overflow() const { return use == kFirstOverflow || use == kLaterOverflow; }
  bool has_parent() const { return use == kTree || is_overflow(); }
};

// Where the map has its entries. REQUIRES of all pages: not 1, which has none.
class PointerMapLayout {
 public:
  static constexpr std::uint32_t kEntryBytes = 5;

  explicit PointerMapLayout(std::uint32_t usable_bytes)
      : pages_per_map_page_(usable_bytes / kEntryBytes + 1) {}

  // The page of the map that has the entry of `page`; itself, where it is one.
  PageNo map_page_of(PageNo page) const;
  bool is_map_page(PageNo page) const { return page == map_page_of(page); }
  // Others are pages of the map, and one that is never used.
  bool has_entry(PageNo page) const;
  // In its map page.
  static std::uint32_t offset_of(PageNo page, PageNo map_page) {
    return kEntryBytes * (raw(page) - raw(map_page) - 1);
  }
  static PointerMapEntry entry(const PageImage& map_image, PageNo page, PageNo map_page);
  std::uint32_t entries_per_map_page() const { return pages_per_map_page_ - 1; }

 private:
  std::uint32_t pages_per_map_page_;
};

// Of one version, which `reader` must keep pinned.
class PointerMap {
 public:
  // None: the database has no pointer map (auto_vacuum is off).
  static Result<std::optional<PointerMap>> open(version::Reader& reader);

  // The root page of the b-tree that `page` belongs to: by itself, or as part of an overflow chain. None: it
  // belongs to no b-tree (a free page, a page of the map, or a page whose entry is damaged).
  Result<std::optional<PageNo>> root_of(PageNo page);
  // The page that points to `page`: its parent in the b-tree, or what an overflow page hangs on. None: it is
  // a root page or belongs to no b-tree.
  Result<std::optional<PageNo>> pointing_to(PageNo page);

 private:
  PointerMap(version::Reader& reader, std::uint32_t usable_bytes) : reader_(&reader), layout_(usable_bytes) {}
  bool has_entry(PageNo page) const;
  Result<PointerMapEntry> entry(PageNo page);

  version::Reader* reader_;
  PointerMapLayout layout_;
  std::unordered_map<PageNo, PageImage> map_pages_;
  std::unordered_map<PageNo, PageNo> roots_;  // 0: no b-tree
};

}  // namespace dosql::diff
