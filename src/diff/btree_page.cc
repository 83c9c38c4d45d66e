#include "diff/btree_page.h"

#include <fmt/format.h>

#include "diff/record.h"

namespace dosql::diff {
namespace {

constexpr std::size_t kReservedBytesOffset = 20;
constexpr std::uint32_t kFileHeaderBytes = 100;  // in front of page 1's own
constexpr std::uint32_t kLeafHeaderBytes = 8;
constexpr std::uint32_t kInteriorHeaderBytes = 12;
constexpr std::uint32_t kCellCountOffset = 3;
constexpr std::uint32_t kRightChildOffset = 8;
constexpr std::uint32_t kChildBytes = 4;
// A row overflows that would not leave so much of its page.
constexpr std::uint32_t kTableOverhead = 35;
// Of a row's head, as read_whole_row() knows it: rowids below 2^56.
constexpr std::uint32_t kLengthBytesMax = 2;
constexpr std::uint32_t kRowidBytesMax = 8;

enum Kind : std::uint8_t { kIndexInterior = 2, kTableInterior = 5, kIndexLeaf = 10, kTableLeaf = 13 };

// How much of a payload lies in the page itself.
std::uint64_t local_bytes(std::uint64_t payload, bool is_table, std::uint32_t usable) {
  const std::uint32_t most = is_table ? usable - kTableOverhead : (usable - 12) * 64 / 255 - 23;
  if (payload <= most) return payload;
  const std::uint32_t least = (usable - 12) * 32 / 255 - 23;
  const std::uint64_t fitting = least + (payload - least) % (usable - kOverflowHeadBytes);
  return fitting <= most ? fitting : least;
}

}  // namespace

Error malformed_page(PageNo page, std::string_view what) {
  return Error(ErrorCode::kCorrupt, fmt::format("page {} is malformed: {}", raw(page), what));
}

Result<std::uint32_t> usable_bytes_of(PageSource& pages) {
  std::array<std::byte, 1> reserved;
  DOSQL_RETURN_IF_ERROR(pages.read(PageNo{1}, kReservedBytesOffset, reserved));
  return static_cast<std::uint32_t>(kPageBytes) - std::to_integer<std::uint32_t>(reserved[0]);
}

Result<BtreePage> BtreePage::parse(const PageImage& image, PageNo page, std::uint32_t usable_bytes) {
  BtreePage parsed;
  parsed.usable_ = Bytes(image).first(usable_bytes);
  parsed.page_ = page;
  parsed.header_ = page == PageNo{1} ? kFileHeaderBytes : 0;
  const std::byte* const header = image.data() + parsed.header_;
  const auto kind = std::to_integer<std::uint8_t>(header[0]);
  if (kind != kIndexInterior && kind != kTableInterior && kind != kIndexLeaf && kind != kTableLeaf)
    return malformed_page(page, "it is not a page of a b-tree");
  parsed.is_table_ = kind == kTableLeaf || kind == kTableInterior;
  parsed.is_leaf_ = kind == kTableLeaf || kind == kIndexLeaf;
  parsed.cells_ = parsed.header_ + (parsed.is_leaf_ ? kLeafHeaderBytes : kInteriorHeaderBytes);
  parsed.cell_count_ = load_big16(header + kCellCountOffset);
  if (parsed.cells_ + parsed.cell_count_ * kPlaceBytes > usable_bytes)
    return malformed_page(page, "it has more cells than room");
  return parsed;
}

PageNo BtreePage::right_child() const {
  return PageNo{load_big32(usable_.data() + header_ + kRightChildOffset)};
}

bool BtreePage::may_overflow(std::uint32_t place) const {
  const Varint payload = read_varint(usable_.subspan(place));
  // Below 128 bytes, which every page has room for.
  if (payload.length == 1) return false;
  const auto usable = static_cast<std::uint32_t>(usable_.size());
  return payload.length == 0 || local_bytes(payload.value, true, usable) < payload.value;
}

Result<Cell> BtreePage::cell(std::uint32_t index) const {
  Cell cell;
  DOSQL_RETURN_IF_ERROR(read_cell(index, cell));
  return cell;
}

Status BtreePage::read_cell(std::uint32_t index, Cell& cell) const {
  const std::uint32_t place = cell_place(index);
  if (place < cells_end() || place >= usable_.size()) return malformed("a cell is outside of its room");
  if (is_table_ && is_leaf_ && read_whole_row(place, cell)) return {};
  cell = {};
  return read_any_cell(place, cell);
}

// Most cells by far are rows of which nothing overflows. False: it may be another one; `cell` is undefined.
bool BtreePage::read_whole_row(std::uint32_t place, Cell& cell) const {
  // So the lengths of the varints need no look at the end of the page.
  if (place + kLengthBytesMax + kRowidBytesMax > usable_.size()) return false;
  const auto byte = [at = usable_.data() + place](std::uint32_t offset) {
    return std::to_integer<std::uint32_t>(at[offset]);
  };
  std::uint32_t head = 1;
  std::uint32_t payload = byte(0);
  if (payload >= 0x80) {
    if (byte(1) >= 0x80) return false;
    payload = (payload & 0x7f) << 7 | byte(head++);
  }
  const std::uint32_t rowid_begin = head;
  std::uint64_t rowid = 0;
  for (std::uint32_t bits = 0x80; bits >= 0x80; ++head) {
    if (head == rowid_begin + kRowidBytesMax) return false;
    bits = byte(head);
    rowid = rowid << 7 | (bits & 0x7f);
  }
  const auto usable = static_cast<std::uint32_t>(usable_.size());
  if (payload > usable - kTableOverhead || place + head + payload > usable) return false;
  cell.rowid = static_cast<std::int64_t>(rowid);
  cell.left_child = PageNo{};
  cell.payload_bytes = payload;
  cell.local = usable_.subspan(place + head, payload);
  cell.overflow = PageNo{};
  return true;
}

Status BtreePage::read_any_cell(std::uint32_t place, Cell& cell) const {
  Bytes bytes = usable_.subspan(place);
  if (!is_leaf_) {
    if (bytes.size() < kChildBytes) return malformed("a cell does not fit");
    cell.left_child = PageNo{load_big32(bytes.data())};
    bytes = bytes.subspan(kChildBytes);
  }
  if (!is_table_ || is_leaf_) {
    const Varint payload = read_varint(bytes);
    if (payload.length == 0) return malformed("a cell does not fit");
    cell.payload_bytes = payload.value;
    bytes = bytes.subspan(payload.length);
  }
  if (is_table_) {
    const Varint rowid = read_varint(bytes);
    if (rowid.length == 0) return malformed("a cell does not fit");
    cell.rowid = static_cast<std::int64_t>(rowid.value);
    bytes = bytes.subspan(rowid.length);
  }
  if (!is_table_ || is_leaf_) return read_payload_place(bytes, cell);
  return {};
}

Status BtreePage::read_payload_place(Bytes bytes, Cell& cell) const {
  const auto usable = static_cast<std::uint32_t>(usable_.size());
  const std::uint64_t local = local_bytes(cell.payload_bytes, is_table_, usable);
  const bool overflows = local < cell.payload_bytes;
  if (local + (overflows ? kOverflowHeadBytes : 0) > bytes.size()) return malformed("a cell does not fit");
  cell.local = bytes.first(local);
  if (!overflows) return {};
  cell.overflow = PageNo{load_big32(bytes.data() + local)};
  if (raw(cell.overflow) == 0) return malformed("an overflow chain is missing");
  return {};
}

Status check_overflow_length(PageSource& pages, const Cell& cell, std::uint32_t usable_bytes) {
  const std::uint64_t most = std::uint64_t{pages.page_count()} * (usable_bytes - kOverflowHeadBytes);
  if (cell.payload_bytes - cell.local.size() <= most) return {};
  return Error(ErrorCode::kCorrupt, "a record is malformed: it is longer than the database");
}

Result<Bytes> payload_of(PageSource& pages, const Cell& cell, std::uint32_t usable_bytes,
                         std::vector<std::byte>& buffer) {
  if (raw(cell.overflow) == 0) return cell.local;
  buffer.assign(cell.local.begin(), cell.local.end());
  const auto append = [&](PageNo page, std::uint32_t bytes) -> Result<bool> {
    const std::size_t at = buffer.size();
    buffer.resize(at + bytes);
    DOSQL_RETURN_IF_ERROR(pages.read(page, kOverflowHeadBytes, MutableBytes(buffer).subspan(at)));
    return true;
  };
  DOSQL_RETURN_IF_ERROR(for_each_overflow_page(pages, cell, usable_bytes, append));
  return Bytes(buffer);
}

}  // namespace dosql::diff
