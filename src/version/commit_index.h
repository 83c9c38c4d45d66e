// Every commit of one branch: version -> (last LSN, log position), in eight bytes each.
//
// Commits are kept in chunks of differences to the chunk's first commit; a difference that does not fit
// begins a new chunk. A chunk grows with its commits: most branches have few. Threads: any; one pusher at a
// time.
#pragma once

#include <cstdint>
#include <optional>
#include <shared_mutex>
#include <span>
#include <vector>

#include "base/ids.h"
#include "log/format.h"

namespace dosql::version {

struct CommitEntry {
  Lsn lsn{};
  log::Position position{};
};

class CommitIndex {
 public:
  // The next version. REQUIRES: lsn and position are above all before.
  void push(const CommitEntry& entry);

  std::uint64_t size() const;
  // REQUIRES: 1 <= version <= size().
  CommitEntry at(Version version) const;
  // That one and those behind it, as many as there are and fit; returns their number. REQUIRES: as above.
  std::size_t read(Version first, std::span<CommitEntry> out) const;
  // The newest version whose LSN is at or below; Version{0} when there is none.
  Version find(Lsn lsn) const;
  std::uint64_t memory_bytes() const;

 private:
  static constexpr std::uint32_t kChunkCommits = 1024;
  struct Difference {
    std::uint32_t lsn;
    std::uint32_t position;  // in units of 8 bytes
  };
  struct Chunk {
    std::uint64_t first_version;
    CommitEntry base;
    std::vector<Difference> differences;
  };

  CommitEntry entry(const Chunk& chunk, std::size_t index) const;

  mutable std::shared_mutex mutex_;
  std::vector<Chunk> chunks_;
  std::uint64_t size_ = 0;
};

}  // namespace dosql::version
