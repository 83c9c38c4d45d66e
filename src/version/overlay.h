// The private page images of one running transaction.
#pragma once

#include <cstdint>
#include <vector>

#include "base/ids.h"
#include "log/format.h"
#include "version/page_table.h"

namespace dosql::version {

// A page as its transaction last wrote it. Its image is in `frame`, or, when that is 0, in the spill entry.
struct OverlayPage {
  std::uint32_t page = 0;  // 0: unused place
  FrameId frame = 0;
  PageVersion spilled{};  // word 0: never spilled. The LSN is not known before the commit.
  bool dirty = false;     // written since it was last spilled
  bool cut = false;       // the transaction truncated it away
  bool restored = false;  // a spill entry changed it, and a later entry changes it back to its newest version
};

// An open-addressing map page -> OverlayPage that is cheap to fill with three pages and to empty again.
class OverlayMap {
 public:
  OverlayMap() : places_(kPlacesMin) {}

  // The pointer lives until the next insertion.
  OverlayPage* find(PageNo page) {
    OverlayPage& place = places_[place_of(raw(page))];
    return place.page == 0 ? nullptr : &place;
  }

  // The pointer lives until the next insertion.
  OverlayPage& find_or_insert(PageNo page) {
    std::size_t at = place_of(raw(page));
    if (places_[at].page == 0) {
      if ((used_.size() + 1) * 2 > places_.size()) {
        grow();
        at = place_of(raw(page));
      }
      places_[at] = {};
      places_[at].page = raw(page);
      used_.push_back(static_cast<std::uint32_t>(at));
    }
    return places_[at];
  }

  std::size_t size() const { return used_.size(); }

  // Forgets all pages; the caller has taken their frames.
  void clear();

  // Visits in no order.
  template <class Visit>
  void for_each(Visit visit) {
    for (const std::uint32_t at : used_) visit(places_[at]);
  }

 private:
  static constexpr std::size_t kPlacesMin = 32;
  static constexpr std::size_t kPlacesKept = 4096;

  std::size_t place_of(std::uint32_t page) const {
    std::size_t at = (page * 0x9E3779B1u) & (places_.size() - 1);
    while (places_[at].page != 0 && places_[at].page != page) at = (at + 1) & (places_.size() - 1);
    return at;
  }
  void grow();

  std::vector<OverlayPage> places_;  // a power of two
  std::vector<std::uint32_t> used_;
};

}  // namespace dosql::version
