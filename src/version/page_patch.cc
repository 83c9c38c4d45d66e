#include "version/page_patch.h"

#include <algorithm>
#include <array>
#include <bit>

#include "version/page_view.h"

namespace dosql::version {
namespace {

constexpr std::size_t kWords = kPageBytes / 8;
// Two runs closer than this are one: a run costs two to four bytes.
constexpr std::size_t kMergeGapBytes = 3;
constexpr std::size_t kRunHeadBytesMax = 4;

// A patch longer than this may be that long because SQLite moved rows: it compacts a page whose free space
// got scattered, and halves one that is full.
constexpr std::size_t kMovesTriedBytes = 256;
// The head of a move takes six bytes.
constexpr std::size_t kMoveBytesMin = 16;
constexpr std::size_t kMoveHeadBytesMax = 7;
// So many new bytes and nothing moved yet: then it is new content.
constexpr std::size_t kNewBytesBeforeMoveMax = 512;

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

// How many bytes are equal, up to `most`.
std::size_t equal_bytes(const std::byte* a, const std::byte* b, std::size_t most) {
  std::size_t count = 0;
  while (count + 8 <= most) {
    const std::uint64_t difference = load<std::uint64_t>(a + count) ^ load<std::uint64_t>(b + count);
    if (difference != 0) return count + std::countr_zero(difference) / 8;
    count += 8;
  }
  while (count < most && a[count] == b[count]) ++count;
  return count;
}

// Where a page has which 8 bytes. Of every 15 bytes that moved, 8 are in here.
class WordIndex {
 public:
  explicit WordIndex(const std::byte* page) : page_(page) {
    for (std::size_t i = 0; i < kWords; ++i) {
      // Zeros are everywhere, and their place says nothing.
      if (const std::uint64_t value = word(page, i)) places_[slot(value)] = static_cast<std::uint16_t>(i);
    }
  }

  // Where the page has the 8 bytes at `bytes`; kPageBytes: not known.
  std::size_t find(const std::byte* bytes) const {
    const auto value = load<std::uint64_t>(bytes);
    const std::size_t place = places_[slot(value)];
    return value != 0 && word(page_, place) == value ? place * 8 : kPageBytes;
  }

 private:
  static constexpr int kSlotBits = 10;
  static std::size_t slot(std::uint64_t value) { return (value * 0x9e3779b97f4a7c15) >> (64 - kSlotBits); }

  const std::byte* page_;
  std::array<std::uint16_t, 1u << kSlotBits> places_{};
};

// Writes a patch with moves, front to back.
class MoveWriter {
 public:
  MoveWriter(const std::byte* after, std::byte* out, std::size_t bytes_max)
      : after_(after), out_(out), bytes_max_(bytes_max) {
    out_[size_++] = std::byte{0};
    out_[size_++] = std::byte{0};
  }

  // False when the patch became too long.
  bool add_new(std::size_t begin, std::size_t end) {
    const std::size_t length = end - begin;
    if (length == 0) return true;
    if (size_ + kRunHeadBytesMax + length > bytes_max_) return false;
    skip_to(begin, end);
    put(length);
    std::memcpy(out_ + size_, after_ + begin, length);
    size_ += length;
    return true;
  }

  bool add_move(std::size_t begin, std::size_t end, std::size_t source) {
    if (size_ + kMoveHeadBytesMax > bytes_max_) return false;
    skip_to(begin, end);
    put(0);
    put(end - begin);
    put(source);
    return true;
  }

  std::size_t size() const { return size_; }

 private:
  void put(std::size_t value) { size_ += put_varint(out_ + size_, value); }
  void skip_to(std::size_t begin, std::size_t end) {
    put(begin - written_to_);
    written_to_ = end;
  }

  const std::byte* after_;
  std::byte* out_;
  const std::size_t bytes_max_;
  std::size_t size_ = 0;
  std::size_t written_to_ = 0;
};

// None when it finds no moves, or the patch would be longer than `bytes_max`.
std::optional<std::size_t> make_patch_with_moves(const std::byte* before, const std::byte* after,
                                                 std::byte* out, std::size_t bytes_max) {
  const WordIndex index(before);
  MoveWriter writer(after, out, bytes_max);
  bool moved = false;
  std::size_t new_begin =
      0;  // the bytes from here to `at` are neither where they were nor known to have moved
  for (std::size_t at = 0; at < kPageBytes;) {
    const std::size_t left = kPageBytes - at;
    const std::size_t stayed = equal_bytes(before + at, after + at, left);
    if (stayed >= 8 || stayed == left) {
      if (!writer.add_new(new_begin, at)) return {};
      at += stayed;
      new_begin = at;
      continue;
    }
    const std::size_t source = left >= 8 ? index.find(after + at) : kPageBytes;
    if (source != kPageBytes) {
      std::size_t back = 0;
      while (back < std::min(at - new_begin, source) && before[source - back - 1] == after[at - back - 1])
        ++back;
      const std::size_t length = equal_bytes(before + source, after + at, kPageBytes - std::max(at, source));
      if (back + length >= kMoveBytesMin) {
        if (!writer.add_new(new_begin, at - back)) return {};
        if (!writer.add_move(at - back, at + length, source - back)) return {};
        moved = true;
        at += length;
        new_begin = at;
        continue;
      }
    }
    ++at;
    if (!moved && at - new_begin > kNewBytesBeforeMoveMax) return {};
  }
  if (!moved || !writer.add_new(new_begin, kPageBytes)) return {};
  return writer.size();
}

std::optional<std::size_t> make_patch_of_runs(const std::byte* before, const std::byte* after,
                                              std::byte* out) {
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

}  // namespace

std::optional<std::size_t> make_patch(const std::byte* before, const std::byte* after, std::byte* out) {
  const auto runs = make_patch_of_runs(before, after, out);
  if ((runs && *runs <= kMovesTriedBytes) || before == zero_page()) return runs;
  std::byte with_moves[kPatchBytesMax];
  const auto moves = make_patch_with_moves(before, after, with_moves, runs.value_or(kPatchBytesMax));
  if (!moves) return runs;
  std::memcpy(out, with_moves, *moves);
  return moves;
}

namespace {

// Goes through the runs of a patch: visit(place, length, source, is_move), where the bytes begin at `source`
// in the patch or, of a move, in the page. False: the bytes are no patch.
template <class Visit>
bool for_each_run(Bytes patch, bool has_moves, Visit visit) {
  std::size_t at = has_moves ? 2 : 0;
  std::size_t place = 0;
  while (at < patch.size()) {
    std::size_t skip = 0;
    std::size_t length = 0;
    if (!take_varint(patch, at, skip) || !take_varint(patch, at, length)) return false;
    place += skip;
    if (length == 0) {
      std::size_t source = 0;
      if (!has_moves || !take_varint(patch, at, length) || !take_varint(patch, at, source)) return false;
      if (length == 0 || place + length > kPageBytes || source + length > kPageBytes) return false;
      visit(place, length, source, true);
    } else {
      if (place + length > kPageBytes || length > patch.size() - at) return false;
      visit(place, length, at, false);
      at += length;
    }
    place += length;
  }
  return true;
}

bool has_moves(Bytes patch) {
  return patch.size() >= 2 && patch[0] == std::byte{0} && patch[1] == std::byte{0};
}

}  // namespace

bool apply_patch(Bytes patch, std::byte* page) {
  std::byte before[kPageBytes];
  const bool moves = has_moves(patch);
  if (moves) std::memcpy(before, page, kPageBytes);
  return for_each_run(patch, moves,
                      [&](std::size_t place, std::size_t length, std::size_t source, bool is_move) {
                        std::memcpy(page + place, (is_move ? before : patch.data()) + source, length);
                      });
}

std::optional<std::uint64_t> blocks_of_patch(Bytes patch) {
  std::uint64_t blocks = 0;
  const auto visit = [&](std::size_t place, std::size_t length, std::size_t, bool) {
    blocks |= blocks_of(place, place + length);
  };
  return for_each_run(patch, has_moves(patch), visit) ? std::optional(blocks) : std::nullopt;
}

const std::byte* zero_page() {
  alignas(64) static const std::byte page[kPageBytes] = {};
  return page;
}

}  // namespace dosql::version
