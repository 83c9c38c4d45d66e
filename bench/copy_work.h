// Import and export of an SQLite file, against copying the file.
#pragma once

#include "bench/harness.h"
#include "bench/scratch.h"

namespace dosql::bench {

void bench_import_export(Report& report, const Place& place);

}  // namespace dosql::bench
