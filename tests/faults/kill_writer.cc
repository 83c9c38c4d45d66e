// kill_writer DIRECTORY OFF|NORMAL|FULL THREADS: writes transactions into a database until it is killed, in
// so many threads, and prints the number of each one that was acknowledged, one a line, unbuffered.
//
// Transaction n inserts one row n into `single`, n % 40 rows into `many`, and sets `newest` to n.
#include <dosql/dosql.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>

namespace {

using dosql::Connection;
using dosql::Result;
using dosql::Status;

constexpr const char* kSchema =
    "CREATE TABLE IF NOT EXISTS single(n INTEGER PRIMARY KEY, text TEXT);"
    "CREATE TABLE IF NOT EXISTS many(id INTEGER PRIMARY KEY, n INT, bytes BLOB);"
    "CREATE INDEX IF NOT EXISTS many_n ON many(n);"
    "CREATE TABLE IF NOT EXISTS newest(one INTEGER PRIMARY KEY CHECK (one = 1), n INT);"
    "INSERT OR IGNORE INTO newest VALUES (1, 0);";

// Returns its number.
Result<std::int64_t> write_one(Connection& connection) {
  std::int64_t n = 0;
  const Status written = connection.transaction([&n](Connection& tx) -> Status {
    DOSQL_ASSIGN_OR_RETURN(const auto newest, tx.query_one("SELECT n FROM newest"));
    n = newest->get<std::int64_t>("n") + 1;
    DOSQL_RETURN_IF_ERROR(tx.run("INSERT INTO single VALUES (?, ?)", n, fmt::format("number {}", n)));
    DOSQL_RETURN_IF_ERROR(tx.run(
        "WITH RECURSIVE c(i) AS (SELECT 1 WHERE ?1 % 40 > 0 UNION ALL SELECT i + 1 FROM c WHERE i < ?1 % 40)"
        " INSERT INTO many(n, bytes) SELECT ?1, zeroblob(i * 20) FROM c",
        n));
    return tx.run("UPDATE newest SET n = ?", n).and_then(dosql::ignore_result);
  });
  if (!written) return written.error();
  return n;
}

Status acknowledge(std::int64_t n) {
  const std::string line = fmt::format("{}\n", n);
  if (write(STDOUT_FILENO, line.data(), line.size()) == static_cast<ssize_t>(line.size())) return {};
  return dosql::Error(dosql::ErrorCode::kIo, "nobody listens");
}

Status write_for_ever(dosql::Database& database, const char* synchronous) {
  DOSQL_ASSIGN_OR_RETURN(auto connection, database.connect());
  DOSQL_RETURN_IF_ERROR(connection.exec(fmt::format("PRAGMA synchronous = {}", synchronous)));
  while (true) {
    DOSQL_ASSIGN_OR_RETURN(const std::int64_t n, write_one(connection));
    DOSQL_RETURN_IF_ERROR(acknowledge(n));
  }
}

// One thread that fails ends them all.
Status write_in_threads(const char* directory, const char* synchronous, int threads) {
  DOSQL_ASSIGN_OR_RETURN(auto database, dosql::Database::open(directory));
  {
    DOSQL_ASSIGN_OR_RETURN(auto connection, database.connect());
    DOSQL_RETURN_IF_ERROR(connection.exec(kSchema));
  }
  for (int i = 1; i < threads; ++i) {
    std::thread([&database, synchronous] {
      const Status done = write_for_ever(database, synchronous);
      std::fprintf(stderr, "kill_writer: %s\n", done.error().message().c_str());
      _exit(1);
    }).detach();
  }
  return write_for_ever(database, synchronous);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  const Status done = write_in_threads(argv[1], argv[2], std::atoi(argv[3]));
  std::fprintf(stderr, "kill_writer: %s\n", done.error().message().c_str());
  return 1;
}
