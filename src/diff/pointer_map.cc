#include "diff/pointer_map.h"

#include <vector>

#include "base/bytes.h"

namespace dosql::diff {
namespace {

constexpr std::uint32_t kEntryBytes = 5;
constexpr std::uint32_t kLockPage = 0x40000000 / kPageBytes + 1;
constexpr std::size_t kReservedBytesOffset = 20;
constexpr std::size_t kLargestRootOffset = 52;  // 0: no pointer map

constexpr std::uint8_t kRootPage = 1;
constexpr std::uint8_t kFirstOverflowPage = 3;
constexpr std::uint8_t kLaterOverflowPage = 4;
constexpr std::uint8_t kTreePage = 5;

bool is_pointed_to(std::uint8_t type) {
  return type == kFirstOverflowPage || type == kLaterOverflowPage || type == kTreePage;
}

}  // namespace

Result<std::optional<PointerMap>> PointerMap::open(version::Reader& reader) {
  std::array<std::byte, 100> header{};
  DOSQL_RETURN_IF_ERROR(reader.read(PageNo{1}, 0, header));
  if (load_big32(header.data() + kLargestRootOffset) == 0) return std::optional<PointerMap>();
  const auto reserved = std::to_integer<std::uint32_t>(header[kReservedBytesOffset]);
  return std::optional(PointerMap(reader, static_cast<std::uint32_t>(kPageBytes) - reserved));
}

PointerMap::PointerMap(version::Reader& reader, std::uint32_t usable_bytes)
    : reader_(&reader), pages_per_map_page_(usable_bytes / kEntryBytes + 1) {}

std::uint32_t PointerMap::map_page_of(std::uint32_t page) const {
  const std::uint32_t map_page = (page - 2) / pages_per_map_page_ * pages_per_map_page_ + 2;
  return map_page == kLockPage ? map_page + 1 : map_page;
}

bool PointerMap::has_entry(std::uint32_t page) const {
  return page > 1 && page <= reader_->point().page_count && page != map_page_of(page) && page != kLockPage;
}

Result<PointerMap::Entry> PointerMap::entry(std::uint32_t page) {
  const std::uint32_t map_page = map_page_of(page);
  auto found = map_pages_.find(map_page);
  if (found == map_pages_.end()) {
    found = map_pages_.try_emplace(map_page).first;
    DOSQL_RETURN_IF_ERROR(reader_->read(PageNo{map_page}, 0, found->second));
  }
  const std::byte* at = found->second.data() + std::size_t{kEntryBytes} * (page - map_page - 1);
  return Entry{std::to_integer<std::uint8_t>(at[0]), load_big32(at + 1)};
}

Result<std::optional<PageNo>> PointerMap::root_of(PageNo start) {
  std::vector<std::uint32_t> way;
  std::uint32_t page = raw(start);
  std::uint32_t root = 0;
  while (true) {
    if (page == 1) root = 1;
    if (!has_entry(page)) break;
    const auto [known, is_new] = roots_.try_emplace(page, 0);
    if (!is_new) {
      root = known->second;  // 0 also while it is on the way: damaged entries that go round in a circle
      break;
    }
    way.push_back(page);
    DOSQL_ASSIGN_OR_RETURN(const Entry found, entry(page));
    if (found.type == kRootPage) root = page;
    if (!is_pointed_to(found.type)) break;
    page = found.parent;
  }
  for (const std::uint32_t passed : way) roots_[passed] = root;
  return root == 0 ? std::optional<PageNo>() : PageNo{root};
}

Result<std::optional<PageNo>> PointerMap::pointing_to(PageNo page) {
  if (!has_entry(raw(page))) return std::optional<PageNo>();
  DOSQL_ASSIGN_OR_RETURN(const Entry found, entry(raw(page)));
  return is_pointed_to(found.type) ? std::optional(PageNo{found.parent}) : std::nullopt;
}

}  // namespace dosql::diff
