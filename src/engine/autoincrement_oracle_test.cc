// AUTOINCREMENT at random: on one branch against stock SQLite, on several against what must never happen.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <array>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "engine/engine_test_support.h"
#include "testing/random_rounds.h"
#include "version/store_test_support.h"

namespace dosql::engine {
namespace {

constexpr const char* kSchema = R"(
    CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT, v UNIQUE);
    CREATE TABLE log(id INTEGER PRIMARY KEY AUTOINCREMENT, v);
    CREATE TABLE p(v);
    CREATE TRIGGER tr AFTER INSERT ON t WHEN new.v % 3 = 0 BEGIN INSERT INTO log(v) VALUES(new.v); END;
    CREATE TRIGGER pr AFTER UPDATE ON p BEGIN INSERT INTO t(v) VALUES(new.v); END;
    CREATE TRIGGER pi AFTER INSERT ON p WHEN new.v > 0 BEGIN INSERT INTO t(v) VALUES(new.v); END;)";

template <class Check>
void for_rounds(int count, const Check& check) {
  testing::for_random_rounds(count, 20 * count, check);
}

// --- One branch ---

// Statements of every kind, of which some fail, and some end the transaction.
class Statements {
 public:
  explicit Statements(std::mt19937_64& random) : random_(random) {}

  std::string next() {
    const std::uint64_t any = random_() % 16;
    const std::uint64_t id = random_() % 60;
    const std::uint64_t value = random_() % 200;
    switch (any) {
      case 0: return fmt::format("INSERT INTO t VALUES({}, {})", id, value);
      case 1: return fmt::format("INSERT OR IGNORE INTO t VALUES({}, {}), (NULL, {})", id, value, value + 1);
      case 2: return fmt::format("REPLACE INTO t(v) VALUES({}), ({})", value, value + 1);
      case 3: return fmt::format("INSERT OR FAIL INTO t(v) VALUES({}), ({}), ({})", value, value + 1, value);
      case 4:
        return fmt::format("INSERT INTO t(v) VALUES({}) ON CONFLICT DO UPDATE SET v = {}", value, value + 7);
      case 5: return fmt::format("INSERT INTO t(v) SELECT v + 1 FROM t WHERE v = {}", value);
      case 6: return fmt::format("INSERT INTO log SELECT * FROM t WHERE v < {}", value % 10);
      case 7: return fmt::format("DELETE FROM t WHERE id > {}", id);
      case 8: return fmt::format("UPDATE OR IGNORE t SET id = {} WHERE id = {}", id + 1, id);
      case 9: return fmt::format("UPDATE p SET v = {} WHERE {}", value, random_() % 2);
      case 10: return fmt::format("INSERT OR ROLLBACK INTO t(v) VALUES({}), ({})", value, value);
      default: return fmt::format("INSERT INTO t(v) VALUES({})", value);
    }
  }

 private:
  std::mt19937_64& random_;
};

// With other branches that are never ahead, too.
TEST(AutoincrementOracle, WhereNobodyElseIsAheadItIsStock) {
  for_rounds(150, [](std::mt19937_64& random) {
    Database db = open_in_memory();
    Connection connection = db.connect().value();
    Stock stock(":memory:");
    Statements statements(random);
    const auto both = [&](const std::string& sql) {
      const int rc = stock.try_exec(sql);
      const Status done = connection.exec(sql);
      EXPECT_EQ(done.has_value(), rc == SQLITE_OK) << sql;
    };
    both(kSchema);
    both("INSERT INTO p VALUES(0)");
    Statement prepared = connection.prepare("INSERT OR IGNORE INTO t(v) VALUES(?1)").value();
    int branches = 0;
    for (int step = 0; step < 60 && !::testing::Test::HasFailure(); ++step) {
      std::string sql = statements.next();
      switch (random() % 12) {
        case 0: sql = connection.in_transaction() ? "COMMIT" : "BEGIN"; break;
        case 1: sql = connection.in_transaction() ? "ROLLBACK" : "BEGIN IMMEDIATE"; break;
        case 2: sql = "SAVEPOINT s"; break;
        case 3: sql = random() % 2 == 0 ? "ROLLBACK TO s" : "RELEASE s"; break;
        case 4: {
          const auto value = static_cast<std::int64_t>(random() % 300);
          DOSQL_EXPECT_OK(prepared.bind(1, value));
          DOSQL_EXPECT_OK(prepared.run());
          sql = fmt::format("INSERT OR IGNORE INTO t(v) VALUES({})", value);
          stock.exec(sql);
          break;
        }
        case 5:
          if (connection.in_transaction()) break;
          DOSQL_EXPECT_OK(connection.exec(fmt::format("CREATE BRANCH b{}", ++branches)));
          DOSQL_EXPECT_OK(connection.exec(fmt::format("CHECKOUT b{}; CHECKOUT main", branches)));
          break;
        default: break;
      }
      if (!sql.starts_with("INSERT OR IGNORE INTO t(v)")) both(sql);
      ASSERT_EQ(content_text(connection), content_text(stock)) << sql;
      ASSERT_EQ(sqlite3_last_insert_rowid(connection.sqlite_handle()), sqlite3_last_insert_rowid(stock.db()))
          << sql;
    }
  });
}

// --- Several branches ---

// Who works on a branch, and which numbers the branch has given.
struct Worker {
  std::string branch;
  std::optional<Connection> connection = {};
  std::set<std::int64_t> given = {};
  std::set<std::int64_t> at_begin = {};      // what `given` was when the transaction began
  std::set<std::int64_t> at_savepoint = {};  // ... and its savepoint
  bool has_savepoint = false;
};

class Workers {
 public:
  explicit Workers(std::mt19937_64& random) : random_(random) {
    workers_[0].branch = "main";
    workers_[0].connection = db_->connect().value();
    run(workers_[0],
        std::string(kSchema) + "INSERT INTO p VALUES(0); INSERT INTO t(v) VALUES(-1), (-2), (-3)");
    for (std::size_t i = 1; i < workers_.size(); ++i) {
      workers_[i].branch = fmt::format("b{}", i);
      run(workers_[0], "CREATE BRANCH " + workers_[i].branch);
    }
    connect();
  }

  void step() {
    Worker& worker = workers_[random_() % workers_.size()];
    Connection& connection = *worker.connection;
    const bool in_transaction = connection.in_transaction();
    switch (random_() % 14) {
      case 0: in_transaction ? end(worker, true) : begin(worker, "BEGIN"); break;
      case 1: in_transaction ? end(worker, false) : begin(worker, "BEGIN IMMEDIATE"); break;
      case 2: in_transaction ? savepoint(worker) : reopen(); break;
      case 3: swap(worker, workers_[random_() % workers_.size()]); break;
      case 4: run(worker, fmt::format("DELETE FROM t WHERE id = (SELECT max(id) FROM t WHERE v > 0)")); break;
      case 5: run(worker, fmt::format("INSERT INTO p VALUES({})", ++values_)); break;
      case 6:
        insert(worker, fmt::format("INSERT INTO t VALUES({}, {})", highest() + 1 + random_() % 5, ++values_));
        break;
      case 7: fail(worker); break;
      case 8: {
        const int first = values_ + 1;
        values_ += 3;
        insert(worker, fmt::format("INSERT INTO t(v) VALUES({}), ({}), ({})", first, first + 1, first + 2));
        break;
      }
      case 9: ddl(worker); break;
      default: insert(worker, fmt::format("INSERT INTO t(v) VALUES({})", ++values_)); break;
    }
  }

  // Everything is in main in the end, under the number that it was given.
  void merge_all() {
    for (Worker& worker : workers_) {
      if (worker.connection->in_transaction()) end(worker, true);
    }
    std::map<std::string, std::set<std::string>> expected;
    for (const char* const table : {"t", "log"}) {
      for (Worker& worker : workers_) {
        const Rows rows = worker.connection->query(fmt::format("SELECT id, v FROM {}", table)).value();
        for (const Row& row : rows) expected[table].insert(value_text(row[0]) + "|" + value_text(row[1]));
      }
    }
    Worker& main = workers_[0];
    for (const Worker& worker : workers_) {
      if (&worker == &main) continue;
      const auto merged = main.connection->merge(worker.branch);
      DOSQL_ASSERT_OK(merged);
      EXPECT_TRUE(merged->conflicts.empty()) << worker.branch;
    }
    for (const auto& [table, rows] : expected) {
      std::set<std::string> found;
      for (const Row& row : main.connection->query(fmt::format("SELECT id, v FROM {}", table)).value())
        found.insert(value_text(row[0]) + "|" + value_text(row[1]));
      EXPECT_EQ(found, rows) << table;
    }
  }

 private:
  static void run(Worker& worker, const std::string& sql) { DOSQL_EXPECT_OK(worker.connection->exec(sql)); }

  void connect() {
    for (Worker& worker : workers_) {
      worker.connection = db_->connect().value();
      run(worker, "CHECKOUT " + worker.branch);
    }
  }
  void reopen() {
    for (const Worker& worker : workers_) {
      if (worker.connection->in_transaction()) return;
    }
    for (Worker& worker : workers_) worker.connection.reset();
    db_.reset();
    db_ = open_on(std::make_unique<version::SharedDirectory>(*disk_)).value();
    connect();
  }
  // Their connections change branches.
  static void swap(Worker& one, Worker& other) {
    if (&one == &other || one.connection->in_transaction() || other.connection->in_transaction()) return;
    std::swap(one.connection, other.connection);
    run(one, "CHECKOUT " + one.branch);
    run(other, "CHECKOUT " + other.branch);
  }

  void begin(Worker& worker, const std::string& sql) {
    run(worker, sql);
    worker.at_begin = worker.given;
    worker.has_savepoint = false;
  }
  void end(Worker& worker, bool commit) {
    run(worker, commit ? "COMMIT" : "ROLLBACK");
    if (!commit) worker.given = worker.at_begin;
  }
  void savepoint(Worker& worker) {
    run(worker, worker.has_savepoint ? "ROLLBACK TO s" : "SAVEPOINT s");
    if (worker.has_savepoint) worker.given = worker.at_savepoint;
    worker.at_savepoint = worker.given;
    worker.has_savepoint = true;
  }
  void fail(Worker& worker) {
    // Two rows of one value: the first is taken back with the second.
    ++values_;
    DOSQL_EXPECT_ERROR(
        worker.connection->exec(fmt::format("INSERT INTO t(v) VALUES({}), ({})", values_, values_)),
        kConstraint);
  }
  // So that statements are compiled again, in transactions and out of them.
  void ddl(Worker& worker) {
    const std::string name = fmt::format("i{}", worker.branch);
    run(worker, fmt::format("CREATE INDEX IF NOT EXISTS {} ON log(v)", name));
    if (random_() % 2 == 0) run(worker, fmt::format("DROP INDEX {}", name));
  }

  void insert(Worker& worker, const std::string& sql) {
    const Rows rows = worker.connection->query(sql + " RETURNING id").value();
    for (const Row& row : rows) {
      const std::int64_t id = row[0].integer();
      for (const Worker& other : workers_)
        EXPECT_FALSE(other.given.contains(id))
            << id << " on " << worker.branch << " was given on " << other.branch;
      worker.given.insert(id);
    }
  }
  // That any branch has, in its transaction that is open too.
  std::int64_t highest() {
    std::int64_t highest = 0;
    for (Worker& worker : workers_) {
      const auto row = worker.connection->query_one("SELECT max(seq) FROM sqlite_sequence WHERE name = 't'");
      highest = std::max(highest, (**row)[0].integer());
    }
    return highest;
  }

  std::mt19937_64& random_;
  std::unique_ptr<io::Directory> disk_ = io::make_memory_directory();
  std::optional<Database> db_ = open_on(std::make_unique<version::SharedDirectory>(*disk_)).value();
  std::array<Worker, 4> workers_;
  int values_ = 0;
};

TEST(AutoincrementOracle, NoNumberIsGivenOnTwoBranches) {
  for_rounds(120, [](std::mt19937_64& random) {
    Workers workers(random);
    for (int step = 0; step < 100 && !::testing::Test::HasFailure(); ++step) workers.step();
    if (!::testing::Test::HasFailure()) workers.merge_all();
  });
}

}  // namespace
}  // namespace dosql::engine
