// Reading: points, scans, ranges, a join.
#pragma once

#include "bench/harness.h"
#include "bench/scratch.h"

namespace dosql::bench {

void bench_reads(Report& report, const Place& place);

}  // namespace dosql::bench
