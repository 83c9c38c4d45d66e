#include "diff/leaf_comparison.h"

#include <algorithm>
#include <cstring>

namespace dosql::diff {
namespace {

constexpr std::uint32_t kStepBytes = 64;

// The first byte from `at` on that differs; the end: none.
std::uint32_t first_difference(Bytes a, Bytes b, std::uint32_t at) {
  const auto end = static_cast<std::uint32_t>(a.size());
  while (at + kStepBytes <= end && std::memcmp(a.data() + at, b.data() + at, kStepBytes) == 0)
    at += kStepBytes;
  while (at < end && a[at] == b[at]) ++at;
  return at;
}

// Behind the last byte that differs, and not before `least`.
std::uint32_t behind_last_difference(Bytes a, Bytes b, std::uint32_t least) {
  auto end = static_cast<std::uint32_t>(a.size());
  while (end >= least + kStepBytes &&
         std::memcmp(a.data() + end - kStepBytes, b.data() + end - kStepBytes, kStepBytes) == 0)
    end -= kStepBytes;
  while (end > least && a[end - 1] == b[end - 1]) --end;
  return end;
}

}  // namespace

LeafComparison::LeafComparison(const BtreePage& a, const BtreePage& b) : a_(a), b_(b) {
  const Bytes bytes_a = a.usable();
  const Bytes bytes_b = b.usable();
  end_ = static_cast<std::uint32_t>(std::max(bytes_a.size(), bytes_b.size()));
  if (bytes_a.size() != bytes_b.size()) return;
  const std::uint32_t cells = std::max(a.cells_end(), b.cells_end());
  begin_ = first_difference(bytes_a, bytes_b, cells);
  end_ = behind_last_difference(bytes_a, bytes_b, begin_);
  if (begin_ == end_) {
    last_before_ = end_;
    return;
  }
  for (std::uint32_t i = 0; i < a.cell_count(); ++i) {
    const std::uint32_t place = a.cell_place(i);
    if (place < begin_) last_before_ = std::max(last_before_, place);
  }
}

bool LeafComparison::same(std::uint32_t index_a, std::uint32_t index_b) const {
  const std::uint32_t place = a_.cell_place(index_a);
  if (place != b_.cell_place(index_b) || (place >= last_before_ && place < end_)) return false;
  if (place < std::max(a_.cells_end(), b_.cells_end()) || place >= a_.usable().size()) return false;
  return !a_.may_overflow(place);
}

}  // namespace dosql::diff
