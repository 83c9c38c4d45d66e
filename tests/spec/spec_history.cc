// spec_history DIRECTORY [42]: makes a database with a history of known times.
//
// main has 40 versions, a day apart: main@4 is of the first moment of 2024, and main@n has the users and
// orders 2 to n. Branch feature-x begins with main@38 and has one commit of its own, user 99. With 42, there
// is also a user 42, who comes with main@10, gets another name with main@20 and goes with main@30.

#include <dosql/dosql.h>
#include <fmt/format.h>

#include <cstdio>
#include <string>
#include <string_view>

#include "base/environment.h"

namespace {

constexpr int kVersions = 40;
constexpr dosql::TimestampUs kDayUs = 24LL * 3600 * 1'000'000;
constexpr dosql::TimestampUs kNewYear2024Us = 1'704'067'200'000'000;

std::string life_of_42(int version) {
  switch (version) {
    case 10: return "; INSERT INTO users VALUES (42, 'Ann')";
    case 20: return "; UPDATE users SET name = 'Anne' WHERE id = 42";
    case 30: return "; DELETE FROM users WHERE id = 42";
    default: return "";
  }
}

void run(const std::string& directory, bool with_42) {
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
    const std::string more = with_42 ? life_of_42(version) : "";
    connection.exec("BEGIN; " + (version == 1 ? tables : rows) + more + "; COMMIT").value();
  }
  connection.branch("feature-x", {.from = dosql::snapshot("main@38")}).value();
  connection.checkout("feature-x").value();
  connection.exec("INSERT INTO users VALUES (99, 'user 99')").value();
}

}  // namespace

int main(int argc, char** argv) {
  const bool with_42 = argc == 3 && std::string_view(argv[2]) == "42";
  if (argc != (with_42 ? 3 : 2)) return 2;
  try {
    run(argv[1], with_42);
  } catch (const dosql::Exception& failure) {
    fmt::print(stderr, "error: {}\n", failure.what());
    return 1;
  }
  return 0;
}
