// Images that commits replaced while a reader still needed them: a scan beside a writer would otherwise
// rebuild from the log nearly every page it comes to.
//
// A copy of nothing: the frame itself changes hands. It is kept while the pool has room, and only for readers
// that have been at their version for a while, those that an occasional look finds. Threads: any.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <unordered_map>

#include "base/bytes.h"
#include "log/format.h"
#include "version/pool.h"

namespace dosql::version {

class RetainedPages {
 public:
  explicit RetainedPages(Pool& pool) : pool_(pool) {}
  ~RetainedPages() { clear(); }
  RetainedPages(const RetainedPages&) = delete;
  RetainedPages& operator=(const RetainedPages&) = delete;

  // Copies from the image of the version whose entry is at `key`; false when it is not here.
  bool read(log::Position key, std::uint32_t offset, MutableBytes out);
  // The frame is the caller's, and this one's from now on.
  void add(log::Position key, FrameId frame);
  // Nobody needs them any more, or the pool is full.
  void clear();
  bool empty() const { return count_.load(std::memory_order_relaxed) == 0; }

 private:
  static constexpr std::size_t kShards = 16;
  struct Shard {
    std::mutex mutex;
    std::unordered_map<std::uint64_t, FrameId> frames;
  };

  Shard& shard_of(log::Position key) { return shards_[(raw(key) * 0x9E3779B97F4A7C15ull) >> 60]; }

  Pool& pool_;
  std::atomic<std::uint64_t> count_{0};
  std::array<Shard, kShards> shards_;
};

}  // namespace dosql::version
