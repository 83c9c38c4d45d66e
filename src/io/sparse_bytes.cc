#include "io/sparse_bytes.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"

namespace dosql::io {

std::byte* SparseBytes::BlockRef::mutable_bytes() {
  if (!block_) {
    block_ = new Block{};
  } else if (block_->references.load(std::memory_order_acquire) != 1) {
    BlockRef own;
    own.block_ = new Block;
    std::memcpy(own.block_->bytes, block_->bytes, kBlockBytes);
    *this = std::move(own);
  }
  return block_->bytes;
}

void SparseBytes::resize(std::uint64_t size) {
  CHECK(size <= kMaxBytes);
  if (size < size_) {
    const std::uint64_t blocks_kept = (size + kBlockBytes - 1) / kBlockBytes;
    if (blocks_kept < blocks_.size()) blocks_.resize(blocks_kept);
    const std::size_t used_in_last = size % kBlockBytes;
    if (used_in_last != 0 && blocks_kept == blocks_.size() && blocks_.back().bytes()) {
      std::memset(blocks_.back().mutable_bytes() + used_in_last, 0, kBlockBytes - used_in_last);
    }
  }
  size_ = size;
}

std::size_t SparseBytes::read(std::uint64_t offset, MutableBytes out) const {
  if (offset >= size_) return 0;
  const std::size_t count = std::min<std::uint64_t>(out.size(), size_ - offset);
  for (std::size_t done = 0; done < count;) {
    const std::uint64_t index = (offset + done) / kBlockBytes;
    const std::size_t within = (offset + done) % kBlockBytes;
    const std::size_t part = std::min(count - done, kBlockBytes - within);
    const std::byte* const block = index < blocks_.size() ? blocks_[index].bytes() : nullptr;
    if (block) {
      std::memcpy(out.data() + done, block + within, part);
    } else {
      std::memset(out.data() + done, 0, part);
    }
    done += part;
  }
  return count;
}

void SparseBytes::write(std::uint64_t offset, Bytes bytes) {
  if (bytes.empty()) return;
  CHECK(offset <= kMaxBytes && bytes.size() <= kMaxBytes - offset);
  const std::uint64_t end = offset + bytes.size();
  const std::uint64_t blocks_needed = (end + kBlockBytes - 1) / kBlockBytes;
  if (blocks_needed > blocks_.size()) blocks_.resize(blocks_needed);
  for (std::size_t done = 0; done < bytes.size();) {
    const std::size_t within = (offset + done) % kBlockBytes;
    const std::size_t part = std::min(bytes.size() - done, kBlockBytes - within);
    std::memcpy(blocks_[(offset + done) / kBlockBytes].mutable_bytes() + within, bytes.data() + done, part);
    done += part;
  }
  size_ = std::max(size_, end);
}

}  // namespace dosql::io
