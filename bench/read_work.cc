#include "bench/read_work.h"

#include <array>

#include "bench/table.h"

namespace dosql::bench {
namespace {

constexpr int kPoints = 200'000;
constexpr int kRanges = 100;
constexpr int kRangeRows = 1'000;
constexpr int kOrders = 300'000;
constexpr int kCustomers = 10'000;
constexpr int kProducts = 1'000;

double points(sqlite3* db, int count, int rows, int round) {
  Numbers numbers(static_cast<std::uint64_t>(round) + 300);
  Prepared select(db, "SELECT n FROM t WHERE id = ?");
  const Stopwatch watch;
  for (int i = 0; i < count; ++i) {
    select.bind(1, numbers.up_to(rows));
    select.run();
  }
  return count / watch.seconds();
}

double points_in_transaction(sqlite3* db, int count, int rows, int round) {
  execute(db, "BEGIN");
  const double rate = points(db, count, rows, round);
  execute(db, "COMMIT");
  return rate;
}

double scan(sqlite3* db, int rows) {
  Prepared select(db, "SELECT sum(n) FROM t");
  const Stopwatch watch;
  select.run();
  return rows / watch.seconds();
}

// Rows by way of the index on n: each is looked up in the table.
double ranges(sqlite3* db, int count, int rows, int round) {
  const std::int64_t values =
      std::int64_t{kRangeRows} * kTableRows / rows;  // as many as hold kRangeRows rows
  Numbers numbers(static_cast<std::uint64_t>(round) + 400);
  Prepared select(db, "SELECT sum(length(v)) FROM t WHERE n BETWEEN ?1 AND ?1 + ?2");
  select.bind(2, values);
  const Stopwatch watch;
  for (int i = 0; i < count; ++i) {
    select.bind(1, numbers.up_to(kTableRows - values));
    select.run();
  }
  return count * double{kRangeRows} / watch.seconds();
}

double join(sqlite3* db, int rows) {
  Prepared select(db,
                  "SELECT sum(o.amount * p.price), count(DISTINCT c.city) FROM orders o "
                  "JOIN customers c ON c.id = o.customer JOIN products p ON p.id = o.product");
  const Stopwatch watch;
  select.run();
  return rows / watch.seconds();
}

void create_join_tables(sqlite3* db, int orders) {
  execute(db, R"(
    CREATE TABLE customers(id INTEGER PRIMARY KEY, city INT, name TEXT);
    CREATE TABLE products(id INTEGER PRIMARY KEY, price INT, name TEXT);
    CREATE TABLE orders(id INTEGER PRIMARY KEY, customer INT, product INT, amount INT, note TEXT);
    BEGIN)");
  Numbers numbers(3);
  Prepared customer(db, "INSERT INTO customers VALUES(NULL, ?, ?)");
  for (int i = 0; i < kCustomers; ++i) {
    customer.bind(1, numbers.up_to(200));
    customer.bind(2, text_for(i));
    customer.run();
  }
  Prepared product(db, "INSERT INTO products VALUES(NULL, ?, ?)");
  for (int i = 0; i < kProducts; ++i) {
    product.bind(1, numbers.up_to(500));
    product.bind(2, text_for(i));
    product.run();
  }
  Prepared order(db, "INSERT INTO orders VALUES(NULL, ?, ?, ?, ?)");
  for (int i = 0; i < orders; ++i) {
    order.bind(1, numbers.up_to(kCustomers));
    order.bind(2, numbers.up_to(kProducts));
    order.bind(3, numbers.up_to(10));
    order.bind(4, text_for(i).substr(0, 40));
    order.run();
  }
  execute(db, "COMMIT");
}

}  // namespace

void bench_reads(Report& report, const Place& place) {
  constexpr std::array<std::string_view, 5> kNames = {"point-autocommit", "point-transaction", "full-scan",
                                                      "index-range", "join"};
  if (!report.wants_any(kNames)) return;
  const int count = report.scaled(kPoints);
  const int range_count = report.scaled(kRanges);
  const int rows = report.scaled(kTableRows);
  const int orders = report.scaled(kOrders);
  Pair pair(place, Synchronous::kNormal);
  pair.both([&](sqlite3* db) {
    create_table(db);
    insert_rows(db, rows);
    execute(db, "CREATE INDEX t_n ON t(n)");
    create_join_tables(db, orders);
  });
  const auto compare = [&](std::string_view name, std::string_view what, std::string_view unit,
                           double ratio_min, const std::function<double(sqlite3*, int)>& work) {
    report.compare(
        {.name = std::string(name),
         .what = std::string(what),
         .unit = std::string(unit),
         .ratio_min = ratio_min},
        [&](int round) { return work(pair.ours().db(), round); },
        [&](int round) { return work(pair.peer().db(), round); });
  };
  compare(kNames[0], "point SELECT, hot, autocommit", "selects/s", 2.5,
          [&](sqlite3* db, int round) { return points(db, count, rows, round); });
  compare(kNames[1], "point SELECT, hot, in a transaction", "selects/s", 1.2,
          [&](sqlite3* db, int round) { return points_in_transaction(db, count, rows, round); });
  compare(kNames[2], "full scan", "rows/s", 1.0, [&](sqlite3* db, int) { return scan(db, rows); });
  compare(kNames[3], "index range scan", "rows/s", 1.0,
          [&](sqlite3* db, int round) { return ranges(db, range_count, rows, round); });
  compare(kNames[4], "3-table join", "rows/s", 1.0, [&](sqlite3* db, int) { return join(db, orders); });
}

}  // namespace dosql::bench
