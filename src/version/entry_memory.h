// The payloads of log entries that were read a while ago, for who will need some of them again: the pages of
// a large table that is changed here and there are written again long after their images were given up, and
// each patch of their chains would be a read of its own.
//
// Memory: kBytes and the places, 4 MiB together, from the first payload on.
#pragma once

#include <cstdint>
#include <cstring>
#include <vector>

#include "base/bytes.h"
#include "log/format.h"

namespace dosql::version {

// One thread at a time.
class EntryMemory {
 public:
  // Longer payloads are not kept.
  static constexpr std::size_t kPayloadBytesMax = 512;

  void add(log::Position position, Bytes payload) {
    if (payload.empty() || payload.size() > kPayloadBytesMax) return;
    if (bytes_.empty()) {
      bytes_.resize(kBytes);
      places_.resize(kPlaces);
    }
    // A payload is in one piece.
    if (written_ % kBytes + payload.size() > kBytes) written_ += kBytes - written_ % kBytes;
    std::memcpy(bytes_.data() + written_ % kBytes, payload.data(), payload.size());
    places_[place_of(position)] = {raw(position) << 16 | payload.size(), written_};
    written_ += payload.size();
  }

  // Empty: it is not here. A view that the next add() may end.
  Bytes find(log::Position position) const {
    if (places_.empty()) return {};
    const Place& place = places_[place_of(position)];
    if (place.position_and_size >> 16 != raw(position) || place.begin + kBytes < written_) return {};
    return Bytes(bytes_).subspan(place.begin % kBytes, place.position_and_size & 0xffff);
  }

 private:
  static constexpr std::size_t kBytes = std::size_t{2} << 20;
  static constexpr std::size_t kPlaces = std::size_t{1} << 17;

  struct Place {
    std::uint64_t position_and_size = 0;
    std::uint64_t begin = 0;  // how much had been written before it
  };

  // Neighbours in the log are neighbours here, and in the processor's caches. Few records are shorter.
  static std::size_t place_of(log::Position position) { return raw(position) / 32 % kPlaces; }

  std::vector<std::byte> bytes_;  // goes round
  std::vector<Place> places_;     // each takes the place of the one before it
  std::uint64_t written_ = 0;
};

}  // namespace dosql::version
