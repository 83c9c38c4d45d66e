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
  KeptImages(ReplayRoom& room, Pool& pool) : room_(room), pool_(pool) { empty_sets(); }
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

  // How many images it may have.
  std::size_t room() const { return images_max_; }
  // Whether many were wanted that were not kept, and so many images in all could be.
  bool can_keep_all(std::size_t images) const {
    return images_max_ > kLeast && images <= images_max_ + room_.left();
  }

 private:
  static constexpr std::size_t kWays = 8;
  // For each image that there may be: pages are not spread so evenly that all sets have the same number.
  static constexpr std::size_t kPlaces = 2;
  using Turn = std::uint32_t;  // goes round

  // What is looked at first is one line of the processor's cache.
  struct alignas(kCacheLineBytes) Set {
    std::array<PageNo, kWays> pages{};    // 0: the place is free
    std::array<FrameId, kWays> frames{};  // of their images
    std::array<Turn, kWays> used{};       // the turn that used it last
  };
  struct Place {
    Set* set = nullptr;  // null: there is none
    std::size_t way = 0;
  };
  struct Beside {
    PageNo page{};
    FrameId frame = 0;
  };

  PageImage& image_of(FrameId frame) const { return *reinterpret_cast<PageImage*>(pool_.data(frame)); }
  // By Fibonacci hashing (Knuth, TAOCP 3, 6.4): the highest bits of the product spread pages that lie behind
  // each other evenly. The bits below do not.
  Set& set_of(PageNo page) { return sets_[raw(page) * 0x9E3779B1u >> (32 - std::countr_zero(sets_.size()))]; }
  FrameId find_frame(PageNo page);
  // Of those in the set, or `other`, the one that was used longest ago; none: this turn uses all.
  Place older(Set& set, Place other) const;
  Place to_give_up(Set& set);
  void give_up(const Place& place);
  void forget_those_beside();
  void empty_sets() { sets_ = std::vector<Set>(images_max_ * kPlaces / kWays); }
  void count_anew();
  void grow();

  ReplayRoom& room_;
  Pool& pool_;
  std::size_t images_max_ = kLeast;
  std::size_t images_ = 0;  // in the sets
  std::vector<Set> sets_;
  std::size_t hand_ = 0;        // the set that is to give one up next
  std::vector<Beside> beside_;  // for which their set had no place in this turn
  Turn turn_ = 0;
  std::size_t missed_ = 0;  // in so many turns
  std::size_t counted_turns_ = 0;
};

}  // namespace dosql::version
