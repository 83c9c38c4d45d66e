#include "version/branch_table.h"

#include <algorithm>
#include <mutex>

#include "base/check.h"

namespace dosql::version {

BranchTable::BranchTable(PageTable& main_pages, std::shared_ptr<FrontBudget> front_budget) {
  add(std::make_unique<Branch>(main_pages, std::move(front_budget)));
}

Branch* BranchTable::get(BranchId id) const {
  if (raw(id) >= kBranchesMax) return nullptr;
  const Chunk* chunk = chunks_[raw(id) / kChunk].load(std::memory_order_acquire);
  return chunk ? chunk->branches[raw(id) % kChunk].load(std::memory_order_acquire) : nullptr;
}

Branch* BranchTable::find(std::string_view name) const {
  std::shared_lock lock(mutex_);
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : found->second;
}

std::vector<Branch*> BranchTable::all() const {
  std::shared_lock lock(mutex_);
  std::vector<Branch*> branches;
  branches.reserve(by_name_.size());
  for (const auto& [name, branch] : by_name_) branches.push_back(branch);
  return branches;
}

std::vector<Branch*> BranchTable::with_dropped() const {
  std::shared_lock lock(mutex_);
  std::vector<Branch*> branches;
  branches.reserve(branches_.size());
  for (const auto& branch : branches_) branches.push_back(branch.get());
  return branches;
}

BranchId BranchTable::next_id() const {
  std::shared_lock lock(mutex_);
  return next_id_;
}

void BranchTable::reserve_ids(BranchId next) {
  std::unique_lock lock(mutex_);
  next_id_ = std::max(next_id_, next);
}

// REQUIRES: mutex_ is held.
void BranchTable::place(std::unique_ptr<Branch> branch) {
  const std::uint32_t id = raw(branch->id());
  CHECK(id < kBranchesMax && id >= raw(next_id_));
  next_id_ = BranchId{id + 1};
  auto& chunk = chunks_[id / kChunk];
  if (!chunk.load(std::memory_order_relaxed)) {
    owned_chunks_.push_back(std::make_unique<Chunk>());
    chunk.store(owned_chunks_.back().get(), std::memory_order_release);
  }
  chunk.load(std::memory_order_relaxed)->branches[id % kChunk].store(branch.get(), std::memory_order_release);
  branches_.push_back(std::move(branch));
  ++changes_;
}

void BranchTable::add(std::unique_ptr<Branch> branch) {
  std::unique_lock lock(mutex_);
  if (!branch->dropped) CHECK(by_name_.emplace(branch->name(), branch.get()).second);
  place(std::move(branch));
}

void BranchTable::fast_forward(Branch& branch, std::unique_ptr<Branch> successor) {
  std::unique_lock lock(mutex_);
  if (!branch.dropped) by_name_.erase(branch.name());
  branch.dropped = true;
  Branch* const next = successor.get();
  next->predecessor = &branch;
  next->origin = branch.origin ? branch.origin : &branch;
  if (!next->dropped) CHECK(by_name_.emplace(next->name(), next).second);
  place(std::move(successor));
  // Last: who sees it finds the other in the table.
  branch.successor.store(next, std::memory_order_release);
}

void BranchTable::drop(Branch& branch) {
  std::unique_lock lock(mutex_);
  branch.dropped = true;
  by_name_.erase(branch.name());
  ++changes_;
}

std::map<std::string, NamedSnapshot, std::less<>> BranchTable::snapshots() const {
  std::shared_lock lock(mutex_);
  return snapshots_;
}

std::optional<NamedSnapshot> BranchTable::find_snapshot(std::string_view name) const {
  std::shared_lock lock(mutex_);
  const auto found = snapshots_.find(name);
  if (found == snapshots_.end()) return {};
  return found->second;
}

void BranchTable::add_snapshot(const NamedSnapshot& snapshot) {
  std::unique_lock lock(mutex_);
  CHECK(snapshots_.emplace(snapshot.name, snapshot).second);
  ++changes_;
}

void BranchTable::drop_snapshot(std::string_view name) {
  std::unique_lock lock(mutex_);
  const auto found = snapshots_.find(name);
  CHECK(found != snapshots_.end());
  snapshots_.erase(found);
  ++changes_;
}

}  // namespace dosql::version
