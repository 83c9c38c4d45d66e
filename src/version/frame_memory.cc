#include "version/frame_memory.h"

#include <sys/mman.h>

namespace dosql::version {
namespace {

// Frames in front of this are in small pages: up to here the processor finds those well enough, and a
// database that needs no more takes what it needs.
constexpr std::size_t kSmallPagesBytes = std::size_t{64} << 20;

}  // namespace

// Frames are used at random and copied whole: with the system's small pages nearly every copy from a large
// pool costs a walk through its page tables.
FrameMemory::FrameMemory(std::size_t frames) : size_bytes_(frames * kPageBytes) {
  void* const range =
      mmap(nullptr, size_bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (range == MAP_FAILED) return;
  begin_ = static_cast<std::byte*>(range);
  // Only advice: without it all works as well, slower.
  if (size_bytes_ > kSmallPagesBytes)
    madvise(begin_ + kSmallPagesBytes, size_bytes_ - kSmallPagesBytes, MADV_HUGEPAGE);
}

FrameMemory::~FrameMemory() {
  if (has_frames()) munmap(begin_, size_bytes_);
}

}  // namespace dosql::version
