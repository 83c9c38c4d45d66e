#include "apps/dosql/progress.h"

#include <gmock/gmock.h>
#include <poll.h>
#include <pty.h>
#include <unistd.h>

#include <stdexcept>

namespace dosql::shell {
namespace {

using testing::HasSubstr;

// What a terminal is sent.
class Screen {
 public:
  Screen() {
    if (::openpty(&master_, &slave_, nullptr, nullptr, nullptr) != 0) throw std::runtime_error("no terminal");
  }
  ~Screen() {
    ::close(master_);
    ::close(slave_);
  }
  int descriptor() const { return slave_; }

  std::string take() {
    std::string all;
    pollfd wait = {master_, POLLIN, 0};
    while (::poll(&wait, 1, 0) > 0) {
      char buffer[1024];
      const ssize_t bytes = ::read(master_, buffer, sizeof buffer);
      if (bytes <= 0) break;
      all.append(buffer, static_cast<std::size_t>(bytes));
    }
    return all;
  }

 private:
  int master_ = -1;
  int slave_ = -1;
};

Interrupts& interrupts() { return Interrupts::start(Interrupts::WhenIdle::kKeep); }

TEST(ProgressBar, ShowsHowFarItIsAndGoesAway) {
  Screen screen;
  Console console(screen.descriptor());
  {
    ProgressBar progress(console, interrupts(), ProgressBar::Duration(0));
    EXPECT_TRUE(progress.update(50, 100));
    EXPECT_THAT(screen.take(), HasSubstr("██████████░░░░░░░░░░   50 %"));
  }
  EXPECT_EQ("\r\x1b[K", screen.take());
}

// Short work must not flicker.
TEST(ProgressBar, IsQuietAtFirst) {
  Screen screen;
  Console console(screen.descriptor());
  {
    ProgressBar progress(console, interrupts());
    EXPECT_TRUE(progress.update(50, 100));
  }
  EXPECT_EQ("", screen.take());
}

// Escape sequences in a log file.
TEST(ProgressBar, OnlyOnATerminal) {
  int ends[2];
  ASSERT_EQ(0, ::pipe(ends));
  Console console(ends[1]);
  {
    ProgressBar progress(console, interrupts(), ProgressBar::Duration(0));
    EXPECT_TRUE(progress.update(50, 100));
  }
  pollfd wait = {ends[0], POLLIN, 0};
  EXPECT_EQ(0, ::poll(&wait, 1, 0));
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST(ProgressBar, StopsTheWorkAtAnInterrupt) {
  Screen screen;
  Console console(screen.descriptor());
  ProgressBar progress(console, interrupts(), ProgressBar::Duration(0));
  ASSERT_EQ(0, ::kill(::getpid(), SIGINT));
  pollfd wait = {interrupts().wake_descriptor(), POLLIN, 0};
  ASSERT_EQ(1, ::poll(&wait, 1, 10'000));
  EXPECT_FALSE(progress.update(1, 2));
  interrupts().clear();
  EXPECT_TRUE(progress.update(1, 2));
}

TEST(ProgressBar, FillsUp) {
  EXPECT_EQ("░░░░░░░░░░░░░░░░░░░░", bar(0));
  EXPECT_EQ("████████████████████", bar(1));
}

}  // namespace
}  // namespace dosql::shell
