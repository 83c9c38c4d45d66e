// What a store holds at one moment, kept as plain copies of every version of every branch.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/ids.h"
#include "version/version_store.h"

namespace dosql::testing {

using Page = std::array<std::byte, kPageBytes>;
// [0] is page 1. Versions share the pages they have in common.
using Image = std::vector<std::shared_ptr<const Page>>;

struct StoredVersion {
  Image image;
  std::string branch;  // that committed it
  version::ReadPoint point;
  TimestampUs timestamp_us = 0;  // 0: not known yet
  version::CommitMarks marks{};
};

struct StoredBranch {
  BranchId id{};
  bool id_known = true;
  std::string parent;  // empty for main
  version::ReadPoint fork;
  TimestampUs created_us = 0;
  // Version 1 and so on; the first of them are its ancestors', and the same objects as there.
  std::vector<std::shared_ptr<StoredVersion>> line;
};

struct StoredSnapshot {
  std::shared_ptr<StoredVersion> version;
  TimestampUs created_us = 0;
};

struct StoreState {
  Lsn lsn{};                 // of the newest change
  BranchId newest_branch{};  // the highest id that any branch had so far
  std::map<std::string, StoredBranch> branches{{"main", {}}};
  std::map<std::string, StoredSnapshot> snapshots;
};

// Fills in what only the store knows of a change that just happened: ids, LSNs, times. `lsn_high`: the newest
// LSN that anyone ever saw. Fails when the store numbers anything again.
::testing::AssertionResult learn(version::VersionStore& store, Lsn lsn_high, StoreState& state);

// Whether the store holds exactly this, every version byte for byte. Fills in times that are not known yet.
::testing::AssertionResult verify_state(version::VersionStore& store, StoreState& state);

// Reads one version of a branch completely.
::testing::AssertionResult verify_version(version::VersionStore& store, const StoredBranch& branch,
                                          std::size_t version);

// What a page reads as that nobody wrote.
const std::shared_ptr<const Page>& empty_page();

}  // namespace dosql::testing
