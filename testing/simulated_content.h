// The content of one file on the simulated disk: what is read now, what is durable, and what may still be
// lost. The rules are in simulated_disk.h under "Power loss".
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/environment.h"
#include "io/sparse_bytes.h"

namespace dosql::testing {

// How one power loss treats what was not synced. Drawn once per power loss, so that losses of every
// character occur and not only the average one, in which each long run of writes is half lost.
class PowerLoss {
 public:
  explicit PowerLoss(Random& random);

  enum class Fate { kKept, kLost, kTorn };
  Fate fate_of_write();
  // How many of `count` ordered changes are kept: the first ones.
  std::size_t kept_prefix(std::size_t count);
  // True once in `n` times.
  bool one_in(std::uint64_t n) { return random_.next_u64() % n == 0; }
  std::uint64_t below(std::uint64_t bound) { return random_.next_u64() % bound; }
  Random& random() { return random_; }

 private:
  Random& random_;
  unsigned kept_percent_ = 0;
  unsigned torn_percent_ = 0;
};

// Not synchronised by itself. Copying is cheap: blocks and unsynced bytes are shared.
class SimulatedContent {
 public:
  const io::SparseBytes& current() const { return current_; }

  void write(std::uint64_t offset, Bytes bytes);
  // Shorter or longer; new bytes are zeros.
  void set_size(std::uint64_t size_bytes);

  // Everything is durable now, but for writes that an earlier sync failed on.
  void sync();
  // From now on no sync makes the unsynced writes durable, only writing their bytes again and a sync.
  void fail_sync();

  // Content that is all durable.
  SimulatedContent after_power_loss(PowerLoss& loss) const;

  // In the current and in the durable content; unsynced writes are not changed.
  void flip_bit(std::uint64_t offset, unsigned bit);

 private:
  // A write, or without bytes a change of size only.
  struct Change {
    std::uint64_t offset = 0;
    Bytes bytes;  // within *owner
    std::shared_ptr<const std::vector<std::byte>> owner;
    std::optional<std::uint64_t> new_size;  // of the file, when this changed it
    bool sync_failed = false;

    bool is_write() const { return owner != nullptr; }
    std::uint64_t end() const { return offset + bytes.size(); }
    // The part of this write within [begin, end); no part: no bytes.
    Change part(std::uint64_t begin, std::uint64_t end) const;
  };

  static void cut_out(std::vector<Change>& writes, std::uint64_t begin, std::uint64_t end);

  std::size_t kept_changes(PowerLoss& loss) const;
  io::SparseBytes content_after(std::size_t kept_changes) const;
  std::vector<Change> surviving_writes(std::size_t kept_changes) const;

  io::SparseBytes current_;
  io::SparseBytes durable_;
  std::vector<Change> unsynced_;  // in the order they were made
};

}  // namespace dosql::testing
