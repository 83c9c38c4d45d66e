#include "version/retained_pages.h"

#include <utility>

namespace dosql::version {

bool RetainedPages::read(log::Position key, std::uint32_t offset, MutableBytes out) {
  if (empty()) return false;
  Shard& shard = shard_of(key);
  std::lock_guard lock(shard.mutex);
  const auto found = shard.frames.find(raw(key));
  if (found == shard.frames.end()) return false;
  std::memcpy(out.data(), pool_.data(found->second) + offset, out.size());
  return true;
}

void RetainedPages::add(log::Position key, FrameId frame) {
  Shard& shard = shard_of(key);
  std::lock_guard lock(shard.mutex);
  if (shard.frames.try_emplace(raw(key), frame).second) {
    count_.fetch_add(1, std::memory_order_relaxed);
  } else {
    pool_.free(frame);
  }
}

void RetainedPages::clear() {
  if (empty()) return;
  for (Shard& shard : shards_) {
    std::lock_guard lock(shard.mutex);
    for (const auto& [key, frame] : shard.frames) pool_.free(frame);
    count_.fetch_sub(shard.frames.size(), std::memory_order_relaxed);
    shard.frames.clear();
  }
}

}  // namespace dosql::version
