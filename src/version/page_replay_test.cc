// The images of a replay against full copies of every version.

#include "version/page_replay.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "io/memory_storage.h"
#include "log/segment.h"
#include "testing/simulated_disk.h"
#include "version/page_history.h"
#include "version/sqlite_header.h"
#include "version/store_impl.h"
#include "version/store_test_support.h"

namespace dosql::version {
namespace {

class PageReplayTest : public ::testing::Test {
 protected:
  std::unique_ptr<VersionStore> open(std::unique_ptr<io::Directory> directory = io::make_memory_directory()) {
    StoreOptions options;
    options.spill_bytes = 40 * kPageBytes;
    auto store = VersionStore::open(std::move(directory), options, system_clock(), system_random());
    EXPECT_TRUE(store) << (store ? "" : store.error().message());
    return store ? *std::move(store) : nullptr;
  }

  // Mostly a few pages; now and then many, some so many that they spill, and some cut off.
  void commit(VersionStore& store, std::mt19937_64& random) {
    Image next = versions_.empty() ? Image(1) : versions_.back();
    WriteTransaction transaction(store);
    Reader reader(store);
    ASSERT_TRUE(transaction.begin(reader.pin_head(kMainBranch)));
    if (random() % 30 == 0 && next.size() > 3) {
      next.resize(1 + random() % next.size());
      transaction.truncate(static_cast<std::uint32_t>(next.size()));
    }
    const std::size_t writes = random() % 40 == 0 ? 100 : 1 + random() % 4;
    for (std::size_t i = 0; i < writes; ++i) {
      const std::size_t number = random() % (next.size() + (next.size() < 2000 ? 3 : 0));
      if (number >= next.size()) next.resize(number + 1, Page{});
      change_page(next[number], random);
      ASSERT_TRUE(transaction.write(PageNo{static_cast<std::uint32_t>(number + 1)}, next[number]));
    }
    set_change_counter(next[0].data(), kStoredChangeCounter);
    if (!versions_.empty() && next == versions_.back()) return;
    ASSERT_TRUE(transaction.write(kHeaderPage, next[0]));
    ASSERT_TRUE(transaction.commit(Durability::kOff));
    versions_.push_back(std::move(next));
  }

  // These pages, counted from 0, get other contents.
  void commit_pages(VersionStore& store, std::size_t begin, std::size_t end, std::mt19937_64& random) {
    Image next = versions_.empty() ? Image(end) : versions_.back();
    WriteTransaction transaction(store);
    Reader reader(store);
    ASSERT_TRUE(transaction.begin(reader.pin_head(kMainBranch)));
    for (std::size_t page = begin; page < end; ++page) {
      for (std::byte& byte : next[page]) byte = static_cast<std::byte>(random());
      if (page == 0) set_change_counter(next[0].data(), kStoredChangeCounter);
      ASSERT_TRUE(transaction.write(PageNo{static_cast<std::uint32_t>(page + 1)}, next[page]));
    }
    ASSERT_TRUE(transaction.commit(Durability::kOff));
    versions_.push_back(std::move(next));
  }

  void expect_image(const Image& version, PageNo page, Result<PageView> image) {
    ASSERT_TRUE(image) << image.error().message();
    ASSERT_EQ(image->exists(), raw(page) <= version.size());
    if (image->exists()) {
      EXPECT_TRUE(image->whole() == version[raw(page) - 1]) << "page " << raw(page);
    }
  }

  // True: it was replayed.
  bool expect_commit(PageReplay& replay, std::size_t version, std::mt19937_64& random) {
    SCOPED_TRACE("version " + std::to_string(version));
    const auto replayed = replay.go_to(kMainBranch, Version{version});
    EXPECT_TRUE(replayed) << replayed.error().message();
    if (!replayed || !*replayed) return false;
    const Image& before = versions_[version - 2];
    const Image& after = versions_[version - 1];
    EXPECT_EQ(replay.before().page_count, before.size());
    EXPECT_EQ(replay.after().page_count, after.size());
    std::vector<bool> written(std::max(before.size(), after.size()) + 1);
    for (const PageReplay::Written& page : replay.written()) {
      written[raw(page.page)] = true;
      expect_image(before, page.page, page.before);
      expect_image(after, page.page, page.after);
    }
    for (std::size_t i = 0; i < std::min(before.size(), after.size()); ++i)
      EXPECT_TRUE(written[i + 1] || before[i] == after[i]);
    for (int i = 0; i < 10; ++i) {
      const PageNo page{static_cast<std::uint32_t>(1 + random() % (after.size() + 2))};
      expect_image(before, page, replay.before(page));
      expect_image(after, page, replay.after(page));
    }
    return true;
  }

  std::vector<Image> versions_;
};

TEST_F(PageReplayTest, RandomCommits) {
  const std::uint64_t seed = test_seed();
  SCOPED_TRACE("DOSQL_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  const auto store = open();
  for (int i = 0; i < 600; ++i) commit(*store, random);
  PageReplay replay(*store);
  std::size_t replayed = 0;
  for (std::size_t version = 1; version <= versions_.size(); ++version)
    replayed += expect_commit(replay, version, random) ? 1 : 0;
  EXPECT_GT(replayed, versions_.size() * 3 / 4);
  for (int i = 0; i < 100; ++i) expect_commit(replay, 1 + random() % versions_.size(), random);
}

// More pages than are kept, and than one set of them has room for.
TEST_F(PageReplayTest, PagesThatAreNoLongerKept) {
  std::mt19937_64 random(7);
  const auto store = open();
  ReplayRoom& room = store->impl().replay_room;
  ASSERT_TRUE(room.take(room.images())) << "another replay has all the room";
  versions_.emplace_back(3 * KeptImages::kLeast);
  {
    WriteTransaction transaction(*store);
    Reader reader(*store);
    ASSERT_TRUE(transaction.begin(reader.pin_head(kMainBranch)));
    for (std::uint32_t page = 0; page < versions_[0].size(); ++page) {
      change_page(versions_[0][page], random);
      if (page == 0) set_change_counter(versions_[0][0].data(), kStoredChangeCounter);
      ASSERT_TRUE(transaction.write(PageNo{page + 1}, versions_[0][page]));
    }
    ASSERT_TRUE(transaction.commit(Durability::kOff));
  }
  // The images of all versions would not fit: only what differs is looked at.
  PageReplay replay(*store);
  for (std::size_t i = 0; i < 2 * KeptImages::kLeast; ++i) {
    const std::uint32_t page = 1 + random() % (3 * KeptImages::kLeast - 1);
    const Page before = versions_[0][page];
    change_page(versions_[0][page], random);
    if (versions_[0][page] == before) continue;
    WriteTransaction transaction(*store);
    Reader reader(*store);
    ASSERT_TRUE(transaction.begin(reader.pin_head(kMainBranch)));
    ASSERT_TRUE(transaction.write(PageNo{page + 1}, versions_[0][page]));
    const auto point = transaction.commit(Durability::kOff);
    ASSERT_TRUE(point);
    const auto replayed = replay.go_to(kMainBranch, point->version);
    ASSERT_TRUE(replayed && *replayed);
    ASSERT_EQ(replay.written().size(), 1u);
    EXPECT_TRUE(replay.written()[0].before.whole() == before);
    EXPECT_TRUE(replay.written()[0].after.whole() == versions_[0][page]);
    for (int j = 0; j < 20; ++j) {
      const std::uint32_t other = 1 + random() % (3 * KeptImages::kLeast - 1);
      expect_image(versions_[0], PageNo{other + 1}, replay.after(PageNo{other + 1}));
    }
    EXPECT_TRUE(replay.written()[0].before.whole() == before) << "as long as the commit is the present one";
  }
}

// One transaction wrote all pages, one behind the other, and later ones change them here and there.
class ReplayOfABulk : public PageReplayTest {
 protected:
  static constexpr std::uint32_t kPages = 3 * KeptImages::kLeast;

  struct Change {
    Version version{};
    std::uint32_t page = 0;  // counted from 0
    Page after{};
  };

  void SetUp() override {
    store_ = open(disk_.directory());
    first_.resize(kPages);
    for (Page& page : first_) {
      for (std::byte& byte : page) byte = static_cast<std::byte>(random_());
    }
    set_change_counter(first_[0].data(), kStoredChangeCounter);
    WriteTransaction transaction(*store_);
    Reader reader(*store_);
    ASSERT_TRUE(transaction.begin(reader.pin_head(kMainBranch)));
    for (std::uint32_t page = 0; page < kPages; ++page)
      ASSERT_TRUE(transaction.write(PageNo{page + 1}, first_[page]));
    ASSERT_TRUE(transaction.commit(Durability::kOff));
    Image now = first_;
    while (changes_.size() < kPages) {
      const auto page = static_cast<std::uint32_t>(1 + random_() % (kPages - 1));
      now[page][random_() % kPageBytes] ^= std::byte{1};
      WriteTransaction change(*store_);
      Reader head(*store_);
      ASSERT_TRUE(change.begin(head.pin_head(kMainBranch)));
      ASSERT_TRUE(change.write(PageNo{page + 1}, now[page]));
      const auto point = change.commit(Durability::kOff);
      ASSERT_TRUE(point);
      changes_.push_back({point->version, page, now[page]});
    }
  }

  std::mt19937_64 random_{11};
  testing::SimulatedDisk disk_;
  std::unique_ptr<VersionStore> store_;
  Image first_;
  std::vector<Change> changes_;
};

TEST_F(ReplayOfABulk, ReadsImagesThatLieBesideAtOnce) {
  PageReplay replay(*store_);
  const std::uint64_t reads_before = disk_.read_count();
  std::set<std::uint32_t> pages;
  Image now = first_;
  for (const Change& change : changes_) {
    const auto replayed = replay.go_to(kMainBranch, change.version);
    ASSERT_TRUE(replayed && *replayed);
    ASSERT_EQ(replay.written().size(), 1u);
    EXPECT_TRUE(replay.written()[0].before.whole() == now[change.page]);
    EXPECT_TRUE(replay.written()[0].after.whole() == change.after);
    now[change.page] = change.after;
    const auto other = static_cast<std::uint32_t>(random_() % kPages);
    expect_image(now, PageNo{other + 1}, replay.after(PageNo{other + 1}));
    pages.insert({change.page, other});
  }
  EXPECT_LT(disk_.read_count() - reads_before, pages.size() / 2) << "of " << pages.size() << " images";
}

TEST_F(ReplayOfABulk, ADamagedNeighbourIsReportedWhenItIsAskedFor) {
  // The last one that is written for the first time.
  std::map<std::uint32_t, std::size_t> first_written;
  for (std::size_t i = 0; i < changes_.size(); ++i) first_written.try_emplace(changes_[i].page, i);
  const auto last = std::ranges::max_element(first_written, {}, [](const auto& one) { return one.second; });
  Chain chain;
  newest_chain(store_->impl().branch(kMainBranch).find(PageNo{last->first + 1}), chain);
  const log::Position image = chain.entries[chain.size - 1].position();
  const auto directory = disk_.directory();
  const auto file = directory->open(log::segment_file_name(log::segment_of(image)), io::OpenMode::kReadWrite);
  ASSERT_TRUE(file);
  std::byte damaged{};
  const std::uint64_t at = log::offset_of(image) + sizeof(log::EntryHead) + 100;
  ASSERT_TRUE((*file)->read_at(at, {&damaged, 1}));
  damaged ^= std::byte{1};
  ASSERT_TRUE((*file)->write_at(at, Bytes(&damaged, 1)));
  PageReplay replay(*store_);
  for (std::size_t i = 0; i < last->second; ++i) {
    const auto replayed = replay.go_to(kMainBranch, changes_[i].version);
    ASSERT_TRUE(replayed) << replayed.error().message();
  }
  const auto replayed = replay.go_to(kMainBranch, changes_[last->second].version);
  ASSERT_FALSE(replayed);
  EXPECT_EQ(replayed.error().code(), ErrorCode::kCorrupt);
}

// The record of the next commit was read ahead, and what was read of another one lies where it was.
TEST_F(PageReplayTest, GoesOnBehindAFailedRead) {
  std::mt19937_64 random(7);
  testing::SimulatedDisk disk;
  const auto store = open(disk.directory());
  commit_pages(*store, 0, 30, random);
  for (std::size_t page = 1; page < 12; ++page) commit_pages(*store, page, page + 5, random);
  // More than is read at once: its head comes first, then the whole of it.
  commit_pages(*store, 1, 29, random);
  const std::size_t large = versions_.size();
  PageReplay replay(*store);
  EXPECT_TRUE(expect_commit(replay, large, random));
  int failures = 0;
  for (bool fails = true; fails; ++failures) {
    EXPECT_TRUE(expect_commit(replay, 2, random));
    disk.fail_read_at(disk.read_count() + static_cast<std::uint64_t>(failures));
    const auto gone = replay.go_to(kMainBranch, Version{large});
    fails = !gone;
    if (!fails) break;
    EXPECT_EQ(gone.error().code(), ErrorCode::kIo);
    for (std::size_t version = 3; version < 6; ++version) EXPECT_TRUE(expect_commit(replay, version, random));
  }
  EXPECT_GE(failures, 2);
}

}  // namespace
}  // namespace dosql::version
