// How much of SQLite's own page cache each connection may use, so that many connections together stay in
// bounds.
//
// The pool holds the newest pages for all of them; what a connection caches besides only spares it copies.
// Threads: any.
#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>

namespace dosql::engine {

class CacheBudget {
 public:
  // What SQLite gives a connection of its own accord.
  static constexpr int kSqliteKib = 2'000;
  static constexpr int kLeastKib = 64;
  static constexpr int kTotalKib = 256 * 1'024;

  // What a connection has while there are few.
  explicit CacheBudget(std::size_t most_bytes)
      : most_kib_(static_cast<int>(std::clamp<std::size_t>(most_bytes >> 10, kLeastKib, kTotalKib))),
        share_kib_(most_kib_) {}

  void connected(int connections) {
    // In steps, so that not every connection that comes or goes changes it for all.
    const int share_kib =
        kTotalKib / static_cast<int>(std::bit_ceil(static_cast<unsigned>(std::max(connections, 1))));
    share_kib_.store(std::clamp(share_kib, kLeastKib, most_kib_), std::memory_order_relaxed);
  }
  int share_kib() const { return share_kib_.load(std::memory_order_relaxed); }

 private:
  const int most_kib_;
  std::atomic<int> share_kib_;
};

}  // namespace dosql::engine
