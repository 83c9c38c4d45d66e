#include "engine/time_text.h"

#include <fmt/format.h>

#include <chrono>

namespace dosql::engine {

std::string time_text(TimestampUs timestamp_us) {
  using namespace std::chrono;
  const sys_time<microseconds> time{microseconds{timestamp_us}};
  const auto day = floor<days>(time);
  const year_month_day date{day};
  const hh_mm_ss<microseconds> clock{time - day};
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02}.{:06}", int{date.year()}, unsigned{date.month()},
                     unsigned{date.day()}, clock.hours().count(), clock.minutes().count(),
                     clock.seconds().count(), clock.subseconds().count());
}

}  // namespace dosql::engine
