// Opening a database with a million commits behind it, and the memory that its index takes.
#pragma once

#include "bench/harness.h"
#include "bench/scratch.h"

namespace dosql::bench {

// REQUIRES: the process has one thread: it forks.
void bench_open(Report& report, const Place& place);

}  // namespace dosql::bench
