// SQLite's pointer map: which page points to a page (fileformat2.html, "Pointer Map or Ptrmap Pages").
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <unordered_map>

#include <dosql/result.h>

#include "base/ids.h"
#include "version/version_store.h"

namespace dosql::diff {

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
  using Page = std::array<std::byte, kPageBytes>;
  struct Entry {
    std::uint8_t type;
    std::uint32_t parent;
  };

  PointerMap(version::Reader& reader, std::uint32_t usable_bytes);
  std::uint32_t map_page_of(std::uint32_t page) const;
  bool has_entry(std::uint32_t page) const;
  Result<Entry> entry(std::uint32_t page);

  version::Reader* reader_;
  std::uint32_t pages_per_map_page_;
  std::unordered_map<std::uint32_t, Page> map_pages_;
  std::unordered_map<std::uint32_t, std::uint32_t> roots_;  // 0: no b-tree
};

}  // namespace dosql::diff
