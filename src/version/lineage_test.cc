// What versions contain, against a plain graph of all commits.

#include "version/lineage.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>

#include "io/memory_storage.h"
#include "testing/run_length.h"
#include "version/moved_numbers.h"
#include "version/sqlite_header.h"
#include "version/store_test_support.h"
#include "version/version_store.h"

namespace dosql::version {
namespace {

using Lsns = std::set<Lsn>;

class LineageTest : public ::testing::Test {
 protected:
  std::unique_ptr<VersionStore> open(Access access = Access::kReadWrite) {
    StoreOptions options;
    options.access = access;
    options.close_checkpoint_bytes = 0;
    auto store = VersionStore::open(std::make_unique<SharedDirectory>(*disk_), options, clock_, entropy_);
    EXPECT_TRUE(store) << (store ? "" : store.error().message());
    return store ? *std::move(store) : nullptr;
  }

  ReadPoint head(const std::string& name) { return store_->head(store_->find_branch(name)->id); }

  // Makes a commit that changes a page, or nothing, and merges the versions.
  ReadPoint commit(const std::string& name, const CommitMarks& marks = {}, bool changes = true) {
    Reader reader(*store_);
    const ReadPoint base = reader.pin_head(head(name).branch);
    WriteTransaction transaction(*store_);
    EXPECT_TRUE(transaction.begin(base));
    if (changes) {
      Page page{};
      page[7] = static_cast<std::byte>(++writes_);
      page[8] = static_cast<std::byte>(writes_ >> 8);
      set_change_counter(page.data(), kStoredChangeCounter);
      EXPECT_TRUE(transaction.write(kHeaderPage, page));
    }
    const ReadPoint point = transaction.commit(Durability::kNormal, marks).value();
    Lsns& contained = contained_[point.lsn];
    contained = contained_[base.lsn];
    for (const MergeMark& mark : marks.merges) {
      const Lsns& of_source = contained_[mark.lsn];
      contained.insert(of_source.begin(), of_source.end());
    }
    contained.insert(point.lsn);
    return point;
  }
  ReadPoint merge(const std::string& into, const ReadPoint& source, MergeKind kind = MergeKind::kParent) {
    return commit(into, {{{kind, source.branch, source.version, source.lsn}}, "merged"});
  }
  void fork(const std::string& name, const ReadPoint& from) {
    ASSERT_TRUE(store_->create_branch(name, from, Durability::kNormal));
    names_.push_back(name);
  }
  void fork(const std::string& name, const std::string& from) { fork(name, head(from)); }
  void drop(const std::string& name) {
    ASSERT_TRUE(store_->drop_branch(head(name).branch, Durability::kNormal));
    std::erase(names_, name);
  }
  void reopen(bool close) {
    if (close) {
      ASSERT_TRUE(store_->close());
    }
    store_.reset();
    store_ = open();
    ASSERT_TRUE(store_);
  }

  std::string bases(const std::string& a, const std::string& b) {
    std::string text;
    for (const ReadPoint& base : store_->merge_bases(head(a), head(b)).value()) {
      text += (text.empty() ? "" : " ") + store_->branch_info(base.branch).name + "@" +
              std::to_string(raw(base.version));
    }
    return text;
  }
  std::string apart(const std::string& a, const std::string& b) {
    const auto found = store_->compare(head(a), head(b)).value();
    return std::to_string(found.ahead) + "/" + std::to_string(found.behind);
  }
  std::uint64_t unmerged(const std::string& name) { return store_->unmerged_commits().at(head(name).branch); }

  // --- The model ---

  static Lsns common(const Lsns& a, const Lsns& b) {
    Lsns both;
    std::ranges::set_intersection(a, b, std::inserter(both, both.end()));
    return both;
  }
  static std::size_t missing(const Lsns& of, const Lsns& in) { return of.size() - common(of, in).size(); }
  Lsns best_common(const Lsns& a, const Lsns& b) {
    const Lsns both = common(a, b);
    if (both.empty()) return {Lsn{}};
    Lsns best = both;
    for (const Lsn lsn : both) {
      for (const Lsn older : contained_.at(lsn)) {
        if (older != lsn) best.erase(older);
      }
    }
    return best;
  }

  void expect_compared(const VersionStore& store, const ReadPoint& a, const ReadPoint& b) {
    const auto found = store.compare(a, b);
    ASSERT_TRUE(found) << found.error().message();
    const Lsns& in_a = contained_[a.lsn];
    const Lsns& in_b = contained_[b.lsn];
    EXPECT_EQ(found->ahead, missing(in_a, in_b));
    EXPECT_EQ(found->behind, missing(in_b, in_a));
    Lsns bases;
    for (const ReadPoint& base : found->bases) {
      bases.insert(base.lsn);
      if (base.version == Version{0}) continue;
      const auto point = store.at_version(base.branch, base.version);
      ASSERT_TRUE(point) << point.error().message();
      EXPECT_EQ(base, *point) << "a base is not the version as everybody else names it";
    }
    EXPECT_EQ(bases.size(), found->bases.size()) << "a base is there twice";
    EXPECT_EQ(bases, best_common(in_a, in_b));
    EXPECT_TRUE(std::ranges::is_sorted(found->bases, std::ranges::greater(), &ReadPoint::lsn));
  }

  void expect_unmerged(const VersionStore& store) {
    const auto found = store.unmerged_commits();
    ASSERT_EQ(found.size(), names_.size());
    for (const std::string& name : names_) {
      Lsns others;
      for (const std::string& other : names_) {
        const Lsns& in_other = contained_[head(other).lsn];
        if (other != name) others.insert(in_other.begin(), in_other.end());
      }
      EXPECT_EQ(found.at(head(name).branch), missing(contained_[head(name).lsn], others)) << name;
    }
  }

  std::string any_name() { return names_[random_() % names_.size()]; }
  ReadPoint any_point() {
    const ReadPoint newest = head(any_name());
    if (random_() % 2 == 0 || newest.version == Version{0}) return newest;
    return store_->at_version(newest.branch, Version{1 + random_() % raw(newest.version)}).value();
  }
  void random_step() {
    const std::string name = any_name();
    switch (random_() % 10) {
      case 0:
        if (name != "main" && names_.size() > 3) drop(name);
        break;
      case 1:
      case 2: fork("b" + std::to_string(writes_++), any_point()); break;
      case 3:
      case 4:
      case 5:
        if (const ReadPoint source = any_point(); source.version != Version{0})
          merge(name, source, random_() % 3 == 0 ? MergeKind::kSquash : MergeKind::kParent);
        break;
      case 6:
        if (const ReadPoint to = any_point();
            raw(to.version) > raw(head(name).version) && store_->goes_through(to, head(name))) {
          ASSERT_TRUE(store_->fast_forward(head(name).branch, to, Durability::kNormal));
          EXPECT_EQ(head(name).lsn, to.lsn);
        }
        break;
      default: commit(name); break;
    }
  }

  std::unique_ptr<io::Directory> disk_ = io::make_memory_directory();
  ManualClock clock_{1'700'000'000'000'000};
  SeededRandom entropy_{7};
  std::mt19937_64 random_;
  std::unique_ptr<VersionStore> store_ = open();
  std::vector<std::string> names_{"main"};
  std::map<Lsn, Lsns> contained_{{Lsn{}, {}}};  // by each commit, itself included
  std::uint64_t writes_ = 0;
};

TEST_F(LineageTest, WithoutMergesTheBaseIsWhereLinesPart) {
  commit("main");
  fork("x", "main");
  EXPECT_EQ(bases("x", "main"), "main@1");
  EXPECT_EQ(apart("x", "main"), "0/0");
  commit("x");
  commit("x");
  commit("main");
  EXPECT_EQ(bases("x", "main"), "main@1");
  EXPECT_EQ(apart("x", "main"), "2/1");
  EXPECT_EQ(unmerged("x"), 2u);
}

TEST_F(LineageTest, TheEmptyDatabaseIsABase) {
  fork("x", "main");
  EXPECT_EQ(bases("x", "main"), "main@0");
  commit("x");
  commit("main");
  EXPECT_EQ(bases("x", "main"), "main@0");
  EXPECT_EQ(apart("x", "main"), "1/1");
}

TEST_F(LineageTest, AMergeMovesTheBase) {
  commit("main");
  fork("x", "main");
  commit("x");
  commit("main");
  merge("main", head("x"));
  EXPECT_EQ(bases("x", "main"), "x@2");
  EXPECT_EQ(apart("x", "main"), "0/2");
  EXPECT_EQ(unmerged("x"), 0u);
  commit("x");
  EXPECT_EQ(bases("main", "x"), "x@2");
  EXPECT_EQ(unmerged("x"), 1u);
}

TEST_F(LineageTest, ASquashCountsAsMerged) {
  commit("main");
  fork("x", "main");
  commit("x");
  commit("x");
  merge("main", head("x"), MergeKind::kSquash);
  EXPECT_EQ(bases("x", "main"), "x@3");
  EXPECT_EQ(unmerged("x"), 0u);
  fork("y", store_->at_version(head("x").branch, Version{2}).value());
  commit("y");
  EXPECT_EQ(bases("y", "main"), "x@2") << "what was squashed is also what came before it";
}

// Each merged the other's older version.
TEST_F(LineageTest, ACrissCrossHasSeveralBases) {
  commit("main");
  fork("x", "main");
  const ReadPoint of_x = commit("x");
  const ReadPoint of_main = commit("main");
  merge("main", of_x);
  merge("x", of_main);
  EXPECT_EQ(bases("x", "main"), "main@2 x@2");
  EXPECT_EQ(apart("x", "main"), "1/1");
}

// What was merged and whose name is gone still counts, also behind a checkpoint.
TEST_F(LineageTest, DroppedBranchesAreRemembered) {
  commit("main");
  fork("x", "main");
  commit("x");
  fork("y", "x");
  commit("y");
  const ReadPoint of_y = commit("y");
  merge("x", of_y);
  merge("main", head("x"));
  fork("z", store_->at_version(of_y.branch, Version{3}).value());
  commit("z");
  drop("x");
  drop("y");
  for (int opens = 0; opens < 3; ++opens) {
    reopen(true);
    EXPECT_EQ(bases("z", "main"), "y@3");
    EXPECT_EQ(unmerged("z"), 1u);
    EXPECT_EQ(store_->commit_info(head("main").branch, head("main").version)->marks.message, "merged");
  }
}

TEST_F(LineageTest, AMergeOfNothingNewIsACommit) {
  commit("main");
  fork("x", "main");
  commit("x");
  const ReadPoint source = head("x");
  const CommitMarks marks{{{MergeKind::kParent, source.branch, source.version, source.lsn}}, ""};
  EXPECT_EQ(commit("main", marks, false).version, Version{2});
  EXPECT_EQ(store_->changed_pages(kMainBranch, Version{2})->size(), 0u);
  EXPECT_EQ(store_->commit_info(kMainBranch, Version{2})->marks, marks);
  reopen(false);
  EXPECT_EQ(store_->commit_info(kMainBranch, Version{2})->marks, marks);
  EXPECT_EQ(bases("x", "main"), "x@2");
}

// What a merge moved counts for versions that came with what it merged, or with its parent: not for those
// that both have, nor for its own children. So it is behind a checkpoint, a replay, and in a follower.
TEST_F(LineageTest, WhatAMergeMovedIsAskedOfVersionsBesideIt) {
  commit("main");
  const ReadPoint shared = head("main");
  fork("x", "main");
  const ReadPoint of_x = commit("x");
  commit("x");
  const ReadPoint of_main = commit("main");
  CommitMarks marks{{{MergeKind::kParent, head("x").branch, head("x").version, head("x").lsn}}, "merged"};
  marks.moved = {{"t", 5, 6, kFromMerged}, {"t", 9, 9, kFromParent}};
  const ReadPoint merged = commit("main", marks);
  commit("main");
  fork("y", "main");
  const ReadPoint newest = commit("y");
  const auto text = [&](VersionStore& store, const ReadPoint& base, const ReadPoint& side) {
    std::string all;
    for (const MovedBy& one : moved_since(store, base, {&side, 1}).value()) {
      EXPECT_EQ(one.commit.lsn, merged.lsn);
      for (const MovedRun& run : one.runs)
        all += run.table + std::to_string(run.first) + "-" + std::to_string(run.last) + " ";
    }
    return all;
  };
  const auto expect_all = [&](VersionStore& store) {
    EXPECT_EQ(text(store, of_x, newest), "t5-6 ");
    EXPECT_EQ(text(store, of_x, merged), "t5-6 ");
    EXPECT_EQ(text(store, of_main, newest), "t9-9 ");
    EXPECT_EQ(text(store, shared, newest), "");
    EXPECT_EQ(text(store, merged, newest), "");
    EXPECT_EQ(text(store, of_x, of_main), "") << "it is not on that side";
    EXPECT_EQ(store.commit_info(merged.branch, merged.version)->marks, marks);
  };
  expect_all(*store_);
  const auto follower = open(Access::kReadOnly);
  ASSERT_TRUE(follower->catch_up());
  expect_all(*follower);
  for (const bool close : {false, true, true}) {
    reopen(close);
    expect_all(*store_);
  }
}

TEST_F(LineageTest, RandomHistories) {
  random_.seed(dosql::testing::test_seed());
  const auto follower = [&] {
    commit("main");
    return open(Access::kReadOnly);
  }();
  for (int round = dosql::testing::scaled(60); round > 0; --round) {
    for (int step = 0; step < 12; ++step) random_step();
    for (int pair = 0; pair < 20; ++pair) {
      expect_compared(*store_, any_point(), any_point());
      if (HasFailure()) return;
    }
    expect_unmerged(*store_);
    ASSERT_TRUE(follower->catch_up());
    expect_compared(*follower, any_point(), any_point());
    EXPECT_EQ(follower->unmerged_commits(), store_->unmerged_commits());
    if (HasFailure()) return;
    if (random_() % 4 == 0) reopen(random_() % 2 == 0);
    if (HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace dosql::version
