// The image of a page in one of two neighbouring versions, of which mostly little is looked at.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "base/bytes.h"
#include "base/ids.h"

namespace dosql::version {

// A page is in 64 blocks of the same size.
inline constexpr std::size_t kBlockBytes = kPageBytes / 64;
inline constexpr std::uint64_t kAllBlocks = ~std::uint64_t{0};

// The bits of the blocks that [begin, end) is in. REQUIRES: begin < end <= kPageBytes.
inline std::uint64_t blocks_of(std::size_t begin, std::size_t end) {
  const std::size_t first = begin / kBlockBytes;
  const std::size_t last = (end - 1) / kBlockBytes;
  return (kAllBlocks >> (63 - (last - first))) << first;
}

// A page before a commit that changed some of it: what is about to be written over is kept here, all else is
// copied out of the image that the commit left, where somebody asks for it. One thread at a time.
class EarlierImage {
 public:
  // `image` is going to change in `blocks` only, and must outlive this.
  void keep(const PageImage& image, std::uint64_t blocks) {
    later_ = &image;
    here_ = 0;
    bring(blocks);
  }

  const PageImage& whole() {
    bring(kAllBlocks);
    return bytes_;
  }
  // The image, of which what lies in [begin, end) can be read. REQUIRES: begin < end <= kPageBytes.
  const PageImage& part(std::size_t begin, std::size_t end) {
    bring(blocks_of(begin, end));
    return bytes_;
  }
  const PageImage& bytes() const { return bytes_; }

 private:
  // Block by block: mostly it is one or two, and of a copy whose size is not known the beginning costs more
  // than that.
  void bring(std::uint64_t blocks) {
    std::uint64_t missing = blocks & ~here_;
    here_ |= missing;
    for (; missing != 0; missing &= missing - 1) {
      const std::size_t at = std::countr_zero(missing) * kBlockBytes;
      std::memcpy(bytes_.data() + at, later_->data() + at, kBlockBytes);
    }
  }

  const PageImage* later_ = nullptr;
  std::uint64_t here_ = 0;  // the blocks that are in bytes_, by bits
  PageImage bytes_;
};

// One thread at a time; ends with what it views.
class PageView {
 public:
  // Of a page that the version does not have.
  PageView() = default;
  explicit PageView(const PageImage* image) : image_(image) {}
  explicit PageView(EarlierImage& image) : image_(&image.bytes()), earlier_(&image) {}

  bool exists() const { return image_ != nullptr; }
  bool is_same_image(const PageView& other) const { return image_ == other.image_; }
  // REQUIRES of both: exists().
  const PageImage& whole() const { return earlier_ != nullptr ? earlier_->whole() : *image_; }
  // The image, of which what lies in [begin, end) can be read. REQUIRES: begin < end <= kPageBytes.
  const PageImage& part(std::size_t begin, std::size_t end) const {
    return earlier_ != nullptr ? earlier_->part(begin, end) : *image_;
  }

 private:
  const PageImage* image_ = nullptr;
  EarlierImage* earlier_ = nullptr;
};

}  // namespace dosql::version
