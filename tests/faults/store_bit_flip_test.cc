// One bit of a database flips. Whoever opens and reads it afterwards gets right answers, or an error that
// names the place, never a wrong answer.

#include <fmt/format.h>
#include <gtest/gtest.h>

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

// A database on a disk, and all right answers about it.
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
    // Closed cleanly, everything must be there. Else commits may be missing that nothing in the files, the
    // flipped piece aside, says were on disk.
    std::size_t least = commits_.size();
    if (ending_ == Ending::kUnclean) {
      const Lsn durable_lsn = layout_.durable_lsn_without(flip.file, flip.offset);
      while (least > 0 && commits_[least - 1]->point.lsn > durable_lsn) --least;
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
    return answers_right(**store, commits_.size());
  }

  std::size_t commits() const { return commits_.size(); }
  int opened() const { return opened_; }
  int refused() const { return refused_; }

 private:
  Result<std::unique_ptr<VersionStore>> open(SimulatedDisk& disk) {
    return VersionStore::open(disk.directory(), options_, clock_, entropy_);
  }

  void live(std::size_t transactions, Ending ending,
            void (Specimen::*before_the_end)(VersionStore&) = nullptr) {
    auto store = open(disk_);
    ASSERT_TRUE(store) << store.error().message();
    for (; transactions > 0; --transactions) {
      const Status done = model_.random_transaction(**store, random_, size_, random_durability(random_));
      ASSERT_TRUE(done) << done.error().message();
      if (random_() % 6 == 0) {
        ASSERT_TRUE((*store)->maintain(1000));
      }
    }
    if (before_the_end != nullptr) (this->*before_the_end)(**store);
    if (ending == Ending::kClean) {
      ASSERT_TRUE((*store)->close());
    }
  }

  void remember(VersionStore& store) {
    commits_ = model_.state().branches.at("main").line;
    for (const auto& commit : commits_) {
      infos_.push_back(*store.commit_info(kMainBranch, commit->point.version));
      changed_pages_.push_back(*store.changed_pages(kMainBranch, commit->point.version));
    }
  }

  // An error is as good as an answer if it says what is damaged.
  static AssertionResult named(const Error& error) {
    static const std::regex place("'simulated/[a-z0-9-]+' at offset [0-9]+");
    if (error.code() == ErrorCode::kCorrupt && std::regex_search(error.message(), place))
      return AssertionSuccess();
    return AssertionFailure() << error_code_name(error.code()) << ": " << error.message();
  }

  AssertionResult answers_right(VersionStore& store, std::size_t least) {
    const std::size_t found = raw(store.head(kMainBranch).version);
    if (found < least || found > commits_.size()) {
      return AssertionFailure() << found << " of " << commits_.size() << " versions are there, at least "
                                << least << " must be";
    }
    for (std::size_t version = 1; version <= found; ++version) {
      const AssertionResult right = version_right(store, version);
      if (!right) return AssertionFailure() << "version " << version << ": " << right.message();
    }
    return AssertionSuccess();
  }

  AssertionResult version_right(VersionStore& store, std::size_t version) {
    const StoredVersion& commit = *commits_[version - 1];
    const auto info = store.commit_info(kMainBranch, Version{version});
    if (!info) return named(info.error());
    if (!(*info == infos_[version - 1])) return AssertionFailure() << "wrong facts about the commit";
    const auto changed = store.changed_pages(kMainBranch, Version{version});
    if (!changed) return named(changed.error());
    if (*changed != changed_pages_[version - 1]) return AssertionFailure() << "wrong changed pages";
    const auto point = store.at_version(kMainBranch, Version{version});
    if (!point) return named(point.error());
    if (*point != commit.point) return AssertionFailure() << "wrong point";
    Reader reader(store);
    reader.pin(*point);
    Page page;
    for (std::uint32_t number = 1; number <= commit.image.size(); ++number) {
      const Status read = reader.read(PageNo{number}, 0, page);
      if (!read) {
        if (const AssertionResult right = named(read.error()); !right) return right;
      } else if (page != *commit.image[number - 1]) {
        return AssertionFailure() << "page " << number << " is wrong";
      }
    }
    return AssertionSuccess();
  }

  const Ending ending_;
  Generator random_;
  SeededRandom entropy_;
  ManualClock clock_{1'700'000'000'000'000};
  StoreOptions options_;
  WorkSize size_;
  SimulatedDisk disk_;
  StoreModel model_;
  DatabaseLayout layout_;
  std::vector<std::shared_ptr<StoredVersion>> commits_;
  int opened_ = 0;
  int refused_ = 0;
  std::vector<CommitInfo> infos_;
  std::vector<std::vector<PageNo>> changed_pages_;
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
    ASSERT_GT(specimen.commits(), 0u);
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
  EXPECT_GT(refused, 0);
}

INSTANTIATE_TEST_SUITE_P(Endings, StoreBitFlipTest, ::testing::Values(Ending::kClean, Ending::kUnclean),
                         [](const auto& ending) {
                           return ending.param == Ending::kClean ? "Clean" : "Unclean";
                         });

}  // namespace
}  // namespace dosql::testing
