// The shell at a terminal: greeting, prompts, keys, colours.

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <sstream>

#include "testing/paths.h"
#include "tests/shell/process.h"
#include "tests/shell/terminal.h"

namespace dosql::shell_test {
namespace {

class TerminalTest : public ::testing::Test {
 protected:
  Terminal start(std::vector<std::string> arguments, std::map<std::string, std::string> more = {}) {
    std::map<std::string, std::string> environment{
        {"HOME", folder_.path().string()}, {"TERM", "xterm"}, {"PATH", "/usr/bin:/bin"}, {"NO_COLOR", "1"}};
    for (const auto& [name, value] : more) environment[name] = value;
    arguments.insert(arguments.begin(), (testing::binary_dir() / "dosql").string());
    return Terminal(folder_.path(), std::move(arguments), std::move(environment));
  }

  std::string history() const { return read_file(folder_.path() / ".dosql_history"); }

  TemporaryFolder folder_;
};

TEST_F(TerminalTest, GreetsSomeoneNew) {
  Terminal terminal = start({"shop"});
  EXPECT_TRUE(terminal.wait_for("DoSQL 0.1 · shop (new) · every transaction is a version\n"));
  EXPECT_TRUE(terminal.wait_for("Try:  .help   ·   .import FILE TABLE   ·   SELECT * FROM dosql_log;\n"));
  EXPECT_TRUE(terminal.wait_for("main> "));
  terminal.type("\x04");
  EXPECT_EQ(0, terminal.wait_for_exit());
}

// What a person sees of a write: how many rows, and the version it made.
TEST_F(TerminalTest, WritesAreAnswered) {
  Terminal terminal = start({"shop"});
  ASSERT_TRUE(terminal.wait_for("main> "));
  terminal.type("CREATE TABLE t(x);\n");
  EXPECT_TRUE(terminal.wait_for("\nmain@1\nmain> "));
  terminal.type("INSERT INTO t VALUES(1), (2), (3);\n");
  EXPECT_TRUE(terminal.wait_for("\n3 rows · main@2\nmain> "));
  terminal.type("UPDATE t SET x = 5 WHERE x = 1;\n");
  EXPECT_TRUE(terminal.wait_for("\n1 row · main@3\nmain> "));
  terminal.type("DELETE FROM t WHERE x = 99;\n");
  EXPECT_TRUE(terminal.wait_for("\n0 rows · main@3\nmain> "));
  terminal.type("BEGIN;\n");
  EXPECT_TRUE(terminal.wait_for("BEGIN;\nmain> "));
  terminal.type("DELETE FROM t;\n");
  EXPECT_TRUE(terminal.wait_for("\n3 rows · not committed yet\nmain> "));
  terminal.type("COMMIT;\n");
  EXPECT_TRUE(terminal.wait_for("\nmain@4\nmain> "));
  terminal.type("SELECT count(*) FROM t;\n");
  EXPECT_TRUE(terminal.wait_for("\n0\nmain> "));
  terminal.type(".quit\n");
  EXPECT_EQ(0, terminal.wait_for_exit());

  Terminal again = start({"shop"});
  EXPECT_TRUE(again.wait_for("DoSQL 0.1 · shop · main@4 · every transaction is a version\n"));
  again.type(".exit 3\n");
  EXPECT_EQ(3, again.wait_for_exit());
}

TEST_F(TerminalTest, UnfinishedStatementsAskForMore) {
  Terminal terminal = start({"shop"});
  ASSERT_TRUE(terminal.wait_for("main> "));
  terminal.type("SELECT\n");
  EXPECT_TRUE(terminal.wait_for("\n ...> "));
  terminal.type("'a\n");
  EXPECT_TRUE(terminal.wait_for("\n ...> "));
  terminal.type(".b';\n");
  EXPECT_TRUE(terminal.wait_for("\na\n.b\nmain> "));
  terminal.type(".prompt \"sql: \" \"more: \"\n");
  EXPECT_TRUE(terminal.wait_for("\nsql: "));
  terminal.type("SELECT\n");
  EXPECT_TRUE(terminal.wait_for("\nmore: "));
  terminal.type("7;\n");
  EXPECT_TRUE(terminal.wait_for("\n7\nsql: "));
}

TEST_F(TerminalTest, ErrorsPointAtThePlace) {
  Terminal terminal = start({"shop"});
  ASSERT_TRUE(terminal.wait_for("main> "));
  terminal.type("SELECT 1,\n  nothere;\n");
  EXPECT_TRUE(
      terminal.wait_for("error: no such column: nothere\n"
                        "         nothere;\n"
                        "         ^\n"
                        "main> "));
  terminal.type(".tabels\n");
  EXPECT_TRUE(terminal.wait_for("error: unknown command '.tabels'\nhint:  did you mean .tables?\nmain> "));
  terminal.type("\x04");
  EXPECT_EQ(0, terminal.wait_for_exit()) << "mistakes at the prompt are no failure of the program";
}

// Ctrl-C must neither leave the shell nor lose it: it drops what is being typed.
// A line that the terminal wraps has its caret under other characters.
TEST_F(TerminalTest, AnErrorsLineFits) {
  Terminal terminal = start({"shop"});
  ASSERT_TRUE(terminal.wait_for("main> "));
  const std::string message = "no such column: nope";
  terminal.type("SELECT '" + std::string(80, 'a') + "', nope;\n");
  ASSERT_TRUE(terminal.wait_for(message + "\n"));
  ASSERT_TRUE(terminal.wait_for("^\nmain> "));
  const std::string& raw = terminal.raw();
  const std::size_t begin = raw.find('\n', raw.find(message)) + 1;
  const std::string line = raw.substr(begin, raw.find('\r', begin) - begin);
  EXPECT_LE(line.size(), 100u) << line;
  const std::size_t caret = raw.find('\n', begin) + 1;
  EXPECT_EQ(line.find("nope"), raw.find('^', caret) - caret) << raw.substr(begin);
}

TEST_F(TerminalTest, InterruptClearsTheLine) {
  Terminal terminal = start({"shop"});
  ASSERT_TRUE(terminal.wait_for("main> "));
  terminal.type("SELECT 1,\n");
  ASSERT_TRUE(terminal.wait_for(" ...> "));
  terminal.type("garbage");
  ASSERT_TRUE(terminal.wait_for("garbage"));
  terminal.type("\x03");
  EXPECT_TRUE(terminal.wait_for("^C\nmain> "));
  terminal.type("SELECT 'still ' || 'here';\n");
  EXPECT_TRUE(terminal.wait_for("\nstill here\nmain> "));
}

TEST_F(TerminalTest, InterruptStopsARunningStatement) {
  Terminal terminal = start({"shop"});
  ASSERT_TRUE(terminal.wait_for("main> "));
  terminal.type(
      "SELECT 'begun'; WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM "
      "n;\n");
  ASSERT_TRUE(terminal.wait_for("\nbegun\n"));
  terminal.type("\x03");
  EXPECT_TRUE(terminal.wait_for("main> "))
      << "the rest of the line is dropped, also when nothing ran just then";
  terminal.type("SELECT 'still ' || 'here';\n");
  EXPECT_TRUE(terminal.wait_for("\nstill here\nmain> "));
}

// Else a person goes on as if what came before were still to be committed.
TEST_F(TerminalTest, InterruptOfATransactionIsSaid) {
  Terminal terminal = start({"shop", "-cmd", "CREATE TABLE t(x)", "-cmd", "BEGIN"});
  ASSERT_TRUE(terminal.wait_for("main> "));
  bool said = false;
  // One that comes before the statement runs drops the line, and leaves the transaction.
  for (int attempt = 0; attempt < 20 && !said; ++attempt) {
    terminal.type(
        "SELECT 'be' || 'gun'; INSERT INTO t WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
        "SELECT i FROM n;\n");
    ASSERT_TRUE(terminal.wait_for("\nbegun\n"));
    ::usleep(100'000);
    terminal.type("\x03");
    ASSERT_TRUE(terminal.wait_for("main> "));
    said = terminal.raw().find("rolled back") != std::string::npos;
  }
  EXPECT_TRUE(said);
  terminal.type("COMMIT;\n");
  EXPECT_TRUE(terminal.wait_for("cannot commit - no transaction is active"));
}

TEST_F(TerminalTest, TabCompletes) {
  Terminal terminal = start({"shop"});
  ASSERT_TRUE(terminal.wait_for("main> "));
  terminal.type("CREATE TABLE reykjavik_districts(postcode, population);\n");
  ASSERT_TRUE(terminal.wait_for("main@1\nmain> "));
  terminal.type("SEL\tcount(*) FRO\treyk\t;\n");
  EXPECT_TRUE(terminal.wait_for("\n0\nmain> ")) << "keywords and tables";
  terminal.type("select popu\t from reykjavik_districts;\n");
  EXPECT_TRUE(terminal.wait_for("select population  from reykjavik_districts;\nmain> ")) << "columns";
  terminal.type(".tabl\t\n");
  EXPECT_TRUE(terminal.wait_for("\nreykjavik_districts\nmain> ")) << "dot-commands";
  terminal.type(".ex\t");
  EXPECT_TRUE(terminal.wait_for(".exit")) << "several: they are listed";
  EXPECT_TRUE(terminal.wait_for(".export-sqlite"));
  terminal.type("\x03");
  ASSERT_TRUE(terminal.wait_for("^C\nmain> "));
  terminal.type(".mode ma\t\n");
  terminal.type(".show\n");
  EXPECT_TRUE(terminal.wait_for("mode: markdown"));
  std::ofstream(folder_.path() / "a file.sql") << "SELECT 'from a file';\n";
  std::ofstream(folder_.path() / "setup.sql") << "SELECT 'from a ' || 'file';\n";
  terminal.type(".read set\t\n");
  EXPECT_TRUE(terminal.wait_for("from a file"));
}

// The history is private: statements may hold secrets.
TEST_F(TerminalTest, HistoryIsKeptForTheOwnerOnly) {
  {
    Terminal terminal = start({"shop"});
    ASSERT_TRUE(terminal.wait_for("main> "));
    terminal.type("SELECT 'first',\n  1;\n");
    ASSERT_TRUE(terminal.wait_for("\nfirst|1\nmain> "));
    terminal.type(".print second\n");
    ASSERT_TRUE(terminal.wait_for("\nsecond\nmain> "));
    terminal.type("\x04");
    ASSERT_EQ(0, terminal.wait_for_exit());
  }
  struct stat facts = {};
  ASSERT_EQ(0, ::stat((folder_.path() / ".dosql_history").c_str(), &facts));
  EXPECT_EQ(0600u, facts.st_mode & 0777u);
  EXPECT_NE(std::string::npos, history().find("print")) << history();

  Terminal terminal = start({"shop"});
  ASSERT_TRUE(terminal.wait_for("main> "));
  terminal.type("\x1b[A\x1b[A\n");  // twice up
  EXPECT_TRUE(terminal.wait_for("\nfirst|1\n")) << "a statement of several lines comes back as one";
}

TEST_F(TerminalTest, HistoryGoesWhereToldOrNowhere) {
  for (const std::string file : {"elsewhere", ""}) {
    Terminal terminal = start({"shop"}, {{"DOSQL_HISTORY", file}});
    ASSERT_TRUE(terminal.wait_for("main> "));
    terminal.type("SELECT 1;\n");
    ASSERT_TRUE(terminal.wait_for("\n1\nmain> "));
    terminal.type("\x04");
    ASSERT_EQ(0, terminal.wait_for_exit());
    EXPECT_FALSE(std::filesystem::exists(folder_.path() / ".dosql_history"));
  }
  EXPECT_TRUE(std::filesystem::exists(folder_.path() / "elsewhere"));
}

TEST_F(TerminalTest, ImportsEndWithTheirRows) {
  std::ofstream(folder_.path() / "cities.csv")
      << "id,name,population\n1,Reykjavík,118918\n2,Akureyri,18191\n";
  Terminal terminal = start({"shop"});
  ASSERT_TRUE(terminal.wait_for("main> "));
  terminal.type(".import cities.csv cities\n");
  EXPECT_TRUE(terminal.wait_for("████████████████████  2 rows · "));
  EXPECT_TRUE(terminal.wait_for(" · main@1\nmain> "));
  terminal.type("UPDATE cities SET population = 0 WHERE name = 'Reykjavík';\n");
  EXPECT_TRUE(terminal.wait_for("\n1 row · main@2\nmain> ")) << "UTF-8 typed at the prompt";
  terminal.type("SELECT name, population FROM cities;\n");
  EXPECT_TRUE(terminal.wait_for("\nReykjavík|0\nAkureyri|18191\nmain> "));
}

TEST_F(TerminalTest, ColoursUnlessUnwanted) {
  Terminal coloured = start({"shop"}, {{"NO_COLOR", ""}});
  ASSERT_TRUE(coloured.wait_for("main> "));
  coloured.type("SELECT nope;\n");
  ASSERT_TRUE(coloured.wait_for("error: no such column"));
  EXPECT_NE(std::string::npos, coloured.raw().find("\x1b[1;31merror:\x1b[0m"));
  coloured.type("\x04");
  coloured.wait_for_exit();

  using Variables = std::map<std::string, std::string>;
  for (const Variables& variables :
       {Variables{{"NO_COLOR", "1"}}, Variables{{"NO_COLOR", ""}, {"TERM", "dumb"}}}) {
    Terminal plain = start({"shop"}, variables);
    ASSERT_TRUE(plain.wait_for("main> "));
    plain.type("SELECT nope;\n");
    ASSERT_TRUE(plain.wait_for("error: no such column"));
    EXPECT_EQ(std::string::npos, plain.raw().find("\x1b[1;31m")) << variables.at("NO_COLOR");
  }
}

TEST_F(TerminalTest, BatchMeansNoPrompt) {
  Terminal terminal = start({"-batch", "shop"});
  terminal.type("SELECT 'answer';\n");
  ASSERT_TRUE(terminal.wait_for("\nanswer\n"));
  EXPECT_EQ(std::string::npos, terminal.raw().find("main>"));
  EXPECT_EQ(std::string::npos, terminal.raw().find("DoSQL"));
}

// Ctrl-C in a script means the script.
TEST_F(TerminalTest, InterruptEndsABatch) {
  Terminal terminal = start({"-batch", "shop"});
  terminal.type(
      "SELECT 'begun'; WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM "
      "n;\n");
  ASSERT_TRUE(terminal.wait_for("\nbegun\n"));
  terminal.type("\x03");
  EXPECT_EQ(130, terminal.wait_for_exit());
}

TEST_F(TerminalTest, ReadOnlyIsSaid) {
  ASSERT_EQ(0, run_command(folder_.path(), "dosql shop 'CREATE TABLE t(x)'", "").exit_status);
  Terminal terminal = start({"-readonly", "shop"});
  EXPECT_TRUE(terminal.wait_for("DoSQL 0.1 · shop (read-only) · main@1 · "));
  ASSERT_TRUE(terminal.wait_for("main> "));
  terminal.type("INSERT INTO t VALUES(1);\n");
  EXPECT_TRUE(terminal.wait_for("error: "));
  EXPECT_TRUE(terminal.wait_for("main> "));
}

}  // namespace
}  // namespace dosql::shell_test
