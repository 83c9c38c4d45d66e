// Queries on the past, and branches: many, deep, and moving between them.
#pragma once

#include "bench/harness.h"
#include "bench/scratch.h"

namespace dosql::bench {

// Reads 1,000 commits back, beside the same reads of the newest version.
void bench_as_of(Report& report, const Place& place);
// Creating branches in databases of several sizes, and moving between two.
void bench_branch_commands(Report& report, const Place& place);
// 10,000 branches: opening and memory; a branch 1,000 deep.
void bench_many_branches(Report& report, const Place& place);
// Compiling statements that have none of our clauses, beside stock SQLite.
void bench_prepare(Report& report, const Place& place);

}  // namespace dosql::bench
