// The images of the pages that somebody who goes through commits used last, one for each page.
//
// Where many are wanted that are not here any more, because the commits write here and there in a large
// table, there is room for twice as many, as long as the store has some to spare (ReplayRoom): rebuilding a
// page costs as much as all else that is done to it.
//
// Memory: frames of the store's pool, taken one by one.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "version/pool.h"

namespace dosql::version {

// How many images all of a store's KeptImages may have besides kLeast each. Threads: any.
class ReplayRoom {
 public:
  explicit ReplayRoom(std::size_t images) : images_(images), left_(images) {}

  std::size_t images() const { return images_; }
  std::size_t left() const { return left_.load(std::memory_order_relaxed); }
  bool take(std::size_t images) {
    std::size_t left = left_.load(std::memory_order_relaxed);
    while (left >= images) {
      if (left_.compare_exchange_weak(left, left - images, std::memory_order_relaxed)) return true;
    }
    return false;
  }
  void give_back(std::size_t images) { left_.fetch_add(images, std::memory_order_relaxed); }

 private:
  const std::size_t images_;
  std::atomic<std::size_t> left_;
};

// One thread at a time.
class KeptImages {
 public:
  static constexpr std::size_t kLeast = 512;  // 2 MiB

  // Both must outlive it.
  KeptImages(ReplayRoom& room, Pool& pool) : room_(room), pool_(pool), sets_(kLeast / kWays) {}
  ~KeptImages();
  KeptImages(const KeptImages&) = delete;
  KeptImages& operator=(const KeptImages&) = delete;

  // What is found or made from now on stays where it is until the next turn. What was used in the turns
  // before may be given up.
  void begin_turn();
  // Null: it is not kept, and was wanted.
  PageImage* find(PageNo page);
  // A place for its image, which is undefined. REQUIRES: it is not kept.
  PageImage& add(PageNo page);
  // A place for an image that nobody has asked for yet; null: there is none that is free, or it is kept.
  PageImage* add_unasked(PageNo page);
  // The image of a page, or a place for it.
  PageImage& find_or_add(PageNo page);
  // Has the processor fetch the beginning of the page, these blocks and their neighbours, if it is kept.
  void prefetch(PageNo page, std::uint64_t blocks);
  // REQUIRES: it is kept.
  void forget(PageNo page);
  void forget_all();
  // Gives all memory back, and what was taken of the room. REQUIRES: begin_turn() comes next.
  void give_back();

  std::size_t room() const { return sets_.size() * kWays; }
  // Whether many were wanted that were not kept, and so many images in all could be.
  bool can_keep_all(std::size_t images) const { return room() > kLeast && images <= room() + room_.left(); }

 private:
  struct Kept {
    PageNo page{};           // 0: none
    FrameId frame = 0;       // of its image; 0: none yet
    std::uint64_t used = 0;  // the turn that used it last
  };
  static constexpr std::size_t kWays = 8;
  using Set = std::array<Kept, kWays>;

  PageImage& image_of(const Kept& kept) const {
    return *reinterpret_cast<PageImage*>(pool_.data(kept.frame));
  }
  // By Fibonacci hashing (Knuth, TAOCP 3, 6.4): the highest bits of the product spread pages that lie behind
  // each other evenly, so that a set has no more of a large table than another. The bits below do not.
  std::size_t set_of(PageNo page) const {
    return raw(page) * 0x9E3779B1u >> (32 - std::countr_zero(sets_.size()));
  }
  Kept* find_kept(PageNo page);
  Kept* to_give_up(Set& set);
  void forget(Kept& kept);
  void forget_those_beside();
  void count_anew();
  void grow();

  ReplayRoom& room_;
  Pool& pool_;
  std::vector<Set> sets_;
  std::vector<std::unique_ptr<Kept>> beside_;  // for which their set had no room in this turn
  std::uint64_t turns_ = 0;
  std::size_t missed_ = 0;  // since that turn
  std::uint64_t counted_since_ = 0;
};

}  // namespace dosql::version
