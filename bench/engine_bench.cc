// The engine against stock SQLite: the same library, the same calls, in one process (docs/benchmarks.md).

#include "bench/bulk_work.h"
#include "bench/commit_work.h"
#include "bench/concurrent_work.h"
#include "bench/copy_work.h"
#include "bench/follow_work.h"
#include "bench/harness.h"
#include "bench/open_work.h"
#include "bench/read_work.h"
#include "bench/scratch.h"
#include "bench/time_travel_work.h"

int main(int argc, char** argv) {
  using namespace dosql::bench;
  const Settings settings = parse_settings(argc, argv);
  const Place disk{"disk", settings.directory.empty() ? program_folder() : settings.directory};
  const Place tmpfs{"tmpfs", "/dev/shm"};

  Report report(settings);
  bench_normal_commits(report, disk, 4.0);
  bench_normal_commits(report, tmpfs, 2.3);
  bench_full_commits(report, disk);
  bench_log_bytes(report, tmpfs);
  for (const Place& place : {disk, tmpfs}) bench_bulk_insert(report, place);
  for (const Place& place : {disk, tmpfs}) bench_update_all(report, place);
  bench_reads(report, disk);
  bench_create_index(report, disk);
  bench_import_export(report, disk);
  bench_open(report, disk);
  bench_prepare(report, disk);
  bench_as_of(report, disk);
  bench_branch_commands(report, disk);
  bench_many_branches(report, disk);
  bench_group_commit(report, disk);
  bench_mixed(report, disk);
  bench_competing_writers(report, disk);
  bench_many_connections(report, disk);
  bench_follow(report, disk);
  bench_publish(report);
  return report.finish();
}
