#include "diff/pointer_map.h"

#include <array>
#include <vector>

#include "base/bytes.h"

namespace dosql::diff {
namespace {

constexpr std::uint32_t kLockPage = 0x40000000 / kPageBytes + 1;
constexpr std::size_t kReservedBytesOffset = 20;
constexpr std::size_t kLargestRootOffset = 52;  // 0: no pointer map

}  // namespace

PageNo PointerMapLayout::map_page_of(PageNo page) const {
  const std::uint32_t map_page = (raw(page) - 2) / pages_per_map_page_ * pages_per_map_page_ + 2;
  return PageNo{map_page == kLockPage ? map_page + 1 : map_page};
}

bool PointerMapLayout::has_entry(PageNo page) const { return !is_map_page(page) && raw(page) != kLockPage; }

PointerMapEntry PointerMapLayout::entry(const PageImage& map_image, PageNo page, PageNo map_page) {
  const std::byte* const at = map_image.data() + offset_of(page, map_page);
  return {std::to_integer<std::uint8_t>(at[0]), PageNo{load_big32(at + 1)}};
}

Result<std::optional<PointerMap>> PointerMap::open(version::Reader& reader) {
  std::array<std::byte, 100> header{};
  DOSQL_RETURN_IF_ERROR(reader.read(PageNo{1}, 0, header));
  if (load_big32(header.data() + kLargestRootOffset) == 0) return std::optional<PointerMap>();
  const auto reserved = std::to_integer<std::uint32_t>(header[kReservedBytesOffset]);
  return std::optional(PointerMap(reader, static_cast<std::uint32_t>(kPageBytes) - reserved));
}

bool PointerMap::has_entry(PageNo page) const {
  return raw(page) > 1 && raw(page) <= reader_->point().page_count && layout_.has_entry(page);
}

Result<PointerMapEntry> PointerMap::entry(PageNo page) {
  const PageNo map_page = layout_.map_page_of(page);
  auto found = map_pages_.find(map_page);
  if (found == map_pages_.end()) {
    found = map_pages_.try_emplace(map_page).first;
    DOSQL_RETURN_IF_ERROR(reader_->read(map_page, 0, found->second));
  }
  return PointerMapLayout::entry(found->second, page, map_page);
}

Result<std::optional<PageNo>> PointerMap::root_of(PageNo page) {
  std::vector<PageNo> way;
  PageNo root{};
  while (true) {
    if (raw(page) == 1) root = page;
    if (!has_entry(page)) break;
    const auto [known, is_new] = roots_.try_emplace(page, PageNo{});
    if (!is_new) {
      root = known->second;  // 0 also while it is on the way: damaged entries that go round in a circle
      break;
    }
    way.push_back(page);
    DOSQL_ASSIGN_OR_RETURN(const PointerMapEntry found, entry(page));
    if (found.use == PointerMapEntry::kRoot) root = page;
    if (!found.has_parent()) break;
    page = found.parent;
  }
  for (const PageNo passed : way) roots_[passed] = root;
  return raw(root) == 0 ? std::nullopt : std::optional(root);
}

Result<std::optional<PageNo>> PointerMap::pointing_to(PageNo page) {
  if (!has_entry(page)) return std::optional<PageNo>();
  DOSQL_ASSIGN_OR_RETURN(const PointerMapEntry found, entry(page));
  return found.has_parent() ? std::optional(found.parent) : std::nullopt;
}

}  // namespace dosql::diff
