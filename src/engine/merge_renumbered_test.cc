// Rows to which merges gave other numbers, and numbers that were given again, in histories that go on
// merging: each row says in all of its cells which one it is, and each reference whom it means.

#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "engine/engine_test_support.h"
#include "testing/random_rounds.h"
#include "version/store_test_support.h"

namespace dosql::engine {
namespace {

// A cell is NULL or begins with the row's identity and a colon; `means` is the identity of the parent.
constexpr const char* kSchema = R"(
  CREATE TABLE p(id INTEGER PRIMARY KEY{0}, a, b);
  CREATE TABLE c(id INTEGER PRIMARY KEY{0}, p REFERENCES p(id), means, a, b);
  CREATE TABLE line(p REFERENCES p(id), n INT, means, a, b, PRIMARY KEY(p, n)){1};
  CREATE TABLE more(id INTEGER PRIMARY KEY REFERENCES p(id), means, a, b);
  CREATE TABLE note(p REFERENCES p(id), means, a, b);
  CREATE INDEX c_p ON c(p))";

// Those in which it is known of each row where it ever was.
const std::vector<std::string> kTraced{"p", "c"};
const std::vector<std::string> kChildren{"c", "line", "more", "note"};

struct Counts {
  int clean = 0;
  int refused = 0;
};

class History {
 public:
  History(std::mt19937_64& random, Counts& counts)
      : random_(random), counts_(counts), counter_(one_in(2)), decides_(one_in(4)), two_(one_in(2)) {
    connect();
    run(fmt::format(kSchema, counter_ ? " AUTOINCREMENT" : "", one_in(2) ? " WITHOUT ROWID" : ""));
    branch_ = "main";
    for (int i = 0; i < 3; ++i) change();
    note_rows();
    fork("x", "main");
    if (!two_) fork("y", "main");
  }

  void step() {
    const auto kind = random_() % 12;
    switch (two_ && (kind == 4 || kind == 6) ? 0 : kind) {
      case 0:
      case 1:
      case 2:
      case 3: {
        const auto& [name, used] = *std::next(used_.begin(), random_() % used_.size());
        check_out(name);
        change();
        note_rows();
        break;
      }
      case 4:
        if (!used_.contains("z")) fork("z", some_branch());
        if (!used_.contains("w")) come_and_go("w");
        break;
      case 5: reopen(); break;
      case 6: merge_in_transaction(); break;
      default: {
        check_out(some_branch());
        merge(some_branch());
        note_rows();
      }
    }
  }

 private:
  bool one_in(int n) { return random_() % static_cast<unsigned>(n) == 0; }
  std::string some_branch() { return std::next(used_.begin(), random_() % used_.size())->first; }
  void run(const std::string& sql) {
    SCOPED_TRACE(sql);
    DOSQL_EXPECT_OK(connection_->exec(sql));
  }
  std::string rows(const std::string& sql) { return rows_text(*connection_, sql); }
  std::optional<std::int64_t> one(const std::string& sql) {
    const std::string text = rows(sql);
    return text.empty() || text == "NULL" ? std::nullopt : std::optional(std::stoll(text));
  }

  void connect() {
    db_.emplace(open_on(std::make_unique<version::SharedDirectory>(*disk_)).value());
    connection_.emplace(db_->connect().value());
    run("PRAGMA synchronous = OFF; PRAGMA foreign_keys = ON");
  }
  // A row that a branch has only in what was forked off it.
  void come_and_go(const std::string& fork_name) {
    check_out(some_branch());
    const std::int64_t number = free_number("p");
    run(fmt::format("INSERT INTO p(id, a) VALUES({}, '{}:')", number, new_name()));
    note_rows();
    fork(fork_name, branch_);
    run(fmt::format("DELETE FROM p WHERE id = {}", number));
    note_rows();
  }
  void reopen() {
    connection_.reset();
    db_.reset();
    connect();
    if (branch_ != "main") run("CHECKOUT " + branch_);
  }
  void check_out(const std::string& branch) {
    if (branch == branch_) return;
    branch_ = branch;
    run("CHECKOUT " + branch);
  }
  void fork(const std::string& name, const std::string& from) {
    run(fmt::format("CREATE BRANCH {} FROM {}", name, from));
    used_[name] = used_[from];
    known_[name] = known_[from];
    there_[name] = there_[from];
  }

  // A number that no row of the branch ever had: under it SQLite itself would make another row of the old
  // one. Other branches may have had a row of it that is gone.
  std::int64_t free_number(const std::string& table) {
    std::set<std::int64_t>& used = used_[branch_][table];
    std::int64_t number = 1;
    while (used.contains(number)) ++number;
    used.insert(number);
    return number;
  }
  void note_numbers() {
    for (const char* const table : {"p", "c", "more"}) {
      for (const Row& row : connection_->query(fmt::format("SELECT id FROM {}", table)).value())
        used_[branch_][table].insert(row[0].integer());
    }
  }

  // --- Where a row is, and where it ever was ---

  using Names = std::set<std::string>;
  using NamesByTable = std::map<std::string, Names>;

  NamesByTable names() {
    NamesByTable all;
    for (const std::string& table : kTraced) {
      const std::string sql = fmt::format("SELECT substr(a, 1, instr(a, ':')) FROM {}", table);
      for (const Row& row : connection_->query(sql).value()) all[table].emplace(row[0].text());
    }
    return all;
  }
  // What is committed.
  void note_rows() {
    there_[branch_] = names();
    for (const auto& [table, all] : there_[branch_]) known_[branch_][table].insert(all.begin(), all.end());
  }
  void know_what(const std::string& source) {
    for (const auto& [table, all] : known_[source]) known_[branch_][table].insert(all.begin(), all.end());
  }
  // A row is gone where one side that had it has it no more, and is there else. What was decided is another
  // matter, but for rows that one side alone ever had; of those too where several versions may be in common:
  // a side takes all numbers that belong together.
  void verify_rows(const NamesByTable& before, const std::string& source, const std::string& what) {
    if (took_sides_) return;
    const NamesByTable now = names();
    for (const std::string& table : kTraced) {
      const auto has = [&](const NamesByTable& names, const std::string& name) {
        const auto found = names.find(table);
        return found != names.end() && found->second.contains(name);
      };
      Names all = there_[source][table];
      if (const auto ours = before.find(table); ours != before.end())
        all.insert(ours->second.begin(), ours->second.end());
      for (const std::string& name : all) {
        const bool in_ours = has(before, name);
        const bool is_known = has(in_ours ? known_[source] : known_[branch_], name);
        if (decided_ && is_known) continue;
        const bool was_deleted = is_known && !(in_ours && has(there_[source], name));
        EXPECT_EQ(has(now, name), !was_deleted)
            << name << " of " << table << " on " << branch_ << " after " << what;
      }
    }
  }

  std::string new_name() { return fmt::format("r{}", ++names_); }
  // A row of the table, by its rowid or, without one, its key.
  std::optional<std::string> some_row(const std::string& table) {
    const std::string key = table == "line" ? "p, n" : table == "note" ? "rowid" : "id";
    const std::string text =
        rows(fmt::format("SELECT {} FROM {} ORDER BY 1, {}", key, table, table == "line" ? "2" : "1"));
    if (text.empty()) return std::nullopt;
    std::vector<std::string> all;
    for (std::size_t at = 0; at <= text.size();) {
      const std::size_t end = std::min(text.find('\n', at), text.size());
      all.push_back(text.substr(at, end - at));
      at = end + 1;
    }
    const std::string& row = all[random_() % all.size()];
    if (table != "line") return fmt::format("{} = {}", key, row);
    const std::size_t bar = row.find('|');
    return fmt::format("p = {} AND n = {}", row.substr(0, bar), row.substr(bar + 1));
  }

  void change() {
    const bool several = one_in(4);
    if (several) run("BEGIN");
    for (std::size_t count = several ? 3 : 1; count > 0; --count) change_one();
    if (several) run(one_in(6) ? "ROLLBACK" : "COMMIT");
  }

  void change_one() {
    const auto parent = some_row("p");
    switch (parent ? random_() % 8 : 0) {
      case 0:
      case 1:
      case 2: insert_parent(); break;
      case 3:
      case 4: insert_child(kChildren[random_() % kChildren.size()], *parent); break;
      case 5: {
        const std::string& table = kChildren[random_() % kChildren.size()];
        if (const auto row = some_row(table)) update(table, *row);
        break;
      }
      case 6: update("p", *parent); break;
      default: remove_or_turn(*parent);
    }
    note_numbers();
  }

  void insert_parent() {
    if (counter_ && one_in(2)) {
      std::string values;
      for (int count = 1 + static_cast<int>(random_() % 3); count > 0; --count)
        values += fmt::format("{}('{}:')", values.empty() ? "" : ", ", new_name());
      run("INSERT INTO p(a) VALUES " + values);
    } else {
      run(fmt::format("INSERT INTO p(id, a) VALUES({}, '{}:')", free_number("p"), new_name()));
    }
  }
  void insert_child(const std::string& table, const std::string& parent) {
    const std::string who = new_name();
    const std::string means = "substr(a, 1, instr(a, ':') - 1)";
    const std::string from = fmt::format("{}, '{}:' FROM p WHERE {}", means, who, parent);
    if (table == "c") {
      run(fmt::format("INSERT INTO c(id, p, means, a) SELECT {}, id, {}", free_number("c"), from));
    } else if (table == "line") {
      run(fmt::format("INSERT OR IGNORE INTO line(p, n, means, a) SELECT id, {}, {}", random_() % 3, from));
    } else if (table == "more") {
      run(fmt::format("INSERT OR IGNORE INTO more(id, means, a) SELECT id, {}", from));
    } else {
      run(fmt::format("INSERT INTO note(p, means, a) SELECT id, {}", from));
    }
  }
  void update(const std::string& table, const std::string& row) {
    run(fmt::format("UPDATE {} SET {} = substr(a, 1, instr(a, ':')) || {} WHERE {}", table,
                    one_in(2) ? "a" : "b", ++names_, row));
  }
  void remove_or_turn(const std::string& parent) {
    const auto child = some_row("c");
    if (child && one_in(2)) {
      run(fmt::format(
          "UPDATE c SET (p, means) = (SELECT id, substr(a, 1, instr(a, ':') - 1) FROM p WHERE {}) "
          "WHERE {}",
          parent, *child));
    } else if (child && one_in(2)) {
      remove("c", *child);
    } else if (one_in(2)) {
      remove("p", parent);
    }
  }
  void remove(const std::string& table, const std::string& row) {
    const auto deleted = connection_->exec(fmt::format("DELETE FROM {} WHERE {}", table, row));
    EXPECT_TRUE(deleted || deleted.error().code() == ErrorCode::kConstraint);
  }

  void merge(const std::string& source) {
    if (source == branch_) return;
    std::string renumber = one_in(2) ? " RENUMBER" : "";
    const bool decides = decides_ && one_in(3);
    if (decides) renumber += one_in(2) ? " STRATEGY ours" : " STRATEGY theirs";
    const std::string before = rows("SELECT id, a, b FROM p");
    const NamesByTable names_before = names();
    const auto merged = connection_->exec(fmt::format("MERGE BRANCH {}{}", source, renumber));
    if (merged) {
      ++counts_.clean;
      decided_ = decided_ || decides;
      took_sides_ = took_sides_ || (decides && !(two_ && renumber.starts_with(" RENUMBER")));
      for (auto& [table, used] : used_[source]) used_[branch_][table].insert(used.begin(), used.end());
      note_numbers();
    } else {
      EXPECT_EQ(merged.error().code(), ErrorCode::kMergeConflict) << failure_text(merged.error());
      ++counts_.refused;
      EXPECT_EQ(rows("SELECT id, a, b FROM p"), before);
    }
    const std::string what = fmt::format("{} into {}{}", source, branch_, renumber);
    verify(what);
    if (!merged) return;
    verify_rows(names_before, source, what);
    know_what(source);
  }

  void merge_in_transaction() {
    check_out(some_branch());
    const NamesByTable known_before = known_[branch_];
    run("BEGIN");
    if (one_in(2)) change_one();
    merge(some_branch());
    const bool undone = one_in(3);
    const NamesByTable known_at_savepoint = known_[branch_];
    if (undone) run("SAVEPOINT s");
    merge(some_branch());
    if (undone) {
      run("ROLLBACK TO s");
      known_[branch_] = known_at_savepoint;
    }
    if (one_in(2)) merge(some_branch());
    const bool is_lost = one_in(5);
    run(is_lost ? "ROLLBACK" : "COMMIT");
    if (is_lost) known_[branch_] = known_before;
    note_numbers();
    note_rows();
    verify("a transaction");
  }

  // What was decided about a parent says nothing of its children, and two lines of one order are one row for
  // who decides about them.
  void verify(const std::string& what) {
    for (const std::string table : {"p", "c", "line", "more", "note"}) {
      if (decided_ && (table == "line" || table == "note")) continue;
      EXPECT_EQ(rows(fmt::format("SELECT * FROM {} WHERE b IS NOT NULL AND "
                                 "substr(a, 1, instr(a, ':')) <> substr(b, 1, instr(b, ':'))",
                                 table)),
                "")
          << table << " on " << branch_ << " after " << what << ": two rows were mixed";
    }
    if (decided_) return;
    EXPECT_EQ(rows("SELECT substr(a, 1, instr(a, ':')), count(*) FROM p GROUP BY 1 HAVING count(*) > 1"), "")
        << branch_ << " after " << what << ": a row is there twice";
    for (const std::string& table : kChildren) {
      EXPECT_EQ(rows(fmt::format("SELECT t.*, p.a FROM {0} AS t JOIN p ON p.id = t.{1} "
                                 "WHERE substr(p.a, 1, instr(p.a, ':') - 1) <> t.means",
                                 table, table == "more" ? "id" : "p")),
                "")
          << table << " on " << branch_ << " after " << what << ": refers to another row";
    }
  }

  std::mt19937_64& random_;
  Counts& counts_;
  const bool counter_;
  const bool decides_;  // whether strategies may
  const bool two_;      // branches, that merge each other: there is always one version in common
  bool decided_ = false;
  bool took_sides_ = false;  // where two rows met under one number
  std::unique_ptr<io::Directory> disk_ = io::make_memory_directory();
  std::optional<Database> db_;
  std::optional<Connection> connection_;
  std::string branch_;
  std::map<std::string, std::map<std::string, std::set<std::int64_t>>> used_;
  // By branch: the rows that it has, and all that are, or were, in a version that it contains; the open
  // transaction's merges count for the latter.
  std::map<std::string, NamesByTable> there_;
  std::map<std::string, NamesByTable> known_;
  int names_ = 0;
};

TEST(MergeRenumbered, NoRowIsTakenForAnother) {
  Counts counts;
  testing::for_random_rounds(40, 20'000, [&](std::mt19937_64& random) {
    History history(random, counts);
    for (std::size_t steps = 10 + random() % 50; steps > 0 && !::testing::Test::HasFailure(); --steps)
      history.step();
  });
  if (::testing::Test::HasFailure()) return;
  EXPECT_GT(counts.clean, counts.refused / 4) << counts.refused << " refused";
}

// A change of x, picked, is counted from a version of x.
TEST(MergeRenumbered, WhatIsPickedFindsItsRow) {
  Database db = open_in_memory();
  Connection conn = db.connect().value();
  DOSQL_ASSERT_OK(
      conn.exec("CREATE TABLE p(id INTEGER PRIMARY KEY, name, n); CREATE BRANCH x; "
                "INSERT INTO p VALUES(5, 'a', 1); CHECKOUT x; INSERT INTO p VALUES(5, 'b', 1); "
                "CHECKOUT main; MERGE BRANCH x RENUMBER; CHECKOUT x; UPDATE p SET n = 2"));
  const auto log = conn.query("SELECT lsn_last FROM dosql_log LIMIT 1").value();
  DOSQL_ASSERT_OK(conn.checkout("main"));
  const auto picked = conn.cherry_pick(static_cast<std::uint64_t>(log[0][0].integer()));
  DOSQL_ASSERT_OK(picked);
  EXPECT_TRUE(picked->conflicts.empty());
  EXPECT_EQ(rows_text(conn, "SELECT * FROM p"), "5|a|1\n6|b|2");
}

}  // namespace
}  // namespace dosql::engine
