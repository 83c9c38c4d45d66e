// XXH3, the one checksum of all DoSQL files.
#pragma once

#include <cstdint>

#include "base/bytes.h"

namespace dosql {

// XXH3 64-bit of the bytes, mixed with a salt so that equal bytes under another salt do not match.
std::uint64_t checksum64(Bytes bytes, std::uint64_t salt);

// The low half of checksum64.
inline std::uint32_t checksum32(Bytes bytes, std::uint64_t salt) {
  return static_cast<std::uint32_t>(checksum64(bytes, salt));
}

}  // namespace dosql
