#include "bench/merge_work.h"
#include <array>

#include <dosql/dosql.h>
#include <fmt/format.h>

namespace dosql::bench {
namespace {

constexpr int kRows = 1'000'000;

// One database for all of it: each merge begins where the one before ended.
class Merging {
 public:
  Merging(Report& report, const Place& place)
      : rows_(report.scaled(kRows)),
        scratch_(place.directory),
        database_(Database::open(scratch_.path_of("ours")).value()),
        connection_(database_.connect().value()) {
    connection_.exec("PRAGMA synchronous = NORMAL").value();
    connection_
        .exec(
            "CREATE TABLE t(id INTEGER PRIMARY KEY, a INTEGER, b TEXT, c INTEGER);"
            "CREATE INDEX by_a ON t(a); CREATE INDEX by_b ON t(b)")
        .value();
    connection_
        .run(
            "INSERT INTO t WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) "
            "SELECT i, i * 7919 % 1000003, 'text ' || (i * 104729 % 1000003), 0 FROM n",
            rows_)
        .value();
    settle(scratch_.path());
  }

  // Both sides change `count` rows each, spread over the table; gives the seconds that the merge takes.
  double merge(int count, const std::string& column) {
    return timed_merge(part(count, column), false, count);
  }

  // The same, but of a DRY RUN; the merge is done afterwards, so that both leave the same behind.
  double dry_run(int count, const std::string& column) {
    const std::string branch = part(count, column);
    const double seconds = timed_merge(branch, true, count);
    timed_merge(branch, false, count);
    return seconds;
  }

  double fast_forward(int count) {
    const std::string branch = fmt::format("b{}", ++branches_);
    connection_.branch(branch).value();
    connection_.checkout(branch).value();
    change(count, "c", 0);
    connection_.checkout("main").value();
    const Stopwatch watch;
    if (!connection_.merge(branch).value().fast_forward) fail("that was no fast-forward");
    return watch.seconds();
  }

  int rows() const { return rows_; }

 private:
  // A branch and main, each with its own changes; gives the branch's name.
  std::string part(int count, const std::string& column) {
    const std::string branch = fmt::format("b{}", ++branches_);
    connection_.branch(branch).value();
    change(count, column, 0);
    connection_.checkout(branch).value();
    change(count, column, 1);
    connection_.checkout("main").value();
    return branch;
  }

  double timed_merge(const std::string& branch, bool dry_run, int count) {
    MergeOptions options;
    options.dry_run = dry_run;
    const Stopwatch watch;
    const MergeResult result = connection_.merge(branch, options).value();
    const double seconds = watch.seconds();
    if (!result.conflicts.empty() || result.tables.size() != 1) fail("the merge is not what it should be");
    if (static_cast<int>(result.tables[0].updated) != count) fail("the merge missed rows");
    return seconds;
  }

  void change(int count, const std::string& column, int side) {
    connection_
        .exec(fmt::format(
            "UPDATE t SET {} = {} + 1 WHERE id IN (WITH n(i) AS (SELECT {} UNION ALL SELECT i + {} "
            "FROM n WHERE i + {} <= {}) SELECT i FROM n)",
            column, column, side + 1, rows_ / count, rows_ / count, rows_))
        .value();
  }

  const int rows_;
  const Scratch scratch_;
  Database database_;
  Connection connection_;
  int branches_ = 0;
};

constexpr std::array<std::string_view, 4> kNames{"merge-1k", "merge-100k", "merge-100k-indexed",
                                                 "merge-1k-dry"};

}  // namespace

void bench_merges(Report& report, const Place& place) {
  if (!report.wants_any(kNames)) return;
  Merging merging(report, place);
  const int few = merging.rows() / 1'000;
  const int many = merging.rows() / 10;
  report.measure({.name = "merge-1k",
                  .what = fmt::format("merge {} against {} changed rows", few, few),
                  .unit = "ms",
                  .better = Better::kLess,
                  .most = 30},
                 [&](int) { return merging.merge(few, "c") * 1e3; });
  report.compare(
      {.name = "merge-1k-dry",
       .what = "a DRY RUN of it, and the merge",
       .unit = "ms",
       .better = Better::kLess,
       .ratio_min = 1.0},
      [&](int) { return merging.dry_run(few, "c") * 1e3; },
      [&](int) { return merging.merge(few, "c") * 1e3; });
  report.measure({.name = "merge-100k",
                  .what = fmt::format("merge {} against {} changed rows", many, many),
                  .unit = "ms",
                  .better = Better::kLess,
                  .most = 333},
                 [&](int) { return merging.merge(many, "c") * 1e3; });
  report.measure({.name = "merge-100k-indexed",
                  .what = "the same, of a column that has an index",
                  .unit = "ms",
                  .better = Better::kLess},
                 [&](int) { return merging.merge(many, "a") * 1e3; });
}

void bench_fast_forward(Report& report, const Place& place) {
  if (!report.wants("fast-forward")) return;
  Merging merging(report, place);
  report.measure({.name = "fast-forward",
                  .what = fmt::format("fast-forward over {} changed rows", merging.rows() / 10),
                  .unit = "ms",
                  .better = Better::kLess},
                 [&](int) { return merging.fast_forward(merging.rows() / 10) * 1e3; });
}

}  // namespace dosql::bench
