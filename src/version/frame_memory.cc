#include "version/frame_memory.h"

#include <sys/mman.h>

namespace dosql::version {
// Frames are used at random and copied whole: with the system's small pages nearly every copy from a large
// pool costs a walk through its page tables.
FrameMemory::FrameMemory(std::size_t frames, std::size_t small_pages_bytes)
    : size_bytes_(frames * kPageBytes) {
  void* const range =
      mmap(nullptr, size_bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (range == MAP_FAILED) return;
  begin_ = static_cast<std::byte*>(range);
  // Only advice: without it all works as well, slower.
  if (size_bytes_ > small_pages_bytes)
    madvise(begin_ + small_pages_bytes, size_bytes_ - small_pages_bytes, MADV_HUGEPAGE);
}

FrameMemory::~FrameMemory() {
  if (has_frames()) munmap(begin_, size_bytes_);
}

}  // namespace dosql::version
