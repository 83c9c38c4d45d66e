#include "base/time_text.h"

#include <fmt/format.h>

#include <chrono>

namespace dosql {

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

std::optional<TimestampUs> timestamp_from_text(std::string_view text) {
  using namespace std::chrono;
  constexpr std::string_view kPattern = "dddd-dd-dd dd:dd:dd.";
  if (text.ends_with('Z')) text.remove_suffix(1);
  if (text.size() <= kPattern.size() || text.size() > kPattern.size() + 6) return {};
  std::int64_t numbers[7] = {};  // year, month, day, hour, minute, second, microseconds
  std::size_t field = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool digit = text[i] >= '0' && text[i] <= '9';
    if (i >= kPattern.size() || kPattern[i] == 'd') {
      if (!digit) return {};
      numbers[field] = numbers[field] * 10 + (text[i] - '0');
    } else {
      if (text[i] != kPattern[i] && !(kPattern[i] == ' ' && text[i] == 'T')) return {};
      ++field;
    }
  }
  for (std::size_t i = text.size(); i < kPattern.size() + 6; ++i) numbers[6] *= 10;
  const year_month_day date{year(static_cast<int>(numbers[0])), month(static_cast<unsigned>(numbers[1])),
                            day(static_cast<unsigned>(numbers[2]))};
  if (!date.ok() || numbers[3] > 23 || numbers[4] > 59 || numbers[5] > 59) return {};
  const auto time = sys_days(date) + hours(numbers[3]) + minutes(numbers[4]) + seconds(numbers[5]) +
                    microseconds(numbers[6]);
  return time.time_since_epoch().count();
}

}  // namespace dosql
