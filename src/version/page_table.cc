#include "version/page_table.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "base/check.h"
#include "log/entry_window.h"

namespace dosql::version {

using log::EntryKind;

std::size_t Chain::reads() const {
  std::size_t reads = 0;
  log::Position begin{};
  for (std::size_t i = size; i-- > 0;) {
    const log::Position position = entries[i].position();
    if (reads > 0 && log::EntryWindow::reaches(begin, position)) continue;
    begin = position;
    ++reads;
  }
  return reads;
}

PageSlot::~PageSlot() {
  if (capacity > 0) std::free(versions);
}

void PageSlot::push(const PageVersion& version) {
  if (count >= capacity) {
    // Half as much again: doubling would waste a third of the index's memory on average.
    const std::uint32_t grown = count + std::max<std::uint32_t>(1, count / 2);
    auto* larger = static_cast<PageVersion*>(std::malloc(sizeof(PageVersion) * grown));
    CHECK(larger != nullptr);
    if (count > 0) std::memcpy(larger, versions, sizeof(PageVersion) * count);
    if (capacity > 0) std::free(versions);
    versions = larger;
    capacity = grown;
  }
  versions[count++] = version;
  newest_step = version.step();
}

void PageSlot::replace_newest(const PageVersion& version) {
  versions[count - 1] = version;
  newest_step = version.step();
  if (version.step() == 0) chain_bytes = 0;
}

void PageSlot::add_chain_bytes(EntryKind kind, std::size_t payload_bytes) {
  const bool starts_chain = kind == EntryKind::kFull || kind == EntryKind::kZero;
  chain_bytes = starts_chain ? 0 : chain_bytes + static_cast<std::uint32_t>(payload_bytes);
}

std::ptrdiff_t PageSlot::find(Lsn lsn) const {
  // Readers mostly want the newest or one near it.
  if (count > 0 && newest().lsn <= raw(lsn)) return count - 1;
  const auto* behind =
      std::upper_bound(versions, versions + count, raw(lsn),
                       [](std::uint64_t wanted, const PageVersion& version) { return wanted < version.lsn; });
  return behind - versions - 1;
}

PageTable::~PageTable() {
  for (auto& middle : root_) {
    Middle* owned = middle.load();
    if (!owned) continue;
    for (auto& leaf : owned->leaves) delete leaf.load();
    delete owned;
  }
}

PageSlot* PageTable::find(PageNo page) const {
  const std::uint32_t number = raw(page);
  const Middle* middle = root_[number >> (kMiddleBits + kLeafBits)].load(std::memory_order_acquire);
  if (!middle) return nullptr;
  Leaf* leaf =
      middle->leaves[(number >> kLeafBits) & ((1u << kMiddleBits) - 1)].load(std::memory_order_acquire);
  return leaf ? &leaf->slots[number & ((1u << kLeafBits) - 1)] : nullptr;
}

PageSlot& PageTable::at(PageNo page) {
  if (PageSlot* slot = find(page)) return *slot;
  std::lock_guard lock(grow_mutex_);
  const std::uint32_t number = raw(page);
  auto& middle = root_[number >> (kMiddleBits + kLeafBits)];
  if (!middle.load()) middle.store(new Middle, std::memory_order_release);
  auto& leaf = middle.load()->leaves[(number >> kLeafBits) & ((1u << kMiddleBits) - 1)];
  if (!leaf.load()) leaf.store(new Leaf, std::memory_order_release);
  return leaf.load()->slots[number & ((1u << kLeafBits) - 1)];
}

void PageTable::for_each(const std::function<void(PageNo, PageSlot&)>& visit) const {
  for (std::uint32_t r = 0; r < root_.size(); ++r) {
    Middle* middle = root_[r].load(std::memory_order_acquire);
    if (!middle) continue;
    for (std::uint32_t m = 0; m < middle->leaves.size(); ++m) {
      Leaf* leaf = middle->leaves[m].load(std::memory_order_acquire);
      if (!leaf) continue;
      for (std::uint32_t l = 0; l < leaf->slots.size(); ++l) {
        PageSlot& slot = leaf->slots[l];
        slot.lock.lock_shared();
        const bool used = slot.count > 0;
        slot.lock.unlock_shared();
        if (used) visit(PageNo{(r << (kMiddleBits + kLeafBits)) | (m << kLeafBits) | l}, slot);
      }
    }
  }
}

std::uint64_t PageTable::memory_bytes() const {
  std::uint64_t bytes = sizeof *this;
  for (const auto& root : root_) {
    const Middle* middle = root.load(std::memory_order_acquire);
    if (!middle) continue;
    bytes += sizeof *middle;
    for (const auto& leaf : middle->leaves) bytes += leaf.load(std::memory_order_acquire) ? sizeof(Leaf) : 0;
  }
  for_each([&bytes](PageNo, PageSlot& slot) {
    slot.lock.lock_shared();
    bytes += sizeof(PageVersion) * std::max(slot.count, slot.capacity);
    slot.lock.unlock_shared();
  });
  return bytes;
}

}  // namespace dosql::version
