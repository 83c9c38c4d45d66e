// Opening, closing, checking and backing up databases on real files, and what is refused with which words.

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "engine/engine_test_support.h"
#include "testing/simulated_disk.h"

namespace dosql::engine {
namespace {

namespace fs = std::filesystem;

class DatabaseTest : public ::testing::Test {
 protected:
  TemporaryDirectory directory;
  const std::string path = directory.file("db");

  static Options with_mode(OpenMode mode) {
    Options options;
    options.mode = mode;
    return options;
  }
};

TEST_F(DatabaseTest, IsMadeOnceAndOpenedAgain) {
  {
    Database db = Database::open(path).value();
    EXPECT_TRUE(db.created());
    EXPECT_FALSE(db.read_only());
    EXPECT_EQ(db.path(), fs::canonical(path).string());
    DOSQL_ASSERT_OK(db.connect()->exec("CREATE TABLE t(x); INSERT INTO t VALUES (7)"));
    EXPECT_EQ(fs::status(path).permissions(), fs::perms::owner_all);
  }
  Database db = Database::open(path).value();
  EXPECT_FALSE(db.created());
  Connection conn = db.connect().value();
  EXPECT_EQ(rows_text(conn, "SELECT * FROM t"), "7");
  EXPECT_EQ(rows_text(conn, "SELECT value FROM dosql_status WHERE name = 'opened_clean'"), "1");
  EXPECT_EQ(rows_text(conn, "PRAGMA database_list"), "0|main|" + fs::canonical(path).string() + "/main");
}

// The directory stays as it was: no file of SQLite's is ever put beside the log.
TEST_F(DatabaseTest, SqlitePutsNoFilesBesideTheLog) {
  Database db = Database::open(path).value();
  Connection conn = db.connect().value();
  DOSQL_ASSERT_OK(conn.exec("CREATE TABLE t(x)"));
  const auto names = [&] {
    std::vector<std::string> found;
    for (const auto& entry : fs::directory_iterator(path)) found.push_back(entry.path().filename());
    std::sort(found.begin(), found.end());
    return found;
  };
  const auto before = names();
  DOSQL_ASSERT_OK(
      conn.exec("PRAGMA cache_size = 5; BEGIN; INSERT INTO t VALUES (zeroblob(200000)); SAVEPOINT a;"
                "UPDATE t SET x = zeroblob(100000); CREATE TEMP TABLE u AS SELECT * FROM t"));
  for (const std::string& name : names()) EXPECT_EQ(name.find("main"), std::string::npos) << name;
  DOSQL_ASSERT_OK(conn.exec("COMMIT; VACUUM"));
  for (const std::string& name : names()) EXPECT_EQ(name.find("main"), std::string::npos) << name;
  EXPECT_LE(before.size(), names().size());
}

TEST_F(DatabaseTest, HandlesShareOneDatabase) {
  Database db = Database::open(path).value();
  Database copy = db;
  DOSQL_ASSERT_OK(db.connect()->exec("CREATE TABLE t(x)"));
  { Database gone = std::move(db); }
  Connection conn = copy.connect().value();
  EXPECT_EQ(rows_text(conn, "SELECT count(*) FROM t"), "0");
}

// The handle may go first: what is open keeps the database.
TEST_F(DatabaseTest, AConnectionKeepsTheDatabaseOpen) {
  std::optional<Connection> conn;
  {
    Database db = Database::open(path).value();
    conn.emplace(db.connect().value());
  }
  DOSQL_EXPECT_OK(conn->exec("CREATE TABLE t(x)"));
  DOSQL_EXPECT_ERROR(Database::open(path), kLocked);
  conn.reset();
  DOSQL_EXPECT_OK(Database::open(path));
}

TEST_F(DatabaseTest, CloseWantsNoConnections) {
  Database db = Database::open(path).value();
  {
    Connection conn = db.connect().value();
    DOSQL_EXPECT_ERROR(db.close(), kInvalidArgument);
  }
  DOSQL_EXPECT_OK(db.close());
  DOSQL_EXPECT_OK(db.close());
  DOSQL_EXPECT_ERROR(db.connect(), kInvalidArgument);
  DOSQL_EXPECT_ERROR(db.check(), kInvalidArgument);
  DOSQL_EXPECT_ERROR(db.export_sqlite(directory.file("x")), kInvalidArgument);
  DOSQL_EXPECT_ERROR(db.maintain(0), kInvalidArgument);
}

TEST_F(DatabaseTest, ASecondWriterIsToldWhoHasIt) {
  Database db = Database::open(path).value();
  auto second = Database::open(path);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), ErrorCode::kLocked);
  EXPECT_NE(second.error().message().find(std::to_string(getpid())), std::string::npos)
      << second.error().message();
}

TEST_F(DatabaseTest, ReadOnlyReadsAndRefusesWrites) {
  {
    Database db = Database::open(path).value();
    DOSQL_ASSERT_OK(db.connect()->exec("CREATE TABLE t(x); INSERT INTO t VALUES (1)"));
  }
  Database db = Database::open(path, with_mode(OpenMode::kReadOnly)).value();
  EXPECT_TRUE(db.read_only());
  Connection conn = db.connect().value();
  EXPECT_EQ(rows_text(conn, "SELECT * FROM t"), "1");
  EXPECT_EQ(rows_text(conn, "SELECT count(*) FROM dosql_log"), "2");
  for (const char* sql : {"INSERT INTO t VALUES (2)", "CREATE TABLE u(x)", "DROP TABLE t", "VACUUM"}) {
    auto refused = conn.exec(sql);
    ASSERT_FALSE(refused) << sql;
    EXPECT_EQ(refused.error().code(), ErrorCode::kReadOnly) << sql;
    EXPECT_EQ(refused.error().message(), "the database is open for reading only");
  }
  DOSQL_EXPECT_OK(conn.exec("CREATE TEMP TABLE own AS SELECT * FROM t"));
  DOSQL_EXPECT_ERROR(db.import_sqlite(directory.file("x")), kReadOnly);
  DOSQL_EXPECT_OK(db.export_sqlite(directory.file("x")));
}

TEST_F(DatabaseTest, ReadersOpenBesideAWriter) {
  Database db = Database::open(path).value();
  Connection conn = db.connect().value();
  DOSQL_ASSERT_OK(conn.exec("CREATE TABLE t(x); INSERT INTO t VALUES (1)"));
  Database reader = Database::open(path, with_mode(OpenMode::kReadOnly)).value();
  Connection reading = reader.connect().value();
  EXPECT_EQ(rows_text(reading, "SELECT * FROM t"), "1");
}

TEST_F(DatabaseTest, ASqliteFileIsAnsweredWithHowToImportIt) {
  {
    Stock stock(path);
    stock.exec("CREATE TABLE t(x)");
  }
  auto opened = Database::open(path);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code(), ErrorCode::kNotADatabase);
  EXPECT_EQ(opened.error().message(),
            "'" + path + "' is an ordinary SQLite file; a DoSQL database is a directory");
  EXPECT_EQ(opened.error().hint(),
            "import it into a new database: dosql " + path + ".dosql \".import-sqlite " + path + "\"");
}

// The hint is there to be pasted into a shell.
TEST_F(DatabaseTest, TheHintIsQuotedForTheShell) {
  const std::string folder = path + ".d/";
  std::filesystem::create_directories(folder + "taken");
  const auto hint_for = [&](const std::string& name) {
    Stock(folder + name).exec("CREATE TABLE t(x)");
    const std::string prefix = "import it into a new database: dosql ";
    auto opened = Database::open(folder + name);
    EXPECT_EQ(opened.error().hint().substr(0, prefix.size()), prefix);
    return opened.error().hint().substr(prefix.size());
  };
  EXPECT_EQ(hint_for("plain.db"), folder + "plain \".import-sqlite " + folder + "plain.db\"");
  EXPECT_EQ(hint_for("my file.db"), '"' + folder + "my file\" \".import-sqlite '" + folder + "my file.db'\"");
  EXPECT_EQ(hint_for("it's.db"), '"' + folder + "it's\" '.import-sqlite \"" + folder + "it'\\''s.db\"'");
  EXPECT_EQ(hint_for("a$b.db"), "'" + folder + "a$b' '.import-sqlite " + folder + "a$b.db'");
  EXPECT_EQ(hint_for("taken.db"), folder + "taken.dosql \".import-sqlite " + folder + "taken.db\"");
  const std::filesystem::path here = std::filesystem::current_path();
  std::filesystem::current_path(folder);
  Stock("./-dash.db").exec("CREATE TABLE t(x)");
  EXPECT_EQ(Database::open("-dash.db").error().hint(),
            "import it into a new database: dosql ./-dash \".import-sqlite ./-dash.db\"");
  std::filesystem::current_path(here);
}

TEST_F(DatabaseTest, OtherFilesAndDirectoriesAreRefused) {
  std::ofstream(path) << "hello";
  auto file = Database::open(path);
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().code(), ErrorCode::kNotADatabase);
  EXPECT_TRUE(file.error().hint().empty());
  const std::string folder = directory.file("photos");
  fs::create_directory(folder);
  std::ofstream(folder + "/holiday.jpg") << "jpg";
  DOSQL_EXPECT_ERROR(Database::open(folder), kNotADatabase);
  EXPECT_EQ(fs::file_size(folder + "/holiday.jpg"), 3u);
}

TEST_F(DatabaseTest, MissingOnesAreNotMadeUnlessWanted) {
  DOSQL_EXPECT_ERROR(Database::open(path, with_mode(OpenMode::kReadWrite)), kNotFound);
  DOSQL_EXPECT_ERROR(Database::open(path, with_mode(OpenMode::kReadOnly)), kNotFound);
  EXPECT_FALSE(fs::exists(path));
  DOSQL_EXPECT_ERROR(Database::open(directory.file("no/such/parent")), kNotFound);
}

TEST_F(DatabaseTest, CheckFindsNothingWrong) {
  Database db = Database::open(path).value();
  EXPECT_TRUE(db.check()->empty()) << "of a new database";
  DOSQL_ASSERT_OK(db.connect()->exec("CREATE TABLE t(x); INSERT INTO t VALUES (zeroblob(100000))"));
  int calls = 0;
  auto problems = db.check([&](std::uint64_t done, std::uint64_t total) {
    EXPECT_LE(done, total);
    ++calls;
    return true;
  });
  DOSQL_ASSERT_OK(problems);
  EXPECT_TRUE(problems->empty());
  EXPECT_GT(calls, 0);
  DOSQL_EXPECT_ERROR(db.check([](std::uint64_t, std::uint64_t) { return false; }), kInterrupted);
}

// What SQLite's own check finds is reported with the version it is in.
TEST_F(DatabaseTest, CheckReportsWhatIntegrityCheckFinds) {
  Database db = Database::open(path).value();
  Connection conn = db.connect().value();
  DOSQL_ASSERT_OK(
      conn.exec("CREATE TABLE t(a, b); INSERT INTO t VALUES (1, 2); CREATE INDEX i ON t(a);"
                "PRAGMA writable_schema = ON;"
                "UPDATE sqlite_schema SET sql = 'CREATE INDEX i ON t(b)' WHERE name = 'i';"
                "PRAGMA writable_schema = RESET"));
  auto problems = db.check();
  DOSQL_ASSERT_OK(problems);
  ASSERT_FALSE(problems->empty());
  EXPECT_EQ(problems->front().file, "main@" + std::to_string(conn.version()));
}

TEST_F(DatabaseTest, BackupIsADatabaseWithItsHistory) {
  Database db = Database::open(path).value();
  Connection conn = db.connect().value();
  DOSQL_ASSERT_OK(conn.exec("CREATE TABLE t(x); INSERT INTO t VALUES (1); UPDATE t SET x = 2"));
  const std::string copy = directory.file("copy");
  DOSQL_ASSERT_OK(db.backup(copy));
  DOSQL_ASSERT_OK(conn.exec("UPDATE t SET x = 3"));
  Database restored = Database::open(copy, with_mode(OpenMode::kReadWrite)).value();
  Connection reading = restored.connect().value();
  EXPECT_EQ(rows_text(reading, "SELECT * FROM t"), "2");
  EXPECT_EQ(rows_text(reading, "SELECT count(*) FROM dosql_log"), "3");
  DOSQL_ASSERT_OK(restored.export_sqlite(directory.file("old"), 2));
  EXPECT_EQ(Stock(directory.file("old")).rows_text("SELECT * FROM t"), "1");
}

TEST_F(DatabaseTest, BackupWantsAnEmptyPlace) {
  Database db = Database::open(path).value();
  DOSQL_ASSERT_OK(db.connect()->exec("CREATE TABLE t(x)"));
  const std::string full = directory.file("full");
  fs::create_directory(full);
  std::ofstream(full + "/precious") << "x";
  DOSQL_EXPECT_ERROR(db.backup(full), kAlreadyExists);
  EXPECT_TRUE(fs::exists(full + "/precious"));
  const std::string stopped = directory.file("stopped");
  DOSQL_EXPECT_ERROR(db.backup(stopped, [](std::uint64_t, std::uint64_t) { return false; }), kInterrupted);
  EXPECT_FALSE(fs::exists(stopped));
}

TEST_F(DatabaseTest, APoolForWhichThereAreNoAddressesIsRefused) {
  Options options;
  options.pool_bytes = std::size_t{1} << 60;
  DOSQL_EXPECT_ERROR(Database::open(path, options), kOutOfMemory);
  EXPECT_TRUE(Database::open(path));
}

TEST_F(DatabaseTest, MaintainDoesNotMind) {
  Database db = Database::open(path).value();
  DOSQL_ASSERT_OK(db.connect()->exec("CREATE TABLE t(x)"));
  DOSQL_EXPECT_OK(db.maintain(1'000));
}

// A schema that cannot be read: opening works, the statement says what is wrong, and it can be repaired.
TEST_F(DatabaseTest, AGarbledSchemaOpensAndCanBeRepaired) {
  Database db = Database::open(path).value();
  {
    Connection conn = db.connect().value();
    DOSQL_ASSERT_OK(
        conn.exec("CREATE TABLE t(x); INSERT INTO t VALUES (5); PRAGMA writable_schema = ON;"
                  "UPDATE sqlite_schema SET sql = 'CREATE TABLE t(' WHERE name = 't'"));
  }
  Connection conn = db.connect().value();
  DOSQL_EXPECT_ERROR(conn.query("SELECT * FROM t"), kCorrupt);
  DOSQL_ASSERT_OK(
      conn.exec("PRAGMA writable_schema = ON;"
                "UPDATE sqlite_schema SET sql = 'CREATE TABLE t(x)' WHERE name = 't'"));
  Connection repaired = db.connect().value();
  EXPECT_EQ(rows_text(repaired, "SELECT * FROM t"), "5");
}

// Damage on disk is an error that names file and offset, not a wrong answer.
TEST_F(DatabaseTest, AFlippedBitIsReported) {
  testing::SimulatedDisk disk;
  {
    Database db = open_on(disk.directory()).value();
    DOSQL_ASSERT_OK(db.connect()->exec("CREATE TABLE t(x); INSERT INTO t VALUES (printf('%.900000c', 'q'))"));
    DOSQL_ASSERT_OK(db.close());
  }
  Options options;
  options.pool_bytes = 0;  // the least there is: less than the value
  Database db = open_on(disk.directory(), options).value();
  Connection conn = db.connect().value();
  EXPECT_EQ(rows_text(conn, "SELECT count(*) FROM t"), "1");
  // In every page of the value: the pool holds some of them.
  int flipped = 0;
  for (const auto& file : disk.files()) {
    const std::vector<std::byte> content = disk.content(file.name);
    const std::vector<std::byte> qs(3'000, std::byte{'q'});
    auto found = std::search(content.begin(), content.end(), qs.begin(), qs.end());
    while (found != content.end()) {
      disk.flip_bit(file.name, found - content.begin() + 1'000, 3);
      ++flipped;
      found = std::search(found + 3'000, content.end(), qs.begin(), qs.end());
    }
  }
  ASSERT_GT(flipped, 200);
  auto failed = conn.query("SELECT length(x), x LIKE '%r%' FROM t");
  ASSERT_FALSE(failed) << "the damage was not noticed";
  EXPECT_EQ(failed.error().code(), ErrorCode::kCorrupt);
  EXPECT_NE(failed.error().message().find("log-"), std::string::npos) << failed.error().message();
  EXPECT_NE(failed.error().message().find("offset"), std::string::npos) << failed.error().message();
  auto problems = db.check();
  DOSQL_ASSERT_OK(problems);
  EXPECT_FALSE(problems->empty());
}

}  // namespace
}  // namespace dosql::engine
