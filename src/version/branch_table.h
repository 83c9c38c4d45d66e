// All branches and named snapshots of a store.
//
// Threads: any. get() takes no lock; a Branch, once added, stays where it is for as long as the table, also
// after it was dropped: old versions of it may still be read.
#pragma once

#include <array>
#include <atomic>
#include <map>
#include <memory>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <vector>

#include "version/branch.h"

namespace dosql::version {

class BranchTable {
 public:
  static constexpr std::uint32_t kBranchesMax = 1u << 20;

  BranchTable(PageTable& main_pages, std::shared_ptr<FrontBudget> front_budget);

  // The one that main began as.
  Branch& first_main() const { return *get(kMainBranch); }
  // Null: there never was one. Dropped branches are found.
  Branch* get(BranchId id) const;
  // Null: there is none of that name.
  Branch* find(std::string_view name) const;
  // By name, ascending, without those that have none any more.
  std::vector<Branch*> all() const;
  // All there ever were, ascending.
  std::vector<Branch*> with_dropped() const;

  // The id that the next branch gets.
  BranchId next_id() const;
  // No id below is given to a branch any more.
  void reserve_ids(BranchId next);
  // REQUIRES: its id is next_id() or above; no branch has its name, or it was dropped.
  void add(std::unique_ptr<Branch> branch);
  void drop(Branch& branch);
  // Gives the name of `branch` to its successor. REQUIRES: as add(), but that `branch` has the name, or lost
  // it since.
  void fast_forward(Branch& branch, std::unique_ptr<Branch> successor);

  std::map<std::string, NamedSnapshot, std::less<>> snapshots() const;
  std::optional<NamedSnapshot> find_snapshot(std::string_view name) const;
  void add_snapshot(const NamedSnapshot& snapshot);
  void drop_snapshot(std::string_view name);

  // Grows with each name that comes or goes.
  std::uint64_t changes() const { return changes_.load(std::memory_order_acquire); }

 private:
  static constexpr std::uint32_t kChunk = 1024;
  struct Chunk {
    std::array<std::atomic<Branch*>, kChunk> branches{};
  };
  void place(std::unique_ptr<Branch> branch);

  std::array<std::atomic<Chunk*>, kBranchesMax / kChunk> chunks_{};
  mutable std::shared_mutex mutex_;  // guards what follows
  std::vector<std::unique_ptr<Chunk>> owned_chunks_;
  std::vector<std::unique_ptr<Branch>> branches_;  // in the order of their ids
  BranchId next_id_{};
  std::map<std::string, Branch*, std::less<>> by_name_;
  std::map<std::string, NamedSnapshot, std::less<>> snapshots_;
  std::atomic<std::uint64_t> changes_{0};  // written under the mutex
};

}  // namespace dosql::version
