// Two branches that merge older versions of each other, again and again, and each time change the schema in
// between, of other tables. What then only one of them does is done by a merge, in either direction,
// whichever of the versions in common had made what it is done to.

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "engine/engine_test_support.h"
#include "testing/random_rounds.h"

namespace dosql::engine {
namespace {

class Crossing {
 public:
  explicit Crossing(std::mt19937_64& random)
      : random_(random), database_(open_in_memory()), connection_(database_.connect().value()) {
    run("PRAGMA synchronous = OFF; CREATE TABLE log(id INTEGER PRIMARY KEY)");
    for (int i = 0; i < 6; ++i) change();
    run("CREATE BRANCH a; CREATE BRANCH b");
  }

  // Tables whose number is of that parity; -1: all.
  void change(const std::string& branch, int parity) {
    run("CHECKOUT " + branch);
    parity_ = parity;
    for (std::size_t i = 1 + pick(4); i > 0; --i) change();
  }

  std::string copy_of(const std::string& branch) {
    std::string name = fmt::format("copy{}", ++names_);
    run(fmt::format("CREATE BRANCH {} FROM {}", name, branch));
    return name;
  }

  void merge(const std::string& source, const std::string& target) {
    run("CHECKOUT " + target + "; MERGE BRANCH " + source);
  }

  void run(const std::string& sql) {
    done_ += sql + ";\n";
    const auto ran = connection_.exec(sql);
    EXPECT_TRUE(ran.has_value()) << done_ << failure_text(ran.error());
  }

  // Definitions are worded otherwise where something was made anew.
  std::string schema_of(const std::string& branch) {
    run("CHECKOUT " + branch);
    return rows_text(connection_,
                     "SELECT s.type, s.name, s.tbl_name, (SELECT group_concat(name) FROM (SELECT name FROM "
                     "pragma_table_info(s.name) ORDER BY name)) FROM sqlite_schema s WHERE sql IS NOT NULL "
                     "ORDER BY 1, 2");
  }

  const std::string& done() const { return done_; }

 private:
  std::size_t pick(std::size_t count) { return random_() % count; }

  // Empty: there is none.
  std::string any(const std::string& what, const std::string& from) {
    const auto found = connection_.query(fmt::format("SELECT {} FROM {}", what, from));
    EXPECT_TRUE(found.has_value());
    return !found || found->empty() ? "" : value_text((*found)[pick(found->size())][0]);
  }
  std::string any_thing(const std::string& type) {
    const std::string own = parity_ < 0 ? "" : fmt::format(" AND substr(tbl_name, 2) % 2 = {}", parity_);
    return any("name", fmt::format("sqlite_schema WHERE type = '{}' AND name <> 'log'{}", type, own));
  }
  std::string new_name(char kind, int parity) {
    ++names_;
    if (parity >= 0 && names_ % 2 != parity) ++names_;
    return fmt::format("{}{}", kind, names_);
  }

  void change() {
    const std::string table = any_thing("table");
    if (table.empty() || pick(8) == 0) {
      const std::string name = new_name('t', parity_);
      return run(
          fmt::format("CREATE TABLE {0}(id INTEGER PRIMARY KEY, a); INSERT INTO {0}(a) VALUES(1)", name));
    }
    const std::string column =
        any("name", fmt::format("pragma_table_info('{}') WHERE name NOT IN ('id', 'a')", table));
    switch (pick(10)) {
      case 0: return run("DROP TABLE " + table);
      case 1: return run(fmt::format("ALTER TABLE {} RENAME TO {}", table, new_name('t', parity_of(table))));
      case 2:
      case 3: return run(fmt::format("ALTER TABLE {} ADD COLUMN {}", table, new_name('c', -1)));
      case 4: return run(fmt::format("CREATE INDEX {} ON {}(a)", new_name('i', -1), table));
      case 5: {
        const std::string trigger = new_name('g', -1);
        return run(fmt::format("CREATE TRIGGER {} AFTER DELETE ON {} BEGIN SELECT 1; END", trigger, table));
      }
      case 6: {
        const std::string index = any_thing("index");
        return index.empty() ? void() : run("DROP INDEX " + index);
      }
      case 7: {
        const std::string trigger = any_thing("trigger");
        return trigger.empty() ? void() : run("DROP TRIGGER " + trigger);
      }
      case 8:
        return column.empty() ? void() : run(fmt::format("ALTER TABLE {} DROP COLUMN {}", table, column));
      default:
        if (column.empty()) return;
        return run(fmt::format("ALTER TABLE {} RENAME COLUMN {} TO {}", table, column, new_name('c', -1)));
    }
  }

  static int parity_of(const std::string& table) { return (table.back() - '0') % 2; }

  std::mt19937_64& random_;
  Database database_;
  Connection connection_;
  int names_ = 0;
  int parity_ = -1;
  std::string done_;
};

TEST(MergeRandomBasesTest, WhatOneSideDoesToTheSchemaIsDone) {
  testing::for_random_rounds(8, 600, [](std::mt19937_64& random) {
    Crossing both(random);
    for (std::size_t crossings = 1 + random() % 3; crossings > 0; --crossings) {
      both.change("a", 0);
      both.change("b", 1);
      const std::string a_then = both.copy_of("a");
      const std::string b_then = both.copy_of("b");
      both.merge(a_then, "b");
      both.merge(b_then, "a");
      ASSERT_EQ(both.schema_of("a"), both.schema_of("b")) << both.done();
    }
    both.change("a", -1);
    both.run("CHECKOUT b; INSERT INTO log VALUES(1)");
    const std::string a_copy = both.copy_of("a");
    const std::string wanted = both.schema_of("a");
    both.merge("b", a_copy);
    both.merge("a", "b");
    EXPECT_EQ(both.schema_of(a_copy), wanted) << both.done();
    EXPECT_EQ(both.schema_of("b"), wanted) << both.done();
  });
}

}  // namespace
}  // namespace dosql::engine
