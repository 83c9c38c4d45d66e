// Spans of bytes, fixed-width little-endian coding and a bounds-checked reader for untrusted bytes.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace dosql {

using Bytes = std::span<const std::byte>;
using MutableBytes = std::span<std::byte>;

static_assert(std::endian::native == std::endian::little,
              "DoSQL's formats are read in place on little-endian machines");

template <class T>
inline T load(const std::byte* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

template <class T>
inline void store(std::byte* at, T value) {
  std::memcpy(at, &value, sizeof value);
}

// SQLite's own integers are big-endian.
inline std::uint32_t load_big32(const std::byte* at) { return __builtin_bswap32(load<std::uint32_t>(at)); }
inline void store_big32(std::byte* at, std::uint32_t value) { store(at, __builtin_bswap32(value)); }
inline std::uint16_t load_big16(const std::byte* at) { return __builtin_bswap16(load<std::uint16_t>(at)); }

template <class T>
inline Bytes bytes_of(const T& object) {
  static_assert(std::is_trivially_copyable_v<T>);
  return std::as_bytes(std::span(&object, 1));
}
template <class T>
inline MutableBytes mutable_bytes_of(T& object) {
  static_assert(std::is_trivially_copyable_v<T>);
  return std::as_writable_bytes(std::span(&object, 1));
}

}  // namespace dosql
