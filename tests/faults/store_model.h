// Random work for a store, and what it must hold afterwards, whatever happens to it.
//
// Branches and named snapshots are made and dropped, and transactions are committed on any branch. Each call
// that changes something is acknowledged, fails, or leaves an outcome that is not known; verify() tells
// whether a reopened store holds one of the states that this allows, and goes on from the one it found.
#pragma once

#include <functional>
#include <optional>
#include <random>
#include <string>

#include <gtest/gtest.h>

#include "tests/faults/crash_history.h"
#include "tests/faults/store_state.h"
#include "version/version_store.h"

namespace dosql::testing {

using Generator = std::mt19937_64;

// How much one random transaction changes.
struct WorkSize {
  std::size_t pages_max = 16;     // of the database
  std::size_t large_one_in = 10;  // transactions that write `large_writes` pages
  std::size_t large_writes = 12;
  std::size_t full_page_one_in = 8;  // changes that replace a page by random bytes
};

class StoreModel {
 public:
  // An error leaves the model as it was; set_outcome_unknown() then says that the change may be in the store
  // all the same. What makes no sense (no such branch, the name is taken) is not tried and succeeds.
  //
  // Writes, growth, truncation, now and then merge marks and a message, or a rollback.
  Status random_transaction(version::VersionStore& store, Generator& random, const WorkSize& size,
                            version::Durability durability, const std::string& branch = "main");
  // Several transactions whose commits wait for the disk together: two branches are written at the same time,
  // one of them twice, and the commits are awaited in any order.
  Status random_group(version::VersionStore& store, Generator& random, const WorkSize& size);
  static constexpr std::size_t kNewest = ~std::size_t{0};
  // From version `version` of `from`; 0 is the empty database.
  Status create_branch(version::VersionStore& store, const std::string& name, const std::string& from,
                       std::size_t version, version::Durability durability);
  Status drop_branch(version::VersionStore& store, const std::string& name, version::Durability durability);
  Status create_snapshot(version::VersionStore& store, const std::string& name, const std::string& of,
                         std::size_t version, version::Durability durability);
  Status drop_snapshot(version::VersionStore& store, const std::string& name, version::Durability durability);
  // To the newest version of `to`, where its line goes through the newest of the branch.
  Status fast_forward(version::VersionStore& store, const std::string& name, const std::string& to,
                      version::Durability durability);
  // One of these five.
  Status random_name_change(version::VersionStore& store, Generator& random, version::Durability durability);

  // The change that failed last may have happened.
  void set_outcome_unknown() {
    if (failed_) history_.set_unknown(*failed_);
  }
  bool outcome_unknown() const { return history_.outcome_unknown(); }
  // Only claims count: every change the store calls durable must survive from now on.
  void note_durable(const version::VersionStore& store) { history_.note_durable(store.status().durable_lsn); }
  // Everything acknowledged must survive.
  void note_all_durable() { history_.note_all_durable(); }

  // Whether the store holds an allowed state, every version of it byte for byte; takes that state over.
  ::testing::AssertionResult verify(version::VersionStore& store, Loss loss);
  // Reads any version of any branch.
  ::testing::AssertionResult verify_any_version(version::VersionStore& store, Generator& random) const;

  const StoreState& state() const { return history_.newest(); }
  // On all branches, each with those of its ancestors.
  std::size_t versions() const;
  std::string any_branch(Generator& random) const;
  std::uint64_t lost_changes() const { return history_.lost(); }

 private:
  class GroupMember;
  version::CommitMarks random_marks(Generator& random) const;
  Status attempt(version::VersionStore& store, StoreState next, version::Durability durability,
                 const std::function<Status()>& change);

  CrashHistory<StoreState> history_;
  std::optional<StoreState> failed_;  // what the change that failed last would have made
  Lsn lsn_high_{};                    // newest LSN that anyone ever saw
};

// One changed page: a few runs, zeros, or something entirely new.
Page changed_page(const Page& page, Generator& random, std::size_t full_page_one_in);

version::Durability random_durability(Generator& random);

}  // namespace dosql::testing
