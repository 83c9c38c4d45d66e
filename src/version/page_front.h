// Which slot is in front for a page of one branch: what its trie says, found without a lock and in three
// steps.
//
// A busy branch is read as quickly as main with it, for up to 8 bytes a page of the database. All branches of
// a store share one budget.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "version/page_table.h"

namespace dosql::version {

// What the fronts of all branches of a store share.
class FrontBudget {
 public:
  FrontBudget(std::uint64_t bytes_max, std::uint32_t finds_first)
      : bytes_max_(bytes_max), finds_first_(finds_first) {}

  // How many pages are looked for in a branch's trie before the branch gets a front.
  std::uint32_t finds_first() const { return finds_first_; }
  // False: there is not so much left.
  bool take(std::uint64_t bytes) {
    if (used_.fetch_add(bytes, std::memory_order_relaxed) + bytes <= bytes_max_) return true;
    give_back(bytes);
    return false;
  }
  void give_back(std::uint64_t bytes) { used_.fetch_sub(bytes, std::memory_order_relaxed); }

 private:
  const std::uint64_t bytes_max_;
  const std::uint32_t finds_first_;
  std::atomic<std::uint64_t> used_{0};
};

class PageFront {
 public:
  explicit PageFront(std::shared_ptr<FrontBudget> budget) : budget_(std::move(budget)) {}
  PageFront(const PageFront&) = delete;
  PageFront& operator=(const PageFront&) = delete;
  ~PageFront() { budget_->give_back(nodes_bytes()); }

  // Null: not known here. Any thread, also while another one notes slots.
  PageSlot* find(PageNo page) const {
    const Middle* const middle =
        root_[raw(page) >> (kMiddleBits + kLeafBits)].load(std::memory_order_acquire);
    if (!middle) return nullptr;
    const Leaf* const leaf =
        middle->leaves[raw(page) >> kLeafBits & ((1u << kMiddleBits) - 1)].load(std::memory_order_acquire);
    return leaf ? leaf->slots[raw(page) & ((1u << kLeafBits) - 1)].load(std::memory_order_acquire) : nullptr;
  }
  // One thread at a time. False: the budget is used up, and the page was not known here.
  bool note(PageNo page, PageSlot* slot) {
    Middle* const middle = made(root_[raw(page) >> (kMiddleBits + kLeafBits)], middles_);
    Leaf* const leaf =
        middle ? made(middle->leaves[raw(page) >> kLeafBits & ((1u << kMiddleBits) - 1)], leaves_) : nullptr;
    if (!leaf) return false;
    leaf->slots[raw(page) & ((1u << kLeafBits) - 1)].store(slot, std::memory_order_release);
    return true;
  }
  std::uint64_t memory_bytes() const { return sizeof *this + nodes_bytes(); }

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

  std::uint64_t nodes_bytes() const {
    return middles_.size() * sizeof(Middle) + leaves_.size() * sizeof(Leaf);
  }

  template <class Node>
  Node* made(std::atomic<Node*>& place, std::vector<std::unique_ptr<Node>>& owner) {
    Node* node = place.load(std::memory_order_relaxed);
    if (!node && budget_->take(sizeof(Node))) {
      owner.push_back(std::make_unique<Node>());
      node = owner.back().get();
      place.store(node, std::memory_order_release);
    }
    return node;
  }

  const std::shared_ptr<FrontBudget> budget_;
  std::array<std::atomic<Middle*>, 1u << (32 - kLeafBits - kMiddleBits)> root_{};
  std::vector<std::unique_ptr<Middle>> middles_;
  std::vector<std::unique_ptr<Leaf>> leaves_;
};

}  // namespace dosql::version
