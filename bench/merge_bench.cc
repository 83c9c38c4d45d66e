// What merging costs (docs/benchmarks.md).

#include "bench/harness.h"
#include "bench/merge_work.h"

int main(int argc, char** argv) {
  using namespace dosql::bench;
  const Settings settings = parse_settings(argc, argv);
  const Place disk{"disk", settings.directory.empty() ? program_folder() : settings.directory};
  Report report(settings);
  bench_merges(report, disk);
  bench_fast_forward(report, disk);
  return report.finish();
}
