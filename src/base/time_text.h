// Timestamps as people and SQL read them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/environment.h"

namespace dosql {

// UTC, "2026-11-24 10:00:00.123456"; sorts as text and is what SQLite's date functions read.
std::string time_text(TimestampUs timestamp_us);

// The reverse, exact to the microsecond: date and time with 1 to 6 decimals, T or a space between them, Z or
// nothing behind. None: it is written in another way.
std::optional<TimestampUs> timestamp_from_text(std::string_view text);

}  // namespace dosql
