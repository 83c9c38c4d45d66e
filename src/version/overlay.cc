#include "version/overlay.h"

namespace dosql::version {

void OverlayMap::grow() {
  std::vector<OverlayPage> old = std::move(places_);
  std::vector<std::uint32_t> old_used = std::move(used_);
  places_.assign(old.size() * 2, {});
  used_.clear();
  for (const std::uint32_t at : old_used) {
    const std::size_t place = place_of(old[at].page);
    places_[place] = old[at];
    used_.push_back(static_cast<std::uint32_t>(place));
  }
}

void OverlayMap::clear() {
  if (places_.size() > kPlacesKept) {
    places_.assign(kPlacesMin, {});
  } else {
    for (const std::uint32_t at : used_) places_[at] = {};
  }
  used_.clear();
}

}  // namespace dosql::version
