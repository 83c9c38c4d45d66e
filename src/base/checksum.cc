#include "base/checksum.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace dosql {

std::uint64_t checksum64(Bytes bytes, std::uint64_t salt) {
  // The salt is mixed in afterwards: XXH3's own seed makes it build a new secret for each long input.
  return XXH3_64bits(bytes.data(), bytes.size()) ^ (salt * 0x9E3779B97F4A7C15ull);
}

}  // namespace dosql
