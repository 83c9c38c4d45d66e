// The shell's output beside the sqlite3 shell's (3.40 or later), byte for byte.

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdlib>
#include <random>
#include <sstream>

#include <fmt/format.h>

#include "apps/dosql/text.h"
#include "tests/shell/process.h"

namespace dosql::shell_test {
namespace {

// What both shells shall be shown: every type, text that needs quotes, escapes and padding, NULLs. Reals have
// few digits, because the newer SQLite inside DoSQL converts them to text with two digits more.
constexpr const char* kSetUp = R"sql(
CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT, c REAL, d BLOB);
INSERT INTO t VALUES(1, 'x', 0.5, x'6869');
INSERT INTO t VALUES(2, 'it''s', 1e100, NULL);
INSERT INTO t VALUES(3, 'two
lines', -0.25, x'');
INSERT INTO t VALUES(4, 'tab	"q",é', 42.57952, 'text');
INSERT INTO t VALUES(5, '', 1.0, 'a,b');
INSERT INTO t VALUES(6, 'sp ace|pipe', 9e999, 'back\slash');
INSERT INTO t VALUES(-7, 'Reykjavík', -9e999, 12345678901);
INSERT INTO t VALUES(8, NULL, NULL, NULL);
INSERT INTO t VALUES(9, 'a sentence of many words, longer than sixty characters, that the column modes must break', 3, x'00ff');
INSERT INTO t VALUES(10, 'crlf' || char(13, 10) || 'bell' || char(7), 0.1, 'x''y');
CREATE TABLE empty(x);
)sql";

class CompareTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(0, run_command(folder_.path(), "sqlite3 -version", "").exit_status)
        << "the sqlite3 shell is not installed";
  }

  // Both shells run `input` on databases that `set_up` made.
  void make(const std::string& set_up) {
    const Outcome stock = run_command(folder_.path(), "sqlite3 stock.db", set_up);
    ASSERT_EQ("", stock.errors);
    const Outcome ours = run_command(folder_.path(), "dosql ours", set_up);
    ASSERT_EQ("", ours.errors);
  }

  void expect_same(const std::string& options, const std::string& input) {
    const Outcome stock = run_command(folder_.path(), "sqlite3 " + options + " stock.db", input);
    const Outcome ours = run_command(folder_.path(), "dosql " + options + " ours", input);
    EXPECT_EQ("", stock.errors);
    EXPECT_EQ(stock.output, ours.output) << options << "\n" << input;
    EXPECT_EQ("", ours.errors);
    EXPECT_NE("", stock.output) << "nothing was compared";
  }

  TemporaryFolder folder_;
};

constexpr const char* kModes[] = {"list",   "csv",   "tabs", "json",     "line",
                                  "column", "table", "box",  "markdown", "quote"};

// Ours escapes a bar in a cell of a Markdown table, which would end the cell; stock does not. This takes bars
// away until the shell ends.
std::string without_bars(const std::string& mode) {
  return mode == "markdown" ? "BEGIN;\nUPDATE t SET b = replace(b, '|', '/');\n" : "";
}

// A program that reads the one must be able to read the other.
TEST_F(CompareTest, ModesByOption) {
  make(kSetUp);
  for (const std::string mode : kModes) {
    SCOPED_TRACE(mode);
    const std::string query =
        without_bars(mode) +
        "SELECT * FROM t;\nSELECT a, b AS \"a name\", d FROM t WHERE a < 3;\nSELECT * FROM empty;\n";
    expect_same("-" + mode, query);
    expect_same("-" + mode + " -header", query);
    expect_same("-" + mode + " -noheader -nullvalue NIL", query);
  }
}

TEST_F(CompareTest, ModesByCommand) {
  make(kSetUp);
  for (const std::string mode : kModes) {
    SCOPED_TRACE(mode);
    expect_same("",
                without_bars(mode) +
                    fmt::format(".mode {}\nSELECT * FROM t;\nSELECT * FROM empty;\n.headers on\nSELECT a, b "
                                "AS \"it's\" FROM t;\n",
                                mode));
  }
  expect_same(
      "",
      ".mode insert\nSELECT * FROM t;\n.headers on\n.mode insert other\nSELECT a, b AS \"a b\" FROM t;\n");
  expect_same("", ".mode insert \"odd name\"\nSELECT * FROM t;\n");
}

TEST_F(CompareTest, SeparatorsFollowTheModes) {
  make(kSetUp);
  expect_same("",
              ".separator ; \\n--\\n\nSELECT * FROM t;\n.mode csv\nSELECT a, d FROM t;\n.mode list\nSELECT "
              "a, d FROM t;\n"
              ".mode tabs\nSELECT a, d FROM t;\n.mode quote\nSELECT a, d FROM t;\n.separator ##\nSELECT a, d "
              "FROM t;\n");
  expect_same("-separator ++ -newline '<br>'", "SELECT a, c FROM t;\n");
  expect_same("-csv -separator ';'", "SELECT a, b, d FROM t;\n");
}

TEST_F(CompareTest, WidthsAndWrapping) {
  make(kSetUp);
  for (const std::string mode : {"column", "table", "box", "markdown"}) {
    SCOPED_TRACE(mode);
    for (const std::string options : {"", "--wrap 10", "--wrap 7 --ww", "--wrap 20 --wordwrap on", "--wrap 0",
                                      "--quote", "--wrap 12 --quote"}) {
      expect_same("",
                  without_bars(mode) +
                      fmt::format(".mode {} {}\nSELECT a, b, d FROM t;\n.width 4 -20\nSELECT a, b, d FROM "
                                  "t;\n.width\nSELECT a FROM t;\n",
                                  mode, options));
    }
  }
  expect_same("", ".mode qbox\nSELECT a, b FROM t;\n");
}

// The quoting rule of CSV depends on single characters.
TEST_F(CompareTest, EveryCharacterInCsvJsonAndQuote) {
  std::string set_up = "CREATE TABLE t(x);\n";
  for (int c = 1; c < 256; ++c)
    set_up +=
        fmt::format("INSERT INTO t VALUES(char({})), ('a' || char({}) || 'b'), (x'{:02x}');\n", c, c, c);
  make(set_up);
  for (const std::string mode : {"csv", "json", "quote", "list"})
    expect_same("-" + mode, "SELECT x, typeof(x) FROM t;\n");
  expect_same("", ".mode insert t\nSELECT x FROM t;\n");
}

// Millions of reals in dumps and JSON files: the same digits, also the last ones.
TEST_F(CompareTest, RealsToTheLastDigit) {
  const char* chosen = std::getenv("DOSQL_SEED");
  const std::uint64_t seed = chosen != nullptr ? std::strtoull(chosen, nullptr, 10) : std::random_device{}();
  SCOPED_TRACE("DOSQL_SEED=" + std::to_string(seed));
  std::mt19937_64 generator(seed);
  std::vector<double> values{
      0.1, 1e22,   1e23, 5e-324, 2.2250738585072014e-308, 1.7976931348623157e308, 123456789012345680.0,
      0.3, 1.0 / 3};
  while (values.size() < 5000) {
    const double any = std::bit_cast<double>(generator());
    const double plain = static_cast<double>(generator() % 100'000'000) / 1000;
    if (std::isfinite(any)) values.push_back(any);
    values.push_back(plain);
  }
  std::string query = ".mode quote\n";
  for (const double value : values)
    query += fmt::format("SELECT ieee754_from_blob(x'{:016x}');\n", std::bit_cast<std::uint64_t>(value));
  const Outcome stock = run_command(folder_.path(), "sqlite3 stock.db", query);
  ASSERT_EQ("", stock.errors);
  std::istringstream lines(stock.output);
  for (const double value : values) {
    std::string line;
    ASSERT_TRUE(std::getline(lines, line));
    EXPECT_EQ(line, shell::format_real(value)) << fmt::format("{:a}", value);
  }
}

constexpr const char* kSchema = R"sql(
CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT, a TEXT, b REAL, c BLOB);
INSERT INTO t(a, b, c) VALUES('x', 0.1, x'00ff'), ('nl
 and ''q'' \n lit', 9e999, NULL), (char(13, 10), -9e999, 'txt'), ('(\n0) \n \012 ' || char(10), 1e-300, 1);
CREATE TABLE "weird name"("a b", "select" INT, plain);
INSERT INTO "weird name" VALUES(1, 2, 3);
CREATE TABLE [group](x, y GENERATED ALWAYS AS (x * 2) STORED, z AS (x + 1));
INSERT INTO [group](x) VALUES(5);
CREATE TABLE wr(k TEXT PRIMARY KEY, v) WITHOUT ROWID;
INSERT INTO wr VALUES('b', 1), ('a', 2);
CREATE TABLE 'single'(x);
CREATE VIEW v AS SELECT a, b AS "odd name" FROM t;
CREATE INDEX i1 ON t(a);
CREATE UNIQUE INDEX i2 ON wr(v);
CREATE TRIGGER r AFTER INSERT ON wr BEGIN UPDATE wr SET v = 1 WHERE 0; SELECT 1; END;
CREATE TABLE child(id INTEGER PRIMARY KEY, t_id REFERENCES t(id) ON DELETE CASCADE);
INSERT INTO child VALUES(1, 1), (2, 3);
)sql";

TEST_F(CompareTest, Dump) {
  make(kSchema);
  expect_same("", ".dump\n");
  for (const std::string arguments : {"t", "wr", "%e", "nothing", "v i1 r", "t child", "--data-only",
                                      "--newlines", "--nosys", "--data-only t"}) {
    expect_same("", fmt::format(".print start\n.dump {}\n", arguments));
  }
}

TEST_F(CompareTest, DumpOfStatistics) {
  make(std::string(kSchema) + "ANALYZE;\n");
  // The newer SQLite estimates rows of more tables and has samples too, so the rows differ; what stands
  // around them must not.
  expect_same("", "DELETE FROM sqlite_stat1;\nDROP TABLE IF EXISTS sqlite_stat4;\n.print start\n.dump\n");
}

// Virtual tables go into the schema without being made; their shadow tables carry the content.
TEST_F(CompareTest, DumpOfVirtualTables) {
  make(
      "CREATE VIRTUAL TABLE ft USING fts5(body, tokenize = 'porter');\nINSERT INTO ft VALUES('hello world'), "
      "('it''s');\n"
      "CREATE VIRTUAL TABLE rt USING rtree(id, x1, x2);\nINSERT INTO rt VALUES(1, 0.5, 2);\nCREATE TABLE "
      "plain(x);\n");
  expect_same("", ".dump\n");
  expect_same("", ".dump ft\n");
  expect_same("", ".schema\n");
  expect_same("", ".tables\n");
}

// A dump that either shell cannot read back is no backup.
TEST_F(CompareTest, DumpsAreReadByBothShells) {
  make(std::string(kSchema) +
       "CREATE VIRTUAL TABLE ft USING fts5(body);\nINSERT INTO ft VALUES('hello world'), ('good day');\n");
  const auto in_folder = [this](const std::string& command) {
    const Outcome outcome = run_command(folder_.path(), command, "");
    EXPECT_EQ("", outcome.errors) << command;
    EXPECT_EQ(0, outcome.exit_status) << command;
    return outcome.output;
  };
  const std::string dump = in_folder("dosql ours .dump | tee ours.sql");
  in_folder("sqlite3 copy.db < ours.sql && dosql copy < ours.sql");
  EXPECT_EQ(dump, in_folder("sqlite3 copy.db .dump"));
  EXPECT_EQ(dump, in_folder("dosql copy .dump"));
  for (const std::string shell : {"sqlite3 copy.db", "dosql copy"}) {
    EXPECT_EQ("hello world\n", in_folder(shell + " \"SELECT body FROM ft WHERE ft MATCH 'hello'\""));
    EXPECT_EQ("ok\n", in_folder(shell + " \"PRAGMA integrity_check\""));
  }
}

TEST_F(CompareTest, Schema) {
  make(kSchema);
  // Patterns that match no module: sqlite3 lists the table-valued functions it was built with, too.
  for (const std::string arguments : {"", "t", "T", "wr", "v", "*ngle", "main.t", "--nosys", "nothing"}) {
    expect_same("", fmt::format(".print start\n.schema {}\n", arguments));
  }
}

TEST_F(CompareTest, TablesAndIndexes) {
  std::string set_up = kSchema;
  for (int i = 0; i < 30; ++i)
    set_up +=
        fmt::format("CREATE TABLE some_table_{}(x);\nCREATE INDEX index_{} ON some_table_{}(x);\n", i, i, i);
  make(set_up);
  expect_same("",
              ".tables\n.tables %table_1%\n.print none:\n.tables nothing\n.indexes\n.indexes t\n.indexes "
              "some_table_2%\n");
}

TEST_F(CompareTest, QueryPlansAndParameters) {
  make(kSchema);
  expect_same("",
              "EXPLAIN QUERY PLAN SELECT * FROM t;\n"
              "EXPLAIN QUERY PLAN SELECT * FROM wr WHERE k = 'a' UNION SELECT id, a FROM t ORDER BY 1;\n");
  expect_same("",
              ".parameter init\n.parameter set :a 1+2\n.parameter set $long_name hello\n.parameter set @c "
              "\"'it''s'\"\n.parameter set ?1 2\n"
              ".parameter list\nSELECT :a, $long_name, @c, :nope, ?1;\n.parameter unset :a\n.parameter "
              "list\n.parameter clear\nSELECT :a, 1;\n");
}

TEST_F(CompareTest, EchoChangesAndPrint) {
  make(kSchema);
  expect_same(
      "",
      ".changes on\nINSERT INTO wr VALUES('c', 3), ('d', 4);\nDELETE FROM wr WHERE k > 'b';\nSELECT 1;\n");
  expect_same("", ".print a \"b\\tc\" 'd\\te' f\\tg\n.print\n");
  expect_same("", ".echo on\nSELECT 1,\n  2;\n.print hi\n");
  expect_same("-echo", "SELECT 1;\n");
}

}  // namespace
}  // namespace dosql::shell_test
