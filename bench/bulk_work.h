// Large transactions: bulk insert, UPDATE of all rows, CREATE INDEX.
#pragma once

#include "bench/harness.h"
#include "bench/scratch.h"

namespace dosql::bench {

void bench_bulk_insert(Report& report, const Place& place);
void bench_update_all(Report& report, const Place& place);
void bench_create_index(Report& report, const Place& place);

}  // namespace dosql::bench
