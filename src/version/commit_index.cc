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
  Chunk* chunk = chunks_.empty() ? nullptr : chunks_.back().get();
  const bool fits = chunk && chunk->size < kChunkCommits &&
                    raw(entry.lsn) - raw(chunk->base.lsn) <= kDifferenceMax &&
                    (raw(entry.position) - raw(chunk->base.position)) / 8 <= kDifferenceMax;
  if (!fits) {
    chunks_.push_back(std::make_unique_for_overwrite<Chunk>());
    chunk = chunks_.back().get();
    chunk->first_version = size_ + 1;
    chunk->base = entry;
  }
  chunk->lsn_differences[chunk->size] = static_cast<std::uint32_t>(raw(entry.lsn) - raw(chunk->base.lsn));
  chunk->position_differences[chunk->size] =
      static_cast<std::uint32_t>((raw(entry.position) - raw(chunk->base.position)) / 8);
  ++chunk->size;
  ++size_;
}

std::uint64_t CommitIndex::size() const {
  std::shared_lock lock(mutex_);
  return size_;
}

CommitEntry CommitIndex::entry(const Chunk& chunk, std::size_t index) const {
  return {Lsn{raw(chunk.base.lsn) + chunk.lsn_differences[index]},
          log::Position{raw(chunk.base.position) + std::uint64_t{chunk.position_differences[index]} * 8}};
}

CommitEntry CommitIndex::at(Version version) const {
  std::shared_lock lock(mutex_);
  const auto behind =
      std::upper_bound(chunks_.begin(), chunks_.end(), raw(version),
                       [](std::uint64_t wanted, const auto& chunk) { return wanted < chunk->first_version; });
  const Chunk& chunk = **(behind - 1);
  return entry(chunk, raw(version) - chunk.first_version);
}

Version CommitIndex::find(Lsn lsn) const {
  std::shared_lock lock(mutex_);
  const auto behind =
      std::upper_bound(chunks_.begin(), chunks_.end(), lsn,
                       [](Lsn wanted, const auto& chunk) { return wanted < chunk->base.lsn; });
  if (behind == chunks_.begin()) return Version{0};
  const Chunk& chunk = **(behind - 1);
  const std::uint64_t difference = raw(lsn) - raw(chunk.base.lsn);
  const auto* begin = chunk.lsn_differences.data();
  const auto* place = std::upper_bound(begin, begin + chunk.size, difference);
  return Version{chunk.first_version + (place - begin) - 1};
}

std::uint64_t CommitIndex::memory_bytes() const {
  std::shared_lock lock(mutex_);
  return chunks_.capacity() * sizeof chunks_[0] + chunks_.size() * sizeof(Chunk);
}

}  // namespace dosql::version
