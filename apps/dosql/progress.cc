#include "apps/dosql/progress.h"

#include <algorithm>

#include <fmt/format.h>

namespace dosql::shell {

namespace {
constexpr auto kDrawingInterval = std::chrono::milliseconds(100);
constexpr std::size_t kPlaces = 20;
}  // namespace

ProgressBar::ProgressBar(Console& console, const Interrupts& interrupts, Duration quiet_time)
    : console_(console),
      interrupts_(interrupts),
      started_(std::chrono::steady_clock::now()),
      next_drawing_(started_ + quiet_time) {}

ProgressBar::~ProgressBar() { erase(); }

bool ProgressBar::update(std::uint64_t done, std::uint64_t total) {
  if (interrupts_.pending()) return false;
  if (!console_.is_terminal() || total == 0) return true;
  const Time now = std::chrono::steady_clock::now();
  if (now < next_drawing_) return true;
  next_drawing_ = now + kDrawingInterval;
  const double fraction = std::min(1.0, static_cast<double>(done) / static_cast<double>(total));
  console_.write(fmt::format("\r {}  {:3.0f} %", bar(fraction), fraction * 100));
  drawn_ = true;
  return true;
}

double ProgressBar::elapsed_seconds() const {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - started_).count();
}

void ProgressBar::erase() {
  if (drawn_) console_.write("\r\x1b[K");
  drawn_ = false;
}

std::string bar(double fraction) {
  const auto filled = static_cast<std::size_t>(fraction * kPlaces);
  std::string out;
  for (std::size_t place = 0; place < kPlaces; ++place) out += place < filled ? "█" : "░";
  return out;
}

}  // namespace dosql::shell
