// Merges of branches that drop, add and rename columns and tables so that names go from one to another. In
// the model each table and each column has a number of its own, which is in every value of it: whatever is
// merged, values of two columns never meet in one, and where nothing is against a merge it is that of the
// model.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "engine/engine_test_support.h"
#include "testing/random_rounds.h"

namespace dosql::engine {
namespace {

using Cells = std::map<int, std::string>;  // by column; what is not there is NULL

struct ModelTable {
  std::string name;
  std::map<int, std::string> columns;  // names by their numbers; without the key
  std::map<int, Cells> rows;           // by key
};
using Model = std::map<int, ModelTable>;  // by number

std::string cell(const Cells& row, int column) {
  const auto found = row.find(column);
  return found == row.end() ? "NULL" : found->second;
}

std::optional<int> find_name(const std::map<int, std::string>& names, const std::string& name) {
  const auto found = std::ranges::find_if(names, [&](const auto& one) { return one.second == name; });
  return found == names.end() ? std::nullopt : std::optional(found->first);
}

std::string text_of(const Model& model) {
  std::map<std::string, std::string> tables;
  for (const auto& [number, table] : model) {
    std::map<std::string, int> columns;
    for (const auto& [column, name] : table.columns) columns[name] = column;
    std::string& text = tables[table.name];
    for (const auto& [name, column] : columns) text += " " + name;
    for (const auto& [key, row] : table.rows) {
      text += fmt::format("\n  {}", key);
      for (const auto& [name, column] : columns) text += "|" + cell(row, column);
    }
  }
  std::string text;
  for (const auto& [name, rows] : tables) text += name + ":" + rows + "\n";
  return text;
}

// One branch, and its model.
struct Author {
  std::string branch;
  Model model;
  int parity = 0;        // of the keys that it inserts
  std::string log = {};  // what it has done since
};

enum class Outcome { kMerged, kSchemaConflict, kRowConflict };

class ModelMerge {
 public:
  ModelMerge(const Model& base, const Model& ours, const Model& theirs)
      : base_(base), ours_(ours), theirs_(theirs) {}

  Outcome run() {
    std::set<std::string> table_names;
    for (const auto& [number, base] : base_) {
      const ModelTable& ours = ours_.at(number);
      const ModelTable& theirs = theirs_.at(number);
      ModelTable& table = merged[number];
      table.name = merge_name(base.name, ours.name, theirs.name);
      if (!table_names.insert(table.name).second) schema_conflict_ = true;
      merge_columns(base, ours, theirs, table);
      merge_rows(base, ours, theirs, table);
    }
    if (schema_conflict_) return Outcome::kSchemaConflict;
    return row_conflict_ ? Outcome::kRowConflict : Outcome::kMerged;
  }

  Model merged;
  std::map<int, int> became;  // columns that both added: theirs, and ours

 private:
  std::string merge_name(const std::string& base, const std::string& ours, const std::string& theirs) {
    if (ours == theirs || theirs == base) return ours;
    if (ours != base) schema_conflict_ = true;
    return theirs;
  }

  void merge_columns(const ModelTable& base, const ModelTable& ours, const ModelTable& theirs,
                     ModelTable& table) {
    for (const auto& [column, name] : base.columns) {
      const auto here = ours.columns.find(column);
      const auto there = theirs.columns.find(column);
      const bool is_here = here != ours.columns.end();
      const bool is_there = there != theirs.columns.end();
      if (is_here && is_there) {
        table.columns[column] = merge_name(name, here->second, there->second);
      } else if ((is_here && here->second != name) || (is_there && there->second != name)) {
        schema_conflict_ = true;
      }
    }
    for (const auto& [column, name] : ours.columns) {
      if (!base.columns.contains(column)) table.columns[column] = name;
    }
    for (const auto& [column, name] : theirs.columns) {
      if (base.columns.contains(column) || table.columns.contains(column)) continue;
      const auto same = find_name(ours.columns, name);
      if (same && !base.columns.contains(*same) && !theirs.columns.contains(*same)) {
        became[column] = *same;
      } else {
        table.columns[column] = name;
      }
    }
    std::set<std::string> names;
    for (const auto& [column, name] : table.columns) {
      if (!names.insert(name).second) schema_conflict_ = true;
    }
  }

  void merge_rows(const ModelTable& base, const ModelTable& ours, const ModelTable& theirs,
                  ModelTable& table) {
    const auto row_of = [](const ModelTable& side, int key) {
      const auto found = side.rows.find(key);
      return found == side.rows.end() ? std::nullopt : std::optional(found->second);
    };
    std::set<int> keys;
    for (const ModelTable* side : {&base, &ours, &theirs}) {
      for (const auto& [key, row] : side->rows) keys.insert(key);
    }
    for (const int key : keys) {
      const auto before = row_of(base, key);
      const auto here = row_of(ours, key);
      auto there = row_of(theirs, key);
      if (there) {
        for (const auto& [column, same] : became) {
          const auto value = there->find(column);
          if (value != there->end()) (*there)[same] = value->second;
        }
      }
      bool we_changed = false;
      bool they_changed = false;
      Cells row;
      for (const auto& [column, name] : table.columns) {
        const std::string old = before ? cell(*before, column) : "NULL";
        const std::string ours_now = here ? cell(*here, column) : old;
        const bool theirs_has =
            theirs.columns.contains(column) ||
            std::ranges::any_of(became, [&](const auto& one) { return one.second == column; });
        const std::string theirs_now = there && theirs_has ? cell(*there, column) : old;
        we_changed = we_changed || ours_now != old;
        they_changed = they_changed || theirs_now != old;
        const bool clash = ours_now != old && theirs_now != old && ours_now != theirs_now;
        if (clash && here && there && before) row_conflict_ = true;
        const std::string& value = theirs_now != old ? theirs_now : ours_now;
        if (value != "NULL") row[column] = value;
      }
      if (before && !here && there && they_changed) row_conflict_ = true;
      if (before && here && !there && we_changed) row_conflict_ = true;
      const bool stays = before ? here && there : here || there;
      if (stays) table.rows[key] = std::move(row);
    }
  }

  const Model& base_;
  const Model& ours_;
  const Model& theirs_;
  bool schema_conflict_ = false;
  bool row_conflict_ = false;
};

class Identities {
 public:
  explicit Identities(std::mt19937_64& random)
      : random_(random), database_(open_in_memory()), connection_(database_.connect().value()) {
    run("PRAGMA synchronous = OFF");
    Model model;
    for (const char* const name : {"p", "q", "r"}) {
      ModelTable table{.name = name, .columns = {}, .rows = {}};
      std::string sql = fmt::format("CREATE TABLE {}(id INTEGER PRIMARY KEY", name);
      for (const char* const column : {"a", "b", "c"}) {
        table.columns[++last_number_] = column;
        sql += fmt::format(", {}", column);
      }
      run(sql + ")");
      model[++last_number_] = std::move(table);
    }
    Author everyone{.branch = "main", .model = std::move(model)};
    for (int key = 0; key < 12; ++key) insert(everyone, key % 3, key);
    main = x = everyone;
    base_ = everyone.model;
    main.log = x.log = "";
    x.branch = "x";
    x.parity = 1;
    run("CREATE BRANCH x");
  }

  void evolve(Author& author) {
    run("CHECKOUT " + author.branch);
    author.log = "";
    for (std::uint64_t count = below(7); count > 0; --count) step(author);
  }

  // False: there are conflicts, and what follows would have to be decided.
  bool merge(Author& target, Author& source) {
    ModelMerge expected(base_, target.model, source.model);
    const Outcome outcome = expected.run();
    SCOPED_TRACE(fmt::format("{} into {}\n{}: {}\n{}: {}", source.branch, target.branch, target.branch,
                             target.log, source.branch, source.log));
    if (outcome == Outcome::kSchemaConflict) {
      for (const MergeStrategy strategy : {MergeStrategy::kOurs, MergeStrategy::kTheirs})
        merge_decided(target, source, strategy);
    }
    run("CHECKOUT " + target.branch);
    if (getenv("LOUD")) fmt::print(stderr, "CHECKOUT {}; MERGE BRANCH {};\n", target.branch, source.branch);
    MergeOptions dry;
    dry.dry_run = true;
    const auto foretold = connection_.merge(source.branch, dry);
    DOSQL_EXPECT_OK(foretold);
    EXPECT_EQ(content().text, text_of(target.model));
    const auto merged = connection_.merge(source.branch);
    DOSQL_EXPECT_OK(merged);
    if (!merged || !foretold) return false;
    EXPECT_EQ(foretold->conflicts.size(), merged->conflicts.size());
    std::string said;
    const bool about_schema = std::ranges::any_of(
        merged->conflicts, [](const MergeConflict& conflict) { return conflict.kind == "schema"; });
    for (const MergeConflict& one : merged->conflicts)
      said +=
          fmt::format("{} {} {} {} {} {}\n", one.kind, one.table, one.key, one.base, one.main, one.branch);
    EXPECT_EQ(about_schema, outcome == Outcome::kSchemaConflict) << said;
    EXPECT_EQ(merged->conflicts.empty(), outcome == Outcome::kMerged) << said;
    ++outcomes[outcome];
    if (outcome != Outcome::kMerged || !merged->conflicts.empty()) return false;
    EXPECT_EQ(content().text, text_of(expected.merged));
    EXPECT_EQ(rows_text(connection_, "SELECT sql FROM sqlite_schema WHERE sql LIKE '%dosql%'"), "");
    EXPECT_EQ(rows_text(connection_, "PRAGMA integrity_check"), "ok");
    target.model = std::move(expected.merged);
    for (const auto& [theirs, ours] : expected.became) rename_column(source, theirs, ours);
    base_ = source.model;
    return true;
  }

  std::map<Outcome, int> outcomes;
  Author main;
  Author x;

 private:
  struct Content {
    std::string text;
    std::map<std::string, std::map<std::string, std::set<std::string>>> owners;  // by table, by column
  };

  std::uint64_t below(std::uint64_t bound) { return random_() % bound; }
  void run(const std::string& sql) { DOSQL_EXPECT_OK(connection_.exec(sql)); }
  // One statement is one commit.
  void run(Author& author, const std::string& sql) {
    author.log += sql + "; ";
    if (getenv("LOUD")) fmt::print(stderr, "{}: {};\n", author.branch, sql);
    run(sql);
  }

  // What both added is one column from now on.
  void rename_column(Author& author, int from, int to) {
    became_[fmt::format(".{}", from)] = fmt::format(".{}", to);
    for (auto& [number, table] : author.model) {
      const auto column = table.columns.extract(from);
      if (column.empty()) continue;
      table.columns[to] = column.mapped();
      for (auto& [key, row] : table.rows) {
        const auto value = row.extract(from);
        if (!value.empty()) row[to] = value.mapped();
      }
    }
  }

  template <class Map>
  auto& any(Map& map) {
    return *std::next(map.begin(), static_cast<std::ptrdiff_t>(below(map.size())));
  }

  std::string value(int table, int column) { return fmt::format("{}.{}.{}", table, column, ++last_value_); }

  void insert(Author& author, std::uint64_t which, int key) {
    auto& [number, table] = *std::next(author.model.begin(), static_cast<std::ptrdiff_t>(which));
    std::string names = "id";
    std::string values = std::to_string(key);
    Cells& row = table.rows[key];
    for (const auto& [column, name] : table.columns) {
      row[column] = value(number, column);
      names += ", " + name;
      values += fmt::format(", '{}'", row[column]);
    }
    run(author, fmt::format("INSERT INTO {}({}) VALUES ({})", table.name, names, values));
  }

  std::string free_name(const std::set<std::string>& taken, const std::vector<std::string>& pool) {
    std::vector<std::string> left;
    std::ranges::copy_if(pool, std::back_inserter(left),
                         [&](const auto& name) { return !taken.contains(name); });
    return left.empty() ? "" : left[below(left.size())];
  }
  std::string free_column(const ModelTable& table) {
    std::set<std::string> taken;
    for (const auto& [column, name] : table.columns) taken.insert(name);
    return free_name(taken, {"a", "b", "c", "d", "e"});
  }

  void add_column(Author& author, int number, const std::string& name) {
    ModelTable& table = author.model[number];
    run(author, fmt::format("ALTER TABLE {} ADD COLUMN {}", table.name, name));
    const int column = ++last_number_;
    table.columns[column] = name;
    for (auto& [key, row] : table.rows) {
      if (below(2) == 0) set(author, number, key, column);
    }
  }

  void set(Author& author, int number, int key, int column) {
    ModelTable& table = author.model[number];
    const std::string now = value(number, column);
    table.rows[key][column] = now;
    run(author,
        fmt::format("UPDATE {} SET {} = '{}' WHERE id = {}", table.name, table.columns[column], now, key));
  }

  void drop_column(Author& author, ModelTable& table, int column) {
    run(author, fmt::format("ALTER TABLE {} DROP COLUMN {}", table.name, table.columns[column]));
    table.columns.erase(column);
    for (auto& [key, row] : table.rows) row.erase(column);
  }

  void give_name_of_dropped(Author& author, ModelTable& table) {
    if (table.columns.size() < 2) return;
    const int gone = any(table.columns).first;
    const std::string name = table.columns[gone];
    drop_column(author, table, gone);
    std::string& renamed = any(table.columns).second;
    run(author, fmt::format("ALTER TABLE {} RENAME COLUMN {} TO {}", table.name, renamed, name));
    renamed = name;
  }

  // With a third name for a while; now and then in one transaction.
  void exchange_tables(Author& author, ModelTable& one, ModelTable& other) {
    const bool at_once = below(3) == 0;
    const auto rename = [&](const std::string& from, const std::string& to) {
      return fmt::format("ALTER TABLE {} RENAME TO {}", from, to);
    };
    const std::array steps = {rename(one.name, "z"), rename(other.name, one.name), rename("z", other.name)};
    if (at_once) run(author, "BEGIN");
    for (const std::string& step : steps) run(author, step);
    if (at_once) run(author, "COMMIT");
    std::swap(one.name, other.name);
  }

  void step(Author& author) {
    auto& [number, table] = any(author.model);
    const bool has_columns = !table.columns.empty();
    const bool has_rows = !table.rows.empty();
    const auto column = [&, &of = table] { return any(of.columns).first; };
    switch (below(13)) {
      case 0:
      case 1:
        last_key_ += 2;
        return insert(
            author,
            static_cast<std::uint64_t>(std::distance(author.model.begin(), author.model.find(number))),
            last_key_ + author.parity);
      case 2: {
        if (!has_rows || below(3) != 0) return;
        const int key = any(table.rows).first;
        run(author, fmt::format("DELETE FROM {} WHERE id = {}", table.name, key));
        table.rows.erase(key);
        return;
      }
      case 3: {
        const std::string name = free_column(table);
        if (!name.empty()) add_column(author, number, name);
        return;
      }
      case 4:
        if (has_columns) drop_column(author, table, column());
        return;
      case 5:
      case 6: {
        // The same name again.
        if (!has_columns) return;
        const int gone = column();
        const std::string name = table.columns[gone];
        drop_column(author, table, gone);
        return add_column(author, number, name);
      }
      case 7: {
        // Another one's former name.
        const std::string name = free_column(table);
        if (!has_columns || name.empty()) return;
        std::string& renamed = table.columns[column()];
        const std::string former = std::exchange(renamed, name);
        run(author, fmt::format("ALTER TABLE {} RENAME COLUMN {} TO {}", table.name, former, name));
        if (below(2) == 0) add_column(author, number, former);
        return;
      }
      case 8: {
        std::set<std::string> taken;
        for (const auto& [other, of] : author.model) taken.insert(of.name);
        const std::string name = free_name(taken, {"p", "q", "r", "s"});
        run(author, fmt::format("ALTER TABLE {} RENAME TO {}", table.name, name));
        table.name = name;
        return;
      }
      case 9: {
        ModelTable& other = any(author.model).second;
        if (&other != &table) exchange_tables(author, table, other);
        return;
      }
      case 10: return give_name_of_dropped(author, table);
      default:
        if (has_columns && has_rows) set(author, number, any(table.rows).first, column());
    }
  }

  Content content() {
    Content all;
    const auto tables =
        connection_.query("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name");
    for (const Row& table : *tables) {
      const std::string name(table[0].text());
      const auto columns = connection_.query(
          fmt::format("SELECT name FROM pragma_table_info('{}') WHERE pk = 0 ORDER BY name", name));
      std::string names = "id";
      all.text += name + ":";
      for (const Row& column : *columns) {
        names += fmt::format(", {}", column[0].text());
        all.text += fmt::format(" {}", column[0].text());
      }
      const auto rows = connection_.query(fmt::format("SELECT {} FROM {} ORDER BY id", names, name));
      for (const Row& row : *rows) {
        all.text += fmt::format("\n  {}", row[0].integer());
        for (std::size_t i = 1; i < row.values().size(); ++i) {
          const std::string text = value_text(row[i]);
          all.text += "|" + text;
          if (row[i].type() == Value::Type::kText)
            all.owners[name][std::string((*columns)[i - 1][0].text())].insert(
                text.substr(0, text.rfind('.')));
        }
      }
      all.text += "\n";
    }
    return all;
  }

  // Whatever is decided: values of one column are in a column of their own.
  void merge_decided(const Author& target, const Author& source, MergeStrategy strategy) {
    SCOPED_TRACE(strategy == MergeStrategy::kOurs ? "ours" : "theirs");
    const std::string copy = fmt::format("copy{}", ++copies_);
    run(fmt::format("CREATE BRANCH {} FROM {}", copy, target.branch));
    run("CHECKOUT " + copy);
    const std::string before = content().text;
    MergeOptions options;
    options.strategy = strategy;
    const auto merged = connection_.merge(source.branch, options);
    if (!merged) {
      EXPECT_NE(merged.error().message().find(" cannot "), std::string::npos) << merged.error().message();
      EXPECT_EQ(content().text, before);
      return;
    }
    EXPECT_EQ(rows_text(connection_, "PRAGMA integrity_check"), "ok");
    const Content after = content();
    std::set<std::string> old;
    for (const auto& [number, table] : base_) {
      for (const auto& [column, name] : table.columns) old.insert(fmt::format(".{}", column));
    }
    for (const auto& [table, columns] : after.owners) {
      std::set<std::string> tables;
      for (const auto& [column, values] : columns) {
        std::set<std::string> owners;
        for (const std::string& owner : values) {
          const std::size_t dot = owner.find('.');
          tables.insert(owner.substr(0, dot));
          std::string number = owner.substr(dot);
          for (auto now = became_.find(number); now != became_.end(); now = became_.find(number))
            number = now->second;
          owners.insert(number);
        }
        // But one that both added.
        const bool is_old = std::ranges::any_of(owners, [&](const auto& one) { return old.contains(one); });
        EXPECT_LE(owners.size(), is_old ? 1U : 2U) << table << "." << column << "\n" << after.text;
      }
      EXPECT_LE(tables.size(), 1U) << table << "\n" << after.text;
    }
  }

  std::mt19937_64& random_;
  Database database_;
  Connection connection_;
  Model base_;  // the version that both have in common
  std::map<std::string, std::string> became_;
  int last_number_ = 0;
  int last_value_ = 0;
  int last_key_ = 100;
  int copies_ = 0;
};

// A commit that filled a column is no way into another one of its name; nor is the one that added it.
TEST(MergeIdentity, WhatIsPickedIsNotPutIntoAnotherColumn) {
  Database database = open_in_memory();
  Connection connection = database.connect().value();
  const auto commit = [&](const std::string& sql) {
    DOSQL_EXPECT_OK(connection.exec(sql));
    const auto log = connection.query("SELECT max(lsn_last) FROM dosql_log");
    return static_cast<std::uint64_t>((*log)[0][0].integer());
  };
  DOSQL_ASSERT_OK(
      connection.exec("CREATE TABLE t(id INTEGER PRIMARY KEY, a, b);"
                      "INSERT INTO t VALUES (1, 'a', 'old');"
                      "CREATE BRANCH x; CHECKOUT x; ALTER TABLE t DROP COLUMN b"));
  const std::uint64_t adds = commit("ALTER TABLE t ADD COLUMN b");
  const std::uint64_t fills = commit("UPDATE t SET a = 'x', b = 'new'");
  DOSQL_ASSERT_OK(connection.exec("CHECKOUT main"));
  const auto added = connection.cherry_pick(adds);
  DOSQL_ASSERT_OK(added);
  ASSERT_EQ(added->conflicts.size(), 1U);
  EXPECT_EQ(added->conflicts[0].kind, "schema");
  const auto filled = connection.cherry_pick(fills);
  DOSQL_ASSERT_OK(filled);
  EXPECT_TRUE(filled->conflicts.empty());
  EXPECT_EQ(rows_text(connection, "SELECT * FROM t"), "1|x|old");
}

// A column that was undone and picked again is the column that it was.
TEST(MergeIdentity, AColumnThatIsPickedAgainKeepsWhatOthersPutIntoIt) {
  for (const bool there_before : {false, true}) {
    Database database = open_in_memory();
    Connection connection = database.connect().value();
    const auto run = [&](const std::string& sql) { DOSQL_EXPECT_OK(connection.exec(sql)); };
    run("CREATE TABLE t(id INTEGER PRIMARY KEY, a); INSERT INTO t VALUES (1, 'a')");
    run(there_before ? "ALTER TABLE t ADD COLUMN c"
                     : "CREATE BRANCH b; CHECKOUT b; ALTER TABLE t ADD COLUMN c");
    const auto log = connection.query("SELECT max(lsn_last) FROM dosql_log");
    const auto adds = static_cast<std::uint64_t>((*log)[0][0].integer());
    run(there_before ? "CREATE BRANCH b" : "CHECKOUT main; INSERT INTO t VALUES(2, 'm'); MERGE BRANCH b");
    run("CHECKOUT b; UPDATE t SET c = 'precious'; CHECKOUT main");
    DOSQL_ASSERT_OK(connection.revert(relative(0)));
    EXPECT_EQ(rows_text(connection, "SELECT count(*) FROM pragma_table_info('t')"), "2");
    DOSQL_ASSERT_OK(connection.cherry_pick(adds));
    const auto merged = connection.merge("b");
    DOSQL_ASSERT_OK(merged);
    EXPECT_TRUE(merged->conflicts.empty());
    EXPECT_EQ(rows_text(connection, "SELECT * FROM t WHERE id = 1"), "1|a|precious");
  }
}

// One that another branch's commit brings is none that has gone here, though it has its name.
TEST(MergeIdentity, AColumnThatIsPickedFromElsewhereIsAnotherOne) {
  Database database = open_in_memory();
  Connection connection = database.connect().value();
  const auto run = [&](const std::string& sql) { DOSQL_EXPECT_OK(connection.exec(sql)); };
  run("CREATE TABLE t(id INTEGER PRIMARY KEY, a); INSERT INTO t VALUES (1, 'a'); CREATE BRANCH other;");
  run("ALTER TABLE t ADD COLUMN c; CREATE BRANCH b; CHECKOUT b; UPDATE t SET c = 'of the first';");
  run("CHECKOUT other; ALTER TABLE t ADD COLUMN c");
  const auto log = connection.query("SELECT max(lsn_last) FROM dosql_log");
  const auto adds = static_cast<std::uint64_t>((*log)[0][0].integer());
  run("CHECKOUT main; ALTER TABLE t DROP COLUMN c");
  DOSQL_ASSERT_OK(connection.cherry_pick(adds));
  DOSQL_ASSERT_OK(connection.merge("b"));
  EXPECT_EQ(rows_text(connection, "SELECT c FROM t"), "NULL");
}

TEST(MergeRandomIdentity, ValuesFollowTheirColumnAndRowsTheirTable) {
  std::map<Outcome, int> outcomes;
  testing::for_random_rounds(120, 60 * 45, [&](std::mt19937_64& random) {
    Identities identities(random);
    for (bool goes_on = true; goes_on && !::testing::Test::HasFailure();) {
      identities.evolve(identities.main);
      identities.evolve(identities.x);
      const bool into_main = random() % 2 == 0;
      goes_on = into_main ? identities.merge(identities.main, identities.x)
                          : identities.merge(identities.x, identities.main);
      goes_on = goes_on && random() % 6 != 0;
    }
    for (const auto& [outcome, count] : identities.outcomes) outcomes[outcome] += count;
  });
  for (const Outcome outcome : {Outcome::kMerged, Outcome::kSchemaConflict, Outcome::kRowConflict})
    EXPECT_GT(outcomes[outcome], 0) << static_cast<int>(outcome);
}

}  // namespace
}  // namespace dosql::engine
