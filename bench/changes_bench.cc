// What row changes cost: diff, feeds, row history (docs/benchmarks.md).

#include "bench/changes_work.h"
#include "bench/harness.h"

int main(int argc, char** argv) {
  using namespace dosql::bench;
  const Settings settings = parse_settings(argc, argv);
  const Place disk{"disk", settings.directory.empty() ? program_folder() : settings.directory};
  Report report(settings);
  bench_diff(report, disk);
  bench_catch_up(report, disk);
  bench_live(report, disk);
  bench_writing_beside_feeds(report, disk);
  bench_row_history(report, disk);
  return report.finish();
}
