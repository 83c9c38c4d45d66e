// What a store must hold, kept as plain copies of every version, and random work to keep it busy with.
//
// The model knows three kinds of commits: those that must be there whatever happens (durable), those that
// were acknowledged and may be lost by a power loss (newest first), and at most one whose outcome is
// unknown. verify() tells whether a reopened store holds one of the states that this allows, and goes on
// from the one it found.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "io/storage.h"
#include "version/version_store.h"

namespace dosql::testing {

using Page = std::array<std::byte, kPageBytes>;
// [0] is page 1. Versions share the pages they have in common.
using Image = std::vector<std::shared_ptr<const Page>>;
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
  struct Commit {
    Image image;
    version::ReadPoint point;
    TimestampUs timestamp_us = 0;  // 0: not known yet
  };

  // One random transaction: writes, growth, truncation, now and then a rollback. An error leaves the model
  // without it; `outcome_unknown` then says whether it may be in the store all the same.
  Status random_transaction(version::VersionStore& store, Generator& random, const WorkSize& size,
                            version::Durability durability);

  // The transaction that failed last may have been committed.
  void set_outcome_unknown() {
    if (failed_) unknown_ = failed_;
  }
  bool outcome_unknown() const { return unknown_.has_value(); }
  // Only claims count: every commit the store calls durable must survive from now on.
  void note_durable(const version::VersionStore& store);
  // Everything acknowledged must survive.
  void note_all_durable() { durable_commits_ = commits_.size(); }

  enum class Loss {
    kNothing,     // as after a process kill: everything acknowledged must be there
    kNotDurable,  // as after a power loss: the newest may be missing down to the durable ones
  };
  // Whether the store holds an allowed state, every version of it byte for byte; takes that state over.
  ::testing::AssertionResult verify(version::VersionStore& store, Loss loss);
  // Reads one version completely.
  ::testing::AssertionResult verify_version(version::VersionStore& store, std::size_t version) const;

  const std::vector<Commit>& commits() const { return commits_; }
  std::size_t durable_commits() const { return durable_commits_; }
  std::uint64_t lost_commits() const { return lost_commits_; }

 private:
  ::testing::AssertionResult verify_timestamp(const version::VersionStore& store, std::size_t version,
                                              TimestampUs previous_us);
  ::testing::AssertionResult add(version::VersionStore& store, Image image, const version::ReadPoint& point);

  std::vector<Commit> commits_;
  std::size_t durable_commits_ = 0;
  std::optional<Image> failed_;   // what the transaction that failed last would have made
  std::optional<Image> unknown_;  // a commit that may or may not be in the store
  Lsn lsn_high_{};                // newest LSN that anyone ever saw
  std::uint64_t lost_commits_ = 0;
};

// One changed page: a few runs, zeros, or something entirely new.
Page changed_page(const Page& page, Generator& random, std::size_t full_page_one_in);

version::Durability random_durability(Generator& random);

}  // namespace dosql::testing
