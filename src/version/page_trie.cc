#include "version/page_trie.h"

#include <cstring>
#include <new>
#include <utility>

#include "version/branch.h"

namespace dosql::version {
namespace {

constexpr unsigned kBits = 5;

// A bijection on 32 bits (the multiplier is odd), so two pages differ in some digit.
std::uint32_t hash_of(std::uint32_t page) {
  page *= 0x9E3779B1u;
  return page ^ (page >> 15);
}

// std::popcount() is a call of a library's function where the compiler may not rely on the instruction, and
// every level of every search counts.
unsigned count_bits(std::uint32_t bits) {
  bits -= bits >> 1 & 0x55555555;
  bits = (bits & 0x33333333) + (bits >> 2 & 0x33333333);
  bits = (bits + (bits >> 4)) & 0x0f0f0f0f;
  return bits * 0x01010101 >> 24;
}

unsigned digit(std::uint32_t hash, unsigned shift) { return (hash >> shift) & ((1u << kBits) - 1); }

}  // namespace

// Slots and child nodes in the order of their digits; a digit has one of them at most.
struct alignas(void*) PageTrie::Node {
  std::atomic<std::uint32_t> references{1};
  std::uint32_t slot_digits = 0;
  std::uint32_t node_digits = 0;

  std::size_t size() const { return count_bits(slot_digits | node_digits); }
  std::size_t index_of(unsigned place) const {
    return count_bits((slot_digits | node_digits) & ((1u << place) - 1));
  }
  void** children() { return reinterpret_cast<void**>(this + 1); }
  void* const* children() const { return reinterpret_cast<void* const*>(this + 1); }

  static Node* make(std::size_t size) {
    return new (::operator new(sizeof(Node) + size * sizeof(void*))) Node;
  }
};

PageTrie::PageTrie(const PageTrie& other) : root_(other.root_) {
  if (root_) root_->references.fetch_add(1, std::memory_order_relaxed);
}

PageTrie& PageTrie::operator=(PageTrie other) noexcept {
  std::swap(root_, other.root_);
  return *this;
}

PageTrie::~PageTrie() { release(root_); }

void PageTrie::release(Node* node) {
  if (!node || node->references.fetch_sub(1, std::memory_order_acq_rel) > 1) return;
  for (unsigned place = 0; place < 32; ++place) {
    if (node->node_digits >> place & 1) release(static_cast<Node*>(node->children()[node->index_of(place)]));
  }
  node->~Node();
  ::operator delete(node);
}

BranchSlot* PageTrie::find(PageNo page) const {
  const std::uint32_t hash = hash_of(raw(page));
  const Node* node = root_;
  for (unsigned shift = 0; node; shift += kBits) {
    const unsigned place = digit(hash, shift);
    void* const* child = node->children() + node->index_of(place);
    if (node->slot_digits >> place & 1) {
      auto* slot = static_cast<BranchSlot*>(*child);
      return slot->page == page ? slot : nullptr;
    }
    if ((node->node_digits >> place & 1) == 0) return nullptr;
    node = static_cast<const Node*>(*child);
  }
  return nullptr;
}

void PageTrie::insert(BranchSlot* slot) {
  Node* root = with(root_, slot, hash_of(raw(slot->page)), 0);
  release(std::exchange(root_, root));
}

// A node of two slots whose hashes are equal below `shift`.
PageTrie::Node* PageTrie::pair(BranchSlot* first, BranchSlot* second, unsigned shift) {
  const unsigned first_place = digit(hash_of(raw(first->page)), shift);
  const unsigned second_place = digit(hash_of(raw(second->page)), shift);
  if (first_place == second_place) {
    Node* node = Node::make(1);
    node->node_digits = 1u << first_place;
    node->children()[0] = pair(first, second, shift + kBits);
    return node;
  }
  Node* node = Node::make(2);
  node->slot_digits = 1u << first_place | 1u << second_place;
  node->children()[node->index_of(first_place)] = first;
  node->children()[node->index_of(second_place)] = second;
  return node;
}

// `node` (null: an empty one) with `slot` in it. What it keeps of `node` it shares.
PageTrie::Node* PageTrie::with(const Node* node, BranchSlot* slot, std::uint32_t hash, unsigned shift) {
  const unsigned place = digit(hash, shift);
  const std::uint32_t bit = 1u << place;
  const std::size_t old_size = node ? node->size() : 0;
  const bool present = node && ((node->slot_digits | node->node_digits) & bit) != 0;
  Node* copy = Node::make(old_size + (present ? 0 : 1));
  copy->slot_digits = (node ? node->slot_digits : 0) | (present ? 0 : bit);
  copy->node_digits = node ? node->node_digits : 0;
  const std::size_t at = copy->index_of(place);
  if (old_size > 0) {
    const std::size_t behind = present ? at + 1 : at;
    std::memcpy(copy->children(), node->children(), at * sizeof(void*));
    std::memcpy(copy->children() + at + 1, node->children() + behind, (old_size - behind) * sizeof(void*));
  }
  void** child = copy->children() + at;
  if (!present) {
    *child = slot;
  } else if (copy->node_digits & bit) {
    *child = with(static_cast<const Node*>(node->children()[at]), slot, hash, shift + kBits);
  } else {
    auto* before = static_cast<BranchSlot*>(node->children()[at]);
    if (before->page == slot->page) {
      *child = slot;
    } else {
      copy->slot_digits &= ~bit;
      copy->node_digits |= bit;
      *child = pair(before, slot, shift + kBits);
    }
  }
  for (unsigned other = 0; other < 32; ++other) {
    if (other == place || (copy->node_digits >> other & 1) == 0) continue;
    static_cast<Node*>(copy->children()[copy->index_of(other)])
        ->references.fetch_add(1, std::memory_order_relaxed);
  }
  return copy;
}

}  // namespace dosql::version
