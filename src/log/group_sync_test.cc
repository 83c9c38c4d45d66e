#include "log/group_sync.h"

#include <gtest/gtest.h>

#include <random>
#include <thread>
#include <vector>

namespace dosql::log {
namespace {

// Something to sync that counts how often it is.
class Source final : public SyncSource {
 public:
  std::uint64_t durable() const override { return durable_; }
  bool failed() const override { return failed_; }
  std::uint64_t appended() override { return appended_; }
  void sync_appended() override {
    const std::uint64_t to = appended_;
    if (sync_us > 0) std::this_thread::sleep_for(std::chrono::microseconds(sync_us));
    if (++syncs == fail_at) failed_ = true;
    if (!failed_) make_durable(to);
  }

  std::uint64_t append() { return ++appended_; }
  // As the end of a segment does, beside a sync.
  void make_durable(std::uint64_t lsn) {
    std::uint64_t before = durable_;
    while (before < lsn && !durable_.compare_exchange_weak(before, lsn)) {
    }
  }

  std::atomic<int> syncs{0};
  std::atomic<int> fail_at{-1};
  int sync_us = 0;

 private:
  std::atomic<std::uint64_t> durable_{0};
  std::atomic<std::uint64_t> appended_{0};
  std::atomic<bool> failed_{false};
};

TEST(GroupSyncTest, OneAloneSyncsForItself) {
  Source source;
  GroupSync group(source);
  for (int i = 1; i <= 3; ++i) {
    EXPECT_TRUE(group.wait(source.append()));
    EXPECT_EQ(source.syncs, i);
  }
  EXPECT_TRUE(group.wait(2)) << "durable already";
  EXPECT_EQ(source.syncs, 3);
}

TEST(GroupSyncTest, AFailureIsToldToThoseItConcerns) {
  Source source;
  GroupSync group(source);
  const std::uint64_t safe = source.append();
  EXPECT_TRUE(group.wait(safe));
  source.fail_at = 2;
  const std::uint64_t lost = source.append();
  EXPECT_FALSE(group.wait(lost));
  EXPECT_FALSE(group.wait(source.append()));
  EXPECT_TRUE(group.wait(safe));
}

// Whatever happens at the same time, nobody sleeps for ever, and nobody is told of what is not durable.
void run_threads(Source& source, int threads, int turns, bool segments_end) {
  GroupSync group(source);
  std::vector<std::thread> running;
  std::atomic<int> failures{0};
  for (int i = 0; i < threads; ++i) {
    running.emplace_back([&, i] {
      std::mt19937_64 random(i);
      for (int turn = 0; turn < turns; ++turn) {
        const std::uint64_t lsn = source.append();
        if (segments_end && random() % 8 == 0) source.make_durable(lsn);
        if (random() % 16 == 0) std::this_thread::sleep_for(std::chrono::microseconds(random() % 100));
        if (!group.wait(lsn)) {
          ++failures;
          return;
        }
        ASSERT_GE(source.durable(), lsn);
      }
    });
  }
  for (std::thread& thread : running) thread.join();
  EXPECT_EQ(failures > 0, source.failed());
}

TEST(GroupSyncTest, ManyShareASync) {
  Source source;
  source.sync_us = 200;
  run_threads(source, 16, 50, false);
  EXPECT_LT(source.syncs, 16 * 50 / 2);
}

TEST(GroupSyncTest, ManyBesideTheEndsOfSegments) {
  for (int sync_us : {0, 50}) {
    Source source;
    source.sync_us = sync_us;
    run_threads(source, 12, 100, true);
  }
}

TEST(GroupSyncTest, ManyAndAFailure) {
  for (int fail_at = 1; fail_at < 40; ++fail_at) {
    Source source;
    source.sync_us = fail_at % 2 == 0 ? 0 : 30;
    source.fail_at = fail_at;
    run_threads(source, 8, 200, fail_at % 3 == 0);
    ASSERT_TRUE(source.failed());
  }
}

}  // namespace
}  // namespace dosql::log
