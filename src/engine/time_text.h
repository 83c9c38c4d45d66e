// Timestamps as people and SQL read them.
#pragma once

#include <string>

#include "base/environment.h"

namespace dosql::engine {

// UTC, "2026-11-24 10:00:00.123456"; sorts as text and is what SQLite's date functions read.
std::string time_text(TimestampUs timestamp_us);

}  // namespace dosql::engine
