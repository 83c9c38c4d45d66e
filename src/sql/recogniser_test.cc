#include "sql/recogniser.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "testing/run_length.h"

namespace dosql::sql {
namespace {

std::string shown(std::string_view text, const TimePoint& point) {
  static constexpr std::string_view kKinds[] = {"TIMESTAMP", "LSN", "SNAPSHOT", "BRANCH", "VERSION"};
  std::string out(kKinds[static_cast<int>(point.kind)]);
  out += point.name ? fmt::format(" '{}'", *point.name) : fmt::format(" [{}]", point.expression.of(text));
  return out + (point.has_variables ? " vars" : "");
}

std::string shown(std::string_view text, const TableName& name) {
  return (name.schema ? std::string(name.schema->of(text)) + "." : "") + std::string(name.table.of(text));
}

std::string shown(std::string_view text, const TimeReference& reference) {
  static constexpr std::string_view kKinds[] = {"", "BETWEEN ", "FROM ", "ALL"};
  std::string out = shown(text, reference.name);
  if (reference.alias) out += fmt::format(" AS {}", reference.alias->of(text));
  out += fmt::format(" {{{}", kKinds[static_cast<int>(reference.kind)]);
  if (reference.point) out += shown(text, *reference.point);
  if (reference.end_point) out += ", " + shown(text, *reference.end_point);
  return out + "}";
}

std::string shown(std::string_view text, const PresentTable& table) {
  return (table.role == TableRole::kWritten ? "!" : "") + shown(text, table.name) +
         (table.role == TableRole::kFunction ? "()" : "");
}

std::string shown(std::string_view text, const BranchStatement& statement) {
  std::string out(statement.words.of(text));
  if (statement.name) {
    out += statement.name->text ? fmt::format(" '{}'", *statement.name->text)
                                : fmt::format(" [{}]", statement.name->span.of(text));
  }
  if (statement.point) out += fmt::format(" {{{}}}", shown(text, *statement.point));
  if (statement.if_exists) out += " if exists";
  if (statement.if_not_exists) out += " if not exists";
  if (statement.force) out += " force";
  return out;
}

// A recognition in one line: `users AS u {LSN [5]}; present a !written f(); ?1 ?2`, or a statement,
// "nothing", or `error at offset's text: message`.
std::string described(std::string_view text) {
  const auto result = recognise(text);
  if (!result) {
    const Error& error = result.error();
    EXPECT_TRUE(error.sql_offset().has_value()) << text;
    EXPECT_LE(*error.sql_offset(), text.size()) << text;
    return fmt::format("error at {}: {}", text.substr(*error.sql_offset(), 8), error.message());
  }
  if (!result->ours()) return "nothing";
  if (result->statement) return shown(text, *result->statement);
  std::string out;
  for (const TimeReference& reference : result->times) {
    out += (out.empty() ? "" : ", ") + shown(text, reference);
    EXPECT_TRUE(reference.clause.of(text).starts_with("FOR") ||
                reference.clause.of(text).starts_with("for") || reference.clause.of(text).starts_with("For"))
        << text;
  }
  for (const DiffCall& call : result->diffs) {
    out += fmt::format("{}{} of {} from [{}] to [{}]", out.empty() ? "" : ", ", call.name.of(text),
                       call.table.of(text), call.from.of(text), call.to.of(text));
  }
  if (!result->present.empty()) out += "; present";
  for (const PresentTable& table : result->present) out += " " + shown(text, table);
  if (!result->variables.empty()) out += ";";
  for (const Variable& variable : result->variables) {
    out += fmt::format(" {}={}", variable.span.of(text), variable.number);
  }
  return out;
}

struct Case {
  std::string text;
  std::string_view expected;
};

void check(const std::vector<Case>& cases) {
  for (const Case& one : cases) EXPECT_EQ(described(one.text), one.expected) << one.text;
}

TEST(Recogniser, TheSpecsStatements) {
  check({
      {"SELECT * FROM users\nFOR SYSTEM_TIME AS OF TIMESTAMP '2024-01-01 12:00:00';",
       "users {TIMESTAMP ['2024-01-01 12:00:00']}"},
      {"SELECT * FROM users\nFOR SYSTEM_TIME AS OF LSN 12345;", "users {LSN [12345]}"},
      {"SELECT * FROM users\nFOR SYSTEM_TIME AS OF SNAPSHOT 'main@5';", "users {SNAPSHOT 'main@5'}"},
      {"SELECT * FROM users\nFOR SYSTEM_TIME AS OF BRANCH 'feature-x';", "users {BRANCH 'feature-x'}"},
      {"SELECT * FROM users\nFOR SYSTEM_TIME AS OF VERSION CURRENT - 5;", "users {VERSION [- 5]}"},
      {"SELECT *, _dosql_version, _dosql_valid_from, _dosql_valid_to\nFROM users\n"
       "FOR SYSTEM_TIME BETWEEN '2024-01-01' AND '2024-02-01'\nWHERE id = 42;",
       "users {BETWEEN TIMESTAMP ['2024-01-01'], TIMESTAMP ['2024-02-01']}"},
      {"SELECT * FROM users\nFOR SYSTEM_TIME FROM '2024-01-01' TO '2024-02-01';",
       "users {FROM TIMESTAMP ['2024-01-01'], TIMESTAMP ['2024-02-01']}"},
  });
}

TEST(Recogniser, CallsOfDosqlDiff) {
  check({
      {"SELECT * FROM dosql_diff('users', 'main@1', ?1) AS d JOIN u",
       "dosql_diff of 'users' from ['main@1'] to [?1]; present u; ?1=1"},
      {"WITH d AS (SELECT * FROM main.\"Dosql_Diff\"('t', f(1, (2)), a.b || 'x')) SELECT 1 IN "
       "dosql_diff('u', 1, 2)",
       "main.\"Dosql_Diff\" of 't' from [f(1, (2))] to [a.b || 'x'], dosql_diff of 'u' from [1] to [2]"},
      {"INSERT INTO t SELECT * FROM dosql_diff('t',:a,:b)",
       "dosql_diff of 't' from [:a] to [:b]; present !t; :a=1 :b=2"},
      {"SELECT * FROM dosql_diff(t, 1, 2)",
       "error at t, 1, 2): the table of dosql_diff is a text in single quotes"},
      {"SELECT * FROM dosql_diff('t', 1)",
       "error at dosql_di: dosql_diff takes a table and two points in time"},
      {"SELECT * FROM dosql_diff('t', 1, )",
       "error at dosql_di: dosql_diff takes a table and two points in time"},
      {"SELECT * FROM dosql_diff('t' || 'u', 1, 2)",
       "error at dosql_di: dosql_diff takes a table and two points in time"},
      {"SELECT * FROM dosql_diff('t', 1, (2", "error at ('t', 1,: this '(' is never closed"},
      {"CREATE VIEW v AS SELECT * FROM dosql_diff('t', 1, 2)",
       "error at dosql_di: dosql_diff cannot stand in a definition"},
      {"SELECT * FROM dosql_diff_summary(1, 2)", "nothing"},
      {"SELECT dosql_diff FROM dosql_diff", "nothing"},
  });
}

TEST(Recogniser, PointsAreReadAsFarAsTheyGo) {
  const std::vector<Case> points = {
      {"TIMESTAMP '2024'", "TIMESTAMP ['2024']"},
      {"timestamp datetime('now', '-1 day')", "TIMESTAMP [datetime('now', '-1 day')]"},
      {"TIMESTAMP :a || ' ' || ?", "TIMESTAMP [:a || ' ' || ?] vars"},
      {"TIMESTAMP CURRENT_TIMESTAMP", "TIMESTAMP [CURRENT_TIMESTAMP]"},
      {"TIMESTAMP cast('2024' AS text)", "TIMESTAMP [cast('2024' AS text)]"},
      {"TIMESTAMP (CASE WHEN 1 THEN '2024' END)", "TIMESTAMP [(CASE WHEN 1 THEN '2024' END)]"},
      {"'2024-01-01'", "TIMESTAMP ['2024-01-01']"},
      {"?", "TIMESTAMP [?] vars"},
      {"$when", "TIMESTAMP [$when] vars"},
      {"LSN 0x10", "LSN [0x10]"},
      {"LSN -1", "LSN [-1]"},
      {"LSN - + ~ 1", "LSN [- + ~ 1]"},
      {"LSN (1 + 2) * 3 / 4 % 5 << 6 >> 7 & 8 | 9", "LSN [(1 + 2) * 3 / 4 % 5 << 6 >> 7 & 8 | 9]"},
      {"LSN ?->>'$.lsn'", "LSN [?->>'$.lsn'] vars"},
      {"LSN ((((?1))))", "LSN [((((?1))))] vars"},
      {"LSN max(1, min(2, 3))", "LSN [max(1, min(2, 3))]"},
      {"LSN \"max\"(1, 2)", "LSN [\"max\"(1, 2)]"},
      {"LSN NULL", "LSN [NULL]"},
      {"LSN x'00'", "LSN [x'00']"},
      {"SNAPSHOT \"a\"\"b\"", "SNAPSHOT 'a\"b'"},
      {"SNAPSHOT `a`", "SNAPSHOT 'a'"},
      {"SNAPSHOT [a b]", "SNAPSHOT 'a b'"},
      {"SNAPSHOT release-1.0", "SNAPSHOT 'release-1.0'"},
      {"SNAPSHOT main@5", "SNAPSHOT 'main@5'"},
      {"SNAPSHOT @name", "SNAPSHOT [@name] vars"},
      {"BRANCH feature-x", "BRANCH 'feature-x'"},
      {"BRANCH a/b/c.d_e-f", "BRANCH 'a/b/c.d_e-f'"},
      {"BRANCH v1.2", "BRANCH 'v1.2'"},
      {"BRANCH 2024-01", "BRANCH '2024-01'"},
      {"BRANCH 2nd-try", "BRANCH '2nd-try'"},
      {"BRANCH release/2.0rc", "BRANCH 'release/2.0rc'"},
      {"BRANCH branch", "BRANCH 'branch'"},
      {"BRANCH end", "BRANCH 'end'"},
      {"BRANCH order/1", "BRANCH 'order/1'"},
      {"BRANCH 'it''s'", "BRANCH 'it's'"},
      {"BRANCH f\xC3\xA9"
       "e",
       "BRANCH 'f\xC3\xA9"
       "e'"},
      {"BRANCH ?2", "BRANCH [?2] vars"},
      {"VERSION CURRENT", "VERSION []"},
      {"version current-5", "VERSION [-5]"},
      {"VERSION CURRENT - :n", "VERSION [- :n] vars"},
      {"VERSION CURRENT - 2 - 3", "VERSION [- 2 - 3]"},
      {"VERSION CURRENT - (1 + ?)", "VERSION [- (1 + ?)] vars"},
  };
  // What follows a point must not change it.
  for (const std::string_view after : {"",
                                       ";",
                                       " AS u",
                                       " u",
                                       " \"u\"",
                                       " 'u'",
                                       " AS left",
                                       " WHERE 1",
                                       ", b",
                                       " JOIN b",
                                       " LEFT JOIN b",
                                       " NATURAL JOIN b",
                                       " CROSS JOIN b",
                                       " INDEXED BY i",
                                       " NOT INDEXED",
                                       " ORDER BY 1",
                                       " GROUP BY 1",
                                       " HAVING 1",
                                       " LIMIT 1",
                                       " UNION SELECT 1",
                                       " EXCEPT SELECT 1",
                                       " WINDOW w AS ()",
                                       " -- end",
                                       "/**/"}) {
    for (const Case& point : points) {
      const std::string text = fmt::format("SELECT * FROM t FOR SYSTEM_TIME AS OF {}{}", point.text, after);
      const auto found = recognise(text);
      ASSERT_TRUE(found) << text << ": " << found.error().message();
      ASSERT_EQ(found->times.size(), 1u) << text;
      EXPECT_EQ(shown(text, *found->times[0].point), point.expected) << text;
      EXPECT_EQ(found->times[0].point->span.of(text), point.text) << text;
      EXPECT_EQ(found->times[0].clause.of(text), "FOR SYSTEM_TIME AS OF " + point.text) << text;
      const bool alias =
          after.find("u") != std::string_view::npos || after.find("AS left") != std::string_view::npos;
      EXPECT_EQ(found->times[0].alias.has_value(), alias) << text;
      EXPECT_EQ(found->present.size(), after.find(" b") == std::string_view::npos ? 0u : 1u) << text;
    }
  }
}

TEST(Recogniser, EveryPlaceForATable) {
  const std::string at = "FOR SYSTEM_TIME AS OF LSN 1";
  check({
      {"SELECT * FROM t " + at + " x", "t AS x {LSN [1]}"},
      {"SELECT * FROM t x " + at, "t AS x {LSN [1]}"},
      {"SELECT * FROM t AS x " + at, "t AS x {LSN [1]}"},
      {"SELECT * FROM main . t " + at, "main.t {LSN [1]}"},
      {"SELECT * FROM \"a b\".[t]" + at, "\"a b\".[t] {LSN [1]}"},
      {"SELECT * FROM 't'" + at + "'x'", "'t' AS 'x' {LSN [1]}"},
      {"SELECT * FROM \xC3\xA9 " + at, "\xC3\xA9 {LSN [1]}"},
      {"SELECT * FROM for " + at, "for {LSN [1]}"},
      {"SELECT * FROM t for " + at, "t AS for {LSN [1]}"},
      {"SELECT * FROM left " + at, "left {LSN [1]}"},
      {"SELECT * FROM t window " + at, "t AS window {LSN [1]}"},
      {"SELECT * FROM system_time " + at + " lsn", "system_time AS lsn {LSN [1]}"},
      {"SELECT * FROM a, t " + at + ", b, u " + at, "t {LSN [1]}, u {LSN [1]}; present a b"},
      {"SELECT * FROM t AS now JOIN t " + at + " AS old ON old.id = now.id, b",
       "t AS old {LSN [1]}; present t b"},
      {"SELECT * FROM a NATURAL LEFT OUTER JOIN t " + at + " JOIN b USING (x, y) JOIN u " + at,
       "t {LSN [1]}, u {LSN [1]}; present a b"},
      {"SELECT * FROM (a JOIN (t " + at + " CROSS JOIN b) ON a.x = b.x), c", "t {LSN [1]}; present a b c"},
      {"SELECT * FROM (((t " + at + ")))", "t {LSN [1]}"},
      {"SELECT * FROM (SELECT * FROM t " + at + ") AS x, b", "t {LSN [1]}; present b"},
      {"SELECT * FROM ((SELECT * FROM t " + at + ") JOIN b)", "t {LSN [1]}; present b"},
      {"SELECT (SELECT max(x) FROM t " + at + "), 1 FROM b", "t {LSN [1]}; present b"},
      {"SELECT 1 WHERE EXISTS (SELECT 1 FROM t " + at + " WHERE a IN (SELECT b FROM c))",
       "t {LSN [1]}; present c"},
      {"SELECT 1 FROM a JOIN b ON a.x = (SELECT x FROM t " + at + ") AND 1 JOIN c",
       "t {LSN [1]}; present a b c"},
      {"SELECT 1 FROM a WHERE x IN t " + at + " AND y NOT IN main.c AND z IN f(1)",
       "t {LSN [1]}; present a main.c f()"},
      {"SELECT a FROM b UNION ALL SELECT a FROM t " + at + " EXCEPT SELECT a FROM c ORDER BY 1",
       "t {LSN [1]}; present b c"},
      {"SELECT a IS DISTINCT FROM b, c IS NOT DISTINCT FROM d FROM t " + at, "t {LSN [1]}"},
      {"SELECT DISTINCT a FROM t " + at, "t {LSN [1]}"},
      {"SELECT * FROM t " + at + ", json_each(t.x) AS j, main.f(1, (SELECT 2 FROM b))",
       "t {LSN [1]}; present json_each() main.f() b"},
      {"SELECT sum(x) FILTER (WHERE y) OVER w FROM t " + at + " WINDOW w AS (PARTITION BY a ORDER BY b)",
       "t {LSN [1]}"},
      {"VALUES ((SELECT 1 FROM t " + at + ")), (2)", "t {LSN [1]}"},
      {"EXPLAIN SELECT * FROM t " + at, "t {LSN [1]}"},
      {"EXPLAIN QUERY PLAN SELECT * FROM t " + at, "t {LSN [1]}"},
      {"INSERT INTO t SELECT * FROM t " + at + " WHERE id = 1", "t {LSN [1]}; present !t"},
      {"INSERT OR IGNORE INTO main.t AS x (a, b) SELECT a, b FROM t " + at +
           " WHERE 1 ON CONFLICT (a) DO UPDATE SET b = 1 "
           "RETURNING a",
       "t {LSN [1]}; present !main.t"},
      {"REPLACE INTO t VALUES ((SELECT 1 FROM t " + at + "))", "t {LSN [1]}; present !t"},
      {"INSERT INTO t WITH x AS (SELECT * FROM t " + at + ") SELECT * FROM x", "t {LSN [1]}; present !t"},
      {"UPDATE OR REPLACE t AS x SET a = (SELECT a FROM b), c = o.c FROM t " + at +
           " AS o, d WHERE o.id = x.id",
       "t AS o {LSN [1]}; present !t b d"},
      {"UPDATE main.t SET a = 1 WHERE id NOT IN (SELECT id FROM t " + at + ")",
       "t {LSN [1]}; present !main.t"},
      {"DELETE FROM t WHERE id NOT IN (SELECT id FROM t " + at + ")", "t {LSN [1]}; present !t"},
      {"CREATE TABLE copy AS SELECT * FROM t " + at, "t {LSN [1]}"},
      {"CREATE TEMP TABLE IF NOT EXISTS copy AS WITH x AS (SELECT * FROM t " + at + ") SELECT * FROM x, b",
       "t {LSN [1]}; present b"},
      {"SELECT CASE WHEN 1 THEN (SELECT a FROM t " + at + ") END, b FROM c", "t {LSN [1]}; present c"},
      {"SELECT * FROM t " + at + " INDEXED BY i JOIN b NOT INDEXED", "t {LSN [1]}; present b"},
      {"SELECT * FROM t " + at + " AS x INDEXED BY i, b", "t AS x {LSN [1]}; present b"},
      {"; ; SELECT * FROM t " + at + "; SELECT * FROM u", "t {LSN [1]}"},
      {"ATTACH (SELECT f FROM t " + at + ") AS x", "t {LSN [1]}"},
  });
}

TEST(Recogniser, CommonTableExpressionsAreNoTables) {
  const std::string at = "FOR SYSTEM_TIME AS OF LSN 1";
  check({
      {"WITH x AS (SELECT * FROM t " + at + ") SELECT * FROM x, y", "t {LSN [1]}; present y"},
      {"WITH RECURSIVE x(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM x, t " + at + ") SELECT n FROM X",
       "t {LSN [1]}"},
      {"WITH x AS MATERIALIZED (SELECT 1), \"y\" (a, b) AS NOT MATERIALIZED (SELECT * FROM z) "
       "SELECT * FROM x, Y, z, main.x, t " +
           at,
       "t {LSN [1]}; present z z main.x"},
      // A later expression of the same WITH is visible, one of an inner query is not outside.
      {"WITH x AS (SELECT * FROM y), y AS (SELECT 1) SELECT * FROM x, t " + at, "t {LSN [1]}"},
      {"SELECT * FROM (WITH x AS (SELECT 1) SELECT * FROM x), x, t " + at, "t {LSN [1]}; present x"},
      {"WITH x AS (SELECT 1) SELECT (SELECT 1 FROM (SELECT 1 FROM x, z)) FROM t " + at,
       "t {LSN [1]}; present z"},
      // The target is the table, whatever is called like it.
      {"WITH x AS (SELECT 1) INSERT INTO x SELECT * FROM t " + at, "t {LSN [1]}; present !x"},
      {"WITH x AS (SELECT * FROM t " + at + ") UPDATE x SET a = 1 FROM x", "t {LSN [1]}; present !x"},
      {"WITH x AS (SELECT * FROM t " + at + ") DELETE FROM t WHERE a IN x", "t {LSN [1]}; present !t"},
      // Hiding a table by its own past is what one would write.
      {"WITH t AS (SELECT * FROM t " + at + ") SELECT * FROM t", "t {LSN [1]}"},
      {"WITH t AS (SELECT 1) SELECT * FROM main.t " + at, "main.t {LSN [1]}"},
      {"WITH t AS (SELECT 1) SELECT * FROM T " + at,
       "error at FOR SYST: FOR SYSTEM_TIME must follow a table; 'T' is a common table expression"},
      {"WITH a AS (SELECT * FROM t " + at + "), t AS (SELECT 1) SELECT * FROM a",
       "error at FOR SYST: FOR SYSTEM_TIME must follow a table; 't' is a common table expression"},
      {"SELECT with.x, (with) FROM with JOIN t " + at, "t {LSN [1]}; present with"},
  });
}

TEST(Recogniser, WordsAndSpaceInAnyShape) {
  check({
      {"select * from t for system_time as of lsn 1", "t {LSN [1]}"},
      {"Select * From t For System_Time As Of Version Current - 1 As u", "t AS u {VERSION [- 1]}"},
      {"/*a*/SELECT/*b*/*/*c*/FROM/*d*/t/*e*/FOR/*f*/SYSTEM_TIME/*g*/AS/*h*/OF/*i*/LSN/*j*/1/*k*/AS/*l*/u/"
       "*m*/",
       "t AS u {LSN [1]}"},
      {"SELECT * FROM t --\nFOR--\nSYSTEM_TIME--\nAS--\nOF--\nVERSION--\nCURRENT--\n- --\n5--\nu",
       "t AS u {VERSION [- --\n5]}"},
      {"SELECT*FROM[t]FOR\tSYSTEM_TIME\nAS\rOF\fLSN(1)\"u\"", "[t] AS \"u\" {LSN [(1)]}"},
      {"\xEF\xBB\xBFSELECT * FROM t FOR SYSTEM_TIME AS OF BRANCH b--x", "t {BRANCH 'b'}"},
      {"SELECT * FROM t FOR SYSTEM_TIME AS OF BRANCH a/*x*/", "t {BRANCH 'a'}"},
  });
}

TEST(Recogniser, Ranges) {
  check({
      {"SELECT * FROM t FOR SYSTEM_TIME ALL x WHERE 1", "t AS x {ALL}"},
      {"SELECT * FROM t FOR SYSTEM_TIME BETWEEN LSN ? AND LSN ? + 1 AS x, b",
       "t AS x {BETWEEN LSN [?] vars, LSN [? + 1] vars}; present b; ?=1 ?=2"},
      {"SELECT * FROM t x FOR SYSTEM_TIME FROM VERSION CURRENT - 5 TO VERSION CURRENT",
       "t AS x {FROM VERSION [- 5], VERSION []}"},
      {"SELECT * FROM t FOR SYSTEM_TIME BETWEEN 'a'",
       "error at : expected AND behind the first point of BETWEEN"},
      {"SELECT * FROM t FOR SYSTEM_TIME FROM 'a' AND 'b'",
       "error at AND 'b': expected TO behind the first point of FROM"},
      {"SELECT * FROM t FOR SYSTEM_TIME BETWEEN 'a' AND",
       "error at : expected TIMESTAMP, LSN, SNAPSHOT, BRANCH or VERSION after AND"},
  });
}

TEST(Recogniser, VariablesAreNumberedAsInSqlite) {
  check({
      {"SELECT ? FROM t FOR SYSTEM_TIME AS OF LSN ? WHERE a = ?", "t {LSN [?] vars}; ?=1 ?=2 ?=3"},
      {"SELECT ?5, ?, :a, ?2, @a, :a, ? FROM t FOR SYSTEM_TIME AS OF :b LIMIT $c::d(e)",
       "t {TIMESTAMP [:b] vars}; ?5=5 ?=6 :a=7 ?2=2 @a=8 :a=7 ?=9 :b=10 $c::d(e)=11"},
      {"SELECT * FROM t FOR SYSTEM_TIME AS OF SNAPSHOT main@5 WHERE a = @5 AND b = ?",
       "t {SNAPSHOT 'main@5'}; @5=1 ?=2"},
      {"SELECT * FROM t FOR SYSTEM_TIME AS OF LSN 1 WHERE a = ?0 AND b = ?99999 AND c = ?",
       "t {LSN [1]}; ?0=0 ?99999=0 ?=1"},
      {"SELECT * FROM t FOR SYSTEM_TIME AS OF LSN ?0",
       "error at ?0: variable number must be between ?1 and ?32766"},
      {"SELECT * FROM t FOR SYSTEM_TIME AS OF LSN ?32767",
       "error at ?32767: variable number must be between ?1 and ?32766"},
      {"SELECT ?32766 FROM t FOR SYSTEM_TIME AS OF LSN ?",
       "error at ?: variable number must be between ?1 and ?32766"},
  });
  EXPECT_EQ(recognise("CREATE BRANCH ?7 FROM LSN ?")->parameter_count, 8u);
}

// SQLite takes all of these, or must itself say what is wrong with them.
TEST(Recogniser, WhatIsNotOurs) {
  for (const std::string text : {
           "",
           " ; -- FOR SYSTEM_TIME AS OF LSN 1",
           "SELECT 'FOR SYSTEM_TIME AS OF LSN 1'",
           "SELECT * FROM t /* FOR SYSTEM_TIME AS OF LSN 1 */",
           "SELECT * FROM t -- FOR SYSTEM_TIME AS OF LSN 1",
           "SELECT * FROM t WHERE \"FOR SYSTEM_TIME AS OF LSN 1\" = [FOR SYSTEM_TIME AS OF LSN 1]",
           "SELECT for system_time",
           "SELECT for system_time FROM t",
           "SELECT for system_time, branch FROM for system_time",
           "SELECT * FROM for system_time JOIN u",
           "SELECT * FROM t for",
           "SELECT * FROM t system_time WHERE system_time.for = 1",
           "SELECT system_time AS of FROM t",
           "SELECT CAST(a AS for system_time) FROM t",
           "INSERT INTO t VALUES (1) RETURNING for system_time",
           "CREATE TABLE t (for system_time, lsn, branch snapshot, checkout version current)",
           "CREATE TABLE t (for system_time AS (1))",
           "ALTER TABLE t ADD for system_time",
           "CREATE VIRTUAL TABLE v USING m (a FOR SYSTEM_TIME AS OF LSN 1)",
           "EXPLAIN CREATE VIRTUAL TABLE v USING m (a FOR SYSTEM_TIME AS OF LSN 1)",
           "SELECT lsn, branch, snapshot, checkout, version, timestamp FROM branch, snapshot",
           "SELECT checkout FROM merge WHERE abort = cherry",
           "SELECT 1; SELECT * FROM t FOR SYSTEM_TIME AS OF LSN 1",
           "SELECT * FROM t \"FOR\" SYSTEM_TIME",
           "SELECT * FROM t WHERE a = 'x",
           "SELECT * FROM t FOR /* SYSTEM_TIME AS OF LSN 1",
           "CREATE TABLE branch (a)",
           "DROP TABLE snapshot",
           "CREATE \"BRANCH\" x",
           "EXPLAIN MERGE INTO t",
           "COMMIT MERGE",
           "EXPLAIN CHECKOUT x",
           "BRANCH x",
           "\"CHECKOUT\" x",
           "system_time",
           "SELECT xsystem_time, system_timex, system_time",
       }) {
    EXPECT_EQ(described(text), "nothing") << text;
  }
  EXPECT_EQ(described(std::string("SELECT 1\0 FROM t FOR SYSTEM_TIME AS OF LSN 1", 43)), "nothing");
}

TEST(Recogniser, MalformedPoints) {
  constexpr std::string_view kExpected = "expected TIMESTAMP, LSN, SNAPSHOT, BRANCH or VERSION after AS OF";
  const auto check_point = [](std::string_view point, std::string_view at, std::string_view message) {
    const std::string text = fmt::format("SELECT * FROM t FOR SYSTEM_TIME {}", point);
    EXPECT_EQ(described(text), fmt::format("error at {}: {}", at, message)) << text;
    EXPECT_FALSE(recognise(text).error().hint().empty() && !message.starts_with("this") &&
                 !message.starts_with("unre"))
        << text;
  };
  check_point("AS OF", "", kExpected);
  check_point("AS OF;", ";", kExpected);
  check_point("AS OF WHERE a = 1", "WHERE a ", kExpected);
  check_point("AS OF 12345", "12345", kExpected);
  check_point("AS OF yesterday", "yesterda", kExpected);
  check_point("AS OF \"LSN\" 5", "\"LSN\" 5", kExpected);
  check_point("AS OF x'00'", "x'00'", kExpected);
  check_point("AS LSN 5", "AS LSN 5", "expected AS OF, BETWEEN, FROM or ALL after FOR SYSTEM_TIME");
  check_point("", "", "expected AS OF, BETWEEN, FROM or ALL after FOR SYSTEM_TIME");
  check_point("OF LSN 5", "OF LSN 5", "expected AS OF, BETWEEN, FROM or ALL after FOR SYSTEM_TIME");
  check_point("AS OF LSN", "", "expected a value after LSN");
  check_point("AS OF LSN WHERE 1", "WHERE 1", "expected a value after LSN");
  check_point("AS OF LSN 1 +", "", "expected a value after +");
  check_point("AS OF LSN (1 + 2", "(1 + 2", "this '(' is never closed");
  check_point("AS OF LSN abc", "abc", "a time point is a constant or a parameter, not a column");
  check_point("AS OF TIMESTAMP \"2024\"", "\"2024\"",
              "a time point is a constant or a parameter, not a column");
  check_point("AS OF LSN (SELECT 1)", "SELECT 1", "a time point is a constant or a parameter, not a query");
  check_point("AS OF LSN max((VALUES (1)), 2)", "VALUES (",
              "a time point is a constant or a parameter, not a query");
  check_point("AS OF '2024' || '-01'", "|| '-01'", "an expression needs TIMESTAMP or LSN before it");
  check_point("AS OF ? - 1", "- 1", "an expression needs TIMESTAMP or LSN before it");
  check_point("AS OF SNAPSHOT", "", "expected the name of a snapshot after SNAPSHOT");
  check_point("AS OF SNAPSHOT, u", ", u", "expected the name of a snapshot after SNAPSHOT");
  check_point("AS OF BRANCH WHERE 1", "WHERE 1", "expected the name of a branch after BRANCH");
  check_point("AS OF BRANCH LEFT JOIN u", "LEFT JOI", "expected the name of a branch after BRANCH");
  check_point("AS OF VERSION 5", "5", "expected CURRENT after VERSION");
  check_point("AS OF VERSION CURRENT -", "", "expected a value after VERSION CURRENT -");
  check_point("AS OF LSN (1 + \\)", "\\)", "unrecognized token: \"\\\"");
  check_point("AS OF TIMESTAMP 'open", "'open", "expected a value after TIMESTAMP");
}

TEST(Recogniser, WhereTheClauseCannotStand) {
  const std::string at = " FOR SYSTEM_TIME AS OF LSN 1";
  check({
      {"CREATE VIEW v AS SELECT * FROM t" + at, "error at FOR SYST: FOR SYSTEM_TIME cannot stand in a view"},
      {"CREATE TEMP VIEW v AS WITH x AS (SELECT 1 FROM t" + at + ") SELECT 1",
       "error at FOR SYST: FOR SYSTEM_TIME cannot stand in a view"},
      {"CREATE VIEW v AS SELECT * FROM t FOR SYSTEM_TIME FROM 'a' TO 'b'",
       "error at FOR SYST: FOR SYSTEM_TIME cannot stand in a view"},
      {"CREATE TRIGGER r AFTER INSERT ON t BEGIN SELECT 1; INSERT INTO u SELECT * FROM t" + at + "; END",
       "error at FOR SYST: FOR SYSTEM_TIME cannot stand in a trigger"},
      {"CREATE TRIGGER r AFTER INSERT ON t WHEN (SELECT 1 FROM t" + at + ") BEGIN SELECT 1; END",
       "error at FOR SYST: FOR SYSTEM_TIME cannot stand in a trigger"},
      {"CREATE TRIGGER r AFTER INSERT ON t BEGIN DELETE FROM t" + at + "; END",
       "error at FOR SYST: FOR SYSTEM_TIME cannot stand in a trigger"},
      {"CREATE TABLE t (a, b AS ((SELECT 1 FROM t" + at + ")))",
       "error at FOR SYST: FOR SYSTEM_TIME cannot stand in a table's definition"},
      {"CREATE TABLE t (a CHECK (a" + at + "))",
       "error at FOR SYST: FOR SYSTEM_TIME cannot stand in a table's definition"},
      {"ALTER TABLE t ADD b AS (a IN t" + at + ")",
       "error at FOR SYST: FOR SYSTEM_TIME cannot stand in a table's definition"},
      {"CREATE INDEX i ON t (a) WHERE a" + at,
       "error at FOR SYST: FOR SYSTEM_TIME cannot stand in an index's definition"},
      {"INSERT INTO t" + at + " VALUES (1)", "error at FOR SYST: the past cannot be written to"},
      {"WITH x AS (SELECT 1) INSERT INTO main.t AS y" + at + " SELECT * FROM x",
       "error at FOR SYST: the past cannot be written to"},
      {"REPLACE INTO t FOR SYSTEM_TIME ALL VALUES (1)", "error at FOR SYST: the past cannot be written to"},
      {"UPDATE t" + at + " SET a = 1", "error at FOR SYST: the past cannot be written to"},
      {"UPDATE OR FAIL t AS x" + at + " SET a = 1", "error at FOR SYST: the past cannot be written to"},
      {"DELETE FROM t" + at, "error at FOR SYST: the past cannot be written to"},
      {"DELETE FROM t FOR SYSTEM_TIME FROM 'a' TO 'b'", "error at FOR SYST: the past cannot be written to"},
      {"SELECT * FROM (SELECT 1)" + at,
       "error at FOR SYST: FOR SYSTEM_TIME must follow a table, not a subquery"},
      {"SELECT * FROM (SELECT 1) AS x" + at,
       "error at FOR SYST: FOR SYSTEM_TIME must follow a table, not a subquery"},
      {"SELECT * FROM (SELECT 1) FOR SYSTEM_TIME FROM 'a' TO 'b'",
       "error at FOR SYST: FOR SYSTEM_TIME must follow a table, not a subquery"},
      {"SELECT * FROM (a JOIN b)" + at,
       "error at FOR SYST: FOR SYSTEM_TIME must follow a table, not a parenthesised join"},
      {"SELECT * FROM json_each('[]')" + at,
       "error at FOR SYST: FOR SYSTEM_TIME must follow a table; a table-valued function has no past"},
      {"SELECT * FROM t" + at + at,
       "error at FOR SYST: FOR SYSTEM_TIME must come once and directly behind the table or its alias"},
      {"SELECT * FROM t INDEXED BY i" + at,
       "error at FOR SYST: FOR SYSTEM_TIME must come once and directly behind the table or its alias"},
      {"SELECT * FROM t WHERE a = 1" + at,
       "error at FOR SYST: FOR SYSTEM_TIME must follow a table in FROM or JOIN"},
      {"SELECT * FROM a JOIN b ON a.x = b.x" + at,
       "error at FOR SYST: FOR SYSTEM_TIME must follow a table in FROM or JOIN"},
      {"SELECT *" + at, "error at FOR SYST: FOR SYSTEM_TIME must follow a table in FROM or JOIN"},
      {"SELECT * FROM" + at, "error at FOR SYST: FOR SYSTEM_TIME must follow a table in FROM or JOIN"},
      {"SELECT 1 FOR SYSTEM_TIME ALL",
       "error at FOR SYST: FOR SYSTEM_TIME must follow a table in FROM or JOIN"},
      {"PRAGMA x" + at, "error at FOR SYST: FOR SYSTEM_TIME must follow a table in FROM or JOIN"},
  });
  EXPECT_EQ(recognise("DELETE FROM t" + at).error().code(), ErrorCode::kReadOnly);
  EXPECT_EQ(recognise("SELECT *" + at).error().code(), ErrorCode::kSql);
}

TEST(Recogniser, WhereAStatementEnds) {
  const struct {
    std::string_view first, rest;
  } cases[] = {
      {"SELECT 1;", " SELECT 2"},
      {"SELECT 1", ""},
      {";; SELECT ';' /* ; */ -- ;\n;", ";"},
      {"CREATE TRIGGER a AFTER INSERT ON t BEGIN SELECT 1; SELECT CASE 1 WHEN 1 THEN 2 END; END;",
       "SELECT 2;"},
      {"create temp trigger begin update of end on t begin delete from t;;end;", "x"},
      {"EXPLAIN QUERY PLAN CREATE TEMPORARY TRIGGER a AFTER INSERT ON t BEGIN SELECT 1; END ;", ";"},
      {"CREATE TRIGGER a;", "SELECT 1"},
      {"CREATE TABLE trigger (begin);", "END"},
      {"CREATE VIRTUAL TABLE v USING fts5(a;b(;),c);", "SELECT 1"},
      {"EXPLAIN CREATE VIRTUAL TABLE v USING fts5;", "SELECT 1;"},
      {"CREATE TABLE virtual (a;", "b)"},
      {"SELECT \"a;b\", [c;d], `e;f`;", ""},
      {"SELECT 'open; SELECT 1", ""},
      {"", ""},
      {" -- x", ""},
  };
  for (const auto& one : cases) {
    EXPECT_EQ(statement_end(std::string(one.first) + std::string(one.rest)), one.first.size()) << one.first;
  }
  const std::string_view script = " ;CHECKOUT /**/ a ; SELECT 1";
  const auto found = recognise(script);
  ASSERT_TRUE(found && found->ours());
  EXPECT_EQ(script.substr(found->end), " SELECT 1");
  EXPECT_EQ(found->span.of(script), "CHECKOUT /**/ a");
  EXPECT_EQ(found->statement->words.of(script), "CHECKOUT");
}

// No stack, and no time that grows faster than the text.
TEST(Recogniser, LongAndDeepTexts) {
  const std::string at = " FOR SYSTEM_TIME AS OF LSN 1";
  const auto repeated = [](std::string_view piece, std::size_t count) {
    std::string out;
    for (std::size_t i = 0; i < count; ++i) out += piece;
    return out;
  };
  const std::size_t deep = 10'000;
  EXPECT_EQ(described("SELECT * FROM t FOR SYSTEM_TIME AS OF LSN " + repeated("(", deep) + "1" +
                      repeated(")", deep) + " x")
                .substr(0, 10),
            "t AS x {LS");
  EXPECT_EQ(described("SELECT * FROM " + repeated("(", deep) + "t" + at + repeated(")", deep)),
            "t {LSN [1]}");
  EXPECT_EQ(described("SELECT * FROM " + repeated("(SELECT * FROM ", deep) + "t" + at + repeated(")", deep)),
            "t {LSN [1]}");
  EXPECT_EQ(described("SELECT " + repeated("(", deep * 20) + at),
            "error at FOR SYST: FOR SYSTEM_TIME must follow a table in FROM or JOIN");
  EXPECT_EQ(described("SELECT * FROM t" + at + repeated(")", deep)), "t {LSN [1]}");

  const auto many = static_cast<std::size_t>(testing::scaled(40'000));  // about a megabyte each
  const auto started = std::chrono::steady_clock::now();
  EXPECT_EQ(recognise("SELECT * FROM t" + repeated(at + ", t", many / 2) + at)->times.size(), many / 2 + 1);
  EXPECT_EQ(recognise("SELECT * FROM t" + at + repeated(" JOIN u USING (a)", many))->present.size(), many);
  EXPECT_EQ(recognise("SELECT ?" + repeated(", ?, :abcdefg", many) + " FROM t" + at)->parameter_count,
            many + 2);
  EXPECT_EQ(
      recognise("WITH a AS (SELECT 1)" + repeated(", b AS (SELECT * FROM a)", many) + " SELECT * FROM t" + at)
          ->present.size(),
      0u);
  EXPECT_EQ(recognise("SELECT 1 FROM t" + at + " WHERE a IN " +
                      repeated("(WITH a AS (SELECT 1 FROM c) SELECT 1 FROM b, a WHERE a IN ", many / 2) +
                      "(1" + repeated(")", many / 2 + 1))
                ->present.size(),
            many);
  EXPECT_EQ(described(repeated("SELECT _ system_tim_e,", many) + "1"), "nothing");
  EXPECT_EQ(described("SELECT '" + repeated("FOR SYSTEM_TIME AS OF LSN 1 ", many) + "'"), "nothing");
  // Generous for a sanitizer on a busy machine; what is quadratic takes minutes.
  EXPECT_LT(std::chrono::steady_clock::now() - started, std::chrono::seconds(20));
}

// A script of many statements asks once per statement: each answer may cost its statement, not what is left.
TEST(Recogniser, AScriptTakesLinearTime) {
  std::string script;
  while (script.size() < static_cast<std::size_t>(testing::scaled(4'000'000)))
    script += "INSERT INTO some_table VALUES (1, 'a_b_c');\n";
  const auto started = std::chrono::steady_clock::now();
  std::size_t statements = 0;
  for (std::string_view rest = script; rest.size() > 1; ++statements) {
    EXPECT_FALSE(may_be_ours(rest));
    rest.remove_prefix(statement_end(rest));
  }
  EXPECT_EQ(statements, script.size() / 44);
  EXPECT_LT(std::chrono::steady_clock::now() - started, std::chrono::seconds(20));
}

// Behind the part that is searched first, a statement that goes on is still looked at.
TEST(Recogniser, TheClauseIsFoundHoweverFarBehind) {
  for (const std::size_t size :
       {100u, 1'990u, 2'048u, 2'100u, 8'150u, 65'500u, 70'000u, 300'000u, 2'000'000u}) {
    const std::string text = "SELECT '" + std::string(size, 'x') + "' FROM t FOR SYSTEM_TIME AS OF LSN 1";
    EXPECT_EQ(described(text), "t {LSN [1]}") << size;
  }
}

// Sixteen bytes are looked at together; the word may stand across any of their borders, or at the text's end.
TEST(MayBeOurs, FindsTheWordWhereverItStands) {
  for (std::size_t before = 0; before < 70; ++before) {
    for (std::size_t behind = 0; behind < 40; ++behind) {
      const std::string begin = "S" + std::string(before, before % 2 == 0 ? ' ' : '_') + " ";
      const std::string end = behind == 0 ? "" : " " + std::string(behind - 1, '_');
      EXPECT_TRUE(may_be_ours(begin + "system_Time" + end)) << begin << end;
      EXPECT_FALSE(may_be_ours(begin + "systems_time" + end)) << begin << end;
      EXPECT_FALSE(may_be_ours(begin + "system_tim" + end)) << begin << end;
      EXPECT_FALSE(may_be_ours(begin + "system_times" + end)) << begin << end;
    }
  }
}

}  // namespace
}  // namespace dosql::sql
