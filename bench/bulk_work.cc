#include "bench/bulk_work.h"

#include "bench/table.h"

namespace dosql::bench {
namespace {

// Rows a second of one insert of `rows` rows into a new database.
double bulk_insert(Side& side, const std::string& folder, int rows) {
  create_table(side.db());
  settle(folder);
  const Stopwatch watch;
  insert_rows(side.db(), rows);
  return rows / watch.seconds();
}

double timed(Pair& pair, Side& side, int rows, const std::string& sql) {
  const Stopwatch watch;
  execute(side.db(), sql);
  const double rate = rows / watch.seconds();
  settle(pair.folder());
  return rate;
}

}  // namespace

void bench_bulk_insert(Report& report, const Place& place) {
  const int rows = report.scaled(kTableRows);
  const auto run = [&](auto make_side) {
    return [&place, rows, make_side](int) {
      const Scratch scratch(place.directory);
      const auto side = make_side(scratch.path_of("database"), Synchronous::kNormal);
      return bulk_insert(*side, scratch.path(), rows);
    };
  };
  report.compare({.name = "bulk-insert-" + place.name,
                  .what = "bulk insert, one transaction, " + place.name,
                  .unit = "rows/s",
                  .ratio_min = 1.0},
                 run(make_ours), run(make_peer));
}

void bench_update_all(Report& report, const Place& place) {
  const Subject subject{.name = "update-all-" + place.name,
                        .what = "UPDATE of all rows, " + place.name,
                        .unit = "rows/s",
                        .ratio_min = 1.0};
  if (!report.wants(subject.name)) return;
  const int rows = report.scaled(kTableRows);
  Pair pair(place, Synchronous::kNormal);
  pair.both([&](sqlite3* db) {
    create_table(db);
    insert_rows(db, rows);
  });
  const std::string sql = "UPDATE t SET n = n + 1";
  report.compare(
      subject, [&](int) { return timed(pair, pair.ours(), rows, sql); },
      [&](int) { return timed(pair, pair.peer(), rows, sql); });
}

void bench_create_index(Report& report, const Place& place) {
  const Subject subject{.name = "create-index-" + place.name,
                        .what = "CREATE INDEX, " + place.name,
                        .unit = "rows/s",
                        .ratio_min = 1.0};
  if (!report.wants(subject.name)) return;
  const int rows = report.scaled(kTableRows);
  Pair pair(place, Synchronous::kNormal);
  pair.both([&](sqlite3* db) {
    create_table(db);
    insert_rows(db, rows);
  });
  const auto run = [&](Side& side) {
    return [&](int) {
      const double rate = timed(pair, side, rows, "CREATE INDEX t_n ON t(n)");
      execute(side.db(), "DROP INDEX t_n");
      settle(pair.folder());
      return rate;
    };
  };
  report.compare(subject, run(pair.ours()), run(pair.peer()));
}

}  // namespace dosql::bench
