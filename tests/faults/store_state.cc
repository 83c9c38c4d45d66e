#include "tests/faults/store_state.h"

#include <fmt/format.h>

#include <set>

namespace dosql::testing {
namespace {

using ::testing::AssertionFailure;
using ::testing::AssertionResult;
using ::testing::AssertionSuccess;
using version::Reader;
using version::ReadPoint;
using version::VersionStore;

std::string text(const ReadPoint& point) {
  return fmt::format("version {} of branch {} at LSN {} with {} pages", raw(point.version), raw(point.branch),
                     raw(point.lsn), point.page_count);
}

AssertionResult equal(const ReadPoint& found, const ReadPoint& wanted) {
  if (found == wanted) return AssertionSuccess();
  return AssertionFailure() << text(found) << " instead of " << text(wanted);
}

AssertionResult verify_pages(VersionStore& store, const ReadPoint& point, const Image& image) {
  Reader reader(store);
  reader.pin(point);
  Page page;
  for (std::uint32_t number = 1; number <= image.size() + 1; ++number) {
    const Status read = reader.read(PageNo{number}, 0, page);
    if (!read) return AssertionFailure() << "page " << number << ": " << read.error().message();
    const Page& wanted = number <= image.size() ? *image[number - 1] : *empty_page();
    if (page != wanted) return AssertionFailure() << "page " << number << " is wrong";
  }
  return AssertionSuccess();
}

// Walks over a state and the store side by side; each version is read only once.
class Comparison {
 public:
  Comparison(VersionStore& store, StoreState& state) : store_(store), state_(state) {}

  AssertionResult run() {
    if (AssertionResult same = names_equal(); !same) return same;
    for (auto& [name, branch] : state_.branches) {
      AssertionResult right = branch_right(name, branch);
      if (right) right = line_right(branch);
      if (!right) return AssertionFailure() << "branch " << name << ": " << right.message();
    }
    for (const auto& [name, snapshot] : state_.snapshots) {
      const AssertionResult right = snapshot_right(name, snapshot);
      if (!right) return AssertionFailure() << "snapshot " << name << ": " << right.message();
    }
    return AssertionSuccess();
  }

 private:
  AssertionResult names_equal() const {
    std::string found;
    std::string wanted;
    for (const auto& branch : store_.branches()) found += " " + branch.name;
    for (const auto& snapshot : store_.snapshots()) found += " '" + snapshot.name + "'";
    for (const auto& [name, branch] : state_.branches) wanted += " " + name;
    for (const auto& [name, snapshot] : state_.snapshots) wanted += " '" + name + "'";
    if (found == wanted) return AssertionSuccess();
    return AssertionFailure() << "there are" << found << "; there should be" << wanted;
  }

  AssertionResult branch_right(const std::string& name, const StoredBranch& branch) const {
    const auto info = store_.find_branch(name);
    if (!info) return AssertionFailure() << "is listed and not found";
    if (info->id != branch.id || info->parent_name != branch.parent ||
        info->created_us != branch.created_us) {
      return AssertionFailure() << "has id " << raw(info->id) << " instead of " << raw(branch.id)
                                << ", parent '" << info->parent_name << "' instead of '" << branch.parent
                                << "', time " << info->created_us << " instead of " << branch.created_us;
    }
    if (AssertionResult same = equal(info->fork, branch.fork); !same) return same << " as its fork";
    ReadPoint head = branch.line.empty() ? ReadPoint{} : branch.line.back()->point;
    head.branch = branch.id;
    if (AssertionResult same = equal(info->head, head); !same) return same << " as its head";
    // Through the branch's own eyes: nothing of its ancestors behind the fork.
    AssertionResult right =
        verify_pages(store_, head, branch.line.empty() ? Image() : branch.line.back()->image);
    const std::size_t inherited = raw(branch.fork.version);
    if (right && inherited > 0 && inherited < branch.line.size()) {
      ReadPoint fork = branch.fork;
      fork.branch = branch.id;
      right = verify_pages(store_, fork, branch.line[inherited - 1]->image);
    }
    return right;
  }

  AssertionResult line_right(StoredBranch& branch) {
    TimestampUs previous_us = 0;
    for (std::size_t version = 1; version <= branch.line.size(); ++version) {
      StoredVersion& stored = *branch.line[version - 1];
      AssertionResult right = AssertionSuccess();
      if (verified_.insert(&stored).second) {
        right = verify_version(store_, branch, version);
        if (right) right = time_right(branch.id, stored);
      } else {
        const auto point = store_.at_version(branch.id, Version{version});
        right = point ? equal(*point, stored.point) : AssertionFailure() << point.error().message();
      }
      if (right && stored.timestamp_us <= previous_us) {
        right = AssertionFailure() << "its time is not behind " << previous_us;
      }
      if (!right) return AssertionFailure() << "version " << version << ": " << right.message();
      previous_us = stored.timestamp_us;
    }
    return AssertionSuccess();
  }

  AssertionResult time_right(BranchId branch, StoredVersion& stored) const {
    const auto info = store_.commit_info(branch, stored.point.version);
    if (!info) return AssertionFailure() << info.error().message();
    if (info->marks != stored.marks) return AssertionFailure() << "its marks are not what they were";
    if (stored.timestamp_us == 0) stored.timestamp_us = info->timestamp_us;
    if (info->timestamp_us == stored.timestamp_us) return AssertionSuccess();
    return AssertionFailure() << "its time is " << info->timestamp_us << " instead of "
                              << stored.timestamp_us;
  }

  AssertionResult snapshot_right(const std::string& name, const StoredSnapshot& snapshot) {
    const auto found = store_.find_snapshot(name);
    if (!found) return AssertionFailure() << "is listed and not found";
    if (found->created_us != snapshot.created_us) return AssertionFailure() << "its time is wrong";
    StoredVersion& stored = *snapshot.version;
    if (AssertionResult same = equal(found->point, stored.point); !same) return same;
    // Only the name holds it where the branch was dropped.
    if (!verified_.insert(&stored).second) return AssertionSuccess();
    return verify_pages(store_, found->point, stored.image);
  }

  VersionStore& store_;
  StoreState& state_;
  std::set<const StoredVersion*> verified_;
};

AssertionResult learn_commit(VersionStore& store, Lsn lsn_high, BranchId branch, StoredVersion& stored,
                             std::size_t version) {
  stored.point = store.head(branch);
  const ReadPoint& point = stored.point;
  if (raw(point.version) != version || point.page_count != stored.image.size()) {
    return AssertionFailure() << "a commit came out as " << text(point) << " instead of version " << version
                              << " with " << stored.image.size();
  }
  const auto info = store.commit_info(branch, point.version);
  // Without `info` a planned read error struck: verify_state() asks again.
  if (!info) return AssertionSuccess();
  stored.timestamp_us = info->timestamp_us;
  if (info->first_lsn < lsn_high || info->last_lsn != point.lsn) {
    return AssertionFailure() << text(point) << " uses LSNs (" << raw(info->first_lsn) << ", "
                              << raw(info->last_lsn) << "], but " << raw(lsn_high)
                              << " was handed out before";
  }
  return AssertionSuccess();
}

AssertionResult learn_branch(VersionStore& store, const std::string& name, StoreState& state) {
  const auto info = store.find_branch(name);
  if (!info) return AssertionFailure() << "branch " << name << " is not there";
  if (info->id <= state.newest_branch) {
    return AssertionFailure() << "branch " << name << " has id " << raw(info->id) << ", but "
                              << raw(state.newest_branch) << " was given away before";
  }
  state.newest_branch = info->id;
  state.branches[name].id = info->id;
  state.branches[name].id_known = true;
  state.branches[name].created_us = info->created_us;
  return AssertionSuccess();
}

}  // namespace

const std::shared_ptr<const Page>& empty_page() {
  static const auto page = std::make_shared<const Page>();
  return page;
}

AssertionResult learn(VersionStore& store, Lsn lsn_high, StoreState& state) {
  state.lsn = store.status().lsn;
  if (state.lsn <= lsn_high) {
    return AssertionFailure() << "LSN " << raw(state.lsn) << " comes after " << raw(lsn_high);
  }
  for (auto& [name, branch] : state.branches) {
    AssertionResult right = AssertionSuccess();
    if (!branch.id_known) right = learn_branch(store, name, state);
    if (right && !branch.line.empty() && branch.line.back()->point.lsn == Lsn{}) {
      right = learn_commit(store, lsn_high, branch.id, *branch.line.back(), branch.line.size());
    }
    if (!right) return right;
  }
  for (auto& [name, snapshot] : state.snapshots) {
    if (snapshot.created_us != 0) continue;
    const auto found = store.find_snapshot(name);
    if (!found) return AssertionFailure() << "snapshot " << name << " is not there";
    snapshot.created_us = found->created_us;
  }
  return AssertionSuccess();
}

AssertionResult verify_state(VersionStore& store, StoreState& state) {
  return Comparison(store, state).run();
}

AssertionResult verify_version(VersionStore& store, const StoredBranch& branch, std::size_t version) {
  const StoredVersion& stored = *branch.line[version - 1];
  const auto point = store.at_version(branch.id, Version{version});
  if (!point) return AssertionFailure() << point.error().message();
  const AssertionResult same = equal(*point, stored.point);
  return same ? verify_pages(store, *point, stored.image) : same;
}

}  // namespace dosql::testing
