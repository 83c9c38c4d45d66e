// Branches against a simple model: full copies of every version of every branch.

#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <string>
#include <thread>

#include "io/memory_storage.h"
#include "version/sqlite_header.h"
#include "version/store_test_support.h"
#include "version/version_store.h"

namespace dosql::version {
namespace {

// The versions of a branch, those of its ancestors included; [0] is the empty database.
struct ModelBranch {
  std::vector<Image> versions{Image()};
  std::vector<ReadPoint> points{ReadPoint()};
};

class BranchTest : public ::testing::Test {
 protected:
  std::unique_ptr<VersionStore> open() {
    auto store = VersionStore::open(std::make_unique<SharedDirectory>(*disk_), options_, clock_, entropy_);
    EXPECT_TRUE(store) << (store ? "" : store.error().message());
    return store ? *std::move(store) : nullptr;
  }

  BranchId id_of(VersionStore& store, const std::string& name) {
    const auto info = store.find_branch(name);
    EXPECT_TRUE(info) << name;
    return info ? info->id : kMainBranch;
  }

  Durability any_durability() { return random_() % 4 == 0 ? Durability::kFull : Durability::kNormal; }

  std::string any_branch() {
    auto branch = model_.begin();
    std::advance(branch, random_() % model_.size());
    return branch->first;
  }

  void commit(VersionStore& store, const std::string& name) {
    ModelBranch& branch = model_.at(name);
    Image next = branch.versions.back();
    Reader reader(store);
    reader.pin_head(id_of(store, name));
    WriteTransaction transaction(store);
    const Status begun = transaction.begin(reader.point());
    ASSERT_TRUE(begun) << begun.error().message();
    if (random_() % 10 == 0 && next.size() > 3) {
      next.resize(1 + random_() % next.size());
      transaction.truncate(static_cast<std::uint32_t>(next.size()));
    }
    for (std::size_t writes = random_() % 20 == 0 ? 30 : 1 + random_() % 4; writes > 0; --writes) {
      const std::size_t number = random_() % (next.size() + 2);
      if (number >= next.size()) next.resize(number + 1, Page{});
      change_page(next[number], random_);
      ASSERT_TRUE(transaction.write(PageNo{static_cast<std::uint32_t>(number + 1)}, next[number]));
    }
    set_change_counter(next[0].data(), kStoredChangeCounter);
    ASSERT_TRUE(transaction.write(kHeaderPage, next[0]));
    const bool differs = next != branch.versions.back();
    const auto committed = transaction.commit(any_durability());
    ASSERT_TRUE(committed) << committed.error().message();
    if (!differs) return;
    ASSERT_EQ(raw(committed->version), branch.versions.size());
    branch.versions.push_back(next);
    branch.points.push_back(*committed);
  }

  void expect_same_where_written_together(VersionStore& store) {
    std::size_t same = 0;
    Reader a(store);
    Reader b(store);
    for (int pair = 0; pair < 300; ++pair) {
      const ModelBranch& branch_a = model_.at(any_branch());
      const ModelBranch& branch_b = model_.at(any_branch());
      const std::size_t version_a = random_() % branch_a.versions.size();
      const std::size_t version_b = random_() % branch_b.versions.size();
      a.pin(branch_a.points[version_a]);
      b.pin(branch_b.points[version_b]);
      const Image& image_a = branch_a.versions[version_a];
      const Image& image_b = branch_b.versions[version_b];
      for (std::uint32_t i = 0; i < std::max(image_a.size(), image_b.size()); ++i) {
        if (a.written_at(PageNo{i + 1}) != b.written_at(PageNo{i + 1})) continue;
        ++same;
        ASSERT_TRUE((i < image_a.size() ? image_a[i] : Page{}) == (i < image_b.size() ? image_b[i] : Page{}));
      }
    }
    EXPECT_GT(same, 100u);
  }

  void fork(VersionStore& store, const std::string& from) {
    const ModelBranch& parent = model_.at(from);
    const std::size_t newest = parent.versions.size() - 1;
    const std::size_t version = random_() % 2 == 0 ? newest : random_() % (newest + 1);
    ReadPoint point = store.head(id_of(store, from));
    if (version < newest) {
      if (version == 0) return;
      const auto found = store.at_version(id_of(store, from), Version{version});
      ASSERT_TRUE(found) << found.error().message();
      point = *found;
    }
    const std::string name = "b" + std::to_string(next_name_++);
    const auto created = store.create_branch(name, point, any_durability());
    ASSERT_TRUE(created) << created.error().message();
    ModelBranch child;
    child.versions.assign(parent.versions.begin(), parent.versions.begin() + version + 1);
    child.points.assign(parent.points.begin(), parent.points.begin() + version + 1);
    model_[name] = std::move(child);
  }

  // To any version of another branch; refused where that does not follow.
  void fast_forward(VersionStore& store, const std::string& name) {
    ModelBranch& target = model_.at(name);
    const ModelBranch& source = model_.at(any_branch());
    const std::size_t size = target.points.size();
    if (source.points.size() <= size) return;
    const std::size_t version = size + random_() % (source.points.size() - size);
    const bool follows = source.points[size - 1].lsn == target.points.back().lsn;
    const BranchId old_id = id_of(store, name);
    const auto moved = store.fast_forward(old_id, source.points[version], any_durability());
    ASSERT_EQ(moved.has_value(), follows) << name;
    if (!follows) {
      EXPECT_EQ(moved.error().code(), ErrorCode::kBusySnapshot);
      return;
    }
    EXPECT_EQ(store.current(old_id), id_of(store, name));
    ModelBranch now;
    now.versions.assign(source.versions.begin(), source.versions.begin() + version + 1);
    now.points.assign(source.points.begin(), source.points.begin() + version + 1);
    model_[name] = std::move(now);
  }

  void drop(VersionStore& store, const std::string& name) {
    if (name == "main") return;
    ASSERT_TRUE(store.drop_branch(id_of(store, name), any_durability()));
    model_.erase(name);
  }

  void label(VersionStore& store, const std::string& name) {
    const ModelBranch& branch = model_.at(name);
    const std::size_t version = random_() % branch.versions.size();
    if (version == 0) return;
    const std::string label = "s" + std::to_string(next_name_++);
    const auto point = store.at_version(id_of(store, name), Version{version});
    ASSERT_TRUE(point) << point.error().message();
    ASSERT_TRUE(store.create_snapshot(label, *point, any_durability()));
    labels_[label] = branch.versions[version];
    if (labels_.size() > 5) {
      ASSERT_TRUE(store.drop_snapshot(labels_.begin()->first, any_durability()));
      labels_.erase(labels_.begin());
    }
  }

  void expect_image(VersionStore& store, const ReadPoint& point, const Image& image) {
    ASSERT_EQ(point.page_count, image.size());
    Reader reader(store);
    reader.pin(point);
    Page page;
    for (std::uint32_t number = 1; number <= image.size() + 1; ++number) {
      const Status read = reader.read(PageNo{number}, 0, page);
      ASSERT_TRUE(read) << read.error().message();
      ASSERT_TRUE(page == (number <= image.size() ? image[number - 1] : Page{})) << "page " << number;
    }
  }

  void expect_version(VersionStore& store, const std::string& name, std::size_t version) {
    SCOPED_TRACE(name + "@" + std::to_string(version));
    const BranchId id = id_of(store, name);
    const ModelBranch& branch = model_.at(name);
    const auto point = store.at_version(id, Version{version});
    ASSERT_TRUE(point) << point.error().message();
    EXPECT_EQ(point->lsn, branch.points[version].lsn);
    expect_image(store, *point, branch.versions[version]);
    // The same through the branch's own eyes.
    ReadPoint seen = *point;
    seen.branch = id;
    expect_image(store, seen, branch.versions[version]);
    const auto by_lsn = store.at_lsn(id, point->lsn);
    ASSERT_TRUE(by_lsn) << by_lsn.error().message();
    EXPECT_EQ(by_lsn->lsn, point->lsn);
    const auto info = store.commit_info(id, Version{version});
    ASSERT_TRUE(info) << info.error().message();
    const auto by_time = store.at_timestamp(id, info->timestamp_us);
    ASSERT_TRUE(by_time) << by_time.error().message();
    EXPECT_EQ(by_time->lsn, point->lsn);
  }

  void expect_all(VersionStore& store) {
    ASSERT_EQ(store.branches().size(), model_.size());
    for (const auto& [name, branch] : model_) {
      ASSERT_EQ(raw(store.head(id_of(store, name)).version), branch.versions.size() - 1) << name;
      expect_image(store, store.head(id_of(store, name)), branch.versions.back());
      for (std::size_t version = 1; version < branch.versions.size(); ++version) {
        expect_version(store, name, version);
        if (HasFatalFailure()) return;
      }
    }
    ASSERT_EQ(store.snapshots().size(), labels_.size());
    for (const auto& [label, image] : labels_) {
      const auto snapshot = store.find_snapshot(label);
      ASSERT_TRUE(snapshot) << label;
      expect_image(store, snapshot->point, image);
    }
  }

  void random_step(VersionStore& store) {
    const std::string name = any_branch();
    switch (random_() % 12) {
      case 0: return fork(store, name);
      case 10:
      case 11: return fast_forward(store, name);
      case 1: return label(store, name);
      case 2: return random_() % 3 == 0 ? drop(store, name) : fork(store, name);
      default: return commit(store, name);
    }
  }

  StoreOptions options_;
  std::unique_ptr<io::Directory> disk_ = io::make_memory_directory();
  ManualClock clock_{1'700'000'000'000'000};
  SeededRandom entropy_{7};
  std::mt19937_64 random_;
  std::map<std::string, ModelBranch> model_{{"main", {}}};
  std::map<std::string, Image> labels_;
  int next_name_ = 0;
};

// Live, after a crash, after a clean close with and without a checkpoint; with a pool and spill limit so
// small that eviction and spills happen all the time.
TEST_F(BranchTest, EveryVersionOfEveryBranchStaysReadable) {
  const std::uint64_t seed = test_seed();
  SCOPED_TRACE("DOSQL_SEED=" + std::to_string(seed));
  random_.seed(seed);
  options_.pool_bytes = random_() % 2 == 0 ? 0 : std::size_t{1} << 20;
  options_.front_finds = random_() % 2 == 0 ? 0 : 100;
  options_.front_bytes = random_() % 2 == 0 ? std::size_t{100} << 10 : std::size_t{10} << 20;
  options_.spill_bytes = 16 * kPageBytes;
  options_.history_cache_bytes = 16 * 4 * kPageBytes;
  options_.close_checkpoint_bytes = 0;
  for (int life = 0; life < 8; ++life) {
    auto store = open();
    ASSERT_TRUE(store);
    expect_all(*store);
    for (int i = 0; i < 40; ++i) {
      random_step(*store);
      if (HasFatalFailure()) return;
    }
    expect_all(*store);
    if (HasFailure()) return;
    const auto problems = store->check({});
    ASSERT_TRUE(problems) << problems.error().message();
    EXPECT_TRUE(problems->empty()) << problems->front().what;
    if (random_() % 2 == 0) {
      const Status closed = store->close();
      ASSERT_TRUE(closed) << closed.error().message();
    }
  }
}

// B5: nobody writes to what has a successor.
TEST_F(BranchTest, ABranchThatHasASuccessorIsNotWritten) {
  random_.seed(1);
  auto store = open();
  commit(*store, "main");
  ASSERT_TRUE(store->create_branch("x", store->head(kMainBranch), Durability::kNormal));
  model_["x"] = model_["main"];
  commit(*store, "x");
  const ReadPoint of_x = store->head(id_of(*store, "x"));
  {
    Reader reader(*store);
    const ReadPoint before = reader.pin_head(kMainBranch);
    WriteTransaction transaction(*store);
    ASSERT_TRUE(transaction.begin(before));
    EXPECT_EQ(store->fast_forward(kMainBranch, of_x, Durability::kNormal).error().code(), ErrorCode::kBusy);
    transaction.rollback();
    ASSERT_TRUE(store->fast_forward(kMainBranch, of_x, Durability::kNormal));
    EXPECT_EQ(transaction.begin(before).error().code(), ErrorCode::kBusySnapshot);
    EXPECT_FALSE(store->fast_forward(kMainBranch, of_x, Durability::kNormal)) << "it has moved on";
    EXPECT_EQ(store->drop_branch(id_of(*store, "main"), Durability::kNormal).error().code(),
              ErrorCode::kInvalidArgument);
    expect_image(*store, before, model_["main"].versions.back());
  }
  model_["main"] = model_["x"];
  commit(*store, "main");
  commit(*store, "x");
  for (int opens = 0; opens < 3; ++opens) {
    expect_all(*store);
    if (opens == 1) {
      ASSERT_TRUE(store->close());
    }
    store.reset();
    store = open();
  }
}

// B1: the fork sees nothing of what its parent, or its parent's parent, does afterwards.
TEST_F(BranchTest, LinesPartAtTheFork) {
  random_.seed(1);
  auto store = open();
  commit(*store, "main");
  std::string deepest = "main";
  for (int depth = 0; depth < 30; ++depth) {
    const std::string name = "b" + std::to_string(depth);
    ASSERT_TRUE(store->create_branch(name, store->head(id_of(*store, deepest)), Durability::kNormal));
    model_[name] = model_[deepest];
    commit(*store, deepest);
    commit(*store, name);
    deepest = name;
  }
  expect_all(*store);
  const Status closed = store->close();
  ASSERT_TRUE(closed) << closed.error().message();
  store = open();
  expect_all(*store);
}

// Any two versions: where they are told that a page was written at the same time, it has the same bytes.
TEST_F(BranchTest, PagesWrittenAtTheSameTimeAreTheSame) {
  random_.seed(11);
  auto store = open();
  for (int i = 0; i < 120; ++i) {
    if (i % 15 == 7) fork(*store, any_branch());
    commit(*store, any_branch());
    if (HasFatalFailure()) return;
  }
  expect_same_where_written_together(*store);
  const Status closed = store->close();
  ASSERT_TRUE(closed) << closed.error().message();
  store = open();
  expect_same_where_written_together(*store);
}

TEST_F(BranchTest, NamesAreUnique) {
  random_.seed(2);
  auto store = open();
  commit(*store, "main");
  const ReadPoint head = store->head(kMainBranch);
  ASSERT_TRUE(store->create_branch("x", head, Durability::kNormal));
  const auto again = store->create_branch("x", head, Durability::kNormal);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().message(), "branch 'x' exists already");
  const auto main = store->create_branch("main", head, Durability::kNormal);
  ASSERT_FALSE(main);
  EXPECT_EQ(main.error().code(), ErrorCode::kAlreadyExists);
  const BranchId first = id_of(*store, "x");
  ASSERT_TRUE(store->drop_branch(first, Durability::kNormal));
  EXPECT_FALSE(store->find_branch("x"));
  const Status twice = store->drop_branch(first, Durability::kNormal);
  ASSERT_FALSE(twice);
  EXPECT_EQ(twice.error().code(), ErrorCode::kBranchNotFound);
  ASSERT_TRUE(store->create_branch("x", head, Durability::kNormal));
  EXPECT_NE(id_of(*store, "x"), first) << "ids are never used again";
  const Status dropped = store->drop_branch(kMainBranch, Durability::kNormal);
  ASSERT_FALSE(dropped);
  EXPECT_EQ(dropped.error().message(), "branch 'main' cannot be dropped");
}

TEST_F(BranchTest, UnmergedCommitsAndSharedVersions) {
  random_.seed(3);
  auto store = open();
  commit(*store, "main");
  commit(*store, "main");
  const ReadPoint second = store->head(kMainBranch);
  ASSERT_TRUE(store->create_branch("x", second, Durability::kNormal));
  model_["x"] = model_["main"];
  const BranchId x = id_of(*store, "x");
  EXPECT_EQ(store->unmerged_commits().at(x), 0u);
  commit(*store, "x");
  commit(*store, "x");
  commit(*store, "main");
  EXPECT_EQ(store->unmerged_commits().at(x), 2u);
  EXPECT_EQ(store->shared_version(x, kMainBranch), second);
  EXPECT_EQ(store->shared_version(kMainBranch, x), second);
  ASSERT_TRUE(store->create_branch("y", store->head(x), Durability::kNormal));
  EXPECT_EQ(store->unmerged_commits().at(x), 0u) << "y contains them";
  EXPECT_EQ(store->shared_version(id_of(*store, "y"), x), store->head(x));
  EXPECT_EQ(store->shared_version(id_of(*store, "y"), kMainBranch), second);
}

// The first commit may be in the log, and not visible yet, when a branch is made of the empty database.
TEST_F(BranchTest, TheEmptyDatabaseIsAVersionToBeginWith) {
  random_.seed(5);
  auto store = open();
  const ReadPoint nothing = store->head(kMainBranch);
  commit(*store, "main");
  ASSERT_TRUE(store->create_branch("empty", nothing, Durability::kNormal));
  model_["empty"];
  commit(*store, "empty");
  expect_all(*store);
  store.reset();
  store = open();
  ASSERT_TRUE(store);
  expect_all(*store);
  const Status closed = store->close();
  ASSERT_TRUE(closed) << closed.error().message();
  store = open();
  expect_all(*store);
}

// A checkpoint holds the names as of one point of the log: a name that is made beside it is in the checkpoint
// or behind it, never both.
TEST_F(BranchTest, CheckpointsBesideNewNames) {
  random_.seed(4);
  options_.maintain_checkpoint_bytes = 0;
  auto store = open();
  commit(*store, "main");
  const ReadPoint head = store->head(kMainBranch);
  std::atomic<bool> done{false};
  std::thread checkpoints([&] {
    while (!done) {
      const auto more = store->maintain(1000);
      EXPECT_TRUE(more) << more.error().message();
    }
  });
  constexpr int kBranches = 300;
  for (int i = 0; i < kBranches; ++i) {
    const auto created = store->create_branch("b" + std::to_string(i), head, Durability::kNormal);
    EXPECT_TRUE(created) << created.error().message();
  }
  done = true;
  checkpoints.join();
  store.reset();  // without a clean close
  store = open();
  ASSERT_TRUE(store);
  EXPECT_EQ(store->branches().size(), kBranches + 1u);
}

// A fold gives main's version of a page a base of its own after a branch has gone on from it. A key patch of
// the branch counts back to where it always did.
TEST_F(BranchTest, AFoldInTheMiddleOfABranchesChain) {
  options_.pool_bytes = 0;
  auto store = open();
  ASSERT_TRUE(store);
  constexpr PageNo kPage{2};
  std::map<BranchId, Page> newest;
  // `bytes` random bytes of the page, and so much of another that the entries lie far from each other.
  const auto change = [&](BranchId branch, std::size_t bytes) {
    Page& page = newest[branch];
    const std::size_t from = bytes == kPageBytes ? 0 : random_() % (kPageBytes - bytes);
    for (std::size_t i = 0; i < bytes; ++i) page[from + i] = static_cast<std::byte>(random_());
    Page noise;
    Reader reader(*store);
    reader.pin_head(branch);
    WriteTransaction transaction(*store);
    ASSERT_TRUE(transaction.begin(reader.point()));
    ASSERT_TRUE(transaction.write(kPage, page));
    for (std::uint32_t other = 3; other < 10; ++other) {
      for (auto& byte : noise) byte = static_cast<std::byte>(random_());
      ASSERT_TRUE(transaction.write(PageNo{other}, noise));
    }
    ASSERT_TRUE(transaction.commit(Durability::kNormal));
  };
  change(kMainBranch, kPageBytes);
  for (int i = 0; i < 6; ++i) change(kMainBranch, 400);
  const BranchId side = store->create_branch("side", store->head(kMainBranch), Durability::kNormal)->id;
  newest[side] = newest[kMainBranch];
  for (int i = 0; i < 6; ++i) change(side, 10);
  for (int life = 0; life < 3; ++life) {
    ASSERT_TRUE(store->close());
    store = open();
    ASSERT_TRUE(store);
    for (const BranchId branch : {kMainBranch, side}) {
      Reader reader(*store);
      reader.pin_head(branch);
      Page page;
      ASSERT_TRUE(reader.read(kPage, 0, page));
      EXPECT_TRUE(page == newest[branch]) << "branch " << raw(branch) << ", life " << life;
    }
    for (int i = 0; i < 6; ++i) change(side, 10);
  }
}

}  // namespace
}  // namespace dosql::version
