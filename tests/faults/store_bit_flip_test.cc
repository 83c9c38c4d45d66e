// One bit of a database flips. Whoever opens and reads it afterwards gets right answers, or an error that
// names the place, never a wrong answer.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <regex>

#include "log/format.h"
#include "testing/run_length.h"
#include "testing/simulated_disk.h"
#include "tests/faults/database_layout.h"
#include "tests/faults/store_model.h"

namespace dosql::testing {
namespace {

using ::testing::AssertionFailure;
using ::testing::AssertionResult;
using ::testing::AssertionSuccess;
using version::CommitInfo;
using version::Reader;
using version::StoreOptions;
using version::VersionStore;

struct Flip {
  std::string file;
  std::uint64_t offset = 0;
  unsigned bit = 0;
};

enum class Ending { kClean, kUnclean };

// A database with branches on a disk, and all right answers about it.
class Specimen {
 public:
  Specimen(std::uint64_t seed, Ending ending) : ending_(ending), random_(seed), entropy_(seed) {
    options_.pool_bytes = 0;
    options_.spill_bytes = 6 * kPageBytes;
    options_.close_checkpoint_bytes = (random_() % 3) << 15;
    options_.maintain_checkpoint_bytes = std::uint64_t{1} << 15;
    size_.pages_max = 6 + random_() % 20;
    size_.large_one_in = 8;
    size_.large_writes = 20;
    for (std::size_t lives = 1 + random_() % 4; lives > 0; --lives) {
      live(3 + random_() % 8, random_() % 2 == 0 ? Ending::kClean : Ending::kUnclean);
    }
    // An owner that only recovers and dies leaves a log that nothing but its newest header vouches for.
    const bool idle = random_() % 3 == 0;
    if (idle) live(3 + random_() % 8, Ending::kUnclean);
    live(idle ? 0 : 3 + random_() % 8, ending_, &Specimen::remember);
    layout_ = layout_of(disk_);
  }

  // Most hit something that is in use.
  Flip random_flip() {
    const unsigned bit = random_() % 8;
    if (random_() % 8 == 0) {
      const auto files = disk_.files();
      const auto& file = files[random_() % files.size()];
      if (file.size_bytes > 0) return {file.name, random_() % file.size_bytes, bit};
    }
    const auto& pool = random_() % 2 == 0 ? layout_.live : layout_.records;
    const FileRange& range = pool[random_() % pool.size()];
    std::uint64_t bytes = range.end - range.begin;
    if (random_() % 2 == 0) bytes = std::min<std::uint64_t>(bytes, sizeof(log::RecordHeader));
    return {range.file, range.begin + random_() % bytes, bit};
  }

  // The flip happened before the database is opened.
  AssertionResult opened_after(const Flip& flip) {
    const auto disk = disk_.copy();
    disk->flip_bit(flip.file, flip.offset, flip.bit);
    auto store = open(*disk);
    if (!store) {
      ++refused_;
      return named(store.error());
    }
    ++opened_;
    // Closed cleanly, everything must be there. Else changes may be missing that nothing in the files, the
    // flipped piece aside, says were on disk.
    std::size_t least = states_.size() - 1;
    if (ending_ == Ending::kUnclean) {
      const Lsn durable_lsn = layout_.durable_lsn_without(flip.file, flip.offset);
      while (least > 0 && states_[least].lsn > durable_lsn) --least;
    }
    return answers_right(**store, least);
  }

  // The flip happens while the database is open. check() must see it where it matters.
  AssertionResult flipped_under(const Flip& flip) {
    const auto disk = disk_.copy();
    StoreOptions options = options_;
    options.access = version::Access::kReadOnly;
    auto store = VersionStore::open(disk->directory(), options, clock_, entropy_);
    if (!store) return AssertionFailure() << "the healthy database: " << store.error().message();
    disk->flip_bit(flip.file, flip.offset, flip.bit);
    const auto problems = (*store)->check({});
    if (!problems) return AssertionFailure() << "check: " << problems.error().message();
    const bool live = layout_.is_live(flip.file, flip.offset);
    if (live != !problems->empty()) {
      return AssertionFailure() << "check() " << (live ? "does not see it" : "reports what does not matter: ")
                                << (problems->empty() ? "" : problems->front().what);
    }
    if (live && (problems->front().file != flip.file || problems->front().offset > flip.offset)) {
      return AssertionFailure() << "check() reports another place: " << problems->front().file << " at "
                                << problems->front().offset;
    }
    return answers_right(**store, states_.size() - 1);
  }

  std::size_t changes() const { return states_.size() - 1; }
  int opened() const { return opened_; }
  int refused() const { return refused_; }

 private:
  Result<std::unique_ptr<VersionStore>> open(SimulatedDisk& disk) {
    return VersionStore::open(disk.directory(), options_, clock_, entropy_);
  }

  void live(std::size_t changes, Ending ending, void (Specimen::*before_the_end)(VersionStore&) = nullptr) {
    auto store = open(disk_);
    ASSERT_TRUE(store) << store.error().message();
    for (; changes > 0; --changes) {
      change(**store);
      if (random_() % 6 == 0) {
        ASSERT_TRUE((*store)->maintain(1000));
      }
    }
    if (before_the_end != nullptr) (this->*before_the_end)(**store);
    if (ending == Ending::kClean) {
      ASSERT_TRUE((*store)->close());
    }
  }

  void change(VersionStore& store) {
    const version::Durability durability = random_durability(random_);
    const Status done = random_() % 3 == 0 ? model_.random_name_change(store, random_, durability)
                                           : model_.random_transaction(store, random_, size_, durability,
                                                                       model_.any_branch(random_));
    ASSERT_TRUE(done) << done.error().message();
    if (model_.state().lsn != states_.back().lsn) states_.push_back(model_.state());
  }

  void remember(VersionStore& store) {
    for (const auto& [name, branch] : model_.state().branches) {
      for (const auto& stored : branch.line) {
        const auto& point = stored->point;
        facts_[stored.get()] = {*store.commit_info(point.branch, point.version),
                                *store.changed_pages(point.branch, point.version)};
      }
    }
  }

  // An error is as good as an answer if it says what is damaged.
  static AssertionResult named(const Error& error) {
    static const std::regex place("'simulated/[a-z0-9-]+' at offset [0-9]+");
    if (error.code() == ErrorCode::kCorrupt && std::regex_search(error.message(), place))
      return AssertionSuccess();
    return AssertionFailure() << error_code_name(error.code()) << ": " << error.message();
  }

  // `least`: the oldest of the states that may be left.
  AssertionResult answers_right(VersionStore& store, std::size_t least) {
    const Lsn lsn = store.status().lsn;
    const auto state = std::find_if(states_.begin() + static_cast<std::ptrdiff_t>(least), states_.end(),
                                    [lsn](const StoreState& candidate) { return candidate.lsn == lsn; });
    if (state == states_.end()) {
      return AssertionFailure() << "the newest change is at LSN " << raw(lsn) << ", at least "
                                << raw(states_[least].lsn) << " must be there";
    }
    if (store.branches().size() != state->branches.size() ||
        store.snapshots().size() != state->snapshots.size()) {
      return AssertionFailure() << "wrong number of names";
    }
    for (const auto& [name, branch] : state->branches) {
      const AssertionResult right = branch_right(store, name, branch);
      if (!right) return AssertionFailure() << "branch " << name << ": " << right.message();
    }
    for (const auto& [name, snapshot] : state->snapshots) {
      const auto found = store.find_snapshot(name);
      if (!found || found->point != snapshot.version->point || found->created_us != snapshot.created_us)
        return AssertionFailure() << "snapshot " << name << " is wrong";
      const AssertionResult right = pages_right(store, *snapshot.version);
      if (!right) return AssertionFailure() << "snapshot " << name << ": " << right.message();
    }
    return AssertionSuccess();
  }

  AssertionResult branch_right(VersionStore& store, const std::string& name, const StoredBranch& branch) {
    const auto info = store.find_branch(name);
    if (!info || info->id != branch.id || info->parent_name != branch.parent || info->fork != branch.fork ||
        raw(info->head.version) != branch.line.size() || info->created_us != branch.created_us)
      return AssertionFailure() << "is wrong";
    for (std::size_t version = 1; version <= branch.line.size(); ++version) {
      const AssertionResult right = version_right(store, branch, version);
      if (!right) return AssertionFailure() << "version " << version << ": " << right.message();
    }
    return AssertionSuccess();
  }

  AssertionResult version_right(VersionStore& store, const StoredBranch& branch, std::size_t version) {
    const StoredVersion& stored = *branch.line[version - 1];
    const auto point = store.at_version(branch.id, Version{version});
    if (!point) return named(point.error());
    if (*point != stored.point) return AssertionFailure() << "wrong point";
    // None: of a version that was on no branch any more in the end.
    if (const auto facts = facts_.find(&stored); facts != facts_.end()) {
      const auto info = store.commit_info(branch.id, Version{version});
      if (!info) return named(info.error());
      if (!(*info == facts->second.info)) return AssertionFailure() << "wrong facts about the commit";
      const auto changed = store.changed_pages(branch.id, Version{version});
      if (!changed) return named(changed.error());
      if (*changed != facts->second.changed_pages) return AssertionFailure() << "wrong changed pages";
    }
    return pages_right(store, stored);
  }

  AssertionResult pages_right(VersionStore& store, const StoredVersion& stored) {
    Reader reader(store);
    reader.pin(stored.point);
    Page page;
    for (std::uint32_t number = 1; number <= stored.image.size(); ++number) {
      const Status read = reader.read(PageNo{number}, 0, page);
      if (!read) {
        if (const AssertionResult right = named(read.error()); !right) return right;
      } else if (page != *stored.image[number - 1]) {
        return AssertionFailure() << "page " << number << " is wrong";
      }
    }
    return AssertionSuccess();
  }

  struct Facts {
    CommitInfo info;
    std::vector<PageNo> changed_pages;
  };

  const Ending ending_;
  Generator random_;
  SeededRandom entropy_;
  ManualClock clock_{1'700'000'000'000'000};
  StoreOptions options_;
  WorkSize size_;
  SimulatedDisk disk_;
  StoreModel model_;
  DatabaseLayout layout_;
  std::vector<StoreState> states_ = std::vector<StoreState>(1);  // it went through, oldest first
  std::map<const StoredVersion*, Facts> facts_;
  int opened_ = 0;
  int refused_ = 0;
};

class StoreBitFlipTest : public ::testing::TestWithParam<Ending> {};

TEST_P(StoreBitFlipTest, RightAnswersOrNone) {
  constexpr int kFlipsPerDatabase = 40;
  const std::uint64_t seed = test_seed();
  const int flips = soak() ? scaled(5'000) : scaled(400);
  int opened = 0;
  int refused = 0;
  for (int run = 0; run * kFlipsPerDatabase < flips; ++run) {
    Specimen specimen(seed + run, GetParam());
    ASSERT_FALSE(HasFailure());
    ASSERT_GT(specimen.changes(), 0u);
    for (int i = 0; i < kFlipsPerDatabase; ++i) {
      const Flip flip = specimen.random_flip();
      SCOPED_TRACE(fmt::format("DOSQL_SEED={} store_bit_flip_test; bit {} at offset {} of {}", seed + run,
                               flip.bit, flip.offset, flip.file));
      ASSERT_TRUE(specimen.opened_after(flip));
      ASSERT_TRUE(specimen.flipped_under(flip));
    }
    opened += specimen.opened();
    refused += specimen.refused();
  }
  RecordProperty("opened", opened);
  RecordProperty("refused", refused);
  EXPECT_GT(opened, 0);
  // A few may all be harmless.
  if (flips > 2 * kFlipsPerDatabase) {
    EXPECT_GT(refused, 0);
  }
}

INSTANTIATE_TEST_SUITE_P(Endings, StoreBitFlipTest, ::testing::Values(Ending::kClean, Ending::kUnclean),
                         [](const auto& ending) {
                           return ending.param == Ending::kClean ? "Clean" : "Unclean";
                         });

}  // namespace
}  // namespace dosql::testing
