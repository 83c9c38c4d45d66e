#include "testing/simulated_content.h"

#include <algorithm>
#include <array>
#include <limits>

#include "base/check.h"

namespace dosql::testing {
namespace {

using io::SparseBytes;

constexpr std::uint64_t kSectorBytes = 512;
constexpr std::uint64_t kGarbageOneIn = 16;
constexpr std::uint64_t kNoLimit = std::numeric_limits<std::uint64_t>::max();

void write_garbage_sector(SparseBytes& content, std::uint64_t offset, Random& random) {
  std::array<std::uint64_t, kSectorBytes / sizeof(std::uint64_t)> garbage;
  for (std::uint64_t& word : garbage) word = random.next_u64();
  content.write(offset, bytes_of(garbage));
}

// Each sector of the write is kept, lost, or, when the write covers all of it, garbage.
void write_torn(SparseBytes& content, std::uint64_t offset, Bytes bytes, PowerLoss& loss) {
  while (!bytes.empty()) {
    const std::uint64_t part_bytes =
        std::min<std::uint64_t>(bytes.size(), kSectorBytes - offset % kSectorBytes);
    if (part_bytes == kSectorBytes && loss.one_in(kGarbageOneIn)) {
      write_garbage_sector(content, offset, loss.random());
    } else if (loss.one_in(2)) {
      content.write(offset, bytes.first(part_bytes));
    }
    offset += part_bytes;
    bytes = bytes.subspan(part_bytes);
  }
}

}  // namespace

PowerLoss::PowerLoss(Random& random) : random_(random) {
  struct Character {
    unsigned kept_percent;
    unsigned torn_percent;
  };
  constexpr std::array<Character, 6> kCharacters = {{
      {0, 0},    // nothing unsynced survives
      {100, 0},  // everything does
      {34, 33},  // anything goes
      {90, 5},   // a hole here and there
      {5, 5},    // a survivor here and there
      {0, 100},  // everything was in flight
  }};
  const Character& character = kCharacters[below(kCharacters.size())];
  kept_percent_ = character.kept_percent;
  torn_percent_ = character.torn_percent;
}

PowerLoss::Fate PowerLoss::fate_of_write() {
  const std::uint64_t draw = below(100);
  if (draw < kept_percent_) return Fate::kKept;
  return draw < kept_percent_ + torn_percent_ ? Fate::kTorn : Fate::kLost;
}

std::size_t PowerLoss::kept_prefix(std::size_t count) {
  const std::uint64_t draw = below(100);
  if (draw < kept_percent_) return count;
  if (kept_percent_ + torn_percent_ == 0) return 0;
  return below(count + 1);
}

SimulatedContent::Change SimulatedContent::Change::part(std::uint64_t begin, std::uint64_t end) const {
  const std::uint64_t from = std::clamp(begin, offset, this->end());
  const std::uint64_t to = std::clamp(end, from, this->end());
  Change result = *this;
  result.offset = from;
  result.bytes = bytes.subspan(from - offset, to - from);
  return result;
}

// Removes [begin, end) from every write.
void SimulatedContent::cut_out(std::vector<Change>& writes, std::uint64_t begin, std::uint64_t end) {
  std::vector<Change> rest;
  for (const Change& write : writes) {
    for (Change& part : std::array{write.part(0, begin), write.part(end, kNoLimit)}) {
      if (!part.bytes.empty()) rest.push_back(std::move(part));
    }
  }
  writes = std::move(rest);
}

void SimulatedContent::write(std::uint64_t offset, Bytes bytes) {
  if (bytes.empty()) return;
  Change change;
  change.offset = offset;
  change.owner = std::make_shared<const std::vector<std::byte>>(bytes.begin(), bytes.end());
  change.bytes = *change.owner;
  if (change.end() > current_.size()) change.new_size = change.end();
  current_.write(offset, bytes);
  unsynced_.push_back(std::move(change));
}

void SimulatedContent::set_size(std::uint64_t size_bytes) {
  if (size_bytes == current_.size()) return;
  Change change;
  change.new_size = size_bytes;
  current_.resize(size_bytes);
  unsynced_.push_back(std::move(change));
}

void SimulatedContent::sync() {
  std::vector<Change> still_at_risk;
  for (Change& change : unsynced_) {
    if (change.is_write() && !change.sync_failed) {
      durable_.write(change.offset, change.bytes);
      cut_out(still_at_risk, change.offset, change.end());
      continue;
    }
    // Sizes are metadata, which a later sync does make durable.
    if (change.new_size) {
      durable_.resize(*change.new_size);
      cut_out(still_at_risk, *change.new_size, kNoLimit);
      change.new_size.reset();
    }
    if (change.is_write()) still_at_risk.push_back(std::move(change));
  }
  unsynced_ = std::move(still_at_risk);
}

void SimulatedContent::fail_sync() {
  for (Change& change : unsynced_) change.sync_failed = true;
}

SimulatedContent SimulatedContent::after_power_loss(PowerLoss& loss) const {
  const std::size_t kept = kept_changes(loss);
  SimulatedContent result;
  SparseBytes& content = result.durable_ = content_after(kept);
  std::vector<Change> writes = surviving_writes(kept);
  if (loss.one_in(2)) {
    for (std::size_t i = writes.size(); i > 1; --i) std::swap(writes[i - 1], writes[loss.below(i)]);
  }
  for (const Change& write : writes) {
    switch (loss.fate_of_write()) {
      case PowerLoss::Fate::kLost: break;
      case PowerLoss::Fate::kKept: content.write(write.offset, write.bytes); break;
      case PowerLoss::Fate::kTorn: write_torn(content, write.offset, write.bytes, loss); break;
    }
  }
  result.current_ = content;
  return result;
}

// The journal keeps size changes in their order: draws how many of them survive, and returns how many
// entries of unsynced_ that is. Writes among them that change no size do not survive by it.
std::size_t SimulatedContent::kept_changes(PowerLoss& loss) const {
  const auto changes_size = [](const Change& change) { return change.new_size.has_value(); };
  std::size_t sizes_kept = loss.kept_prefix(
      static_cast<std::size_t>(std::count_if(unsynced_.begin(), unsynced_.end(), changes_size)));
  std::size_t kept = 0;
  for (std::size_t i = 0; i < unsynced_.size() && sizes_kept > 0; ++i) {
    if (!changes_size(unsynced_[i])) continue;
    --sizes_kept;
    kept = i + 1;
  }
  return kept;
}

// The durable content with the kept size changes and no write.
SparseBytes SimulatedContent::content_after(std::size_t kept_changes) const {
  SparseBytes content = durable_;
  for (std::size_t i = 0; i < kept_changes; ++i) {
    if (unsynced_[i].new_size) content.resize(*unsynced_[i].new_size);
  }
  return content;
}

// The unsynced writes, each without the bytes that no fate can keep: those behind the surviving size,
// those that a kept shrinking cut off afterwards, and those that lie behind a lost shrinking before
// them (they went to blocks that the file gets only after it).
std::vector<SimulatedContent::Change> SimulatedContent::surviving_writes(std::size_t kept_changes) const {
  std::vector<std::uint64_t> limits(unsynced_.size());
  std::uint64_t surviving_size = durable_.size();
  for (std::size_t i = 0; i < kept_changes; ++i)
    surviving_size = unsynced_[i].new_size.value_or(surviving_size);

  std::uint64_t limit = surviving_size;
  for (std::size_t i = kept_changes; i-- > 0;) {
    limits[i] = limit;
    limit = std::min(limit, unsynced_[i].new_size.value_or(kNoLimit));
  }
  limit = surviving_size;
  for (std::size_t i = kept_changes; i < unsynced_.size(); ++i) {
    limit = std::min(limit, unsynced_[i].new_size.value_or(kNoLimit));
    limits[i] = limit;
  }

  std::vector<Change> writes;
  for (std::size_t i = 0; i < unsynced_.size(); ++i) {
    if (!unsynced_[i].is_write()) continue;
    Change part = unsynced_[i].part(0, limits[i]);
    if (!part.bytes.empty()) writes.push_back(std::move(part));
  }
  return writes;
}

void SimulatedContent::flip_bit(std::uint64_t offset, unsigned bit) {
  CHECK(offset < current_.size() && bit < 8);
  for (SparseBytes* content : {&current_, &durable_}) {
    std::byte byte;
    if (content->read(offset, MutableBytes(&byte, 1)) == 0) continue;
    byte ^= std::byte{1} << bit;
    content->write(offset, Bytes(&byte, 1));
  }
}

}  // namespace dosql::testing
