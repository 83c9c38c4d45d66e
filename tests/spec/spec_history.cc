// spec_history DIRECTORY: makes a database with a history of known times.
//
// main has 40 versions, a day apart: main@4 is of the first moment of 2024, and main@n has the users and
// orders 2 to n. Branch feature-x begins with main@38 and has one commit of its own, user 99.

#include <dosql/dosql.h>
#include <fmt/format.h>

#include <cstdio>

#include "base/environment.h"

namespace {

constexpr int kVersions = 40;
constexpr dosql::TimestampUs kDayUs = 24LL * 3600 * 1'000'000;
constexpr dosql::TimestampUs kNewYear2024Us = 1'704'067'200'000'000;

void run(const std::string& directory) {
  dosql::ManualClock clock(kNewYear2024Us);
  auto database = dosql::Database::open(directory, {.clock = &clock}).value();
  auto connection = database.connect().value();
  for (int version = 1; version <= kVersions; ++version) {
    clock.set_us(kNewYear2024Us + (version - 4) * kDayUs);
    const std::string rows = fmt::format(
        "INSERT INTO users VALUES ({0}, 'user {0}'); INSERT INTO orders VALUES ({0}, {0})", version);
    const std::string tables =
        "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT);"
        "CREATE TABLE orders (id INTEGER PRIMARY KEY, user_id INTEGER)";
    connection.exec("BEGIN; " + (version == 1 ? tables : rows) + "; COMMIT").value();
  }
  connection.branch("feature-x", {.from = dosql::snapshot("main@38")}).value();
  connection.checkout("feature-x").value();
  connection.exec("INSERT INTO users VALUES (99, 'user 99')").value();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  try {
    run(argv[1]);
  } catch (const dosql::Exception& failure) {
    fmt::print(stderr, "error: {}\n", failure.what());
    return 1;
  }
  return 0;
}
