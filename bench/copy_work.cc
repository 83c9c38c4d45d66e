#include "bench/copy_work.h"

#include <dosql/dosql.h>
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <filesystem>

#include "bench/table.h"

namespace dosql::bench {
namespace {

namespace fs = std::filesystem;

// A file of 1 GB.
constexpr int kRows = 8'700'000;
// Half the speed of a copy: "close to" it.
constexpr double kRatioMin = 0.5;

double megabytes(const std::string& file) { return static_cast<double>(fs::file_size(file)) / 1e6; }

void sync_file(const std::string& path) {
  const int descriptor = open(path.c_str(), O_RDONLY);
  if (descriptor < 0 || fdatasync(descriptor) != 0) fail("cannot sync " + path);
  close(descriptor);
}

// As `cp` and `sync` do it: the system copies, without bringing the bytes to the program.
double copy_speed(const std::string& file, const Scratch& scratch) {
  const std::string copy = scratch.path_of("copy");
  const Stopwatch watch;
  fs::copy_file(file, copy);
  sync_file(copy);
  const double seconds = watch.seconds();
  fs::remove(copy);
  settle(scratch.path());
  return megabytes(file) / seconds;
}

// From nothing to a closed database.
double import_speed(const std::string& file, const Scratch& scratch) {
  const std::string folder = scratch.path_of("imported");
  const Stopwatch watch;
  {
    Database database = Database::open(folder).value();
    database.import_sqlite(file).value();
    database.close().value();
  }
  const double seconds = watch.seconds();
  fs::remove_all(folder);
  settle(scratch.path());
  return megabytes(file) / seconds;
}

double export_speed(Database& database, const std::string& file, const Scratch& scratch) {
  const std::string exported = scratch.path_of("exported");
  const Stopwatch watch;
  database.export_sqlite(exported).value();
  const double seconds = watch.seconds();
  fs::remove(exported);
  settle(scratch.path());
  return megabytes(file) / seconds;
}

}  // namespace

void bench_import_export(Report& report, const Place& place) {
  constexpr std::array<std::string_view, 2> kNames = {"import-1gb", "export-1gb"};
  if (!report.wants_any(kNames)) return;
  const Scratch scratch(place.directory);
  const std::string file = scratch.path_of("source/stock.db");
  {
    const auto stock = make_peer(scratch.path_of("source"), Synchronous::kNormal);
    create_table(stock->db());
    insert_rows(stock->db(), report.scaled(kRows));
    execute(stock->db(), "PRAGMA journal_mode = DELETE");
  }
  settle(scratch.path());
  const auto copy = [&](int) { return copy_speed(file, scratch); };
  report.compare(
      {.name = std::string(kNames[0]),
       .what = "import of a 1 GB file; peer: copying it",
       .unit = "MB/s",
       .ratio_min = kRatioMin},
      [&](int) { return import_speed(file, scratch); }, copy);
  if (!report.wants(kNames[1])) return;
  Database database = Database::open(scratch.path_of("database")).value();
  database.import_sqlite(file).value();
  settle(scratch.path());
  report.compare(
      {.name = std::string(kNames[1]),
       .what = "export of a 1 GB file; peer: copying it",
       .unit = "MB/s",
       .ratio_min = kRatioMin},
      [&](int) { return export_speed(database, file, scratch); }, copy);
}

}  // namespace dosql::bench
