#include "version/commit_index.h"

#include <algorithm>
#include <limits>
#include <mutex>

namespace dosql::version {
namespace {

constexpr std::uint64_t kDifferenceMax = std::numeric_limits<std::uint32_t>::max();

}  // namespace

void CommitIndex::push(const CommitEntry& entry) {
  std::unique_lock lock(mutex_);
  const bool fits = !chunks_.empty() && chunks_.back().differences.size() < kChunkCommits &&
                    raw(entry.lsn) - raw(chunks_.back().base.lsn) <= kDifferenceMax &&
                    (raw(entry.position) - raw(chunks_.back().base.position)) / 8 <= kDifferenceMax;
  if (!fits) {
    chunks_.push_back({.first_version = size_ + 1, .base = entry, .differences = {}});
    // The first chunk of a branch grows from nothing; who fills one will fill the next.
    if (chunks_.size() > 1) chunks_.back().differences.reserve(kChunkCommits);
  }
  Chunk& chunk = chunks_.back();
  chunk.differences.push_back(
      {static_cast<std::uint32_t>(raw(entry.lsn) - raw(chunk.base.lsn)),
       static_cast<std::uint32_t>((raw(entry.position) - raw(chunk.base.position)) / 8)});
  ++size_;
}

std::uint64_t CommitIndex::size() const {
  std::shared_lock lock(mutex_);
  return size_;
}

CommitEntry CommitIndex::entry(const Chunk& chunk, std::size_t index) const {
  const Difference& difference = chunk.differences[index];
  return {Lsn{raw(chunk.base.lsn) + difference.lsn},
          log::Position{raw(chunk.base.position) + std::uint64_t{difference.position} * 8}};
}

CommitEntry CommitIndex::at(Version version) const {
  std::shared_lock lock(mutex_);
  const auto behind = std::ranges::upper_bound(chunks_, raw(version), {}, &Chunk::first_version);
  const Chunk& chunk = *(behind - 1);
  return entry(chunk, raw(version) - chunk.first_version);
}

std::size_t CommitIndex::read(Version first, std::span<CommitEntry> out) const {
  std::shared_lock lock(mutex_);
  auto chunk = std::ranges::upper_bound(chunks_, raw(first), {}, &Chunk::first_version) - 1;
  std::size_t index = raw(first) - chunk->first_version;
  std::size_t count = 0;
  while (count < out.size()) {
    if (index == chunk->differences.size()) {
      if (++chunk == chunks_.end()) break;
      index = 0;
    }
    out[count++] = entry(*chunk, index++);
  }
  return count;
}

Version CommitIndex::find(Lsn lsn) const {
  std::shared_lock lock(mutex_);
  const auto behind =
      std::ranges::upper_bound(chunks_, lsn, {}, [](const Chunk& chunk) { return chunk.base.lsn; });
  if (behind == chunks_.begin()) return Version{0};
  const Chunk& chunk = *(behind - 1);
  const std::uint64_t difference = raw(lsn) - raw(chunk.base.lsn);
  const auto place = std::ranges::upper_bound(chunk.differences, difference, {}, &Difference::lsn);
  return Version{chunk.first_version + (place - chunk.differences.begin()) - 1};
}

std::uint64_t CommitIndex::memory_bytes() const {
  std::shared_lock lock(mutex_);
  std::uint64_t bytes = chunks_.capacity() * sizeof(Chunk);
  for (const Chunk& chunk : chunks_) bytes += chunk.differences.capacity() * sizeof(Difference);
  return bytes;
}

}  // namespace dosql::version
