// Branches: try a change, see how far it went from main, keep it or drop it.
//
//   example_branches DIRECTORY

#include <dosql/dosql.h>
#include <fmt/format.h>

#include <cstdio>

namespace {

using dosql::Connection;

std::int64_t sum(Connection& conn) {
  return conn.query_one("SELECT sum(price) AS total FROM goods").value()->get<std::int64_t>("total");
}

void show_difference(Connection& conn, std::string_view source) {
  const dosql::BranchComparison c = conn.compare_branches(source, "main").value();
  fmt::print("{} is {} ahead of and {} behind {}, since {}{}{}\n", c.source, c.ahead, c.behind, c.target,
             c.merge_base.to_string(), c.diverged ? ", diverged" : "",
             c.can_fast_forward ? ", can fast-forward" : "");
}

void run(const std::string& directory) {
  auto db = dosql::Database::open(directory).value();
  auto conn = db.connect().value();
  conn.exec("CREATE TABLE goods (name TEXT, price INTEGER)").value();
  conn.exec("INSERT INTO goods VALUES ('tea', 4), ('cake', 6)").value();

  // Making a branch takes microseconds and copies nothing, whatever the size of the database.
  conn.branch("sale").value();
  conn.checkout("sale").value();
  conn.exec("UPDATE goods SET price = price / 2").value();
  show_difference(conn, "sale");

  // A checkout moves one connection: others stay on their branches, and see nothing of this one's work.
  auto shop = db.connect().value();
  shop.exec("INSERT INTO goods VALUES ('milk', 1)").value();
  show_difference(conn, "sale");
  fmt::print("{}: {}, {}: {}\n", conn.current_branch(), sum(conn), shop.current_branch(), sum(shop));

  // A branch can begin with any version, also one that is long gone from its parent's newest.
  conn.branch("audit", {.from = dosql::snapshot("main@2")}).value();
  for (const dosql::BranchInfo& branch : conn.list_branches()) {
    fmt::print("{}{}: {}, made from {}\n", branch.current ? "* " : "  ", branch.name, branch.head.to_string(),
               branch.fork ? branch.fork->to_string() : "nothing");
  }

  // Work that nothing else contains is not dropped by mistake.
  conn.checkout("main").value();
  if (const auto dropped = conn.delete_branch("sale"); !dropped)
    fmt::print("{}\n", dosql::error_code_name(dropped.error().code()));
  conn.delete_branch("sale", {.force = true}).value();
  conn.delete_branch("audit").value();
  fmt::print("{} branch left\n", conn.list_branches().size());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    fmt::print(stderr, "usage: example_branches DIRECTORY\n");
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
