// Strong identifiers: an Lsn cannot be passed where a page number is expected.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>

namespace dosql {

// Log sequence number: strictly increasing over the whole database, never reused, not dense.
// 0 means "before the first commit".
enum class Lsn : std::uint64_t {};
// A branch, by number. 0 is main.
enum class BranchId : std::uint32_t {};
// SQLite page number; the first page is 1.
enum class PageNo : std::uint32_t {};
// How many commits a branch has behind it; `main@5` is version 5 of main. 0 is the empty database.
enum class Version : std::uint64_t {};

inline constexpr BranchId kMainBranch{0};
// As an upper bound: none. No commit has an LSN as high as this.
inline constexpr Lsn kLsnUnbounded{std::numeric_limits<std::uint64_t>::max()};
inline constexpr std::size_t kPageBytes = 4096;
// What processors take from each other when one changes it: x86-64 and most of ARM.
inline constexpr std::size_t kCacheLineBytes = 64;
using PageImage = std::array<std::byte, kPageBytes>;

constexpr std::uint64_t raw(Lsn id) { return static_cast<std::uint64_t>(id); }
constexpr std::uint32_t raw(BranchId id) { return static_cast<std::uint32_t>(id); }
constexpr std::uint32_t raw(PageNo id) { return static_cast<std::uint32_t>(id); }
constexpr std::uint64_t raw(Version id) { return static_cast<std::uint64_t>(id); }

}  // namespace dosql
