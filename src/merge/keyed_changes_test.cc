#include "merge/keyed_changes.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>

#include "diff/diff_test_support.h"
#include "diff/schema.h"
#include "testing/run_length.h"

namespace dosql::merge {
namespace {

using diff::Field;
using diff::HistoryVersion;
using diff::SqliteHistory;

// Key and value of each row, as text; rows by key.
using Table = std::map<std::string, std::string>;

Table rows_of(SqliteHistory& history, const char* sql) {
  Table table;
  sqlite3_stmt* statement = nullptr;
  sqlite3_prepare_v2(history.sqlite().db(), sql, -1, &statement, nullptr);
  while (sqlite3_step(statement) == SQLITE_ROW)
    table[diff::column_text(statement, 0)] = diff::column_text(statement, 1);
  sqlite3_finalize(statement);
  return table;
}

// The changes of t(k, v) between two versions, by k, as they turn one table into the other.
class Changed {
 public:
  Changed(SqliteHistory& history, const HistoryVersion& base, const HistoryVersion& theirs,
          const diff::Collation& collation)
      : base_(history.store()), theirs_(history.store()) {
    base_.pin(base.point);
    theirs_.pin(theirs.point);
    pages_ = std::make_unique<diff::PageChanges>(
        diff::PageChanges::between(history.store(), base_, theirs_).value());
    const diff::TablePlace place{.root_before = root(base_), .root_after = root(theirs_)};
    const auto source = [this, place]() -> Result<std::vector<diff::TableDiff>> {
      std::vector<diff::TableDiff> diffs;
      DOSQL_ASSIGN_OR_RETURN(diff::TableDiff diff, diff::TableDiff::open(base_, theirs_, *pages_, place));
      diffs.push_back(std::move(diff));
      return diffs;
    };
    const std::vector<diff::StoredColumn> columns{{.place = 0}, {.place = 1}};
    changes_ =
        std::make_unique<KeyedChanges>(KeyedChanges::open(source, {.base = columns, .theirs = columns},
                                                          {{.column = 0, .order = {.collation = collation}}})
                                           .value());
  }
  bool next(KeyedChange& change) { return changes_->next(change).value(); }

 private:
  static PageNo root(version::Reader& reader) {
    const auto schema = diff::read_schema(reader).value();
    const diff::SchemaEntry* const entry = diff::find_table(schema, "t");
    return entry == nullptr ? PageNo{} : entry->root;
  }

  version::Reader base_;
  version::Reader theirs_;
  std::unique_ptr<diff::PageChanges> pages_;
  std::unique_ptr<KeyedChanges> changes_;
};

TEST(KeyedChanges, ReplacedRowIsOneThatChanged) {
  SqliteHistory history;
  const auto base = history.commit(
      "CREATE TABLE t(k TEXT PRIMARY KEY, v); INSERT INTO t VALUES('a', 1), ('b', 2), ('c', 3)");
  const auto theirs = history.commit("REPLACE INTO t VALUES('a', 9); UPDATE t SET k = 'd' WHERE k = 'b'");
  Changed changed(history, base, theirs, diff::compare_binary);
  std::vector<std::string> found;
  KeyedChange change;
  while (changed.next(change)) {
    std::string text;
    if (change.in_base)
      text += "-" + diff::field_text(change.base[0]) + "=" + diff::field_text(change.base[1]);
    if (change.in_theirs)
      text += "+" + diff::field_text(change.theirs[0]) + "=" + diff::field_text(change.theirs[1]);
    found.push_back(text);
  }
  const std::vector<std::string> expected{"+t64=n2", "-t61=n1+t61=n9", "-t62=n2"};
  EXPECT_EQ(found, expected);
}

TEST(KeyedChanges, KeysAreComparedByTheirCollation) {
  SqliteHistory history;
  const auto base =
      history.commit("CREATE TABLE t(k TEXT PRIMARY KEY COLLATE NOCASE, v); INSERT INTO t VALUES('a', 1)");
  const auto theirs = history.commit("REPLACE INTO t VALUES('A', 2)");
  Changed changed(history, base, theirs, diff::compare_nocase);
  KeyedChange change;
  ASSERT_TRUE(changed.next(change));
  EXPECT_TRUE(change.in_base && change.in_theirs);
  EXPECT_FALSE(changed.next(change));
}

// NULLs in a key are all different, and SQLite allows many: such rows are known by their rowid, which a row
// that has a key is not.
TEST(KeyedChanges, RowsWithoutAKeyAreNoneThatHaveOne) {
  SqliteHistory history;
  const auto base = history.commit(
      "CREATE TABLE t(k TEXT PRIMARY KEY, v); INSERT INTO t VALUES(NULL, 1), (NULL, 2), ('x', 3), (NULL, 4)");
  const auto theirs = history.commit(
      "DELETE FROM t WHERE v = 1; UPDATE t SET k = 'y' WHERE v = 2; UPDATE t SET k = NULL WHERE v = 3; "
      "UPDATE t SET v = 5 WHERE v = 4");
  Changed changed(history, base, theirs, diff::compare_binary);
  std::vector<std::string> found;
  KeyedChange change;
  while (changed.next(change)) {
    std::string text;
    if (change.in_base) text += "-" + std::to_string(change.rowid_base);
    if (change.in_theirs) text += "+" + std::to_string(change.rowid_theirs);
    found.push_back(text);
  }
  const std::vector<std::string> expected{"-1", "-2", "+2", "+3", "-4+4", "-3"};
  EXPECT_EQ(found, expected);
}

// 'a' came again under another rowid, and a row without a key took the one that it had.
TEST(KeyedChanges, KeyThatCameBackElsewhereIsNotGone) {
  SqliteHistory history;
  const auto base =
      history.commit("CREATE TABLE t(k TEXT PRIMARY KEY, v); INSERT INTO t VALUES('b', 1), ('a', 2)");
  const auto theirs = history.commit("DELETE FROM t; INSERT INTO t VALUES('a', 2), (NULL, 3)");
  Changed changed(history, base, theirs, diff::compare_binary);
  KeyedChange change;
  ASSERT_TRUE(changed.next(change));
  EXPECT_TRUE(change.in_base && change.rowid_base == 2 && change.in_theirs && change.rowid_theirs == 1);
  ASSERT_TRUE(changed.next(change));
  EXPECT_TRUE(!change.in_base && change.in_theirs && change.rowid_theirs == 2);
  ASSERT_TRUE(changed.next(change));
  EXPECT_TRUE(change.in_base && !change.in_theirs && change.rowid_base == 1);
  EXPECT_FALSE(changed.next(change));
}

TEST(KeyedChanges, TurnOneVersionIntoTheOther) {
  const std::uint64_t seed = testing::test_seed();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  for (int round = 0; round < testing::scaled(200); ++round) {
    SqliteHistory history;
    history.sqlite().exec("CREATE TABLE t(k PRIMARY KEY, v)");
    const auto work = [&](int statements) {
      for (int i = 0; i < statements; ++i) {
        const auto key = std::to_string(random() % 60);
        const auto other = std::to_string(random() % 60);
        switch (random() % 4) {
          case 0: history.sqlite().exec("DELETE FROM t WHERE k = " + key); break;
          case 1: history.sqlite().exec("UPDATE OR IGNORE t SET k = " + other + " WHERE k = " + key); break;
          default: history.sqlite().exec("REPLACE INTO t VALUES(" + key + ", " + other + ")");
        }
      }
    };
    work(100);
    const auto base = history.commit();
    Table table = rows_of(history, "SELECT k, v FROM t");
    work(30);
    const auto theirs = history.commit();
    Changed changed(history, base, theirs, diff::compare_binary);
    KeyedChange change;
    while (changed.next(change)) {
      const auto key = diff::field_text(change.in_base ? change.base[0] : change.theirs[0]);
      ASSERT_EQ(table.contains(key), change.in_base) << "round " << round;
      if (change.in_base) {
        ASSERT_EQ(table[key], diff::field_text(change.base[1]));
      }
      if (change.in_theirs) {
        ASSERT_EQ(diff::field_text(change.theirs[0]), key);
        table[key] = diff::field_text(change.theirs[1]);
      } else {
        table.erase(key);
      }
    }
    ASSERT_EQ(table, rows_of(history, "SELECT k, v FROM t")) << "round " << round;
  }
}

}  // namespace
}  // namespace dosql::merge
