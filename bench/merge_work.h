// Merging branches of a table of a million rows with two secondary indexes.
#pragma once

#include "bench/harness.h"
#include "bench/scratch.h"

namespace dosql::bench {

// Few and many rows that both sides changed, none of them the same; and what a DRY RUN of it costs.
void bench_merges(Report& report, const Place& place);
// A target without commits of its own.
void bench_fast_forward(Report& report, const Place& place);

}  // namespace dosql::bench
