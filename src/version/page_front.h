// Which slot is in front for a page of one branch: what its trie says, found without a lock and in three
// steps.
//
// A branch that took over the name of a busy one, mostly main, is read as much as that was.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "version/page_table.h"

namespace dosql::version {

class PageFront {
 public:
  // Null: not known here. Any thread, also while another one notes slots.
  PageSlot* find(PageNo page) const {
    const Middle* const middle =
        root_[raw(page) >> (kMiddleBits + kLeafBits)].load(std::memory_order_acquire);
    if (!middle) return nullptr;
    const Leaf* const leaf =
        middle->leaves[raw(page) >> kLeafBits & ((1u << kMiddleBits) - 1)].load(std::memory_order_acquire);
    return leaf ? leaf->slots[raw(page) & ((1u << kLeafBits) - 1)].load(std::memory_order_acquire) : nullptr;
  }
  // One thread at a time.
  void note(PageNo page, PageSlot* slot) {
    Middle& middle = made(root_[raw(page) >> (kMiddleBits + kLeafBits)], middles_);
    Leaf& leaf = made(middle.leaves[raw(page) >> kLeafBits & ((1u << kMiddleBits) - 1)], leaves_);
    leaf.slots[raw(page) & ((1u << kLeafBits) - 1)].store(slot, std::memory_order_release);
  }
  std::uint64_t memory_bytes() const {
    return sizeof *this + middles_.size() * sizeof(Middle) + leaves_.size() * sizeof(Leaf);
  }

 private:
  // 12 bits of the number choose the middle, 12 the leaf, 8 the slot.
  static constexpr std::uint32_t kLeafBits = 8;
  static constexpr std::uint32_t kMiddleBits = 12;
  struct Leaf {
    std::array<std::atomic<PageSlot*>, 1u << kLeafBits> slots{};
  };
  struct Middle {
    std::array<std::atomic<Leaf*>, 1u << kMiddleBits> leaves{};
  };

  template <class Node>
  static Node& made(std::atomic<Node*>& place, std::vector<std::unique_ptr<Node>>& owner) {
    Node* node = place.load(std::memory_order_relaxed);
    if (!node) {
      owner.push_back(std::make_unique<Node>());
      node = owner.back().get();
      place.store(node, std::memory_order_release);
    }
    return *node;
  }

  std::array<std::atomic<Middle*>, 1u << (32 - kLeafBits - kMiddleBits)> root_{};
  std::vector<std::unique_ptr<Middle>> middles_;
  std::vector<std::unique_ptr<Leaf>> leaves_;
};

}  // namespace dosql::version
