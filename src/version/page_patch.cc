#include "version/page_patch.h"

#include <bit>

namespace dosql::version {
namespace {

constexpr std::size_t kWords = kPageBytes / 8;
// Two runs closer than this are one: a run costs two to four bytes.
constexpr std::size_t kMergeGapBytes = 3;
constexpr std::size_t kRunHeadBytesMax = 4;

std::uint64_t word(const std::byte* page, std::size_t index) { return load<std::uint64_t>(page + index * 8); }

// Whether 128 bytes are equal. Vectors of 16 bytes are what every x86-64 and AArch64 has; all differences are
// gathered before the one branch.
bool equal_128(const std::byte* a, const std::byte* b) {
  using Vector = std::uint64_t __attribute__((vector_size(16)));
  Vector differences{};
#pragma GCC unroll 8
  for (std::size_t at = 0; at < 128; at += sizeof(Vector)) {
    differences |= load<Vector>(a + at) ^ load<Vector>(b + at);
  }
  return (differences[0] | differences[1]) == 0;
}

std::size_t put_varint(std::byte* out, std::size_t value) {
  if (value < 0x80) {
    out[0] = static_cast<std::byte>(value);
    return 1;
  }
  out[0] = static_cast<std::byte>((value & 0x7f) | 0x80);
  out[1] = static_cast<std::byte>(value >> 7);
  return 2;
}

// Advances `at`; false at the end of the bytes or when the value cannot be a place in a page.
bool take_varint(Bytes bytes, std::size_t& at, std::size_t& value) {
  if (at >= bytes.size()) return false;
  value = std::to_integer<std::size_t>(bytes[at++]);
  if (value < 0x80) return true;
  if (at >= bytes.size()) return false;
  value = (value & 0x7f) | (std::to_integer<std::size_t>(bytes[at++]) << 7);
  return value <= kPageBytes;
}

// Collects runs, joining neighbours, and writes each once the next is known not to touch it.
class RunWriter {
 public:
  RunWriter(const std::byte* after, std::byte* out) : after_(after), out_(out) {}

  // Runs come in ascending order. False when the patch became too long.
  bool add(std::size_t begin, std::size_t end) {
    if (begin_ != end_ && begin - end_ <= kMergeGapBytes) {
      end_ = end;
      return true;
    }
    if (!flush()) return false;
    begin_ = begin;
    end_ = end;
    return true;
  }

  bool flush() {
    if (begin_ == end_) return true;
    const std::size_t length = end_ - begin_;
    if (size_ + kRunHeadBytesMax + length > kPatchBytesMax) return false;
    size_ += put_varint(out_ + size_, begin_ - written_to_);
    size_ += put_varint(out_ + size_, length);
    std::memcpy(out_ + size_, after_ + begin_, length);
    size_ += length;
    written_to_ = end_;
    return true;
  }

  std::size_t size() const { return size_; }

 private:
  const std::byte* after_;
  std::byte* out_;
  std::size_t size_ = 0;
  std::size_t written_to_ = 0;  // end of the last run written
  std::size_t begin_ = 0;       // the run being collected
  std::size_t end_ = 0;
};

}  // namespace

std::optional<std::size_t> make_patch(const std::byte* before, const std::byte* after, std::byte* out) {
  RunWriter runs(after, out);
  std::size_t i = 0;
  while (i < kWords) {
    // Equal stretches are by far the longest.
    while (i + 16 <= kWords && equal_128(before + i * 8, after + i * 8)) i += 16;
    while (i < kWords && word(before, i) == word(after, i)) ++i;
    if (i == kWords) break;
    std::size_t last = i;
    while (last + 1 < kWords && word(before, last + 1) != word(after, last + 1)) ++last;
    const std::uint64_t first_difference = word(before, i) ^ word(after, i);
    const std::uint64_t last_difference = word(before, last) ^ word(after, last);
    const std::size_t begin = i * 8 + std::countr_zero(first_difference) / 8;
    const std::size_t end = last * 8 + 8 - std::countl_zero(last_difference) / 8;
    if (!runs.add(begin, end)) return {};
    i = last + 1;
  }
  if (!runs.flush()) return {};
  return runs.size();
}

bool apply_patch(Bytes patch, std::byte* page) {
  std::size_t at = 0;
  std::size_t place = 0;
  while (at < patch.size()) {
    std::size_t skip = 0;
    std::size_t length = 0;
    if (!take_varint(patch, at, skip) || !take_varint(patch, at, length)) return false;
    place += skip;
    if (length == 0 || place + length > kPageBytes || length > patch.size() - at) return false;
    std::memcpy(page + place, patch.data() + at, length);
    place += length;
    at += length;
  }
  return true;
}

const std::byte* zero_page() {
  alignas(64) static const std::byte page[kPageBytes] = {};
  return page;
}

}  // namespace dosql::version
