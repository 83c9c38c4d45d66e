// The page index: for each page its versions, oldest first, and the frame of the newest. The table is main's;
// the slots of other branches are in branch.h.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "base/ids.h"
#include "log/format.h"
#include "version/locks.h"

namespace dosql::version {

// Index of a page image in the Pool; 0 is none.
using FrameId = std::uint32_t;

// One version of a page: since which LSN, and where its entry lies in the log. 16 bytes, and the same 16
// bytes in the checkpoint file.
struct PageVersion {
  std::uint64_t lsn;
  std::uint64_t word;  // position << 16 | kind << 8 | step

  static PageVersion make(Lsn lsn, log::Position position, log::EntryKind kind, std::uint8_t step) {
    return {raw(lsn), (raw(position) << 16) | (std::uint64_t{static_cast<std::uint8_t>(kind)} << 8) | step};
  }
  log::Position position() const { return log::Position{word >> 16}; }
  log::EntryKind kind() const { return static_cast<log::EntryKind>((word >> 8) & 0xff); }
  std::uint8_t step() const { return static_cast<std::uint8_t>(word); }
};
static_assert(sizeof(PageVersion) == 16);

// The longest chain: a base and 127 steps on it.
inline constexpr std::uint8_t kStepMax = 127;
// A key patch, against the base, is tried at each multiple.
inline constexpr std::uint8_t kKeyInterval = 32;

// A cold page should cost at most this many reads: a key patch or a full image replaces the end of a chain
// that takes more when the database is closed, and when a page that took more to rebuild is written again.
inline constexpr std::size_t kColdReadsMax = 2;

// The entries a page image is rebuilt from, newest first.
struct Chain {
  std::array<PageVersion, kStepMax + 1> entries;
  std::size_t size = 0;
  // What a key patch in place of entries[0], or behind it, is against: as many entries back as the step says.
  // Not the last of the entries where a fold gave a version in between a base of its own after other branches
  // had gone on from it. Set by newest_chain() and key_base_of().
  PageVersion key_base{};

  // Leaves only what a key patch stands on.
  void keep_key_base() {
    entries[0] = key_base;
    size = 1;
  }
  // How many reads that takes; entries that lie close together take one.
  std::size_t reads() const;
};

// What the index knows of one page on one branch. All fields are guarded by `lock`; who asks for frame()
// without it gets a guess.
struct PageSlot {
  SharedSpinLock lock;
  std::atomic<FrameId> frame_id{0};
  PageVersion* versions = nullptr;
  std::uint32_t count = 0;
  std::uint32_t capacity = 0;     // 0 with a count: the array belongs to the checkpoint buffer
  std::uint32_t chain_bytes = 0;  // payload since the chain's base
  std::uint8_t cold_reads = 0;    // what it took to rebuild the image in its frame; 0: a commit brought it
  std::uint8_t newest_step = 0;   // of the newest version: replaying needs no look into the array
  bool on_branch = false;         // this is a BranchSlot

  PageSlot() = default;
  ~PageSlot();
  PageSlot(const PageSlot&) = delete;
  PageSlot& operator=(const PageSlot&) = delete;

  // Of the newest version's image; 0: none.
  FrameId frame() const { return frame_id.load(std::memory_order_relaxed); }
  void set_frame(FrameId frame) { frame_id.store(frame, std::memory_order_relaxed); }
  const PageVersion& newest() const { return versions[count - 1]; }
  void push(const PageVersion& version);
  // Gives the newest version another entry of the log (L10). REQUIRES: the same LSN; a base, or the same
  // step.
  void replace_newest(const PageVersion& version);
  void add_chain_bytes(log::EntryKind kind, std::size_t payload_bytes);
  // The version that a reader at `lsn` sees, as an index; -1: none.
  std::ptrdiff_t find(Lsn lsn) const;
};

// A slot as somebody sees it who left its line of versions at `cap`. Null: there is none.
struct PageRef {
  PageSlot* slot = nullptr;
  Lsn cap = kLsnUnbounded;
};

static_assert(sizeof(PageSlot) == 32, "docs/limits.md promises 48 bytes per live page, table included");

class PageTable {
 public:
  PageTable() = default;
  ~PageTable();

  // Null when the page was never written. Slots never move. Any thread.
  PageSlot* find(PageNo page) const;
  // Any thread.
  PageSlot& at(PageNo page);
  // Every page that has versions, ascending.
  void for_each(const std::function<void(PageNo, PageSlot&)>& visit) const;

  std::uint64_t memory_bytes() const;

 private:
  static constexpr std::uint32_t kLeafBits = 8;
  static constexpr std::uint32_t kMiddleBits = 12;
  static constexpr std::uint32_t kRootBits = 12;
  struct Leaf {
    std::array<PageSlot, 1u << kLeafBits> slots;
  };
  struct Middle {
    std::array<std::atomic<Leaf*>, 1u << kMiddleBits> leaves{};
  };

  std::array<std::atomic<Middle*>, 1u << kRootBits> root_{};
  std::mutex grow_mutex_;
};

}  // namespace dosql::version
