// Single-row commits: how many a second, and how many bytes each.
#pragma once

#include "bench/harness.h"
#include "bench/scratch.h"

namespace dosql::bench {

// PRAGMA synchronous = NORMAL.
void bench_normal_commits(Report& report, const Place& place, double ratio_min);
// PRAGMA synchronous = FULL, one writer.
void bench_full_commits(Report& report, const Place& place);
// Bytes of log per commit.
void bench_log_bytes(Report& report, const Place& place);

// The work itself; `rows` is how many the table has. Commits a second.
double update_commits(sqlite3* db, int count, int rows, int round);
double insert_commits(sqlite3* db, int count, int round);

}  // namespace dosql::bench
