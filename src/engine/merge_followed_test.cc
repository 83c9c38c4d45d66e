// Children whose keys contain the number of a parent, and children without a key, in histories whose merges
// give parents other numbers.
// All begin alike, so that one can be taken for another; each change says which one it is.

#include <algorithm>
#include <iterator>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "engine/engine_test_support.h"
#include "testing/random_rounds.h"

namespace dosql::engine {
namespace {

// What a branch knows of a row: the newest thing that happened to it, and all before.
struct Known {
  int newest = 0;
  std::set<int> all = {};
  bool is_there = true;
  int value = 0;

  void happened(int event) {
    newest = event;
    all.insert(event);
  }
};
using KnownRows = std::map<std::string, Known>;  // by the table and what the row is, whatever its numbers

struct Counts {
  int clean = 0;
  int refused = 0;
};

class History {
 public:
  History(std::mt19937_64& random, Counts& counts) : random_(random), counts_(counts) {
    run(
        fmt::format("PRAGMA foreign_keys = ON; CREATE TABLE orders(id INTEGER PRIMARY KEY, who);"
                    "CREATE TABLE bill(ord INT PRIMARY KEY REFERENCES orders(id), value){};"
                    "CREATE TABLE line(n INT, ord REFERENCES orders(id), value, PRIMARY KEY(ord, n)){};"
                    "CREATE TABLE memo(ord REFERENCES orders(id), n, value)",
                    one_in(2) ? " WITHOUT ROWID" : "", one_in(2) ? " WITHOUT ROWID" : ""));
    insert_order();
    for (const char* const name : {"x", "y"}) {
      run(fmt::format("CREATE BRANCH {} FROM main", name));
      known_[name] = known_["main"];
      used_[name] = used_["main"];
      used_rowids_[name] = used_rowids_["main"];
    }
  }

  void step() {
    check_out(some_branch());
    switch (random_() % 10) {
      case 0:
      case 1: insert_order(); break;
      case 2:
      case 3:
      case 4: change_row(); break;
      case 5:
        run("BEGIN");
        change_row();
        merge(some_branch());
        run("COMMIT");
        break;
      default: merge(some_branch());
    }
    verify();
  }

 private:
  bool one_in(unsigned n) { return random_() % n == 0; }
  std::string some_branch() { return std::next(known_.begin(), random_() % known_.size())->first; }
  void run(const std::string& sql) {
    SCOPED_TRACE(sql);
    DOSQL_EXPECT_OK(connection_.exec(sql));
  }
  void check_out(const std::string& branch) {
    branch_ = branch;
    run("CHECKOUT " + branch);
  }
  KnownRows& known() { return known_[branch_]; }

  // One that the branch never had: a number that is given again counts as the row that had it.
  int free_number(std::map<std::string, std::set<int>>& all_used) {
    std::set<int>& used = all_used[branch_];
    int number = 1;
    while (used.contains(number)) ++number;
    used.insert(number);
    return number;
  }

  void add(const std::string& name) { known()[name].happened(++events_); }

  void insert_order() {
    const std::string who = fmt::format("w{}", ++names_);
    const int number = free_number(used_);
    run(fmt::format("INSERT INTO orders VALUES({}, '{}')", number, who));
    add("orders " + who);
    if (!one_in(4)) {
      run(fmt::format("INSERT INTO bill VALUES({}, 0)", number));
      add("bill " + who);
    }
    next_line_[who] = 1 + random_() % 2;
    for (int count = static_cast<int>(random_() % 3); count > 0; --count) insert("line", who);
    for (int count = static_cast<int>(random_() % 3); count > 0; --count) insert("memo", who);
  }
  void insert(const std::string& table, const std::string& who) {
    const std::uint64_t n = next_line_[who]++;
    // SQLite would give the rowid of a row that is gone again.
    const bool has_key = table != "memo";
    run(fmt::format("INSERT INTO {}({}ord, n, value) SELECT {}id, {}, 0 FROM orders WHERE who = '{}'", table,
                    has_key ? "" : "rowid, ", has_key ? "" : fmt::format("{}, ", free_number(used_rowids_)),
                    n, who));
    add(fmt::format("{} {} {}", table, who, n));
  }

  static std::string word(const std::string& name, int index) {
    std::size_t from = 0;
    for (; index > 0; --index) from = name.find(' ', from) + 1;
    return name.substr(from, name.find(' ', from) - from);
  }
  static std::string where(const std::string& name) {
    const std::string table = word(name, 0);
    std::string text = fmt::format("ord = (SELECT id FROM orders WHERE who = '{}')", word(name, 1));
    if (table != "bill") text += " AND n = " + word(name, 2);
    return text;
  }

  void change_row() {
    std::vector<std::string> there;
    for (const auto& [name, row] : known()) {
      if (row.is_there) there.push_back(name);
    }
    if (there.empty()) return;
    const std::string& name = there[random_() % there.size()];
    if (word(name, 0) == "orders") return insert(one_in(4) ? "memo" : "line", word(name, 1));
    Known& row = known()[name];
    row.happened(++events_);
    if (one_in(3)) {
      run(fmt::format("DELETE FROM {} WHERE {}", word(name, 0), where(name)));
      row.is_there = false;
    } else {
      run(fmt::format("UPDATE {} SET value = {} WHERE {}", word(name, 0), events_, where(name)));
      row.value = events_;
    }
  }

  void merge(const std::string& source) {
    if (source == branch_) return;
    const std::string sql = fmt::format("MERGE BRANCH {}{}", source, one_in(4) ? "" : " RENUMBER");

    const Status merged = connection_.exec(sql);
    if (!merged) {
      EXPECT_EQ(merged.error().code(), ErrorCode::kMergeConflict) << failure_text(merged.error());
      ++counts_.refused;
      return;
    }
    ++counts_.clean;
    for (const auto& [name, theirs] : known_[source]) {
      const auto [ours, is_new] = known().emplace(name, theirs);
      if (!is_new) learn(name, ours->second, theirs);
    }
    learn_numbers("SELECT id FROM orders", used_, source);
    learn_numbers("SELECT rowid FROM memo", used_rowids_, source);
  }

  void learn_numbers(const char* sql, std::map<std::string, std::set<int>>& used, const std::string& source) {
    used[branch_].insert(used[source].begin(), used[source].end());
    for (const Row& row : connection_.query(sql).value())
      used[branch_].insert(static_cast<int>(row[0].integer()));
  }

  void learn(const std::string& name, Known& ours, const Known& theirs) {
    const bool is_behind = theirs.all.contains(ours.newest);
    const bool is_ahead = ours.all.contains(theirs.newest);
    const bool are_gone = !ours.is_there && !theirs.is_there;
    EXPECT_TRUE(is_behind || is_ahead || are_gone) << name << " changed on both sides, and is in no conflict";
    ours.all.insert(theirs.all.begin(), theirs.all.end());
    if (!is_behind || is_ahead) return;
    ours.newest = theirs.newest;
    ours.is_there = theirs.is_there;
    ours.value = theirs.value;
  }

  void verify() {
    std::string expected;
    for (const auto& [name, row] : known()) {
      if (row.is_there) expected += fmt::format("{}{}|{}", expected.empty() ? "" : "\n", name, row.value);
    }
    EXPECT_EQ(rows_text(connection_,
                        "SELECT 'orders ' || who AS name, 0 FROM orders "
                        "UNION ALL SELECT 'bill ' || who, value FROM bill LEFT JOIN orders ON id = ord "
                        "UNION ALL SELECT 'line ' || who || ' ' || n, value FROM line LEFT JOIN orders "
                        "ON id = ord "
                        "UNION ALL SELECT 'memo ' || who || ' ' || n, value FROM memo LEFT JOIN orders "
                        "ON id = ord ORDER BY name"),
              expected)
        << branch_;
  }

  std::mt19937_64& random_;
  Counts& counts_;
  Database db_ = open_in_memory();
  Connection connection_ = db_.connect().value();
  std::string branch_ = "main";
  std::map<std::string, KnownRows> known_{{"main", {}}};
  std::map<std::string, std::set<int>> used_;
  std::map<std::string, std::set<int>> used_rowids_;
  std::map<std::string, std::uint64_t> next_line_;
  int events_ = 0;
  int names_ = 0;
};

TEST(MergeFollowed, ARowIsTheOneThatItWas) {
  Counts counts;
  testing::for_random_rounds(60, 20'000, [&](std::mt19937_64& random) {
    History history(random, counts);
    for (std::size_t steps = 5 + random() % 40; steps > 0 && !::testing::Test::HasFailure(); --steps)
      history.step();
  });
  if (::testing::Test::HasFailure()) return;
  EXPECT_GT(counts.clean, counts.refused / 4) << counts.refused << " refused";
}

}  // namespace
}  // namespace dosql::engine
