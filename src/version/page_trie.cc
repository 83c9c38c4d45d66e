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

void PageTrie::insert(BranchSlot* slot) { insert(root_, slot, hash_of(raw(slot->page)), 0); }

// What nobody else has is changed where it is: copying a node counts each of its children anew, and they lie
// all over the memory.
void PageTrie::insert(Node*& node, BranchSlot* slot, std::uint32_t hash, unsigned shift) {
  if (!node) node = Node::make(0);
  if (node->references.load(std::memory_order_acquire) > 1) node = copied(node);
  const unsigned place = digit(hash, shift);
  const std::uint32_t bit = 1u << place;
  void** const child = node->children() + node->index_of(place);
  if (node->node_digits & bit) {
    Node* below = static_cast<Node*>(*child);
    insert(below, slot, hash, shift + kBits);
    *child = below;
  } else if ((node->slot_digits & bit) == 0) {
    node = grown(node, slot, place);
  } else if (auto* before = static_cast<BranchSlot*>(*child); before->page == slot->page) {
    *child = slot;
  } else {
    node->slot_digits &= ~bit;
    node->node_digits |= bit;
    *child = pair(before, slot, shift + kBits);
  }
}

// A node in place of `node`, with `slot` in it, where there is nothing yet.
PageTrie::Node* PageTrie::grown(Node* node, BranchSlot* slot, unsigned place) {
  const std::size_t size = node->size();
  const std::size_t at = node->index_of(place);
  Node* larger = Node::make(size + 1);
  larger->slot_digits = node->slot_digits | 1u << place;
  larger->node_digits = node->node_digits;
  std::memcpy(larger->children(), node->children(), at * sizeof(void*));
  larger->children()[at] = slot;
  std::memcpy(larger->children() + at + 1, node->children() + at, (size - at) * sizeof(void*));
  node->~Node();
  ::operator delete(node);
  return larger;
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

// A node that shares the children of `node`, of which it takes the place of one owner.
PageTrie::Node* PageTrie::copied(Node* node) {
  const std::size_t size = node->size();
  Node* copy = Node::make(size);
  copy->slot_digits = node->slot_digits;
  copy->node_digits = node->node_digits;
  std::memcpy(copy->children(), node->children(), size * sizeof(void*));
  for (unsigned place = 0; place < 32; ++place) {
    if ((copy->node_digits >> place & 1) == 0) continue;
    static_cast<Node*>(copy->children()[copy->index_of(place)])
        ->references.fetch_add(1, std::memory_order_relaxed);
  }
  release(node);
  return copy;
}

}  // namespace dosql::version
