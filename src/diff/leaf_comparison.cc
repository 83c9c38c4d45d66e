#include "diff/leaf_comparison.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace dosql::diff {
namespace {

std::uint64_t load_word(const std::byte* bytes, std::size_t count) {
  std::uint64_t word = 0;
  std::memcpy(&word, bytes, count);
  return word;
}

// One bit for each byte that is not 0, the first one lowest.
std::uint64_t bytes_that_are_set(std::uint64_t word) {
  constexpr std::uint64_t kLow = 0x7f7f7f7f7f7f7f7f;
  const std::uint64_t tops = (((word & kLow) + kLow) | word) & ~kLow;
  // Moves the top bit of byte i to bit 56 + i; no two of the sums meet.
  return ((tops >> 7) * 0x0102040810204080) >> 56;
}

// One bit for each of `count` bytes, at most 64, that differs.
std::uint64_t differing_bytes(const std::byte* a, const std::byte* b, std::size_t count) {
  if (std::memcmp(a, b, count) == 0) return 0;
  std::uint64_t differing = 0;
  for (std::size_t at = 0; at < count; at += sizeof(std::uint64_t)) {
    const std::size_t bytes = std::min(sizeof(std::uint64_t), count - at);
    differing |= bytes_that_are_set(load_word(a + at, bytes) ^ load_word(b + at, bytes)) << at;
  }
  return differing;
}

std::uint64_t bits_from(int first) { return ~std::uint64_t{0} << first; }

}  // namespace

LeafComparison::LeafComparison(const BtreePage& a, const BtreePage& b) : a_(a), b_(b) {
  comparable_ = a.usable().size() == b.usable().size() && a.usable().size() <= kPageBytes;
  if (!comparable_) return;
  PageBits begins{};
  for (std::uint32_t i = 0; i < a.cell_count(); ++i) {
    const std::uint32_t place = a.cell_place(i);
    if (place < kPageBytes) begins[place / kWordBits] |= std::uint64_t{1} << place % kWordBits;
  }
  mark_changed(begins);
}

void LeafComparison::mark_changed(const PageBits& begins) {
  const auto end = static_cast<std::uint32_t>(a_.usable().size());
  const std::uint32_t cells = std::max(a_.cells_end(), b_.cells_end());
  // The newest beginning in front of the word: its word, and its bit.
  std::size_t before = 0;
  std::uint64_t before_bit = 0;
  for (std::uint32_t at = cells / kWordBits * kWordBits; at < end; at += kWordBits) {
    const std::size_t word = at / kWordBits;
    const std::uint64_t here = begins[word];
    std::uint64_t differing = differing_bytes(a_.usable().data() + at, b_.usable().data() + at,
                                              std::min<std::size_t>(kWordBits, end - at));
    while (differing != 0) {
      const int first = std::countr_zero(differing);
      const std::uint64_t in_front = here & ~(bits_from(first) << 1);
      if (in_front != 0) {
        changed_[word] |= std::bit_floor(in_front);
      } else {
        changed_[before] |= before_bit;
      }
      // On to the next beginning: what differs up to there is of the same entry.
      const std::uint64_t behind = here & bits_from(first) << 1;
      differing = behind == 0 ? 0 : differing & bits_from(std::countr_zero(behind));
    }
    if (here == 0) continue;
    before = word;
    before_bit = std::bit_floor(here);
  }
}

bool LeafComparison::same(std::uint32_t index_a, std::uint32_t index_b) const {
  const std::uint32_t place = a_.cell_place(index_a);
  if (!comparable_ || place != b_.cell_place(index_b)) return false;
  if (place < std::max(a_.cells_end(), b_.cells_end()) || place >= a_.usable().size()) return false;
  return (changed_[place / kWordBits] >> place % kWordBits & 1) == 0 && !a_.may_overflow(place);
}

}  // namespace dosql::diff
