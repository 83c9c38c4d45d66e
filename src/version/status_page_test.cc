#include "version/status_page.h"

#include <gtest/gtest.h>

#include <thread>

#include "io/memory_storage.h"
#include "log/log.h"
#include "version/visible_end.h"

namespace dosql::version {
namespace {

using CreateShared = io::Directory::CreateShared;
using std::chrono::steady_clock;

constexpr std::uint64_t kDatabase = 77;

VisibleLog visible_at(std::uint64_t end) { return {log::Position{end}, Lsn{end * 10}, Lsn{end}}; }

class StatusPageTest : public ::testing::Test {
 protected:
  std::unique_ptr<StatusPage> open() {
    return StatusPage::open(*directory_, CreateShared::kIfMissing).value();
  }
  std::unique_ptr<StatusPage> writer() {
    auto page = open();
    page->become_writer(kDatabase).value();
    page->start_writing(1, 123, visible_at(8));
    return page;
  }

  std::unique_ptr<io::Directory> directory_ = io::make_memory_directory();
};

TEST_F(StatusPageTest, TellsWhatIsVisible) {
  const auto reader = open();
  EXPECT_FALSE(reader->has_magic());
  EXPECT_FALSE(reader->has_writer());
  const auto page = writer();
  EXPECT_TRUE(reader->describes(kDatabase));
  EXPECT_FALSE(reader->describes(kDatabase + 1));
  EXPECT_TRUE(reader->has_writer());
  EXPECT_EQ(reader->writer_pid(), 123u);
  page->publish(visible_at(16));
  EXPECT_EQ(reader->visible_end(), log::Position{16});
  EXPECT_EQ(reader->visible_lsn(), Lsn{160});
  EXPECT_EQ(reader->durable_lsn(), Lsn{16});
}

// S1, S2
TEST_F(StatusPageTest, AWriterThatIsGoneIsNoWriter) {
  const auto reader = open();
  auto page = writer();
  page.reset();
  EXPECT_FALSE(reader->has_writer());
  EXPECT_EQ(reader->visible_end(), log::Position{8});
  page = open();
  ASSERT_TRUE(page->become_writer(kDatabase));
  EXPECT_EQ(reader->visible_end(), log::Position{}) << "it does not know yet";
  EXPECT_FALSE(reader->has_writer());
  page->start_writing(2, 124, visible_at(24));
  EXPECT_TRUE(reader->has_writer());
  page->stop_writing(visible_at(32));
  EXPECT_FALSE(reader->has_writer());
  EXPECT_EQ(reader->visible_end(), log::Position{32});
}

TEST_F(StatusPageTest, ThereIsOneWriter) {
  const auto page = writer();
  EXPECT_EQ(open()->become_writer(kDatabase).error().code(), ErrorCode::kLocked);
}

// S3
TEST_F(StatusPageTest, FollowersSayWhatTheyNeedUntilTheyGo) {
  const auto page = writer();
  EXPECT_EQ(page->followers().value().count, 0u);
  auto first = open();
  auto second = open();
  ASSERT_TRUE(first->become_follower(1).value());
  ASSERT_TRUE(second->become_follower(2).value());
  EXPECT_EQ(page->followers().value().count, 2u);
  EXPECT_EQ(page->followers().value().oldest_pin, Lsn{0}) << "everything";
  first->set_pin(Lsn{50});
  second->set_pin(Lsn{30});
  EXPECT_EQ(page->followers().value().oldest_pin, Lsn{30});
  EXPECT_EQ(first->followers().value().count, 2u) << "itself too";
  first->lower_pin(Lsn{60});
  first->lower_pin(Lsn{20});
  EXPECT_EQ(page->followers().value().oldest_pin, Lsn{20});
  first.reset();  // as when it is killed
  EXPECT_EQ(page->followers().value().count, 1u);
  EXPECT_EQ(page->followers().value().oldest_pin, Lsn{30});
  second.reset();
  EXPECT_EQ(page->followers().value().count, 0u);
  EXPECT_FALSE(page->followers().value().oldest_pin);
}

TEST_F(StatusPageTest, ThereAreSoManyFollowersAndNotOneMore) {
  std::vector<std::unique_ptr<StatusPage>> followers;
  for (std::uint32_t i = 0; i < kFollowersMax; ++i) {
    followers.push_back(open());
    ASSERT_TRUE(followers.back()->become_follower(i).value());
  }
  EXPECT_FALSE(open()->become_follower(1).value());
  followers.erase(followers.begin() + 5);
  EXPECT_TRUE(open()->become_follower(1).value());
}

TEST_F(StatusPageTest, AWaitEndsWithAChange) {
  const auto page = writer();
  const auto reader = open();
  const auto later = steady_clock::now() + std::chrono::minutes(5);
  const std::uint32_t ticket = reader->change();
  page->publish(visible_at(16));
  EXPECT_TRUE(reader->wait(ticket, later)) << "it came before the wait";
  EXPECT_FALSE(reader->wait(reader->change(), steady_clock::now()));
  // All that waited are told, one change after the other.
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&] {
      const auto mine = open();
      for (;;) {
        const std::uint32_t seen = mine->change();
        if (mine->visible_end() == log::Position{800}) return;
        if (!mine->wait(seen, later)) return;
      }
    });
  }
  for (std::uint64_t end = 24; end <= 800; end += 8) page->publish(visible_at(end));
  for (std::thread& thread : threads) thread.join();
  EXPECT_LT(steady_clock::now(), later);
}

// --- VisibleEnd ---

class VisibleEndTest : public StatusPageTest {
 protected:
  void SetUp() override {
    directory_for_log_ = io::make_memory_directory();
    log_ = log::Log::open(*directory_for_log_, log::Access::kReadWrite, log::Log::Create::kIfMissing, clock_,
                          random_)
               .value();
    struct Nobody final : log::ReplayVisitor {
      Status on_record(const log::RecordView&, log::Position) override { return {}; }
    } nobody;
    log_->replay({}, nobody).value();
    page_ = writer();
    end_.start(*page_, *log_, visible_at(8));
  }
  // A record of 8 bytes.
  void append(Publication& publication, std::uint64_t position) {
    publication.on_append(
        {.position = log::Position{position}, .first_lsn = {}, .last_lsn = Lsn{position}, .timestamp_us = 0},
        log::Position{position + 8});
  }
  std::uint64_t told() const { return raw(page_->visible_end()); }

  ManualClock clock_{1};
  SeededRandom random_{1};
  std::unique_ptr<io::Directory> directory_for_log_;
  std::unique_ptr<log::Log> log_;
  std::unique_ptr<StatusPage> page_;
  VisibleEnd end_;
};

TEST_F(VisibleEndTest, OneAfterTheOther) {
  for (std::uint64_t position = 8; position < 80; position += 8) {
    {
      Publication publication(end_, nullptr, false);
      append(publication, position);
      EXPECT_EQ(told(), position);
    }
    EXPECT_EQ(told(), position + 8);
    EXPECT_EQ(page_->visible_lsn(), Lsn{position});
  }
}

TEST_F(VisibleEndTest, WhatWasNeverAppendedKeepsNothingBack) {
  const Publication waiting(end_, nullptr, true);
  { const Publication failed(end_, nullptr, true); }
  {
    Publication publication(end_, nullptr, false);
    append(publication, 8);
  }
  EXPECT_EQ(told(), 16u);
}

TEST_F(VisibleEndTest, WhatIsNotDurableKeepsBackWhatIsBehindIt) {
  {
    Publication full(end_, nullptr, true);
    append(full, 8);
  }
  {
    Publication normal(end_, nullptr, false);
    append(normal, 16);
  }
  EXPECT_EQ(told(), 8u);
  log::RecordBuilder record(log_->database_id());
  record.start(log::RecordType::kCommit, 0, kMainBranch);
  record.header().lsn_units = 1;
  log_->append(record, log::WriteStyle::kWrite).value();
  end_.tell();
  EXPECT_EQ(told(), 8u);
  log_->sync().value();
  end_.tell();
  EXPECT_EQ(told(), 24u);
  EXPECT_EQ(page_->durable_lsn(), log_->durable_lsn());
}

}  // namespace
}  // namespace dosql::version
