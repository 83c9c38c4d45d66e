// apply_patch() on arbitrary bytes stays inside its page; what make_patch() makes turns one page into the
// other.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <vector>

#include "base/check.h"
#include "version/page_patch.h"

namespace dosql::fuzz {
namespace {

using version::kPatchBytesMax;

// A page between two fences that must stay as they are; the patch has none behind it but the sanitizer's.
void apply_arbitrary(Bytes patch) {
  struct {
    std::array<std::byte, 64> before;
    std::array<std::byte, kPageBytes> page;
    std::array<std::byte, 64> after;
  } fenced;
  fenced.before.fill(std::byte{0xa5});
  fenced.page.fill(std::byte{0});
  fenced.after.fill(std::byte{0xa5});
  const std::vector<std::byte> exact(patch.begin(), patch.end());
  const bool applied = version::apply_patch(exact, fenced.page.data());
  CHECK(!patch.empty() || applied);
  const auto intact = [](std::byte byte) { return byte == std::byte{0xa5}; };
  CHECK(std::all_of(fenced.before.begin(), fenced.before.end(), intact));
  CHECK(std::all_of(fenced.after.begin(), fenced.after.end(), intact));
}

// The input says where the second page differs: skip, length, and what to XOR; with an XOR of 0, by how much
// the rest of the page moves.
void round_trip(Bytes input) {
  std::array<std::byte, kPageBytes> before;
  for (std::size_t i = 0; i < kPageBytes; ++i) before[i] = static_cast<std::byte>(i * 37 + (i >> 8));
  auto after = before;
  std::size_t place = 0;
  for (std::size_t at = 0; at + 3 <= input.size(); at += 3) {
    place += std::to_integer<std::size_t>(input[at]);
    if (input[at + 2] == std::byte{0} && place < kPageBytes) {
      const std::size_t by = std::min(std::to_integer<std::size_t>(input[at + 1]), kPageBytes - place);
      std::memmove(after.data() + place + by, after.data() + place, kPageBytes - place - by);
    }
    for (std::size_t i = std::to_integer<std::size_t>(input[at + 1]); i > 0; --i, ++place) {
      after[place % kPageBytes] ^= input[at + 2];
    }
  }
  std::vector<std::byte> patch(kPatchBytesMax);
  const auto size = version::make_patch(before.data(), after.data(), patch.data());
  if (!size) return;
  CHECK(*size <= kPatchBytesMax);
  CHECK((*size == 0) == (before == after));
  auto page = before;
  CHECK(version::apply_patch(Bytes(patch).first(*size), page.data()));
  CHECK(page == after);
}

}  // namespace
}  // namespace dosql::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto input = std::as_bytes(std::span(data, size));
  dosql::fuzz::apply_arbitrary(input);
  dosql::fuzz::round_trip(input);
  return 0;
}
