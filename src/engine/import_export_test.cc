// SQLite files in and out, looked at with stock SQLite.

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <fstream>

#include "engine/engine_test_support.h"

namespace dosql::engine {
namespace {

namespace fs = std::filesystem;

std::string bytes_of_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

void write_file(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

std::vector<std::string> names_in(const std::string& directory) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(directory)) names.push_back(entry.path().filename());
  std::sort(names.begin(), names.end());
  return names;
}

// Something of everything: rows, an index, overflow pages, a view, a trigger, full text, free pages.
constexpr const char* kContent =
    "CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT, data BLOB);"
    "WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 2000)"
    " INSERT INTO t SELECT i, 'name' || i, zeroblob(i % 300) FROM s;"
    "INSERT INTO t VALUES (100000, 'big', CAST(printf('%.30000c', 'z') AS BLOB));"
    "CREATE INDEX by_name ON t(name); CREATE TABLE w(k TEXT PRIMARY KEY, v) WITHOUT ROWID;"
    "INSERT INTO w VALUES ('a', 1.5), ('b', NULL); CREATE VIEW v AS SELECT count(*) AS n FROM t;"
    "CREATE TRIGGER tr AFTER DELETE ON w BEGIN DELETE FROM t WHERE id = 1; END;"
    "CREATE VIRTUAL TABLE docs USING fts5(body); INSERT INTO docs VALUES ('hello world'), ('goodbye world');"
    "DELETE FROM t WHERE id BETWEEN 500 AND 900; PRAGMA user_version = 77; PRAGMA application_id = 99;";

class ImportTest : public ::testing::Test {
 protected:
  TemporaryDirectory directory;
  const std::string source = directory.file("source");
  const std::string exported = directory.file("exported");

  Database new_database(const Options& options = {}) {
    return Database::open(directory.file("db"), options).value();
  }

  void make_source(const std::string& before) {
    Stock stock(source);
    stock.exec(before);
    stock.exec(kContent);
  }

  // The database and its export hold what the source holds; the source is as it was.
  void expect_round_trip(bool rewritten) {
    const std::string before = bytes_of_file(source);
    const std::vector<std::string> names_before = names_in(directory.path());
    Database db = new_database();
    auto imported = db.import_sqlite(source);
    DOSQL_ASSERT_OK(imported);
    EXPECT_EQ(imported->rewritten, rewritten);
    EXPECT_EQ(bytes_of_file(source), before);

    Connection conn = db.connect().value();
    EXPECT_EQ(conn.version(), 1u);
    EXPECT_EQ(rows_text(conn, "PRAGMA integrity_check"), "ok");
    auto result = db.export_sqlite(exported);
    DOSQL_ASSERT_OK(result);
    EXPECT_EQ(result->version, 1u);
    EXPECT_EQ(result->bytes, fs::file_size(exported));

    Stock original(source);
    Stock copy(exported);
    EXPECT_EQ(copy.rows_text("PRAGMA integrity_check"), "ok");
    EXPECT_EQ(copy.rows_text("PRAGMA journal_mode"), "delete");
    const std::string content = content_text(original);
    EXPECT_EQ(content_text(conn), content);
    EXPECT_EQ(content_text(copy), content);
    for (const char* pragma :
         {"user_version", "application_id", "encoding", "auto_vacuum", "schema_version"}) {
      const std::string ask = std::string("PRAGMA ") + pragma;
      // VACUUM INTO counts the schema version on.
      if (rewritten && std::string(pragma) == "schema_version") continue;
      EXPECT_EQ(rows_text(conn, ask), original.rows_text(ask)) << pragma;
      EXPECT_EQ(copy.rows_text(ask), original.rows_text(ask)) << pragma;
    }
    EXPECT_FALSE(fs::exists(directory.file("db/import.tmp"))) << "a private copy was left";

    // And it is a database to work with.
    DOSQL_EXPECT_OK(conn.exec("INSERT INTO t(name) VALUES ('new'); DELETE FROM t WHERE id < 1000"));
    EXPECT_EQ(rows_text(conn, "PRAGMA integrity_check"), "ok");
  }
};

class ImportPageSizeTest : public ImportTest, public ::testing::WithParamInterface<int> {};

TEST_P(ImportPageSizeTest, RoundTrip) {
  make_source("PRAGMA page_size = " + std::to_string(GetParam()));
  expect_round_trip(GetParam() != 4096);
}

INSTANTIATE_TEST_SUITE_P(All, ImportPageSizeTest,
                         ::testing::Values(512, 1024, 2048, 4096, 8192, 16384, 32768, 65536));

class ImportVariantTest : public ImportTest, public ::testing::WithParamInterface<const char*> {};

TEST_P(ImportVariantTest, RoundTrip) {
  make_source(GetParam());
  expect_round_trip(false);
}

INSTANTIATE_TEST_SUITE_P(All, ImportVariantTest,
                         ::testing::Values("PRAGMA encoding = 'UTF-16le'", "PRAGMA encoding = 'UTF-16be'",
                                           "PRAGMA auto_vacuum = NONE", "PRAGMA auto_vacuum = FULL",
                                           "PRAGMA auto_vacuum = INCREMENTAL"));

// Closed by its last user, a WAL-mode file has no log beside it. Reading it must not leave one.
TEST_F(ImportTest, AWalFileThatWasClosed) {
  make_source("PRAGMA journal_mode = WAL");
  const std::vector<std::string> before = names_in(directory.path());
  Database db = new_database();
  DOSQL_ASSERT_OK(db.import_sqlite(source));
  std::vector<std::string> after = names_in(directory.path());
  std::erase(after, "db");
  EXPECT_EQ(after, before);
  Connection conn = db.connect().value();
  EXPECT_EQ(content_text(conn), content_text(*std::make_unique<Stock>(source)));
  DOSQL_EXPECT_OK(conn.exec("INSERT INTO w VALUES ('c', 3)"));
}

// VACUUM changes no page size in WAL mode.
TEST_F(ImportTest, AWalFileOfAnotherPageSizeThatWasClosed) {
  for (const char* bytes : {"512", "8192", "65536"}) {
    SCOPED_TRACE(bytes);
    fs::remove(source);
    fs::remove_all(directory.file("db"));
    make_source("PRAGMA page_size = " + std::string(bytes) + "; PRAGMA journal_mode = WAL");
    Database db = new_database();
    DOSQL_ASSERT_OK(db.import_sqlite(source));
    EXPECT_TRUE(db.check()->empty());
    Connection conn = db.connect().value();
    EXPECT_EQ(content_text(conn), content_text(*std::make_unique<Stock>(source)));
    EXPECT_EQ(rows_text(conn, "PRAGMA integrity_check"), "ok");
  }
}

// Another program has the file open in WAL mode, with commits that are in the log only.
TEST_F(ImportTest, AWalFileInUse) {
  Stock writer(source);
  writer.exec("PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0");
  writer.exec(kContent);
  writer.exec("UPDATE w SET v = 'in the log'");
  ASSERT_GT(fs::file_size(source + "-wal"), 0u);
  const std::string before = bytes_of_file(source) + bytes_of_file(source + "-wal");
  Database db = new_database();
  DOSQL_ASSERT_OK(db.import_sqlite(source));
  EXPECT_EQ(bytes_of_file(source) + bytes_of_file(source + "-wal"), before);
  Connection conn = db.connect().value();
  EXPECT_EQ(content_text(conn), content_text(writer));
  EXPECT_EQ(rows_text(conn, "SELECT v FROM w"), "in the log\nin the log");
  EXPECT_EQ(rows_text(conn, "PRAGMA integrity_check"), "ok");
  EXPECT_FALSE(fs::exists(directory.file("db/import.tmp")));
}

// A crash left a log without its index file.
TEST_F(ImportTest, AWalFileAfterACrash) {
  {
    Stock writer(directory.file("running"));
    writer.exec("PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0");
    writer.exec(kContent);
    fs::copy_file(directory.file("running"), source);
    fs::copy_file(directory.file("running-wal"), source + "-wal");
  }
  Database db = new_database();
  DOSQL_ASSERT_OK(db.import_sqlite(source));
  Connection conn = db.connect().value();
  EXPECT_EQ(rows_text(conn, "SELECT n FROM v"), "1600");
  EXPECT_FALSE(fs::exists(source + "-shm"));
}

TEST_F(ImportTest, AWalFileOfAnotherPageSize) {
  Stock writer(source);
  writer.exec("PRAGMA page_size = 1024; PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0");
  writer.exec(kContent);
  Database db = new_database();
  auto imported = db.import_sqlite(source);
  DOSQL_ASSERT_OK(imported);
  EXPECT_TRUE(imported->rewritten);
  Connection conn = db.connect().value();
  EXPECT_EQ(content_text(conn), content_text(writer));
}

// A crash in the middle of a transaction left a journal: the transaction did not happen.
TEST_F(ImportTest, AJournalAfterACrash) {
  make_source("PRAGMA page_size = 4096");
  const std::string content = content_text(*std::make_unique<Stock>(source));
  {
    Stock writer(directory.file("running"));
    writer.exec("PRAGMA cache_size = 5");
    fs::copy_file(source, directory.file("running"), fs::copy_options::overwrite_existing);
    writer.exec("BEGIN; UPDATE t SET name = 'half done', data = NULL");
    fs::copy_file(directory.file("running"), source, fs::copy_options::overwrite_existing);
    fs::copy_file(directory.file("running-journal"), source + "-journal");
  }
  ASSERT_GT(fs::file_size(source + "-journal"), 0u);
  const std::string before = bytes_of_file(source);
  Database db = new_database();
  DOSQL_ASSERT_OK(db.import_sqlite(source));
  EXPECT_EQ(bytes_of_file(source), before);
  Connection conn = db.connect().value();
  EXPECT_EQ(content_text(conn), content);
}

TEST_F(ImportTest, AnEmptyDatabase) {
  {
    Stock stock(source);
    stock.exec("CREATE TABLE t(x); DROP TABLE t");
  }
  Database db = new_database();
  DOSQL_ASSERT_OK(db.import_sqlite(source));
  Connection conn = db.connect().value();
  EXPECT_EQ(conn.version(), 1u);
  DOSQL_EXPECT_OK(conn.exec("CREATE TABLE t(x)"));
}

// SQLite takes an empty file for an empty database.
TEST_F(ImportTest, AnEmptyFile) {
  write_file(source, "");
  Database db = new_database();
  DOSQL_ASSERT_OK(db.import_sqlite(source));
  Connection conn = db.connect().value();
  EXPECT_EQ(conn.version(), 1u);
  EXPECT_EQ(rows_text(conn, "SELECT count(*) FROM sqlite_schema"), "0");
}

// Old programs did not keep the page count in the header, or left it wrong.
TEST_F(ImportTest, AHeaderWithoutAValidPageCount) {
  make_source("PRAGMA page_size = 4096");
  std::string bytes = bytes_of_file(source);
  bytes.replace(28, 4, std::string(4, '\0'));
  write_file(source, bytes);
  Database db = new_database();
  auto imported = db.import_sqlite(source);
  DOSQL_ASSERT_OK(imported);
  EXPECT_EQ(imported->bytes, bytes.size());
  Connection conn = db.connect().value();
  EXPECT_EQ(rows_text(conn, "PRAGMA integrity_check"), "ok");
}

// Others may read the file meanwhile, and nobody may change it.
TEST_F(ImportTest, TheSourceIsLockedWhileItIsRead) {
  make_source("PRAGMA page_size = 4096");
  Stock other(source);
  sqlite3_busy_timeout(other.db(), 0);
  bool asked = false;
  Database db = new_database();
  DOSQL_ASSERT_OK(db.import_sqlite(source, [&](std::uint64_t done, std::uint64_t) {
    if (done == 0) return true;
    asked = true;
    EXPECT_EQ(other.try_exec("UPDATE t SET name = 'changed'"), SQLITE_BUSY);
    EXPECT_EQ(other.try_exec("SELECT count(*) FROM t"), SQLITE_OK);
    return true;
  }));
  EXPECT_TRUE(asked);
  other.exec("UPDATE t SET name = 'changed'");
}

TEST_F(ImportTest, ProgressRisesAndCanStop) {
  make_source("PRAGMA page_size = 4096");
  Database db = new_database();
  DOSQL_EXPECT_ERROR(db.import_sqlite(source, [](std::uint64_t, std::uint64_t) { return false; }),
                     kInterrupted);
  Connection conn = db.connect().value();
  EXPECT_EQ(conn.version(), 0u);
  std::uint64_t last = 0;
  DOSQL_ASSERT_OK(db.import_sqlite(source, [&](std::uint64_t done, std::uint64_t total) {
    EXPECT_GE(done, last);
    EXPECT_LE(done, total);
    last = done;
    return true;
  }));
  EXPECT_EQ(last, fs::file_size(source));
  EXPECT_EQ(rows_text(conn, "SELECT n FROM v"), "1600") << "an old connection sees the import";
}

TEST_F(ImportTest, OnlyIntoANewDatabase) {
  make_source("");
  Database db = new_database();
  Connection conn = db.connect().value();
  DOSQL_ASSERT_OK(conn.exec("CREATE TABLE mine(x)"));
  DOSQL_EXPECT_ERROR(db.import_sqlite(source), kInvalidArgument);
  EXPECT_EQ(rows_text(conn, "SELECT name FROM sqlite_schema"), "mine");
}

TEST_F(ImportTest, ABusyDatabaseIsNotImportedInto) {
  make_source("");
  Options options;
  options.busy_timeout_ms = 1;
  Database db = new_database(options);
  Connection conn = db.connect().value();
  DOSQL_ASSERT_OK(conn.exec("BEGIN IMMEDIATE"));
  DOSQL_EXPECT_ERROR(db.import_sqlite(source), kBusy);
}

class BadImportTest : public ImportTest {
 protected:
  void expect_refused(ErrorCode code, const std::string& words) {
    Database db = new_database();
    auto imported = db.import_sqlite(source);
    ASSERT_FALSE(imported) << "it was taken";
    EXPECT_EQ(error_code_name(imported.error().code()), error_code_name(code)) << imported.error().message();
    EXPECT_NE(imported.error().message().find(words), std::string::npos) << imported.error().message();
    EXPECT_EQ(db.connect()->version(), 0u);
  }
  void damage(std::size_t offset, const std::string& bytes) {
    std::string all = bytes_of_file(source);
    all.replace(offset, bytes.size(), bytes);
    write_file(source, all);
  }
};

TEST_F(BadImportTest, NoSuchFile) { expect_refused(ErrorCode::kNotFound, source); }

TEST_F(BadImportTest, ADirectory) {
  fs::create_directory(source);
  expect_refused(ErrorCode::kNotADatabase, "not a file");
}

TEST_F(BadImportTest, SomethingElse) {
  write_file(source, "id,name\n1,Ann\n" + std::string(5'000, 'x'));
  expect_refused(ErrorCode::kNotADatabase, "not an SQLite file");
}

TEST_F(BadImportTest, EncryptedBytes) {
  std::mt19937_64 random(1);
  std::string bytes(16'384, 0);
  for (char& byte : bytes) byte = static_cast<char>(random());
  write_file(source, bytes);
  expect_refused(ErrorCode::kNotADatabase, "not an SQLite file");
}

TEST_F(BadImportTest, CutOff) {
  make_source("PRAGMA page_size = 4096");
  fs::resize_file(source, fs::file_size(source) / 2 / 4096 * 4096);
  Database db = new_database();
  auto imported = db.import_sqlite(source);
  ASSERT_FALSE(imported);
  EXPECT_EQ(imported.error().code(), ErrorCode::kCorrupt) << imported.error().message();
  EXPECT_EQ(db.connect()->version(), 0u);
}

TEST_F(BadImportTest, AnImpossiblePageSize) {
  make_source("PRAGMA page_size = 4096");
  damage(16, std::string("\x03\xe7", 2));
  expect_refused(ErrorCode::kNotADatabase, "page size");
}

TEST_F(BadImportTest, ANewerFormat) {
  make_source("PRAGMA page_size = 4096");
  damage(18, "\x03\x03");
  expect_refused(ErrorCode::kFormatTooNew, "newer SQLite");
}

TEST_F(BadImportTest, AGarbledSchema) {
  make_source("PRAGMA page_size = 4096");
  {
    Stock stock(source);
    stock.exec(
        "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = 'CREATE TABLE t(' WHERE name = 't'");
  }
  expect_refused(ErrorCode::kCorrupt, "malformed database schema");
}

// Found in a private copy, it is said of the file that was named.
TEST_F(BadImportTest, DamageInAWalFileOfAnotherPageSize) {
  make_source("PRAGMA page_size = 1024; PRAGMA journal_mode = WAL");
  damage(1024 * 20, std::string(1024 * 40, '\xa5'));
  expect_refused(ErrorCode::kCorrupt, "'" + source + "'");
}

TEST_F(BadImportTest, AFreeListLongerThanTheFile) {
  make_source("PRAGMA page_size = 4096");
  damage(36, std::string("\x7f\xff\xff\xff", 4));
  expect_refused(ErrorCode::kCorrupt, "damaged");
}

class ExportTest : public ::testing::Test {
 protected:
  TemporaryDirectory directory;
  Database db = open_in_memory();
  Connection conn = db.connect().value();
  const std::string target = directory.file("out.sqlite");

  void SetUp() override {
    DOSQL_ASSERT_OK(conn.exec("CREATE TABLE t(n); INSERT INTO t VALUES (1); UPDATE t SET n = 2"));
  }
};

TEST_F(ExportTest, AnyVersion) {
  for (std::uint64_t version = 1; version <= 3; ++version) {
    const std::string file = directory.file(std::to_string(version));
    DOSQL_ASSERT_OK(db.export_sqlite(file, version));
    Stock stock(file);
    EXPECT_EQ(stock.rows_text("PRAGMA integrity_check"), "ok");
    EXPECT_EQ(stock.rows_text("SELECT * FROM t"), version == 1 ? "" : std::to_string(version - 1));
    // Programs notice a changed file by this counter.
    EXPECT_EQ(static_cast<unsigned char>(bytes_of_file(file)[27]), version);
    EXPECT_EQ(static_cast<unsigned char>(bytes_of_file(file)[95]), version);
  }
  DOSQL_EXPECT_ERROR(db.export_sqlite(target, 4), kVersionNotFound);
  EXPECT_FALSE(fs::exists(target));
}

TEST_F(ExportTest, NeverOverAnExistingFile) {
  write_file(target, "precious");
  DOSQL_EXPECT_ERROR(db.export_sqlite(target), kAlreadyExists);
  EXPECT_EQ(bytes_of_file(target), "precious");
  // Nor over one that comes into being while it works.
  const std::string late = directory.file("late");
  DOSQL_EXPECT_ERROR(db.export_sqlite(late, 0,
                                      [&](std::uint64_t, std::uint64_t) {
                                        write_file(late, "precious");
                                        return true;
                                      }),
                     kAlreadyExists);
  EXPECT_EQ(bytes_of_file(late), "precious");
  EXPECT_EQ(names_in(directory.path()), (std::vector<std::string>{"late", "out.sqlite"}));
}

TEST_F(ExportTest, NothingIsLeftWhenItStops) {
  DOSQL_EXPECT_ERROR(db.export_sqlite(target, 0, [](std::uint64_t, std::uint64_t) { return false; }),
                     kInterrupted);
  EXPECT_TRUE(names_in(directory.path()).empty());
}

TEST_F(ExportTest, NothingIsLeftWhenTheDiskFails) {
  // A limit on file sizes is a full disk as far as this process can tell.
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit old_limit;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &old_limit), 0);
  const rlimit limit{6'000, old_limit.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
  const auto result = db.export_sqlite(target);
  setrlimit(RLIMIT_FSIZE, &old_limit);
  std::signal(SIGXFSZ, old_handler);
  ASSERT_FALSE(result);
  EXPECT_TRUE(names_in(directory.path()).empty());
}

TEST_F(ExportTest, ADirectoryThatIsNotThere) {
  DOSQL_EXPECT_ERROR(db.export_sqlite(directory.file("no/where")), kNotFound);
  DOSQL_EXPECT_ERROR(db.export_sqlite(directory.path() + "/"), kInvalidArgument);
}

TEST_F(ExportTest, ADatabaseWithoutVersions) {
  Database empty = open_in_memory();
  DOSQL_EXPECT_ERROR(empty.export_sqlite(target), kVersionNotFound);
  EXPECT_FALSE(fs::exists(target));
}

// An export in a transaction of someone else is of the last commit.
TEST_F(ExportTest, OnlyWhatIsCommitted) {
  DOSQL_ASSERT_OK(conn.exec("BEGIN; UPDATE t SET n = 99"));
  DOSQL_ASSERT_OK(db.export_sqlite(target));
  Stock stock(target);
  EXPECT_EQ(stock.rows_text("SELECT * FROM t"), "2");
}

}  // namespace
}  // namespace dosql::engine
