#include "engine/merge_changes.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "engine/engine_test_support.h"
#include "engine/merge_test_support.h"

namespace dosql::engine {
namespace {

using merge::ConflictKind;
using merge::Preference;

TEST(MergeChanges, RowsThatOneSideChangedAreTaken) {
  MergeBench bench(
      "CREATE TABLE t(id INTEGER PRIMARY KEY, a, b);"
      "INSERT INTO t VALUES(1, 'a', 'b'), (2, 'a', 'b'), (3, 'a', 'b'), (4, 'a', 'b')");
  bench.theirs(
      "UPDATE t SET a = 'x' WHERE id = 1; DELETE FROM t WHERE id = 2; INSERT INTO t VALUES(9, 'n', 'n')");
  bench.ours(
      "UPDATE t SET b = 'y' WHERE id = 1; DELETE FROM t WHERE id = 4; INSERT INTO t VALUES(8, 'm', 'm')");
  ASSERT_TRUE(bench.merge());
  EXPECT_EQ(bench.rows("SELECT * FROM t"), "1|x|y\n3|a|b\n8|m|m\n9|n|n\n");
  ASSERT_EQ(bench.context().tables.size(), 1U);
  EXPECT_EQ(bench.context().tables[0].inserted, 1);
  EXPECT_EQ(bench.context().tables[0].updated, 1);
  EXPECT_EQ(bench.context().tables[0].deleted, 1);
}

TEST(MergeChanges, ConflictsNameTheRowsAndUndoEverything) {
  MergeBench bench(
      "CREATE TABLE t(id INTEGER PRIMARY KEY, a, b);"
      "INSERT INTO t VALUES(1, 'a', 'b'), (2, 'a', 'b'), (3, 'a', 'b')");
  bench.theirs(
      "UPDATE t SET a = 'x' WHERE id < 3; DELETE FROM t WHERE id = 3; INSERT INTO t VALUES(7, 'n', 'n')");
  bench.ours(
      "UPDATE t SET a = 'y' WHERE id = 1; DELETE FROM t WHERE id = 2; UPDATE t SET b = 'z' WHERE id = 3;"
      "INSERT INTO t VALUES(7, 'm', 'm')");
  ASSERT_FALSE(bench.merge());
  const std::vector<Conflict> expected{
      {ConflictKind::kUpdateUpdate, "t", "1", R"({"a":"a"})", R"({"a":"y"})", R"({"a":"x"})"},
      {ConflictKind::kDeleteUpdate, "t", "2", R"({"id":2,"a":"a","b":"b"})", "null",
       R"({"id":2,"a":"x","b":"b"})"},
      {ConflictKind::kUpdateDelete, "t", "3", R"({"id":3,"a":"a","b":"b"})", R"({"id":3,"a":"a","b":"z"})",
       "null"},
      {ConflictKind::kKeyCollision, "t", "7", "null", R"({"id":7,"a":"m","b":"m"})",
       R"({"id":7,"a":"n","b":"n"})", true},
  };
  EXPECT_EQ(bench.context().conflicts, expected);
  EXPECT_EQ(bench.rows("SELECT * FROM t"), "1|y|b\n3|a|z\n7|m|m\n");
}

// SQLite's limit for what is chained in an expression is lower than that for columns.
TEST(MergeChanges, TablesMayHaveMoreColumnsThanExpressionsHaveLevels) {
  std::string columns;
  std::string changes;
  for (int i = 0; i < 1500; ++i) {
    columns += ", c" + std::to_string(i);
    changes += (i == 0 ? "c" : ", c") + std::to_string(i) + " = 'x'";
  }
  MergeBench bench("CREATE TABLE t(id INTEGER PRIMARY KEY" + columns + "); INSERT INTO t(id) VALUES(1), (2)");
  bench.theirs("UPDATE t SET " + changes + " WHERE id = 1; DELETE FROM t WHERE id = 2");
  bench.ours("INSERT INTO t(id, c0) VALUES(3, 'y')");
  ASSERT_TRUE(bench.merge());
  EXPECT_EQ(bench.rows("SELECT id, c0, c1499 FROM t"), "1|x|x\n3|y|NULL\n");
}

TEST(MergeChanges, PreferencesDecide) {
  const auto prepare = [](MergeBench& bench) {
    bench.theirs(
        "UPDATE t SET a = 'x', b = 'x' WHERE id = 1; UPDATE t SET a = 'x' WHERE id = 2;"
        "DELETE FROM t WHERE id = 3");
    bench.ours(
        "UPDATE t SET a = 'y' WHERE id = 1; DELETE FROM t WHERE id = 2; UPDATE t SET b = 'z' WHERE id = 3");
  };
  const char* const kBase =
      "CREATE TABLE t(id INTEGER PRIMARY KEY, a, b);"
      "INSERT INTO t VALUES(1, 'a', 'b'), (2, 'a', 'b'), (3, 'a', 'b')";
  MergeBench ours(kBase);
  prepare(ours);
  ASSERT_TRUE(ours.merge(Preference::kOurs));
  EXPECT_EQ(ours.rows("SELECT * FROM t"), "1|y|x\n3|a|z\n");
  MergeBench theirs(kBase);
  prepare(theirs);
  ASSERT_TRUE(theirs.merge(Preference::kTheirs));
  EXPECT_EQ(theirs.rows("SELECT * FROM t"), "1|x|x\n2|x|b\n");
}

TEST(MergeChanges, WithoutRowidAndTextKeys) {
  for (const char* const options : {"", "WITHOUT ROWID"}) {
    MergeBench bench(std::string("CREATE TABLE t(k TEXT PRIMARY KEY COLLATE NOCASE, v) ") + options +
                     "; INSERT INTO t VALUES('a', 1), ('b', 2), ('c', 3)");
    bench.theirs("REPLACE INTO t VALUES('A', 7); DELETE FROM t WHERE k = 'b'; INSERT INTO t VALUES('n', 9)");
    bench.ours("INSERT INTO t VALUES('m', 8); UPDATE t SET k = 'd' WHERE k = 'c'");
    ASSERT_TRUE(bench.merge()) << options;
    EXPECT_EQ(bench.rows("SELECT * FROM t ORDER BY k"), "A|7\nd|3\nm|8\nn|9\n") << options;
  }
}

TEST(MergeChanges, UniqueValuesMaySwap) {
  MergeBench bench(
      "CREATE TABLE t(id INTEGER PRIMARY KEY, u UNIQUE, v);"
      "INSERT INTO t VALUES(1, 'a', 0), (2, 'b', 0), (3, 'c', 0)");
  bench.theirs(
      "UPDATE t SET u = 'tmp' WHERE id = 1; UPDATE t SET u = 'a' WHERE id = 2;"
      "UPDATE t SET u = 'b' WHERE id = 1");
  bench.ours("UPDATE t SET v = 5");
  ASSERT_TRUE(bench.merge());
  EXPECT_EQ(bench.rows("SELECT * FROM t"), "1|b|5\n2|a|5\n3|c|5\n");
}

TEST(MergeChanges, ValuesThatTogetherAreNotUniqueAreAConflict) {
  MergeBench bench("CREATE TABLE t(id INTEGER PRIMARY KEY, u UNIQUE); INSERT INTO t VALUES(1, 'a')");
  bench.theirs("INSERT INTO t VALUES(10, 'x')");
  bench.ours("INSERT INTO t VALUES(20, 'x')");
  ASSERT_FALSE(bench.merge());
  const std::vector<Conflict> expected{
      {ConflictKind::kUnique, "t", "10", "null", R"({"id":20,"u":"x"})", R"({"id":10,"u":"x"})"}};
  EXPECT_EQ(bench.context().conflicts, expected);
}

TEST(MergeChanges, ChecksAndNotNullAreVerified) {
  MergeBench bench(
      "CREATE TABLE t(id INTEGER PRIMARY KEY, a INT, b INT, CHECK (a + b < 10));"
      "INSERT INTO t VALUES(1, 1, 1)");
  bench.theirs("UPDATE t SET a = 8");
  bench.ours("UPDATE t SET b = 8");
  ASSERT_FALSE(bench.merge());
  ASSERT_EQ(bench.context().conflicts.size(), 1U);
  EXPECT_EQ(bench.context().conflicts[0].kind, ConflictKind::kCheck);
  EXPECT_EQ(bench.context().conflicts[0].main, R"({"id":1,"a":1,"b":8})");
  EXPECT_EQ(bench.context().conflicts[0].branch, R"({"id":1,"a":8,"b":1})");
}

TEST(MergeChanges, RowsThatNothingWouldReferToAreConflicts) {
  const char* const kBase =
      "CREATE TABLE p(id INTEGER PRIMARY KEY);"
      "CREATE TABLE c(id INTEGER PRIMARY KEY, p REFERENCES p);"
      "INSERT INTO p VALUES(1), (2), (3); INSERT INTO c VALUES(1, 1)";
  MergeBench child_of_theirs(kBase);
  child_of_theirs.theirs("INSERT INTO c VALUES(2, 2)");
  child_of_theirs.ours("DELETE FROM p WHERE id = 2");
  ASSERT_FALSE(child_of_theirs.merge());
  const std::vector<Conflict> theirs{
      {ConflictKind::kForeignKey, "c", "2", R"({"p.id":2})", "null", R"({"id":2,"p":2})"}};
  EXPECT_EQ(child_of_theirs.context().conflicts, theirs);
  for (const char* const index : {"", "CREATE INDEX i ON c(p);"}) {
    MergeBench child_of_ours(std::string(kBase) + ";" + index);
    child_of_ours.theirs("DELETE FROM p WHERE id > 1");
    child_of_ours.ours("INSERT INTO c VALUES(3, 3)");
    ASSERT_FALSE(child_of_ours.merge());
    const std::vector<Conflict> ours{
        {ConflictKind::kForeignKey, "c", "3", R"({"p.id":3})", R"({"id":3,"p":3})", "null"}};
    EXPECT_EQ(child_of_ours.context().conflicts, ours) << index;
  }
}

TEST(MergeChanges, HiddenRowidsAreRenumbered) {
  MergeBench bench("CREATE TABLE t(v); INSERT INTO t VALUES('base')");
  bench.theirs("INSERT INTO t VALUES('theirs 1'), ('same'), ('theirs 2')");
  bench.ours("INSERT INTO t VALUES('ours 1'), ('same')");
  ASSERT_TRUE(bench.merge());
  EXPECT_EQ(bench.rows("SELECT v FROM t ORDER BY v"), "base\nours 1\nsame\ntheirs 1\ntheirs 2\n");
}

TEST(MergeChanges, RenumberedRowsAreFollowed) {
  MergeBench bench(
      "CREATE TABLE p(id INTEGER PRIMARY KEY, v);"
      "CREATE TABLE c(id INTEGER PRIMARY KEY, p REFERENCES p, v);");
  bench.theirs("INSERT INTO p VALUES(1, 'theirs'); INSERT INTO c VALUES(1, 1, 'theirs')");
  bench.ours("INSERT INTO p VALUES(1, 'ours'); INSERT INTO c VALUES(1, 1, 'ours')");
  ASSERT_FALSE(bench.merge());
  EXPECT_EQ(bench.context().conflicts.size(), 2U);
  ASSERT_TRUE(bench.merge(Preference::kNone, true));
  EXPECT_EQ(bench.rows("SELECT p.id, p.v, c.v FROM c JOIN p ON p.id = c.p ORDER BY 1"),
            "1|ours|ours\n2|theirs|theirs\n");
}

TEST(MergeChanges, AutoincrementIsRenumberedWithoutAsking) {
  MergeBench bench(
      "CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT, v); INSERT INTO t(v) VALUES('base')");
  bench.ours("INSERT INTO t VALUES(2, 'ours')");
  bench.theirs(
      "INSERT INTO t VALUES(2, 'theirs'); INSERT INTO t VALUES(50, 'x'); DELETE FROM t WHERE id = 50");
  ASSERT_TRUE(bench.merge());
  EXPECT_EQ(bench.rows("SELECT v FROM t ORDER BY id"), "base\nours\ntheirs\n");
  EXPECT_EQ(bench.rows("SELECT seq >= 50 FROM sqlite_sequence"), "1\n");
}

// The branch gave 4 as well, to a row that is gone: the row that moves must not get it.
TEST(MergeChanges, ANumberThatTheBranchGaveIsNotGivenAgain) {
  MergeBench bench(
      "CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT, v); CREATE TABLE u(t REFERENCES t);"
      "INSERT INTO t(v) VALUES('base')");
  bench.ours("INSERT INTO t VALUES(2, 'ours')");
  bench.theirs(
      "INSERT INTO t VALUES(2, 'two'), (3, 'three'), (4, 'four'); DELETE FROM t WHERE id = 4;"
      "INSERT INTO u VALUES(2), (3)");
  ASSERT_TRUE(bench.merge());
  EXPECT_EQ(bench.rows("SELECT * FROM t ORDER BY id"), "1|base\n2|ours\n3|three\n5|two\n");
  EXPECT_EQ(bench.rows("SELECT v FROM u JOIN t ON id = t ORDER BY t"), "three\ntwo\n");
  EXPECT_EQ(bench.rows("INSERT INTO t(v) VALUES('next') RETURNING id"), "6\n");
}

TEST(MergeChanges, GeneratedColumnsFollow) {
  MergeBench bench(
      "CREATE TABLE t(id INTEGER PRIMARY KEY, a, b AS (a * 2) STORED, c AS (a + 1));"
      "INSERT INTO t VALUES(1, 1), (2, 2)");
  bench.theirs("UPDATE t SET a = 5 WHERE id = 1; INSERT INTO t VALUES(3, 3)");
  bench.ours("UPDATE t SET a = 7 WHERE id = 2");
  ASSERT_TRUE(bench.merge());
  EXPECT_EQ(bench.rows("SELECT * FROM t"), "1|5|10|6\n2|7|14|8\n3|3|6|4\n");
}

TEST(MergeChanges, SchemasMerge) {
  MergeBench bench(
      "CREATE TABLE t(id INTEGER PRIMARY KEY, a); INSERT INTO t VALUES(1, 'a'), (2, 'a');"
      "CREATE TABLE gone(x); CREATE INDEX i ON t(a)");
  bench.theirs(
      "ALTER TABLE t ADD COLUMN role TEXT DEFAULT 'user'; UPDATE t SET role = 'admin' WHERE id = 1;"
      "INSERT INTO t VALUES(3, 'new', 'r'); CREATE TABLE made(k PRIMARY KEY); INSERT INTO made VALUES(7);"
      "DROP TABLE gone; DROP INDEX i; CREATE VIEW v AS SELECT role FROM t;"
      "CREATE TRIGGER tr AFTER INSERT ON t BEGIN SELECT 1; END; CREATE UNIQUE INDEX j ON made(k)");
  bench.ours(
      "ALTER TABLE t ADD COLUMN age INT DEFAULT 5; UPDATE t SET a = 'b' WHERE id = 2;"
      "INSERT INTO t VALUES(4, 'ours', 6)");
  ASSERT_TRUE(bench.merge());
  EXPECT_EQ(bench.rows("SELECT id, a, role, age FROM t"),
            "1|a|admin|5\n2|b|user|5\n3|new|r|5\n4|ours|user|6\n");
  EXPECT_EQ(bench.rows("SELECT k FROM made"), "7\n");
  EXPECT_EQ(bench.rows("SELECT name FROM sqlite_schema ORDER BY name"),
            "j\nmade\nsqlite_autoindex_made_1\nt\ntr\nv\n");
  EXPECT_EQ(bench.rows("PRAGMA integrity_check"), "ok\n");
}

TEST(MergeChanges, RenamesAreFollowed) {
  MergeBench bench(
      "CREATE TABLE t(id INTEGER PRIMARY KEY, a, b); INSERT INTO t VALUES(1, 'a', 'b'), (2, 'a', 'b')");
  bench.theirs(
      "ALTER TABLE t RENAME TO u; ALTER TABLE u RENAME COLUMN a TO c; UPDATE u SET c = 'x' WHERE id = 1;"
      "ALTER TABLE u DROP COLUMN b");
  bench.ours("UPDATE t SET a = 'y' WHERE id = 2; INSERT INTO t VALUES(3, 'z', 'b')");
  ASSERT_TRUE(bench.merge());
  EXPECT_EQ(bench.rows("SELECT id, c FROM u"), "1|x\n2|y\n3|z\n");
  EXPECT_EQ(bench.rows("SELECT name FROM sqlite_schema"), "u\n");
}

TEST(MergeChanges, RowsFollowTheTableThatWeRenamed) {
  MergeBench bench("CREATE TABLE t(id INTEGER PRIMARY KEY, a); INSERT INTO t VALUES(1, 'a')");
  bench.theirs("UPDATE t SET a = 'x'; INSERT INTO t VALUES(2, 'n')");
  bench.ours("ALTER TABLE t RENAME TO u; ALTER TABLE u RENAME COLUMN a TO c");
  ASSERT_TRUE(bench.merge());
  EXPECT_EQ(bench.rows("SELECT id, c FROM u"), "1|x\n2|n\n");
}

TEST(MergeChanges, ClashingDefinitionsAreConflicts) {
  MergeBench bench("CREATE TABLE t(a); CREATE TABLE d(x); CREATE VIEW v AS SELECT 1");
  bench.theirs(
      "ALTER TABLE t ADD COLUMN n TEXT; DROP TABLE d; CREATE TABLE m(a);"
      "DROP VIEW v; CREATE VIEW v AS SELECT 2");
  bench.ours(
      "ALTER TABLE t ADD COLUMN n INT; INSERT INTO d VALUES(1); CREATE TABLE m(b);"
      "DROP VIEW v; CREATE VIEW v AS SELECT 3");
  ASSERT_FALSE(bench.merge());
  std::vector<std::string> names;
  for (const Conflict& conflict : bench.context().conflicts) {
    EXPECT_EQ(conflict.kind, ConflictKind::kSchema);
    names.push_back(conflict.table);
  }
  std::ranges::sort(names);
  EXPECT_EQ(names, (std::vector<std::string>{"d", "m", "t", "v"}));
}

TEST(MergeChanges, ADefinitionThatOnlyTheyReplacedIsTaken) {
  MergeBench bench(
      "CREATE TABLE t(id INTEGER PRIMARY KEY, a); INSERT INTO t VALUES(1, 'a'), (2, 'b');"
      "CREATE INDEX i ON t(a)");
  bench.theirs(
      "CREATE TABLE n(id INTEGER PRIMARY KEY, a TEXT NOT NULL CHECK (a <> ''), c DEFAULT 7);"
      "INSERT INTO n(id, a) SELECT id, a FROM t; DROP TABLE t; ALTER TABLE n RENAME TO t;"
      "UPDATE t SET a = 'x' WHERE id = 1");
  bench.ours("UPDATE t SET a = 'y' WHERE id = 2; INSERT INTO t VALUES(3, 'z')");
  ASSERT_TRUE(bench.merge());
  EXPECT_EQ(bench.rows("SELECT * FROM t"), "1|x|7\n2|y|7\n3|z|7\n");
  EXPECT_EQ(bench.rows("PRAGMA integrity_check"), "ok\n");
}

TEST(MergeChanges, TextIndexesAndTreesMergeByRows) {
  MergeBench bench(
      "CREATE VIRTUAL TABLE f USING fts5(a, b); INSERT INTO f VALUES('one', 'x'), ('two', 'y'), ('six', 'z');"
      "CREATE VIRTUAL TABLE r USING rtree(id, x0, x1, +note); INSERT INTO r VALUES(1, 0, 1, 'a'), (2, 5, 6, "
      "'b')");
  bench.theirs(
      "UPDATE f SET a = 'uno' WHERE rowid = 1; DELETE FROM f WHERE rowid = 3; INSERT INTO f VALUES('new', "
      "'w');"
      "UPDATE r SET x1 = 2 WHERE id = 1; INSERT INTO r VALUES(3, 8, 9, 'c')");
  bench.ours(
      "UPDATE f SET b = 'why' WHERE rowid = 2; INSERT INTO f VALUES('own', 'v'); DELETE FROM r WHERE id = 2");
  ASSERT_TRUE(bench.merge());
  EXPECT_EQ(bench.rows("SELECT a, b FROM f ORDER BY a"), "new|w\nown|v\ntwo|why\nuno|x\n");
  EXPECT_EQ(bench.rows("SELECT count(*) FROM f('uno') UNION ALL SELECT count(*) FROM f('one')"), "1\n0\n");
  EXPECT_EQ(bench.rows("SELECT * FROM r"), "1|0|2|a\n3|8|9|c\n");
  bench.ours("INSERT INTO f(f) VALUES('integrity-check')");
  EXPECT_EQ(bench.rows("PRAGMA integrity_check"), "ok\n");
}

TEST(MergeChanges, TextIndexesOverOtherTablesAreBuiltAnew) {
  MergeBench bench(
      "CREATE TABLE t(id INTEGER PRIMARY KEY, a);"
      "CREATE VIRTUAL TABLE f USING fts5(a, content='t', content_rowid='id');"
      "CREATE TRIGGER ai AFTER INSERT ON t BEGIN INSERT INTO f(rowid, a) VALUES(new.id, new.a); END;"
      "INSERT INTO t VALUES(1, 'one')");
  bench.theirs("INSERT INTO t VALUES(2, 'two')");
  bench.ours("INSERT INTO t VALUES(3, 'three')");
  ASSERT_TRUE(bench.merge());
  EXPECT_EQ(bench.rows("SELECT rowid FROM f('two OR three') ORDER BY rowid"), "2\n3\n");
  bench.ours("INSERT INTO f(f, rank) VALUES('integrity-check', 1)");
}

TEST(MergeChanges, WhatHasNoRowsToMergeIsAConflict) {
  MergeBench bench(
      "CREATE VIRTUAL TABLE f USING fts5(a, content=''); INSERT INTO f(rowid, a) VALUES(1, 'one')");
  bench.theirs("INSERT INTO f(rowid, a) VALUES(2, 'two')");
  ASSERT_FALSE(bench.merge());
  ASSERT_EQ(bench.context().conflicts.size(), 1U);
  EXPECT_EQ(bench.context().conflicts[0].kind, ConflictKind::kSchema);
}

TEST(MergeChanges, TablesOfManyColumns) {
  constexpr int kColumns = 1998;
  std::string columns;
  std::string changes;
  for (int i = 0; i < kColumns; ++i) {
    columns += fmt::format(", c{} DEFAULT 0", i);
    changes += fmt::format("{}c{} = 1", i == 0 ? "" : ", ", i);
  }
  MergeBench bench(
      fmt::format("CREATE TABLE t(id INTEGER PRIMARY KEY{});"
                  "INSERT INTO t(id) VALUES(1), (2), (3)",
                  columns));
  bench.theirs(fmt::format("UPDATE t SET {} WHERE id = 1; DELETE FROM t WHERE id = 2", changes));
  bench.ours("UPDATE t SET c7 = 7 WHERE id = 3");
  ASSERT_TRUE(bench.merge());
  EXPECT_EQ(bench.rows("SELECT id, c0, c1997 FROM t"), "1|1|1\n3|0|0\n");
}

}  // namespace
}  // namespace dosql::engine
