#include "diff/record_comparison.h"

#include <cstring>

#include "diff/record.h"
#include "diff/record_types.h"

namespace dosql::diff {

bool surely_differ(Bytes a, Bytes b, const std::vector<bool>& plain) {
  const Varint header = read_varint(a);
  if (header.length == 0 || header.value < header.length || header.value > a.size()) return false;
  if (a.size() != b.size() || std::memcmp(a.data(), b.data(), header.value) != 0) return false;
  Bytes types = a.subspan(header.length, header.value - header.length);
  const Bytes content = a.subspan(header.value);
  std::size_t content_bytes = 0;
  for (std::size_t place = 0; !types.empty(); ++place) {
    const Varint type = read_varint(types);
    // Of reals, two zeros are the same value, and so is all that is not a number.
    if (type.length == 0 || type.value == record_type::kReal || !record_type::exists(type.value))
      return false;
    const std::uint64_t bytes = record_type::bytes_of(type.value);
    if (bytes > content.size() - content_bytes) return false;
    if (bytes > 0 && (place >= plain.size() || !plain[place])) return false;
    content_bytes += bytes;
    types = types.subspan(type.length);
  }
  // What lies behind the values is none.
  return content_bytes > 0 && std::memcmp(content.data(), b.data() + header.value, content_bytes) != 0;
}

}  // namespace dosql::diff
