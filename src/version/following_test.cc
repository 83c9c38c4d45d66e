// A writer and stores that follow it, on one directory; every store here is to the others like a process.

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "io/memory_storage.h"
#include "log/format.h"
#include "testing/run_length.h"
#include "version/durable_wait.h"
#include "version/sqlite_header.h"
#include "version/status_page.h"
#include "version/store_test_support.h"
#include "version/version_store.h"

namespace dosql::version {
namespace {

using std::chrono::steady_clock;

// A directory that takes no status page.
class WithoutStatusPage final : public SharedDirectory {
 public:
  using SharedDirectory::SharedDirectory;
  Result<std::unique_ptr<io::SharedMemory>> open_shared(std::string_view, std::size_t,
                                                        CreateShared) override {
    return Error(ErrorCode::kReadOnly, "it is on a disc");
  }
};

class FollowingTest : public ::testing::Test {
 protected:
  using Store = std::unique_ptr<VersionStore>;

  Store open_in(std::unique_ptr<io::Directory> directory, StoreOptions options) {
    auto store = VersionStore::open(std::move(directory), options, clock_, random_);
    EXPECT_TRUE(store) << (store ? "" : store.error().message());
    return store ? *std::move(store) : nullptr;
  }
  Store write(StoreOptions options = {}) {
    return open_in(std::make_unique<SharedDirectory>(*disk_), options);
  }
  Store follow(StoreOptions options = {}) {
    options.access = Access::kReadOnly;
    return open_in(std::make_unique<SharedDirectory>(*disk_), options);
  }

  // Pages from 1 on with that byte everywhere, page 1's counter aside; `pages` of them, `first` being the
  // first that is written.
  void commit(VersionStore& store, int byte, std::uint32_t pages = 3, std::uint32_t first = 1,
              BranchId branch = kMainBranch, Durability durability = Durability::kNormal) {
    Reader reader(store);
    reader.pin_head(branch);
    WriteTransaction transaction(store);
    ASSERT_TRUE(transaction.begin(reader.point()));
    for (std::uint32_t page = first; page < first + pages; ++page) {
      ASSERT_TRUE(transaction.write(PageNo{page}, image_of(byte)));
    }
    const auto committed = transaction.commit(durability);
    ASSERT_TRUE(committed) << committed.error().message();
  }
  static Page image_of(int byte) {
    Page page;
    page.fill(static_cast<std::byte>(byte));
    set_change_counter(page.data(), kStoredChangeCounter);
    return page;
  }
  static int byte_of(Reader& reader, std::uint32_t page) {
    Page image;
    const Status read = reader.read(PageNo{page}, 0, image);
    EXPECT_TRUE(read) << read.error().message();
    for (const std::byte byte : Bytes(image).subspan(100)) {
      if (byte != image.back()) return -1;
    }
    return std::to_integer<int>(image.back());
  }
  static int newest_byte(VersionStore& store, std::uint32_t page = 2, BranchId branch = kMainBranch) {
    Reader reader(store);
    reader.pin_head(branch);
    return byte_of(reader, page);
  }
  static void catch_up(VersionStore& store) {
    const Status done = store.catch_up();
    ASSERT_TRUE(done) << done.error().message();
  }
  // They show the same versions of main and the same names.
  static void expect_alike(VersionStore& writer, VersionStore& follower) {
    catch_up(follower);
    ASSERT_EQ(follower.head(kMainBranch), writer.head(kMainBranch));
    EXPECT_EQ(follower.status().lsn, writer.status().lsn);
    const ReadPoint head = writer.head(kMainBranch);
    for (std::uint64_t version = 1; version <= raw(head.version); ++version) {
      const auto point = writer.at_version(kMainBranch, Version{version}).value();
      ASSERT_EQ(follower.at_version(kMainBranch, Version{version}).value(), point);
      Reader here(writer);
      Reader there(follower);
      here.pin(point);
      there.pin(point);
      for (std::uint32_t page = 1; page <= point.page_count; ++page) {
        Page left, right;
        ASSERT_TRUE(here.read(PageNo{page}, 0, left));
        const Status read = there.read(PageNo{page}, 0, right);
        ASSERT_TRUE(read) << read.error().message();
        ASSERT_TRUE(left == right) << "page " << page << " of version " << version;
      }
    }
    EXPECT_EQ(follower.branches().size(), writer.branches().size());
    EXPECT_EQ(follower.snapshots().size(), writer.snapshots().size());
  }

  std::unique_ptr<io::Directory> disk_ = io::make_memory_directory();
  ManualClock clock_{1'700'000'000'000'000};
  SeededRandom random_{7};
};

TEST_F(FollowingTest, SeesWhatIsCommittedAfterItWasOpened) {
  const Store writer = write();
  commit(*writer, 1);
  const Store follower = follow();
  EXPECT_EQ(newest_byte(*follower), 1);
  commit(*writer, 2);
  EXPECT_EQ(newest_byte(*follower), 1) << "not before it catches up";
  catch_up(*follower);
  EXPECT_EQ(newest_byte(*follower), 2);
  commit(*writer, 3);
  commit(*writer, 4, 5, 10);
  expect_alike(*writer, *follower);
  EXPECT_EQ(follower->status().role, Role::kFollower);
  EXPECT_EQ(writer->status().role, Role::kWriter);
  EXPECT_EQ(follower->status().writer_pid, writer->status().writer_pid);
}

TEST_F(FollowingTest, IsThereBeforeTheWriter) {
  {
    const Store writer = write();
    commit(*writer, 1);
    ASSERT_TRUE(writer->close());
  }
  ASSERT_TRUE(disk_->remove(log::kStatusFile));  // as a release without it leaves a database
  const Store follower = follow();
  EXPECT_EQ(newest_byte(*follower), 1);
  EXPECT_EQ(follower->status().writer_pid, 0u);
  const Store writer = write();
  EXPECT_NE(follower->status().writer_pid, 0u);
  commit(*writer, 2);
  expect_alike(*writer, *follower);
}

// V1
TEST_F(FollowingTest, APinnedVersionStaysWhileTheStoreCatchesUp) {
  StoreOptions no_pool;
  no_pool.pool_bytes = 0;
  const Store writer = write();
  commit(*writer, 1, 200);
  for (const bool with_pool : {true, false}) {
    const Store follower = follow(with_pool ? StoreOptions() : no_pool);
    const int pinned = newest_byte(*follower);
    Reader reader(*follower);
    reader.pin_head(kMainBranch);
    for (std::uint32_t page = 1; page <= 100; ++page) EXPECT_EQ(byte_of(reader, page), pinned);
    for (int byte = pinned + 1; byte < pinned + 100; ++byte) {
      commit(*writer, byte, 100, 1 + static_cast<std::uint32_t>(byte) % 90);
      catch_up(*follower);
      for (std::uint32_t page = 1; page <= 200; page += 7) ASSERT_EQ(byte_of(reader, page), pinned);
    }
    commit(*writer, pinned + 100, 200);
    reader.unpin();
    catch_up(*follower);
    reader.pin_head(kMainBranch);
    for (std::uint32_t page = 1; page <= 200; ++page) ASSERT_EQ(byte_of(reader, page), pinned + 100);
  }
}

TEST_F(FollowingTest, SpillsComeIntoSightWithTheirCommit) {
  const Store writer = write();
  commit(*writer, 1, 10);
  const Store follower = follow();
  Reader base(*writer);
  base.pin_head(kMainBranch);
  WriteTransaction large(*writer);
  ASSERT_TRUE(large.begin(base.point()));
  for (std::uint32_t page = 1; page <= 5000; ++page) {  // 20 MB: two spills
    ASSERT_TRUE(large.write(PageNo{page}, image_of(2)));
  }
  // A name comes in between, behind the first spills.
  ASSERT_TRUE(writer->create_branch("side", base.point(), Durability::kNormal));
  catch_up(*follower);
  EXPECT_TRUE(follower->find_branch("side"));
  EXPECT_EQ(newest_byte(*follower), 1);
  ASSERT_TRUE(large.commit(Durability::kNormal));
  expect_alike(*writer, *follower);
  EXPECT_EQ(newest_byte(*follower, 5000), 2);
  EXPECT_EQ(newest_byte(*follower, 5, follower->find_branch("side")->id), 1);
}

TEST_F(FollowingTest, BranchesSnapshotsAndTheirEnd) {
  const Store writer = write();
  commit(*writer, 1);
  const Store follower = follow();
  const BranchId side = writer->create_branch("side", writer->head(kMainBranch), Durability::kNormal)->id;
  commit(*writer, 2, 1, 2, side);
  ASSERT_TRUE(writer->create_snapshot("label", writer->head(side), Durability::kNormal));
  commit(*writer, 3);
  expect_alike(*writer, *follower);
  EXPECT_EQ(newest_byte(*follower, 2, side), 2);
  EXPECT_EQ(newest_byte(*follower, 2), 3);
  EXPECT_EQ(follower->find_snapshot("label")->point, writer->head(side));
  Reader reader(*follower);
  reader.pin_head(side);
  ASSERT_TRUE(writer->drop_branch(side, Durability::kNormal));
  ASSERT_TRUE(writer->drop_snapshot("label", Durability::kNormal));
  expect_alike(*writer, *follower);
  EXPECT_FALSE(follower->find_branch("side"));
  EXPECT_FALSE(follower->find_snapshot("label"));
  EXPECT_EQ(byte_of(reader, 2), 2) << "who is on it still reads it";
}

// It stays at what it found, and must not find what a writer has not made durable yet.
TEST_F(FollowingTest, AReaderWithoutASlotFindsWhatIsVisible) {
  const Store writer = write();
  commit(*writer, 1);
  std::vector<std::unique_ptr<StatusPage>> others;
  for (std::uint32_t i = 0; i < kFollowersMax; ++i) {
    others.push_back(StatusPage::open(*disk_, io::Directory::CreateShared::kNo).value());
    ASSERT_TRUE(others.back()->become_follower(i).value());
  }
  Reader base(*writer);
  base.pin_head(kMainBranch);
  WriteTransaction waiting(*writer);
  ASSERT_TRUE(waiting.begin(base.point()));
  ASSERT_TRUE(waiting.write(PageNo{2}, image_of(2)));
  const auto ordered = waiting.order(Durability::kFull, {});
  ASSERT_TRUE(ordered);
  const Store reader = follow();
  EXPECT_EQ(newest_byte(*reader), 1);
  EXPECT_FALSE(reader->wait_for_visible(Lsn{0}, steady_clock::now())) << "it does not follow";
  ASSERT_TRUE(writer->await_visible(*ordered));
  EXPECT_EQ(newest_byte(*writer), 2);
  EXPECT_EQ(newest_byte(*reader), 1);
  others.pop_back();
  EXPECT_EQ(newest_byte(*follow()), 2);
}

TEST_F(FollowingTest, WritersComeAndGo) {
  Store writer = write();
  commit(*writer, 1);
  const Store follower = follow();
  for (int life = 0; life < 12; ++life) {
    for (int i = 0; i < life % 4; ++i) commit(*writer, 2 + life * 4 + i);
    if (life % 3 != 1) expect_alike(*writer, *follower);
    if (life % 2 == 0) {
      ASSERT_TRUE(writer->close());
    }
    writer.reset();  // without close(): as if it was killed
    catch_up(*follower);
    writer = write();
    if (life % 5 != 0) expect_alike(*writer, *follower);
  }
  commit(*writer, 99);
  expect_alike(*writer, *follower);
}

// A record that its writer could not say more about is there all the same after the next one's recovery.
TEST_F(FollowingTest, TheNextWriterStartsAfterSeveralThatWereKilled) {
  const Store follower = [this] {
    const Store writer = write();
    commit(*writer, 1, 3, 1, kMainBranch, Durability::kFull);
    return follow();
  }();
  for (int life = 0; life < 5; ++life) {
    const Store writer = write();
    for (int i = 0; i <= life; ++i) commit(*writer, 10 * life + i, 2);
  }
  const Store writer = write();
  expect_alike(*writer, *follower);
}

TEST_F(FollowingTest, SpillsOfAWriterThatWasKilledMeanNothing) {
  StoreOptions options;
  options.spill_bytes = 16 * kPageBytes;
  Store writer = write(options);
  commit(*writer, 1, 100);
  const Store follower = follow(options);
  {
    Reader base(*writer);
    base.pin_head(kMainBranch);
    WriteTransaction large(*writer);
    ASSERT_TRUE(large.begin(base.point()));
    for (std::uint32_t page = 1; page <= 60; ++page) ASSERT_TRUE(large.write(PageNo{page}, image_of(2)));
    ASSERT_TRUE(writer->create_snapshot("between", base.point(), Durability::kNormal));
    for (std::uint32_t page = 61; page <= 90; ++page) ASSERT_TRUE(large.write(PageNo{page}, image_of(2)));
    catch_up(*follower);
  }
  writer.reset();
  writer = write(options);
  expect_alike(*writer, *follower);
  commit(*writer, 3, 40);
  expect_alike(*writer, *follower);
  EXPECT_EQ(newest_byte(*follower, 80), 1);
}

// The follower's own last segment is replaced when nothing in it was known to be on disk.
TEST_F(FollowingTest, ASegmentThatIsReplacedIsReadOn) {
  Store writer = write();
  const Store follower = follow();
  commit(*writer, 1);
  expect_alike(*writer, *follower);
  const auto segments = [this] { return disk_->list().value(); };
  ASSERT_TRUE(std::ranges::count(segments(), "log-00000001"));
  writer.reset();
  writer = write();
  ASSERT_FALSE(std::ranges::count(segments(), "log-00000001"));
  commit(*writer, 2);
  expect_alike(*writer, *follower);
}

TEST_F(FollowingTest, FoldsAndCheckpointsChangeNothing) {
  StoreOptions options;
  options.close_checkpoint_bytes = 0;
  options.maintain_checkpoint_bytes = 1;
  options.pool_bytes = 0;
  Store writer = write(options);
  commit(*writer, 1, 60);
  const Store follower = follow(options);
  for (int life = 0; life < 3; ++life) {
    // Changes of a page far from each other in the log: a close folds them.
    for (int i = 0; i < 40; ++i) {
      Reader reader(*writer);
      reader.pin_head(kMainBranch);
      Page page;
      const std::uint32_t number = 1 + static_cast<std::uint32_t>(i) % 3;
      ASSERT_TRUE(reader.read(PageNo{number}, 0, page));
      page[200 + static_cast<std::size_t>(i)] = static_cast<std::byte>(i);
      WriteTransaction transaction(*writer);
      ASSERT_TRUE(transaction.begin(reader.point()));
      ASSERT_TRUE(transaction.write(PageNo{number}, page));
      ASSERT_TRUE(transaction.commit(Durability::kNormal));
      reader.unpin();
      commit(*writer, i, 30, 20);
      if (i % 10 == 0) {
        ASSERT_TRUE(writer->maintain(1000));
      }
    }
    if (life == 1) expect_alike(*writer, *follower);
    ASSERT_TRUE(writer->close());
    catch_up(*follower);
    writer = write(options);
    expect_alike(*writer, *follower);
    const Store late = follow(options);
    expect_alike(*writer, *late);
  }
}

TEST_F(FollowingTest, ManySegments) {
  const Store writer = write();
  commit(*writer, 1);
  const Store follower = follow();
  std::mt19937_64 random(3);
  Page page = image_of(0);
  for (int i = 0; i < 400; ++i) {
    for (auto& byte : page) byte = static_cast<std::byte>(random());
    set_change_counter(page.data(), kStoredChangeCounter);
    Reader reader(*writer);
    reader.pin_head(kMainBranch);
    WriteTransaction transaction(*writer);
    ASSERT_TRUE(transaction.begin(reader.point()));
    for (std::uint32_t number = 2; number < 6; ++number) ASSERT_TRUE(transaction.write(PageNo{number}, page));
    ASSERT_TRUE(transaction.commit(Durability::kNormal));
    if (i % 150 == 0) catch_up(*follower);
  }
  ASSERT_GT(writer->status().segments, 2u);
  expect_alike(*writer, *follower);
  EXPECT_EQ(follower->status().segments, writer->status().segments);
  EXPECT_EQ(follower->status().log_bytes, writer->status().log_bytes);
  auto copy = io::make_memory_directory();
  ASSERT_TRUE(follower->backup(*copy, {}));
  disk_.swap(copy);
  const Store restored = write();
  EXPECT_EQ(restored->head(kMainBranch), writer->head(kMainBranch));
  disk_.swap(copy);
}

// --- Pins ---

TEST_F(FollowingTest, NobodyRecyclesWhatAFollowerReads) {
  const Store writer = write();
  commit(*writer, 1);
  const Lsn first = writer->status().lsn;
  EXPECT_EQ(writer->oldest_needed(), first);
  Store follower = follow();
  EXPECT_EQ(writer->status().followers, 1u);
  commit(*writer, 2);
  EXPECT_EQ(writer->oldest_needed(), first) << "it has not caught up";
  catch_up(*follower);
  const Lsn second = writer->status().lsn;
  EXPECT_EQ(writer->oldest_needed(), second);
  {
    Reader reader(*follower);
    reader.pin_head(kMainBranch);
    commit(*writer, 3);
    catch_up(*follower);
    EXPECT_EQ(writer->oldest_needed(), second) << "it reads this";
    EXPECT_EQ(writer->status().oldest_follower_pin, second);
    Reader past(*follower);
    past.pin(follower->at_version(kMainBranch, Version{1}).value());
    EXPECT_EQ(writer->oldest_needed(), first) << "at once";
  }
  commit(*writer, 4);
  catch_up(*follower);
  EXPECT_EQ(writer->oldest_needed(), writer->status().lsn);
  {
    Reader reader(*follower);
    reader.pin_head(kMainBranch);
    commit(*writer, 5);
  }
  follower.reset();
  EXPECT_EQ(writer->oldest_needed(), writer->status().lsn);
  EXPECT_EQ(writer->status().followers, 0u);
}

// --- Waiting ---

TEST_F(FollowingTest, AWaitEndsWhenACommitIsVisible) {
  const Store writer = write();
  commit(*writer, 1);
  const Store follower = follow();
  const auto later = steady_clock::now() + std::chrono::minutes(5);
  const Lsn first = writer->status().lsn;
  EXPECT_EQ(follower->wait_for_visible(Lsn{}, later).value(), first) << "it is there already";
  EXPECT_EQ(follower->wait_for_visible(first, steady_clock::now()).value(), first) << "in vain";
  int byte = 1;
  for (VersionStore* const waiting : {follower.get(), writer.get()}) {
    const Lsn seen = writer->status().lsn;
    std::thread thread([&] { commit(*writer, ++byte); });
    const auto woken = waiting->wait_for_visible(seen, later);
    thread.join();
    ASSERT_TRUE(woken) << woken.error().message();
    EXPECT_EQ(*woken, writer->status().lsn);
    EXPECT_EQ(waiting->head(kMainBranch), writer->head(kMainBranch));
  }
}

TEST_F(FollowingTest, AWaitEndsWithTheStore) {
  const Store writer = write();
  const Store follower = follow();
  const auto later = steady_clock::now() + std::chrono::minutes(5);
  for (VersionStore* const store : {follower.get(), writer.get()}) {
    std::thread thread([&] {
      const auto woken = store->wait_for_visible(Lsn{1}, later);
      ASSERT_FALSE(woken);
      EXPECT_EQ(woken.error().code(), ErrorCode::kInterrupted);
    });
    store->stop_waiting();
    thread.join();
  }
}

// Somebody else's sync ends it, a deadline and a cancellation do, and none of them makes anything durable.
TEST_F(FollowingTest, AWaitForASyncOfSomebodyElse) {
  const Store writer = write();
  commit(*writer, 1);
  const Lsn newest = writer->status().lsn;
  const auto later = steady_clock::now() + std::chrono::minutes(5);
  const std::uint64_t syncs = writer->status().syncs;
  EXPECT_FALSE(wait_for_durable(*writer, newest, steady_clock::now() + std::chrono::milliseconds(2)).value());
  std::atomic<bool> cancelled = false;
  std::thread canceller([&] {
    cancelled = true;
    writer->wake_waiters();
  });
  EXPECT_FALSE(wait_for_durable(*writer, newest, later, &cancelled).value());
  canceller.join();
  EXPECT_EQ(writer->status().syncs, syncs);

  std::thread thread([&] { commit(*writer, 2, 3, 1, kMainBranch, Durability::kFull); });
  EXPECT_TRUE(wait_for_durable(*writer, newest, later).value());
  thread.join();
  EXPECT_TRUE(wait_for_durable(*writer, newest, steady_clock::now()).value()) << "it is already";

  std::thread closer([&] { writer->stop_waiting(); });
  const auto stopped = wait_for_durable(*writer, kLsnUnbounded, later);
  closer.join();
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code(), ErrorCode::kInterrupted);
}

TEST_F(FollowingTest, WithoutAStatusPageItStaysASnapshot) {
  const Store writer = write();
  commit(*writer, 1);
  StoreOptions options;
  options.access = Access::kReadOnly;
  const Store snapshot = open_in(std::make_unique<WithoutStatusPage>(*disk_), options);
  commit(*writer, 2);
  catch_up(*snapshot);
  EXPECT_EQ(newest_byte(*snapshot), 1);
  EXPECT_EQ(snapshot->status().role, Role::kSnapshot);
  EXPECT_EQ(snapshot->wait_for_visible(Lsn{}, steady_clock::now()).error().code(),
            ErrorCode::kInvalidArgument);
}

TEST_F(FollowingTest, AWriterDoesWithoutAStatusPage) {
  const Store writer = open_in(std::make_unique<WithoutStatusPage>(*disk_), {});
  commit(*writer, 1);
  EXPECT_EQ(writer->wait_for_visible(Lsn{}, steady_clock::now()).value(), writer->status().lsn);
  const Store reader = follow();
  EXPECT_EQ(newest_byte(*reader), 1);
  commit(*writer, 2);
  catch_up(*reader);
  EXPECT_EQ(newest_byte(*reader), 1) << "nobody tells it";
  ASSERT_TRUE(writer->close());
}

// --- What others wrote into the page ---

TEST_F(FollowingTest, NonsenseInThePageIsAnErrorAndNothingIsLost) {
  const std::uint64_t seed = dosql::testing::test_seed();
  SCOPED_TRACE("DOSQL_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  Store writer = write();
  commit(*writer, 1);
  const Store follower = follow();
  const auto shared =
      disk_->open_shared(log::kStatusFile, kStatusBytes, io::Directory::CreateShared::kNo).value();
  StatusContent& page = *reinterpret_cast<StatusContent*>(shared->data());
  for (int i = 0; i < dosql::testing::scaled(500); ++i) {
    commit(*writer, i % 200);
    const std::uint64_t end = page.visible_end;
    switch (random() % 5) {
      case 0: page.visible_end = random(); break;
      case 1: page.visible_end = end + (random() % 64) * 8; break;
      case 2: page.visible_end = end + random() % 64; break;
      case 3: page.visible_end = (end & ~((1ull << 26) - 1)) | (random() & ((1ull << 26) - 1)); break;
      case 4: page.visible_end = end + (1ull << 26) * (random() % 4); break;
    }
    if (random() % 8 == 0) page.magic = random();
    page.change = static_cast<std::uint32_t>(random());
    const Status done = follower->catch_up();
    if (!done) {
      EXPECT_TRUE(done.error().code() == ErrorCode::kCorrupt || done.error().code() == ErrorCode::kNotFound)
          << done.error().message();
    }
    const ReadPoint head = follower->head(kMainBranch);
    ASSERT_LE(raw(head.version), raw(writer->head(kMainBranch).version));
    EXPECT_EQ(newest_byte(*follower),
              raw(head.version) == 1 ? 1 : static_cast<int>(raw(head.version) - 2) % 200);
    for (std::size_t at = offsetof(StatusContent, followers); at < kStatusBytes; at += 256) {
      store<std::uint64_t>(shared->data() + at, random());
    }
    static_cast<void>(writer->oldest_needed());
    page.magic = load<std::uint64_t>(reinterpret_cast<const std::byte*>(kStatusMagic));
    page.visible_end = end;
  }
  expect_alike(*writer, *follower);
  // A whole page of noise, and then a writer that makes it anew.
  for (std::size_t i = 0; i < kStatusBytes; i += 8) store<std::uint64_t>(shared->data() + i, random());
  static_cast<void>(follower->catch_up());
  const Store another = follow();
  EXPECT_EQ(another->head(kMainBranch), writer->head(kMainBranch));
  writer.reset();
  writer = write();
  commit(*writer, 7);
  expect_alike(*writer, *follower);
  expect_alike(*writer, *another);
}

// --- Threads ---

// Readers go on while another thread catches up, and each sees whole versions: version v has the byte v % 200
// on all its pages.
TEST_F(FollowingTest, ReadersGoOnWhileItCatchesUp) {
  constexpr std::uint32_t kPages = 20;
  StoreOptions options;
  options.pool_bytes = 0;  // of 64 frames
  Store writer = write();
  commit(*writer, 1, kPages);
  const BranchId side = writer->create_branch("side", writer->head(kMainBranch), Durability::kNormal)->id;
  const Store follower = follow(options);
  std::atomic<bool> done{false};
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      Reader reader(*follower);
      std::uint64_t newest = 0;
      for (std::uint32_t i = 0; !done.load() || i < 100; ++i) {
        if (t == 0) catch_up(*follower);
        const BranchId branch = i % 4 == 0 ? side : kMainBranch;
        const ReadPoint point = reader.pin_head(branch);
        const int byte = byte_of(reader, 1 + i % kPages);
        EXPECT_EQ(byte, static_cast<int>(raw(point.version) % 200));
        EXPECT_EQ(byte_of(reader, 1 + (i * 7) % kPages), byte);
        if (branch == kMainBranch) {
          EXPECT_GE(raw(point.version), newest);
          newest = raw(point.version);
        }
        reader.unpin();
      }
    });
  }
  const int commits = dosql::testing::scaled(2000);
  for (int i = 2; i <= commits + 1; ++i) {
    commit(*writer, i % 200, kPages);
    if (i % 5 == 0) {
      commit(*writer, static_cast<int>((raw(writer->head(side).version) + 1) % 200), kPages, 1, side);
    }
    if (i % 500 == 0) {
      writer.reset();
      writer = write();
    }
  }
  done = true;
  for (std::thread& thread : threads) thread.join();
  expect_alike(*writer, *follower);
}

// Several writers, each with a branch of its own, whose commits become visible in another order than that of
// the log. What is acknowledged in FULL a follower sees.
TEST_F(FollowingTest, ManyWritersAndAFollower) {
  constexpr std::uint32_t kPages = 5;
  const Store writer = write();
  commit(*writer, 1, kPages);
  std::vector<BranchId> branches;
  for (const char* const name : {"a", "b", "c"}) {
    branches.push_back(writer->create_branch(name, writer->head(kMainBranch), Durability::kNormal)->id);
  }
  const Store follower = follow();
  std::vector<std::thread> threads;
  std::atomic<int> writing{static_cast<int>(branches.size())};
  for (const BranchId branch : branches) {
    threads.emplace_back([&, branch] {
      const struct Done {
        std::atomic<int>& writing;
        ~Done() { --writing; }
      } done{writing};
      for (int i = 2; i < dosql::testing::scaled(600) + 2; ++i) {
        const bool full = (i + static_cast<int>(raw(branch))) % 3 == 0;
        commit(*writer, i % 200, kPages, 1, branch, full ? Durability::kFull : Durability::kNormal);
        if (full) {
          const ReadPoint committed = writer->head(branch);
          catch_up(*follower);
          ASSERT_GE(raw(follower->head(branch).version), raw(committed.version));
        }
        if (i % 50 == 0) {
          ASSERT_TRUE(writer->create_snapshot(
              "s" + std::to_string(raw(branch) * 10'000 + static_cast<std::uint32_t>(i)),
              writer->head(branch), Durability::kFull));
        }
      }
    });
  }
  Reader reader(*follower);
  for (std::uint32_t i = 0; writing > 0; ++i) {
    catch_up(*follower);
    const ReadPoint point = reader.pin_head(branches[i % branches.size()]);
    EXPECT_EQ(byte_of(reader, 1 + i % kPages), static_cast<int>(raw(point.version) % 200));
    reader.unpin();
  }
  for (std::thread& thread : threads) thread.join();
  expect_alike(*writer, *follower);
  for (const BranchId branch : branches) EXPECT_EQ(follower->head(branch), writer->head(branch));
}

}  // namespace
}  // namespace dosql::version
