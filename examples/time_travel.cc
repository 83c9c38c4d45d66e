// Time travel: a report that does not move while others write, and questions to the past.
//
//   example_time_travel DIRECTORY

#include <dosql/dosql.h>
#include <fmt/format.h>

#include <cstdio>

namespace {

using dosql::Connection;

std::int64_t balance(Connection& conn) {
  return conn.query_one("SELECT sum(amount) AS total FROM bookings").value()->get<std::int64_t>("total");
}

void run(const std::string& directory) {
  auto db = dosql::Database::open(directory).value();
  auto conn = db.connect().value();
  conn.exec("CREATE TABLE bookings (amount INTEGER)").value();
  for (const int amount : {100, -30, 50}) conn.run("INSERT INTO bookings VALUES (?)", amount).value();
  conn.create_snapshot("end of year").value();

  // A fixed connection stays at its version: a report of many queries adds up, however much is written
  // meanwhile.
  auto report = db.as_of(dosql::snapshot("end of year")).value();
  conn.exec("INSERT INTO bookings VALUES (7)").value();
  conn.exec("DELETE FROM bookings WHERE amount = 100").value();
  fmt::print("report at {}@{}: {}, now: {}\n", report.current_branch(), report.version(), balance(report),
             balance(conn));

  // The same point may be said in many ways; as_of() and branch() take them all.
  const dosql::VersionId year_end = conn.resolve(dosql::snapshot("end of year")).value();
  for (const dosql::TimePoint& point :
       {dosql::snapshot(year_end), dosql::lsn(year_end.lsn), dosql::relative(-2)}) {
    auto then = db.as_of(point).value();
    fmt::print("{}: {}\n", point.kind() == dosql::TimePoint::Kind::kLsn ? "LSN" : point.to_string(),
               balance(then));
  }
  fmt::print("{} versions since\n", conn.distance(dosql::snapshot(year_end), dosql::current()).value());

  // A point that does not exist is an error, and says what there is.
  if (const auto early = db.as_of(dosql::timestamp("1999-12-31T12:00:00Z")); !early)
    fmt::print("{}\n", dosql::error_code_name(early.error().code()));

  // The past cannot be written. What was there can be copied to the present ...
  const auto refused = report.exec("DELETE FROM bookings");
  fmt::print("{}\nhint: {}\n", refused.error().message(), refused.error().hint());
  conn.transaction([&](Connection& tx) {
        return report.each("SELECT amount FROM bookings WHERE amount = 100", [&](const dosql::Row& row) {
          return tx.run("INSERT INTO bookings VALUES (?)", row[0]).and_then(dosql::ignore_result);
        });
      })
      .value();
  fmt::print("put back: {}\n", balance(conn));
  // ... or go on from there on a branch.
  report.branch("corrected").value();
  conn.checkout("corrected").value();
  fmt::print("{}: {}\n", conn.current_branch(), balance(conn));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    fmt::print(stderr, "usage: example_time_travel DIRECTORY\n");
    return 2;
  }
  try {
    run(argv[1]);
  } catch (const dosql::Exception& failure) {
    fmt::print(stderr, "error: {}\n", failure.what());
    return 1;
  }
  return 0;
}
