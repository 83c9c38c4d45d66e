// Things that JavaScript names by number: a wrong or outdated number finds nothing.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

namespace dosql::node {

// One thread. A number is never given twice, as long as fewer than 2^29 things come and go in one place; it
// fits into a JavaScript number.
template <class T>
class Numbered {
 public:
  std::int64_t add(std::unique_ptr<T> thing) {
    std::size_t place = places_.size();
    if (free_.empty()) {
      places_.emplace_back();
    } else {
      place = free_.back();
      free_.pop_back();
    }
    places_[place].thing = std::move(thing);
    return number_of(place);
  }

  // Null when there is none of that number.
  T* find(std::int64_t number) {
    const std::size_t place = static_cast<std::size_t>(number) & kPlaceMask;
    if (place >= places_.size() || number_of(place) != number) return nullptr;
    return places_[place].thing.get();
  }

  // Null when there is none of that number.
  std::unique_ptr<T> take(std::int64_t number) {
    if (find(number) == nullptr) return nullptr;
    const std::size_t place = static_cast<std::size_t>(number) & kPlaceMask;
    std::unique_ptr<T> thing = std::move(places_[place].thing);
    ++places_[place].generation;
    free_.push_back(place);
    return thing;
  }

  template <class Visit>
  void for_each(Visit&& visit) const {
    for (const Place& place : places_) {
      if (place.thing) visit(*place.thing);
    }
  }

  // Takes out all for which `chosen(thing)` holds.
  template <class Chosen>
  std::vector<std::unique_ptr<T>> take_all(Chosen&& chosen) {
    std::vector<std::unique_ptr<T>> taken;
    for (std::size_t place = 0; place < places_.size(); ++place) {
      if (places_[place].thing && chosen(*places_[place].thing)) taken.push_back(take(number_of(place)));
    }
    return taken;
  }

 private:
  struct Place {
    std::unique_ptr<T> thing;
    std::int64_t generation = 1;
  };
  static constexpr int kPlaceBits = 24;
  static constexpr std::size_t kPlaceMask = (std::size_t{1} << kPlaceBits) - 1;

  std::int64_t number_of(std::size_t place) const {
    return places_[place].generation << kPlaceBits | static_cast<std::int64_t>(place);
  }

  std::vector<Place> places_;
  std::vector<std::size_t> free_;
};

}  // namespace dosql::node
