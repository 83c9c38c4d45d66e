// A program on one database: write, read, a transaction that fails, and a look at what it replaced.
//
//   example_first_program DIRECTORY
//
// DIRECTORY becomes a database, or is one already.

#include <dosql/dosql.h>
#include <fmt/format.h>

#include <cstdio>

namespace {

using dosql::Connection;
using dosql::Row;
using dosql::Status;

void show_users(Connection& conn) {
  // each() holds one row at a time; query() would give all of them at once.
  conn.each("SELECT id, name, role FROM users ORDER BY id",
            [](const Row& row) {
              fmt::print("  {} {} ({})\n", row.get<std::int64_t>("id"), row.get<std::string_view>("name"),
                         row.get<std::string_view>("role"));
            })
      .value();
}

Status hand_over(Connection& tx, std::string_view from, std::string_view to) {
  DOSQL_RETURN_IF_ERROR(tx.run("UPDATE users SET role = 'member' WHERE name = ?", from));
  DOSQL_ASSIGN_OR_RETURN(const auto done, tx.run("UPDATE users SET role = 'admin' WHERE name = ?", to));
  // An error rolls the transaction back: nobody loses the role to a person who is not there.
  if (done.changes == 0) return dosql::Error(dosql::ErrorCode::kNotFound, fmt::format("there is no {}", to));
  return {};
}

void run(const std::string& directory) {
  auto db = dosql::Database::open(directory).value();  // value() throws dosql::Exception with the message
  auto conn = db.connect().value();
  conn.exec("CREATE TABLE IF NOT EXISTS users (id INTEGER PRIMARY KEY, name TEXT NOT NULL, role TEXT)")
      .value();
  conn.run("INSERT INTO users (name, role) VALUES (?, ?), (?, ?)", "Ann", "admin", "Bo", "member").value();
  fmt::print("{}@{}:\n", conn.current_branch(), conn.version());
  show_users(conn);

  const auto to = [&](std::string_view name) {
    return conn.transaction([&](Connection& tx) { return hand_over(tx, "Ann", name); });
  };
  if (const Status done = to("Cy"); !done) fmt::print("not done: {}\n", done.error().message());
  to("Bo").value();
  fmt::print("{}@{}:\n", conn.current_branch(), conn.version());
  show_users(conn);

  // Every transaction was a version, and each is still there.
  auto before = conn.as_of(dosql::relative(-1)).value();
  fmt::print("{}@{} is still:\n", before.current_branch(), before.version());
  show_users(before);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    fmt::print(stderr, "usage: example_first_program DIRECTORY\n");
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
