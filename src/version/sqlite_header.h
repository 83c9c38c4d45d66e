// The fields of SQLite's database header, the first 100 bytes of page 1, that the store has to know.
// Source: the SQLite file format, section 1.3. All are big-endian.
#pragma once

#include <cstring>

#include "base/bytes.h"
#include "base/ids.h"

namespace dosql::version {

inline constexpr PageNo kHeaderPage{1};
inline constexpr std::size_t kChangeCounterOffset = 24;
inline constexpr std::size_t kFreelistCountOffset = 36;
inline constexpr std::size_t kVersionValidForOffset = 92;

// V5: both counters of a stored page 1.
inline constexpr std::uint32_t kStoredChangeCounter = 1;

inline void set_change_counter(std::byte* page, std::uint32_t counter) {
  store_big32(page + kChangeCounterOffset, counter);
  store_big32(page + kVersionValidForOffset, counter);
}

inline bool same_but_for_change_counter(const std::byte* a, const std::byte* b) {
  constexpr std::size_t kFirst = kChangeCounterOffset + 4;
  constexpr std::size_t kSecond = kVersionValidForOffset + 4;
  return std::memcmp(a, b, kChangeCounterOffset) == 0 &&
         std::memcmp(a + kFirst, b + kFirst, kVersionValidForOffset - kFirst) == 0 &&
         std::memcmp(a + kSecond, b + kSecond, kPageBytes - kSecond) == 0;
}

inline std::uint32_t freelist_count(const std::byte* page) { return load_big32(page + kFreelistCountOffset); }

}  // namespace dosql::version
