// A persistent map page -> BranchSlot: the pages on which a branch departs from main.
//
// A hash array mapped trie (Bagwell, "Ideal Hash Trees", 2001) with 32-way nodes. Nodes are counted, and
// those that two maps share never change. So a copy of the map is one pointer, and an insertion copies the
// few nodes on its way that are shared: a branch that is forked off shares all of its parent's map, however
// deep the line of its ancestors is.
//
// Threads: a PageTrie is guarded by its owner; copies of it may be used from other threads at the same time.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/ids.h"

namespace dosql::version {

struct BranchSlot;

class PageTrie {
 public:
  PageTrie() = default;
  PageTrie(const PageTrie& other);
  PageTrie& operator=(PageTrie other) noexcept;
  ~PageTrie();

  // Null: not in the map.
  BranchSlot* find(PageNo page) const;
  // Replaces what is there for the slot's page.
  void insert(BranchSlot* slot);

 private:
  struct Node;
  static void release(Node* node);
  static void insert(Node*& node, BranchSlot* slot, std::uint32_t hash, unsigned shift);
  static Node* copied(Node* node);
  static Node* grown(Node* node, BranchSlot* slot, unsigned place);
  static Node* pair(BranchSlot* first, BranchSlot* second, unsigned shift);

  Node* root_ = nullptr;
};

}  // namespace dosql::version
