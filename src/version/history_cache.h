// A bounded cache of rebuilt old page images, keyed by the log position of the version.
//
// Positions are never reused within a database, and a cache lives no longer than its store, so a key can
// never come to mean another image. Threads: any.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "base/bytes.h"
#include "log/format.h"

namespace dosql::version {

class HistoryCache {
 public:
  explicit HistoryCache(std::size_t capacity_bytes);

  // Copies from the cached page; false when it is not there.
  bool read(log::Position key, std::uint32_t offset, MutableBytes out);
  void put(log::Position key, const std::byte* page);

 private:
  static constexpr std::size_t kShards = 16;
  struct Entry {
    std::uint64_t key;
    bool referenced;
    std::unique_ptr<std::byte[]> page;
  };
  struct Shard {
    std::mutex mutex;
    std::unordered_map<std::uint64_t, std::size_t> index;
    std::vector<Entry> entries;
    std::size_t clock_hand = 0;
  };

  Shard& shard_of(log::Position key) { return shards_[(raw(key) * 0x9E3779B97F4A7C15ull) >> 60]; }

  const std::size_t entries_per_shard_;
  std::array<Shard, kShards> shards_;
};

}  // namespace dosql::version
