// Followers: how long until another process sees a commit, and what the writer pays for telling.
#pragma once

#include "bench/harness.h"
#include "bench/scratch.h"

namespace dosql::bench {

// A child process commits in FULL; from the begin of the commit to the row in the follower's hands.
void bench_follow(Report& report, const Place& place);
// What a commit pays for the status page when nobody waits.
void bench_publish(Report& report);

}  // namespace dosql::bench
