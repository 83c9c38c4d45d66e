// File content in memory, in blocks: blocks never written cost nothing and copies share blocks until
// one of them writes.
#pragma once

#include <atomic>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/bytes.h"

namespace dosql::io {

// Not synchronised by itself. Copies may be used by different threads.
class SparseBytes {
 public:
  // Storage bodies refuse to go beyond it: the table of blocks has a word for each block before the
  // last one in use.
  static constexpr std::uint64_t kMaxBytes = std::uint64_t{1} << 40;
  static constexpr std::size_t kBlockBytes = 16 * 1024;

  std::uint64_t size() const { return size_; }

  // New bytes are zeros. REQUIRES: size <= kMaxBytes.
  void resize(std::uint64_t size);

  // Fills `out` from `offset`; returns the bytes read, fewer than asked only at the end.
  std::size_t read(std::uint64_t offset, MutableBytes out) const;

  // Grows when needed. REQUIRES: the range ends at or before kMaxBytes.
  void write(std::uint64_t offset, Bytes bytes);

 private:
  struct Block {
    std::atomic<std::uint32_t> references{1};
    std::byte bytes[kBlockBytes];
  };

  // A shared pointer whose count may be asked from any thread: shared_ptr::use_count() gives no order
  // between another owner's last read and our first write.
  class BlockRef {
   public:
    BlockRef() = default;
    BlockRef(const BlockRef& other) : block_(other.block_) {
      if (block_) block_->references.fetch_add(1, std::memory_order_relaxed);
    }
    BlockRef(BlockRef&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
    BlockRef& operator=(BlockRef other) noexcept {
      std::swap(block_, other.block_);
      return *this;
    }
    ~BlockRef() {
      if (block_ && block_->references.fetch_sub(1, std::memory_order_acq_rel) == 1) delete block_;
    }

    // Null: a block of zeros.
    const std::byte* bytes() const { return block_ ? block_->bytes : nullptr; }
    // Makes the block this reference's own first.
    std::byte* mutable_bytes();

   private:
    Block* block_ = nullptr;
  };

  std::uint64_t size_ = 0;
  // Blocks behind the last one are zeros. Bytes at and behind size_ are zeros in every block.
  std::vector<BlockRef> blocks_;
};

}  // namespace dosql::io
