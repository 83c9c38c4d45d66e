#include "version/history_cache.h"

#include "base/ids.h"

namespace dosql::version {

HistoryCache::HistoryCache(std::size_t capacity_bytes)
    : entries_per_shard_(capacity_bytes / kPageBytes / kShards) {}

bool HistoryCache::read(log::Position key, std::uint32_t offset, MutableBytes out) {
  Shard& shard = shard_of(key);
  std::lock_guard lock(shard.mutex);
  const auto found = shard.index.find(raw(key));
  if (found == shard.index.end()) return false;
  Entry& entry = shard.entries[found->second];
  entry.referenced = true;
  std::memcpy(out.data(), entry.page.get() + offset, out.size());
  return true;
}

void HistoryCache::put(log::Position key, const std::byte* page) {
  if (entries_per_shard_ == 0) return;
  Shard& shard = shard_of(key);
  std::lock_guard lock(shard.mutex);
  if (shard.index.contains(raw(key))) return;
  std::size_t place = shard.entries.size();
  if (place < entries_per_shard_) {
    shard.entries.push_back({0, false, std::make_unique<std::byte[]>(kPageBytes)});
  } else {
    while (shard.entries[shard.clock_hand].referenced) {
      shard.entries[shard.clock_hand].referenced = false;
      shard.clock_hand = (shard.clock_hand + 1) % shard.entries.size();
    }
    place = shard.clock_hand;
    shard.clock_hand = (shard.clock_hand + 1) % shard.entries.size();
    shard.index.erase(shard.entries[place].key);
  }
  Entry& entry = shard.entries[place];
  entry.key = raw(key);
  entry.referenced = false;
  std::memcpy(entry.page.get(), page, kPageBytes);
  shard.index[raw(key)] = place;
}

}  // namespace dosql::version
