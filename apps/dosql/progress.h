// A bar for work that takes longer than two seconds, and the closing line of an import.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "apps/dosql/console.h"
#include "apps/dosql/interrupts.h"

namespace dosql::shell {

class ProgressBar {
 public:
  using Duration = std::chrono::milliseconds;
  static constexpr Duration kQuietTime{2000};

  ProgressBar(Console& console, const Interrupts& interrupts, Duration quiet_time = kQuietTime);
  ~ProgressBar();  // takes the bar away
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  // Shows how far it is, on a terminal; cheap to call often. False: Ctrl-C came, stop the work.
  bool update(std::uint64_t done, std::uint64_t total);

  double elapsed_seconds() const;

 private:
  void erase();

  using Time = std::chrono::steady_clock::time_point;
  Console& console_;
  const Interrupts& interrupts_;
  Time started_;
  Time next_drawing_;
  bool drawn_ = false;
};

// A bar of 20 places, `fraction` of them filled.
std::string bar(double fraction);

}  // namespace dosql::shell
