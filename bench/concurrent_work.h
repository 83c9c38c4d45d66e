// Many connections, each in a thread of its own, on one database.
#pragma once

#include "bench/harness.h"
#include "bench/scratch.h"

namespace dosql::bench {

// Commits that wait for the disk: several threads on one branch and on a branch each.
void bench_group_commit(Report& report, const Place& place);
// Readers beside a writer.
void bench_mixed(Report& report, const Place& place);
// Writers that compete for one branch.
void bench_competing_writers(Report& report, const Place& place);
// 10,000 open connections, on 1,000 branches.
void bench_many_connections(Report& report, const Place& place);

}  // namespace dosql::bench
