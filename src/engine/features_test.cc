// What stock SQLite does, ours does: each script runs on both, and everything that SQL can see must be equal
// afterwards. On memory and on real files; with the default cache and with one of ten pages that spills all
// the time.

#include <gtest/gtest.h>

#include "engine/engine_test_support.h"

namespace dosql::engine {
namespace {

struct Script {
  const char* name;
  const char* setup;  // runs as a whole
  const char* query;  // is compared, besides the content
};

constexpr Script kScripts[] = {
    {"Fts5",
     "CREATE VIRTUAL TABLE docs USING fts5(title, body);"
     "INSERT INTO docs VALUES ('one', 'the quick brown fox'), ('two', 'jumps over the lazy dog'), ('three', "
     "'fox and dog');"
     "UPDATE docs SET body = 'the slow fox' WHERE title = 'one'; DELETE FROM docs WHERE title = 'two';"
     "INSERT INTO docs(docs) VALUES ('optimize');",
     "SELECT title, highlight(docs, 1, '[', ']') FROM docs WHERE docs MATCH 'fox' ORDER BY rank"},
    {"Json",
     "CREATE TABLE j(id INTEGER PRIMARY KEY, doc TEXT, name TEXT AS (doc ->> '$.name') STORED);"
     "INSERT INTO j(doc) VALUES ('{\"name\":\"Ann\",\"tags\":[1,2]}'), ('{\"name\":\"Bob\",\"tags\":[]}');"
     "CREATE INDEX by_name ON j(name); UPDATE j SET doc = json_set(doc, '$.tags[#]', 9);",
     "SELECT name, (SELECT group_concat(value) FROM json_each(doc, '$.tags')), jsonb(doc) FROM j"},
    {"RTree",
     "CREATE VIRTUAL TABLE boxes USING rtree(id, x0, x1, y0, y1);"
     "WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 300)"
     " INSERT INTO boxes SELECT i, i, i + 2, -i, -i + 2 FROM s; DELETE FROM boxes WHERE id % 3 = 0;",
     "SELECT count(*), sum(id) FROM boxes WHERE x0 > 50 AND x1 < 100"},
    {"Math", "CREATE TABLE m(x); INSERT INTO m VALUES (0.5), (2), (100);",
     "SELECT sqrt(x), sin(x), log10(x), pow(x, 2), pi(), ceil(x), x % 7 FROM m"},
    {"GeneratedColumns",
     "CREATE TABLE g(a INT, b INT GENERATED ALWAYS AS (a * 2) VIRTUAL, c INT AS (a + b) STORED, CHECK (c < "
     "1000));"
     "INSERT INTO g(a) VALUES (1), (20); UPDATE g SET a = a + 1; CREATE INDEX gc ON g(c);",
     "SELECT * FROM g WHERE c > 10"},
    {"Triggers",
     "CREATE TABLE acc(id INTEGER PRIMARY KEY, n INT); CREATE TABLE audit(what TEXT, old INT, new INT);"
     "CREATE TRIGGER up AFTER UPDATE ON acc BEGIN INSERT INTO audit VALUES ('u', old.n, new.n); END;"
     "CREATE TRIGGER del BEFORE DELETE ON acc WHEN old.n > 5 BEGIN SELECT RAISE(IGNORE); END;"
     "INSERT INTO acc VALUES (1, 1), (2, 10); UPDATE acc SET n = n + 1; DELETE FROM acc;",
     "SELECT * FROM audit"},
    {"InsteadOfView",
     "CREATE TABLE p(id INTEGER PRIMARY KEY, name TEXT); CREATE VIEW v(id, upper) AS SELECT id, upper(name) "
     "FROM p;"
     "CREATE TRIGGER vi INSTEAD OF INSERT ON v BEGIN INSERT INTO p VALUES (new.id, lower(new.upper)); END;"
     "INSERT INTO v VALUES (1, 'ANN'), (2, 'BOB');",
     "SELECT * FROM v ORDER BY id DESC"},
    {"RecursiveCte",
     "CREATE TABLE tree(id INTEGER PRIMARY KEY, parent INT REFERENCES tree);"
     "INSERT INTO tree VALUES (1, NULL), (2, 1), (3, 1), (4, 2), (5, 4);",
     "WITH RECURSIVE up(id, depth) AS (SELECT 5, 0 UNION ALL SELECT parent, depth + 1 FROM tree JOIN up "
     "USING (id)"
     " WHERE parent IS NOT NULL) SELECT * FROM up"},
    {"WindowFunctions",
     "CREATE TABLE w(g TEXT, n INT); INSERT INTO w VALUES ('a', 3), ('a', 1), ('b', 7), ('b', 2), ('b', 2);",
     "SELECT g, n, row_number() OVER win, sum(n) OVER (PARTITION BY g ORDER BY n ROWS 1 PRECEDING), lag(n, "
     "1, -1) OVER win"
     " FROM w WINDOW win AS (PARTITION BY g ORDER BY n, rowid) ORDER BY g, n"},
    {"UpsertAndReturning",
     "CREATE TABLE u(k TEXT PRIMARY KEY, n INT DEFAULT 1) WITHOUT ROWID;"
     "INSERT INTO u(k) VALUES ('a'), ('b');"
     "INSERT INTO u(k) VALUES ('a'), ('c') ON CONFLICT(k) DO UPDATE SET n = n + 1;"
     "INSERT OR REPLACE INTO u VALUES ('b', 50);",
     "UPDATE u SET n = n * 2 WHERE n > 1 RETURNING k, n"},
    {"Savepoints",
     "CREATE TABLE s(n INT); BEGIN; INSERT INTO s VALUES (1); SAVEPOINT a; INSERT INTO s VALUES (2); "
     "SAVEPOINT b;"
     "INSERT INTO s VALUES (3); ROLLBACK TO a; INSERT INTO s VALUES (4); RELEASE a; COMMIT;",
     "SELECT * FROM s"},
    {"AlterTable",
     "CREATE TABLE a(x, y); INSERT INTO a VALUES (1, 2); ALTER TABLE a ADD COLUMN z DEFAULT 9;"
     "ALTER TABLE a RENAME COLUMN y TO why; ALTER TABLE a DROP COLUMN x; ALTER TABLE a RENAME TO b;"
     "CREATE INDEX bz ON b(z); DROP INDEX bz;",
     "SELECT * FROM b"},
    {"Vacuum",
     "CREATE TABLE v(id INTEGER PRIMARY KEY, t TEXT);"
     "WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 3000)"
     " INSERT INTO v SELECT i, printf('%.200c', 'x') FROM s; DELETE FROM v WHERE id % 10; VACUUM;",
     "SELECT count(*), sum(id) FROM v"},
    {"IncrementalVacuum",
     "CREATE TABLE v(id INTEGER PRIMARY KEY, t TEXT);"
     "WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 3000)"
     " INSERT INTO v SELECT i, printf('%.200c', 'x') FROM s; DELETE FROM v WHERE id % 10;"
     "PRAGMA incremental_vacuum(20); PRAGMA incremental_vacuum;",
     "SELECT count(*), sum(id) FROM v"},
    {"BigValues",
     "CREATE TABLE big(id INTEGER PRIMARY KEY, b BLOB); INSERT INTO big VALUES (1, zeroblob(300000)), (2, "
     "zeroblob(5));"
     "UPDATE big SET b = CAST(printf('%.100000c', 'y') AS BLOB) WHERE id = 1; INSERT INTO big SELECT id + 2, "
     "b FROM big;",
     "SELECT id, length(b), substr(b, 99990, 4) FROM big"},
    {"ForeignKeys",
     "CREATE TABLE parent(id INTEGER PRIMARY KEY);"
     "CREATE TABLE child(id INTEGER PRIMARY KEY, p INT REFERENCES parent ON DELETE CASCADE ON UPDATE "
     "CASCADE);"
     "INSERT INTO parent VALUES (1), (2); INSERT INTO child(p) VALUES (1), (1), (2);"
     "DELETE FROM parent WHERE id = 1; UPDATE parent SET id = 20;",
     "SELECT * FROM child"},
    {"TempTables",
     "CREATE TEMP TABLE scratch(n INT); INSERT INTO scratch VALUES (5); CREATE TABLE kept AS SELECT n * 2 AS "
     "n FROM scratch;"
     "BEGIN; INSERT INTO scratch VALUES (6); ROLLBACK;",
     "SELECT * FROM kept, scratch"},
    {"StrictAndCollations",
     "CREATE TABLE st(a INT, b TEXT COLLATE NOCASE, c ANY) STRICT; INSERT INTO st VALUES (1, 'A', 1.5), (2, "
     "'b', 'x');"
     "CREATE UNIQUE INDEX stb ON st(b DESC);",
     "SELECT * FROM st WHERE b = 'a' OR b = 'B' ORDER BY b"},
    {"PartialAndExpressionIndexes",
     "CREATE TABLE e(id INTEGER PRIMARY KEY, n INT, t TEXT); INSERT INTO e(n, t) VALUES (1, 'Ann'), (NULL, "
     "'bob'), (3, 'CY');"
     "CREATE INDEX e1 ON e(lower(t)); CREATE INDEX e2 ON e(n) WHERE n IS NOT NULL; ANALYZE; REINDEX;",
     "SELECT id FROM e WHERE lower(t) = 'bob' OR n = 3"},
    {"DropEverything",
     "CREATE TABLE d1(x); CREATE TABLE d2(x UNIQUE); INSERT INTO d2 VALUES (1); CREATE VIEW dv AS SELECT 1;"
     "DROP VIEW dv; DROP TABLE d2; DROP TABLE d1;",
     "SELECT count(*) FROM sqlite_schema"},
    {"AttachedMemory",
     "ATTACH ':memory:' AS m; CREATE TABLE m.x(n); INSERT INTO m.x VALUES (1), (2);"
     "CREATE TABLE copy AS SELECT * FROM m.x; ATTACH '' AS t; CREATE TABLE t.y AS SELECT n + 1 AS n FROM "
     "copy;",
     "SELECT * FROM m.x, t.y ORDER BY 1, 2"},
};

class FeaturesTest : public ::testing::TestWithParam<std::tuple<Script, bool, bool>> {};

TEST_P(FeaturesTest, LikeStock) {
  const auto& [script, on_disk, tiny_cache] = GetParam();
  TemporaryDirectory directory;
  Database db = on_disk ? Database::open(directory.file("db")).value() : open_in_memory();
  Connection conn = db.connect().value();
  Stock stock(directory.file("stock"));
  stock.exec("PRAGMA auto_vacuum = INCREMENTAL");
  if (tiny_cache) {
    DOSQL_ASSERT_OK(conn.exec("PRAGMA cache_size = 10"));
    stock.exec("PRAGMA cache_size = 10");
  }

  DOSQL_ASSERT_OK(conn.exec(script.setup));
  stock.exec(script.setup);
  EXPECT_EQ(rows_text(conn, script.query), stock.rows_text(script.query));
  EXPECT_EQ(content_text(conn), content_text(stock));
  EXPECT_EQ(rows_text(conn, "PRAGMA integrity_check"), "ok");

  // Another connection sees it, and so does the next one to open the database.
  Connection other = db.connect().value();
  EXPECT_EQ(content_text(other), content_text(stock));
  if (!on_disk) return;
  { Connection gone = std::move(conn); }
  { Connection gone = std::move(other); }
  DOSQL_ASSERT_OK(db.close());
  Database again = Database::open(directory.file("db")).value();
  Connection reader = again.connect().value();
  EXPECT_EQ(content_text(reader), content_text(stock));
  EXPECT_EQ(rows_text(reader, "PRAGMA integrity_check"), "ok");
}

INSTANTIATE_TEST_SUITE_P(All, FeaturesTest,
                         ::testing::Combine(::testing::ValuesIn(kScripts), ::testing::Bool(),
                                            ::testing::Bool()),
                         [](const auto& of) {
                           return std::string(std::get<0>(of.param).name) +
                                  (std::get<1>(of.param) ? "OnDisk" : "InMemory") +
                                  (std::get<2>(of.param) ? "TinyCache" : "");
                         });

// Off by default in stock SQLite, on here.
TEST(DefaultsTest, ForeignKeysAreEnforced) {
  Database db = open_in_memory();
  Connection conn = db.connect().value();
  DOSQL_ASSERT_OK(conn.exec("CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE c(p REFERENCES p)"));
  DOSQL_EXPECT_ERROR(conn.exec("INSERT INTO c VALUES (1)"), kConstraint);
  DOSQL_EXPECT_OK(conn.exec("PRAGMA foreign_keys = OFF; INSERT INTO c VALUES (1)"));
}

TEST(DefaultsTest, NewDatabasesHaveAPointerMap) {
  Database db = open_in_memory();
  Connection conn = db.connect().value();
  EXPECT_EQ(conn.version(), 0u) << "opening made a version";
  DOSQL_ASSERT_OK(conn.exec("CREATE TABLE t(x)"));
  EXPECT_EQ(rows_text(conn, "PRAGMA auto_vacuum"), "2");
  // Whoever connects later gets what is there.
  Connection other = db.connect().value();
  EXPECT_EQ(rows_text(other, "PRAGMA auto_vacuum"), "2");
}

// CURRENT_TIMESTAMP is the database's clock, so that a run can be repeated.
TEST(DefaultsTest, TimeComesFromTheGivenClock) {
  ManualClock clock(1'795'000'000'000'000);
  Options options;
  options.clock = &clock;
  Database db = open_in_memory(options);
  Connection conn = db.connect().value();
  EXPECT_EQ(rows_text(conn, "SELECT unixepoch('now'), CURRENT_TIMESTAMP"), "1795000000|2026-11-18 11:06:40");
}

// A .dump of virtual tables writes sqlite_schema.
TEST(DefaultsTest, WritableSchemaWorks) {
  Database db = open_in_memory();
  Connection conn = db.connect().value();
  DOSQL_ASSERT_OK(
      conn.exec("CREATE TABLE t(x); PRAGMA writable_schema = ON;"
                "UPDATE sqlite_schema SET sql = 'CREATE TABLE t(y)' WHERE name = 't';"
                "PRAGMA writable_schema = RESET"));
  EXPECT_EQ(rows_text(conn, "SELECT name FROM pragma_table_info('t')"), "y");
}

}  // namespace
}  // namespace dosql::engine
