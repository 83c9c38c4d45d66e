// Plain SQLite files beside the database: ATTACH and VACUUM INTO, with and without allow_files.

#include <gtest/gtest.h>

#include "engine/engine_test_support.h"

namespace dosql::engine {
namespace {

namespace fs = std::filesystem;

class FilesTest : public ::testing::Test {
 protected:
  TemporaryDirectory directory;
  const std::string plain = directory.file("plain.sqlite");

  Connection connect(bool allow_files) {
    Options options;
    options.allow_files = allow_files;
    return Database::open(directory.file("db"), options)->connect().value();
  }
};

TEST_F(FilesTest, RefusedUnlessAllowed) {
  {
    Stock stock(plain);
    stock.exec("CREATE TABLE t(x)");
  }
  Connection conn = connect(false);
  for (const std::string& sql : {"ATTACH '" + plain + "' AS p", "VACUUM INTO '" + directory.file("new") + "'",
                                 "ATTACH '" + directory.file("new") + "' AS p"}) {
    DOSQL_ASSERT_OK(conn.exec("CREATE TABLE IF NOT EXISTS t(x)"));
    auto refused = conn.exec(sql);
    ASSERT_FALSE(refused) << sql;
    EXPECT_EQ(refused.error().code(), ErrorCode::kForbidden) << sql;
    EXPECT_NE(refused.error().message().find("outside the database"), std::string::npos)
        << refused.error().message();
  }
  EXPECT_FALSE(fs::exists(directory.file("new")));
  DOSQL_EXPECT_OK(
      conn.exec("ATTACH ':memory:' AS m; ATTACH '' AS t; CREATE TABLE m.x(y); CREATE TABLE t.x(y)"));
  DOSQL_EXPECT_ERROR(conn.query("SELECT load_extension('x')"), kSql);
}

TEST_F(FilesTest, PlainFilesAttachLikeAlways) {
  {
    Stock stock(plain);
    stock.exec("CREATE TABLE t(x); INSERT INTO t VALUES (1), (2)");
  }
  Connection conn = connect(true);
  DOSQL_ASSERT_OK(
      conn.exec("ATTACH '" + plain + "' AS p; CREATE TABLE main.u AS SELECT x * 10 AS x FROM p.t"));
  DOSQL_ASSERT_OK(conn.exec("INSERT INTO p.t SELECT x FROM main.u"));
  EXPECT_EQ(rows_text(conn, "SELECT x FROM p.t ORDER BY x"), "1\n2\n10\n20");
  EXPECT_EQ(rows_text(conn, "PRAGMA p.journal_mode"), "delete");
  EXPECT_EQ(rows_text(conn, "PRAGMA p.journal_mode = WAL"), "wal");
  DOSQL_ASSERT_OK(conn.exec("INSERT INTO p.t VALUES (30); DETACH p"));
  EXPECT_EQ(Stock(plain).rows_text("SELECT count(*) FROM t"), "5");
}

// Who asked for reading only is not to find a plain file changed, or a new one.
TEST_F(FilesTest, ReadersWriteNoAttachedFiles) {
  Stock(plain).exec("CREATE TABLE t(x); INSERT INTO t VALUES (1)");
  DOSQL_ASSERT_OK(connect(true).exec("CREATE TABLE u(x); INSERT INTO u VALUES (2)"));
  Options options;
  options.allow_files = true;
  Database writer = Database::open(directory.file("db"), options).value();
  options.mode = OpenMode::kReadOnly;
  Database reader = Database::open(directory.file("db"), options).value();
  const auto expect_no_writes = [this](Connection conn) {
    DOSQL_ASSERT_OK(conn.exec("ATTACH '" + plain + "' AS p"));
    DOSQL_EXPECT_ERROR(conn.exec("INSERT INTO p.t VALUES (3)"), kReadOnly);
    auto refused = conn.exec("CREATE TABLE p.v(x)");
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().message().find("files attached to it"), std::string::npos)
        << refused.error().message();
    DOSQL_EXPECT_ERROR(conn.exec("ATTACH '" + directory.file("new") + "' AS q"), kIo);
    EXPECT_FALSE(fs::exists(directory.file("new")));
    // What they have for themselves goes on working, and so does taking a copy.
    DOSQL_ASSERT_OK(conn.exec("CREATE TEMP TABLE s(x); ATTACH ':memory:' AS m; CREATE TABLE m.s(x)"));
    DOSQL_ASSERT_OK(conn.exec("INSERT INTO m.s SELECT x FROM p.t; INSERT INTO temp.s SELECT x FROM m.s"));
    EXPECT_EQ(rows_text(conn, "SELECT x FROM temp.s"), "1");
    DOSQL_ASSERT_OK(conn.exec("VACUUM INTO '" + directory.file("copy") + "'"));
    fs::remove(directory.file("copy"));
  };
  expect_no_writes(reader.connect().value());
  expect_no_writes(writer.as_of(current()).value());
  EXPECT_EQ(Stock(plain).rows_text("SELECT x FROM t"), "1");
}

TEST_F(FilesTest, ADatabaseOfOursIsNotAttached) {
  Connection conn = connect(true);
  DOSQL_ASSERT_OK(Database::open(directory.file("other"))->connect());
  auto refused = conn.exec("ATTACH '" + directory.file("other") + "' AS o");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kNotADatabase);
  EXPECT_EQ(refused.error().message(),
            "'" + directory.file("other") + "' is a directory; only plain SQLite files can be attached");
}

TEST_F(FilesTest, VacuumIntoMakesAnOrdinaryFile) {
  Connection conn = connect(true);
  DOSQL_ASSERT_OK(conn.exec("CREATE TABLE t(x); INSERT INTO t VALUES (1); VACUUM INTO '" + plain + "'"));
  Stock stock(plain);
  EXPECT_EQ(stock.rows_text("SELECT * FROM t"), "1");
  EXPECT_EQ(stock.rows_text("PRAGMA integrity_check"), "ok");
}

// One statement over our database and one, or several, plain files: all of them or none.
TEST_F(FilesTest, TransactionsOverSeveralFiles) {
  Connection conn = connect(true);
  DOSQL_ASSERT_OK(conn.exec("ATTACH '" + plain + "' AS p; ATTACH '" + directory.file("second") +
                            "' AS q;"
                            "CREATE TABLE main.t(x); CREATE TABLE p.t(x); CREATE TABLE q.t(x)"));
  const auto counts = [&] {
    return rows_text(
        conn, "SELECT (SELECT count(*) FROM main.t), (SELECT count(*) FROM p.t), (SELECT count(*) FROM q.t)");
  };
  DOSQL_ASSERT_OK(conn.exec("BEGIN; INSERT INTO main.t VALUES (1); INSERT INTO p.t VALUES (1); COMMIT"));
  EXPECT_EQ(counts(), "1|1|0");
  // With two plain files SQLite writes a super-journal, and its name into all journals, ours too.
  DOSQL_ASSERT_OK(conn.exec(
      "BEGIN; INSERT INTO main.t VALUES (2); INSERT INTO p.t VALUES (2); INSERT INTO q.t VALUES (2);"
      "COMMIT"));
  EXPECT_EQ(counts(), "2|2|1");
  DOSQL_ASSERT_OK(conn.exec(
      "BEGIN; INSERT INTO main.t VALUES (3); INSERT INTO p.t VALUES (3); INSERT INTO q.t VALUES (3);"
      "ROLLBACK"));
  EXPECT_EQ(counts(), "2|2|1");
  DOSQL_ASSERT_OK(conn.exec("INSERT INTO main.t VALUES (4)"));
  EXPECT_EQ(rows_text(conn, "PRAGMA main.integrity_check"), "ok");
  for (const auto& entry : fs::directory_iterator(directory.file("db"))) {
    EXPECT_EQ(entry.path().filename().string().find("-mj"), std::string::npos) << "a super-journal was left";
  }
}

// A busy plain file is waited for like SQLite waits, and then fails like SQLite fails.
TEST_F(FilesTest, ABusyPlainFile) {
  Stock other(plain);
  other.exec("CREATE TABLE t(x); BEGIN IMMEDIATE");
  Connection conn = connect(true);
  DOSQL_ASSERT_OK(conn.exec("PRAGMA busy_timeout = 20; ATTACH '" + plain + "' AS p"));
  auto busy = conn.exec("INSERT INTO p.t VALUES (1)");
  ASSERT_FALSE(busy);
  EXPECT_EQ(busy.error().code(), ErrorCode::kBusy);
  EXPECT_EQ(busy.error().message(), "database is locked");
  other.exec("COMMIT");
  DOSQL_EXPECT_OK(conn.exec("INSERT INTO p.t VALUES (1)"));
}

TEST_F(FilesTest, TheDatabasesOwnFileIsNotAttached) {
  Connection conn = connect(true);
  DOSQL_ASSERT_OK(conn.exec("CREATE TABLE t(x)"));
  const std::string own = rows_text(conn, "SELECT file FROM pragma_database_list WHERE name = 'main'");
  for (const std::string& name : {own, own + "@1"}) {
    DOSQL_EXPECT_ERROR(conn.exec("ATTACH '" + name + "' AS again"), kInvalidArgument);
  }
  // A file that merely begins like it is another file.
  DOSQL_EXPECT_OK(conn.exec("ATTACH '" + own + "-other.sqlite' AS other; CREATE TABLE other.t(x)"));
  EXPECT_TRUE(fs::exists(own + "-other.sqlite"));
}

TEST_F(FilesTest, AMissingFileIsTheSystemsError) {
  Connection conn = connect(true);
  auto failed = conn.exec("ATTACH '" + directory.file("no/such") + "' AS p");
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code(), ErrorCode::kIo);
  EXPECT_NE(failed.error().message().find("unable to open database"), std::string::npos)
      << failed.error().message();
}

// The backup API, which writes pages past SQL. Another page size would need pages that the store does not
// have.
TEST_F(FilesTest, SqlitesBackupGoesInAndOut) {
  Connection conn = connect(false);
  DOSQL_ASSERT_OK(conn.exec("CREATE TABLE t(x); INSERT INTO t VALUES (zeroblob(50000)), (2)"));
  const auto copy = [](sqlite3* to, sqlite3* from) {
    sqlite3_backup* backup = sqlite3_backup_init(to, "main", from, "main");
    sqlite3_backup_step(backup, -1);
    return sqlite3_backup_finish(backup);
  };
  Stock out(plain);
  EXPECT_EQ(copy(out.db(), conn.sqlite_handle()), SQLITE_OK);
  EXPECT_EQ(content_text(out), content_text(conn));
  out.exec("UPDATE t SET x = 3 WHERE x = 2; CREATE TABLE u(y)");
  EXPECT_EQ(copy(conn.sqlite_handle(), out.db()), SQLITE_OK);
  EXPECT_EQ(content_text(conn), content_text(out));
  EXPECT_EQ(rows_text(conn, "PRAGMA integrity_check"), "ok");

  // In WAL mode a file says so in its first page.
  Stock wal(directory.file("wal"));
  wal.exec("PRAGMA journal_mode = WAL; CREATE TABLE w(z); INSERT INTO w VALUES (1)");
  EXPECT_EQ(copy(conn.sqlite_handle(), wal.db()), SQLITE_OK);
  EXPECT_EQ(rows_text(conn, "SELECT * FROM w"), "1");
  DOSQL_EXPECT_OK(conn.exec("INSERT INTO w VALUES (2); CREATE TABLE t(x); INSERT INTO t VALUES (1), (2)"));
  EXPECT_EQ(rows_text(conn, "PRAGMA integrity_check"), "ok");

  Stock small(directory.file("small"));
  small.exec("PRAGMA page_size = 1024; CREATE TABLE v(z); INSERT INTO v VALUES (zeroblob(9000))");
  EXPECT_NE(copy(conn.sqlite_handle(), small.db()), SQLITE_OK);
  Connection after = std::move(conn);
  EXPECT_EQ(rows_text(after, "SELECT count(*) FROM t"), "2");
  EXPECT_EQ(rows_text(after, "PRAGMA integrity_check"), "ok");
  DOSQL_EXPECT_OK(after.exec("INSERT INTO t VALUES (5)"));
}

}  // namespace
}  // namespace dosql::engine
