// Merges over random schemas. What a merge is to give is worked out without it: row by row by a merge of
// maps, whose result stock SQLite then takes or refuses; and where the sides have nothing to do with each
// other, by running on one branch what was run on both.

#include <array>
#include <map>
#include <random>

#include <fmt/format.h>

#include "engine/engine_test_support.h"
#include "engine/merge_model_test_support.h"
#include "engine/merge_test_support.h"
#include "engine/random_schema_test_support.h"
#include "testing/random_rounds.h"

namespace dosql::engine {
namespace {

using merge::Preference;

using Content = std::map<std::string, ModelRows>;  // by table

std::string difference(const Content& a, const Content& b) {
  for (const auto& [table, rows] : a) {
    ModelRows all = rows;
    const auto other = b.find(table);
    if (other == b.end()) return table + " is missing";
    all.insert(other->second.begin(), other->second.end());
    for (const auto& [key, unused] : all) {
      const auto text = [&, &of = key](const ModelRows& some) -> std::string {
        const auto row = some.find(of);
        return row == some.end() ? "no row" : fmt::format("({})", fmt::join(row->second, ", "));
      };
      if (text(rows) != text(other->second))
        return fmt::format("{} {}: {} against {}", table, key, text(rows), text(other->second));
    }
  }
  return "";
}

std::string conflicts_text(const std::vector<MergeConflict>& conflicts) {
  std::string text;
  for (const MergeConflict& one : conflicts)
    text += fmt::format("{} {} {} {} {} {}\n", one.kind, one.table, one.key, one.base, one.main, one.branch);
  return text;
}

std::string counts_text(const std::vector<TableMergeCounts>& tables) {
  std::string text;
  for (const TableMergeCounts& one : tables)
    text += fmt::format("{} {} {} {} {}\n", one.table, one.inserted, one.updated, one.deleted, one.conflicts);
  return text;
}

// Branches main and x that went different ways from branch base on.
class History {
 public:
  History(std::mt19937_64& random, Numbers of_main, Numbers of_x)
      : schema_(random), database_(open_in_memory()), connection_(database_.connect().value()) {
    run("PRAGMA synchronous = OFF");
    run(schema_.tables_text() + schema_.rest_text());
    run_all("main", schema_.first_rows());
    // No row changes its parity: what it refers to would keep another one.
    run_all("main", schema_.statements(Numbers::kEven, 12));
    run_all("main", schema_.statements(Numbers::kOdd, 12));
    run("CREATE BRANCH base; CREATE BRANCH x");
    main_statements = schema_.statements(of_main, 16);
    x_statements = schema_.statements(of_x, 16);
    run_all("main", main_statements);
    run_all("x", x_statements);
    base = content("base");
    main = content("main");
    x = content("x");
  }

  std::string copy_of(const std::string& branch) {
    std::string name = fmt::format("copy{}", ++copies_);
    run(fmt::format("CREATE BRANCH {} FROM {}", name, branch));
    return name;
  }
  void run(const std::string& sql) { DOSQL_EXPECT_OK(connection_.exec(sql)); }
  void run_all(const std::string& branch, const std::vector<std::string>& statements) {
    run_all_on(connection_, branch, statements);
  }

  Content content(const std::string& branch) {
    run("CHECKOUT " + branch);
    Content all;
    for (const RandomTable& table : schema_.tables()) {
      read(table.name, table.known_by(), all);
      if (connection_.query("SELECT 1 FROM sqlite_schema WHERE name = 'audit_" + table.name + "'")->size() >
          0)
        read("audit_" + table.name, "k", all);
    }
    return all;
  }

  MergeResult merge(const std::string& source, const std::string& target, const MergeOptions& options = {}) {
    run("CHECKOUT " + target);
    auto merged = connection_.merge(source, options);
    DOSQL_EXPECT_OK(merged);
    return merged ? *std::move(merged) : MergeResult{};
  }

  // None: they cannot be merged.
  std::optional<Content> model(Preference preference) {
    Content merged;
    for (const auto& [table, rows] : main) {
      ModelMerge one = merge_model_rows(base.at(table), rows, x.at(table), preference);
      if (one.conflicts > 0) return std::nullopt;
      merged[table] = std::move(one.rows);
    }
    return is_valid(merged) ? std::optional(std::move(merged)) : std::nullopt;
  }

  void check_integrity(const std::string& branch) {
    run("CHECKOUT " + branch);
    EXPECT_EQ(rows_text(connection_, "PRAGMA integrity_check"), "ok");
    EXPECT_EQ(rows_text(connection_, "PRAGMA foreign_key_check"), "");
  }

  Connection& connection() { return connection_; }
  const RandomSchema& schema() const { return schema_; }

  std::vector<std::string> main_statements;
  std::vector<std::string> x_statements;
  Content base;
  Content main;
  Content x;

 private:
  std::string columns_of(const std::string& table) {
    return rows_text(
        connection_,
        fmt::format("SELECT group_concat('quote(' || name || ')', ', ') FROM pragma_table_info('{}')",
                    table));
  }

  void read(const std::string& table, const std::string& known_by, Content& all) {
    ModelRows& rows = all[table];
    const auto found =
        connection_.query(fmt::format("SELECT {}, {} FROM {}", known_by, columns_of(table), table));
    DOSQL_ASSERT_OK(found);
    for (const Row& row : *found) {
      ModelCells cells;
      for (std::size_t i = 1; i < row.values().size(); ++i) cells.push_back(row[i].text());
      EXPECT_TRUE(rows.emplace(value_text(row[0]), std::move(cells)).second) << table << value_text(row[0]);
    }
  }

  // Whether stock SQLite has something against it.
  bool is_valid(const Content& content) {
    Stock stock(":memory:");
    stock.exec(schema_.tables_text());
    for (const auto& [table, rows] : content) {
      const std::string names =
          stock.rows_text(fmt::format("SELECT group_concat(name, ', ') FROM pragma_table_info('{}')", table));
      for (const auto& [key, cells] : rows) {
        const std::string sql =
            fmt::format("INSERT OR ABORT INTO {}({}) VALUES({})", table, names, fmt::join(cells, ", "));
        const int rc = stock.try_exec(sql);
        if (rc == SQLITE_CONSTRAINT) return false;
        EXPECT_EQ(rc, SQLITE_OK) << sql << sqlite3_errmsg(stock.db());
      }
    }
    return stock.rows_text("PRAGMA foreign_key_check").empty();
  }

  RandomSchema schema_;
  Database database_;
  Connection connection_;
  int copies_ = 0;
};

MergeOptions with(MergeStrategy strategy) {
  MergeOptions options;
  options.strategy = strategy;
  return options;
}

Preference preference_of(MergeStrategy strategy) {
  return strategy == MergeStrategy::kOurs     ? Preference::kOurs
         : strategy == MergeStrategy::kTheirs ? Preference::kTheirs
                                              : Preference::kNone;
}

template <class Check>
void for_histories(const Check& check, int count = 300) {
  testing::for_random_rounds(count, 60 * count, check);
}

TEST(MergeRandomSchema, IsTheMergeOfMapsThatSqliteTakes) {
  int clean = 0;
  int refused = 0;
  for_histories([&](std::mt19937_64& random) {
    History history(random, Numbers::kAll, Numbers::kAll);
    for (const MergeStrategy strategy :
         {MergeStrategy::kAuto, MergeStrategy::kOurs, MergeStrategy::kTheirs}) {
      SCOPED_TRACE(fmt::format("strategy {}", static_cast<int>(strategy)));
      const auto expected = history.model(preference_of(strategy));
      const std::string target = history.copy_of("main");
      MergeOptions dry = with(strategy);
      dry.dry_run = true;
      const MergeResult foretold = history.merge("x", target, dry);
      EXPECT_EQ(difference(history.content(target), history.main), "");
      const MergeResult merged = history.merge("x", target, with(strategy));
      EXPECT_EQ(conflicts_text(foretold.conflicts), conflicts_text(merged.conflicts));
      EXPECT_EQ(counts_text(foretold.tables), counts_text(merged.tables));
      EXPECT_EQ(merged.conflicts.empty(), expected.has_value()) << conflicts_text(merged.conflicts);
      EXPECT_EQ(difference(history.content(target), expected ? *expected : history.main), "");
      history.check_integrity(target);
      ++(expected ? clean : refused);
      if (::testing::Test::HasFailure()) return;
      if (!merged.conflicts.empty() || merged.fast_forward || merged.already_merged) continue;
      const Content after = history.content(target);
      for (const Content& then : {std::as_const(history.main), after}) {
        const auto undone = history.connection().revert(relative(0));
        DOSQL_ASSERT_OK(undone);
        EXPECT_EQ(conflicts_text(undone->conflicts), "");
        EXPECT_EQ(difference(history.content(target), then), "");
      }
      history.check_integrity(target);
    }
  });
  EXPECT_GT(clean, 0);
  EXPECT_GT(refused, 0);
}

TEST(MergeRandomSchema, DisjointChangesAreBothReplayed) {
  for_histories([](std::mt19937_64& random) {
    History history(random, Numbers::kEven, Numbers::kOdd);
    const std::string replayed = history.copy_of("base");
    history.run_all(replayed, history.main_statements);
    history.run_all(replayed, history.x_statements);
    const std::string target = history.copy_of("main");
    const MergeResult merged = history.merge("x", target);
    EXPECT_EQ(conflicts_text(merged.conflicts), "");
    EXPECT_EQ(difference(history.content(target), history.content(replayed)), "");
    history.check_integrity(target);
  });
}

// Of what is made aside for a while nothing is to be seen.
void expect_no_names_of_ours(Connection& connection, const std::vector<MergeConflict>& conflicts) {
  EXPECT_EQ(rows_text(connection,
                      "SELECT name, tbl_name, sql FROM sqlite_schema WHERE name || tbl_name || "
                      "ifnull(sql, '') LIKE '%dosql%'"),
            "");
  EXPECT_EQ(conflicts_text(conflicts).find("dosql"), std::string::npos) << conflicts_text(conflicts);
}

// Everything that SQL can see but the text of definitions, in an order that does not depend on rowids.
std::string all_text(Connection& connection) {
  std::string text =
      rows_text(connection, "SELECT type, name, tbl_name FROM sqlite_schema ORDER BY type, name");
  const auto tables = connection.query(
      "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') AND "
      "name NOT LIKE 'broken%' ORDER BY name");
  for (const Row& table : *tables) {
    const std::string columns = rows_text(
        connection,
        fmt::format("SELECT group_concat('quote(' || name || ')', ', ') FROM pragma_table_xinfo('{}')",
                    table[0].text()));
    text += fmt::format("\n{}: {}\n{}", table[0].text(), columns,
                        rows_text(connection, fmt::format("SELECT {} FROM {} ORDER BY {}", columns,
                                                          table[0].text(), columns)));
  }
  return text;
}

// The schema changes too: on the branch in every way, on main by what is added.
TEST(MergeRandomSchema, DisjointChangesOfSchemasAreBothReplayed) {
  for_histories([](std::mt19937_64& random) {
    History history(random, Numbers::kEven, Numbers::kOdd);
    const auto author = [&](const std::string& branch, Numbers numbers, bool is_main) {
      RandomSchema schema = history.schema();
      std::vector<std::string> done;
      history.run("CHECKOUT " + branch);
      for (std::size_t count = 3 + random() % 14; count > 0; --count) {
        if (random() % 3 != 0) {
          done.push_back(schema.any_statement(numbers));
          history.run_all(branch, {done.back()});
          continue;
        }
        auto change = schema.alter(is_main ? 'm' : 'x', !is_main);
        if (!history.connection().exec(change.sql)) continue;
        done.push_back(change.sql);
        schema.take(std::move(change.tables));
      }
      return done;
    };
    const auto on_main = author("main", Numbers::kEven, true);
    const auto on_x = author("x", Numbers::kOdd, false);
    const auto text_of = [&](const std::string& branch) {
      history.run("CHECKOUT " + branch);
      return all_text(history.connection());
    };
    const std::string replayed = history.copy_of("base");
    for (const auto& statements : {history.main_statements, on_main, history.x_statements, on_x})
      history.run_all(replayed, statements);
    const std::string target = history.copy_of("main");
    const std::string before = text_of(target);
    MergeOptions dry;
    dry.dry_run = true;
    const MergeResult foretold = history.merge("x", target, dry);
    EXPECT_EQ(text_of(target), before);
    const MergeResult merged = history.merge("x", target);
    EXPECT_EQ(counts_text(foretold.tables), counts_text(merged.tables));
    EXPECT_EQ(conflicts_text(merged.conflicts), "");
    const std::string after = text_of(target);
    EXPECT_EQ(after, text_of(replayed))
        << fmt::format("main: {}\nx: {}", fmt::join(on_main, "; "), fmt::join(on_x, "; "));
    history.check_integrity(target);
    if (merged.fast_forward || merged.already_merged || ::testing::Test::HasFailure()) return;
    // A REVERT is one step, in which a table with another name and other columns is another table, and a
    // column that gets its name back beside the one that has it by now is not known again.
    const bool renames = std::ranges::any_of(on_x, [](const std::string& sql) {
      return sql.find(" RENAME TO ") != std::string::npos || sql.find("; ALTER TABLE ") != std::string::npos;
    });
    if (renames) return;
    for (const std::string& then : {before, after}) {
      const auto undone = history.connection().revert(relative(0));
      DOSQL_ASSERT_OK(undone);
      EXPECT_EQ(conflicts_text(undone->conflicts), "");
      EXPECT_EQ(text_of(target), then);
      history.check_integrity(target);
    }
  });
}

// Whatever both did to rows and schemas: a merge says what is against it, or leaves a database that is whole,
// and a DRY RUN tells before which.
TEST(MergeRandomSchema, WhateverChangesTheDatabaseStaysWhole) {
  int merges = 0;
  int decided = 0;
  for_histories(
      [&](std::mt19937_64& random) {
        History history(random, Numbers::kAll, Numbers::kAll);
        std::string all;
        bool gives_name_of_dropped = false;
        for (const std::string branch : {"main", "x"}) {
          RandomSchema schema = history.schema();
          history.run("CHECKOUT " + branch);
          all += branch + ": ";
          for (std::size_t count = 1 + random() % 8; count > 0; --count) {
            if (random() % 8 == 0) {
              const std::string view = schema.broken_view(branch[0]);
              if (history.connection().exec(view)) all += view + "; ";
            }
            auto change = schema.alter(branch[0], true);
            if (!history.connection().exec(change.sql)) continue;
            all += change.sql + "; ";
            if (change.sql.find("; ALTER TABLE ") != std::string::npos) gives_name_of_dropped = true;
            schema.take(std::move(change.tables));
            const std::string sql = schema.any_statement(Numbers::kAll);
            if (history.connection().exec(sql)) all += sql + "; ";
          }
        }
        SCOPED_TRACE(all);
        for (const MergeStrategy strategy :
             {MergeStrategy::kAuto, MergeStrategy::kOurs, MergeStrategy::kTheirs}) {
          SCOPED_TRACE(fmt::format("strategy {}", static_cast<int>(strategy)));
          const std::string target = history.copy_of("main");
          history.run("CHECKOUT " + target);
          const std::string before = all_text(history.connection());
          MergeOptions options = with(strategy);
          options.renumber = random() % 2 == 0;
          MergeOptions dry = options;
          dry.dry_run = true;
          const auto foretold = history.connection().merge("x", dry);
          EXPECT_EQ(all_text(history.connection()), before);
          const auto merged = history.connection().merge("x", options);
          ASSERT_EQ(foretold.has_value(), merged.has_value());
          if (!merged) {
            const std::string& message = merged.error().message();
            EXPECT_EQ(foretold.error().message(), message);
            // Who takes a side takes it whole.
            const bool says_what =
                strategy != MergeStrategy::kAuto && message.find(" cannot be as ") != std::string::npos;
            EXPECT_TRUE(says_what) << message;
            EXPECT_EQ(all_text(history.connection()), before);
            continue;
          }
          EXPECT_EQ(conflicts_text(foretold->conflicts), conflicts_text(merged->conflicts));
          EXPECT_EQ(counts_text(foretold->tables), counts_text(merged->tables));
          expect_no_names_of_ours(history.connection(), merged->conflicts);
          if (merged->conflicts.empty()) {
            ++merges;
          } else {
            EXPECT_EQ(all_text(history.connection()), before);
          }
          const std::string after = all_text(history.connection());
          // Where SQLite cannot compile the schema before, nobody knows what the merge made useless.
          const bool compiles = all.find("VIEW broken") == std::string::npos;
          EXPECT_TRUE(!compiles || after.find("error: ") == std::string::npos) << after;
          history.check_integrity(target);
          if (::testing::Test::HasFailure()) return;
          // What cannot be compiled may be in conflict there; and where `ours` keeps a column whose name the
          // branch gave to another one, the commit does not say which of the two it is.
          const bool unclear = strategy == MergeStrategy::kOurs && gives_name_of_dropped;
          if (!merged->conflicts.empty() || !compiles || unclear) continue;
          // The branch has nothing that is not merged there: it becomes the same.
          const std::string back = history.copy_of("x");
          EXPECT_EQ(conflicts_text(history.merge(target, back).conflicts), "");
          EXPECT_EQ(all_text(history.connection()), after);
          history.check_integrity(back);
          if (::testing::Test::HasFailure()) return;
        }
        const std::string target = history.copy_of("main");
        history.run("CHECKOUT " + target);
        const std::string before = all_text(history.connection());
        auto merged = history.connection().merge("x", with(MergeStrategy::kManual));
        DOSQL_ASSERT_OK(merged);
        for (int tries = 0; tries < 9 && merged && !merged->conflicts.empty(); ++tries) {
          EXPECT_EQ(all_text(history.connection()), before);
          for (const MergeConflict& conflict : *history.connection().conflicts()) {
            const char* const sides[] = {"ours", "theirs"};
            DOSQL_ASSERT_OK(history.connection().exec(
                fmt::format("SELECT dosql_resolve_conflict({}, '{}')", conflict.id, sides[random() % 2])));
          }
          merged = history.connection().complete_merge();
          if (!merged) {
            const std::string& message = merged.error().message();
            const bool says_what = message.find(" cannot ") != std::string::npos ||
                                   message.find(" is not possible: ") != std::string::npos;
            EXPECT_TRUE(says_what) << message;
            EXPECT_EQ(all_text(history.connection()), before);
          }
        }
        if (merged) expect_no_names_of_ours(history.connection(), merged->conflicts);
        if (merged && merged->conflicts.empty()) ++decided;
        history.check_integrity(target);
      },
      100);
  EXPECT_GT(merges, 0);
  EXPECT_GT(decided, 0);
}

// Where the sides disagree about cells only, deciding each conflict is choosing the strategy.
TEST(MergeRandomSchema, DecidingAllConflictsIsAStrategy) {
  int decided = 0;
  for_histories([&](std::mt19937_64& random) {
    History history(random, Numbers::kAll, Numbers::kAll);
    for (const MergeStrategy strategy : {MergeStrategy::kOurs, MergeStrategy::kTheirs}) {
      const auto expected = history.model(preference_of(strategy));
      if (!expected) continue;
      const std::string target = history.copy_of("main");
      const MergeResult merged = history.merge("x", target, with(MergeStrategy::kManual));
      if (merged.conflicts.empty()) continue;
      const char* const side = strategy == MergeStrategy::kOurs ? "ours" : "theirs";
      bool done = false;
      for (int tries = 0; tries < 5 && !done; ++tries) {
        DOSQL_ASSERT_OK(history.connection().query(
            fmt::format("SELECT dosql_resolve_conflict(id, '{}') FROM dosql_conflicts", side)));
        const auto completed = history.connection().complete_merge();
        DOSQL_ASSERT_OK(completed);
        done = completed->conflicts.empty();
      }
      ASSERT_TRUE(done);
      EXPECT_EQ(difference(history.content(target), *expected), "")
          << side << conflicts_text(merged.conflicts);
      history.check_integrity(target);
      ++decided;
    }
  });
  EXPECT_GT(decided, 0);
}

}  // namespace
}  // namespace dosql::engine
