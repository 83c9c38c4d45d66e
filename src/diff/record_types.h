// The types of values in SQLite's record format (fileformat2.html, "Record Format").
#pragma once

#include <cstdint>

namespace dosql::diff::record_type {

inline constexpr std::uint64_t kInteger64 = 6;
inline constexpr std::uint64_t kReal = 7;
inline constexpr std::uint64_t kZero = 8;
inline constexpr std::uint64_t kOne = 9;
inline constexpr std::uint64_t kFirstSized = 12;  // even: BLOB, odd: TEXT

// 10 and 11 are in no file.
inline bool exists(std::uint64_t type) { return type != 10 && type != 11; }

inline std::uint64_t bytes_of(std::uint64_t type) {
  constexpr std::uint8_t kBytes[kFirstSized] = {0, 1, 2, 3, 4, 6, 8, 8, 0, 0, 0, 0};
  return type < kFirstSized ? kBytes[type] : (type - kFirstSized) / 2;
}

}  // namespace dosql::diff::record_type
