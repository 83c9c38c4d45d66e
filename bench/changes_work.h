// Row changes: differences, feeds and row history, on the table of table.h.
#pragma once

#include "bench/harness.h"
#include "bench/scratch.h"

namespace dosql::bench {

// All rows of a table changed, and one row of a small and of a large one.
void bench_diff(Report& report, const Place& place);
// A feed over commits of one row each that were there before it.
void bench_catch_up(Report& report, const Place& place);
// From the commit to its event in a feed that waits, in the same process and in another one.
void bench_live(Report& report, const Place& place);
// What slots and a feed cost the writer.
void bench_writing_beside_feeds(Report& report, const Place& place);
// One row whose leaf page many commits wrote, and far more did not.
void bench_row_history(Report& report, const Place& place);

}  // namespace dosql::bench
