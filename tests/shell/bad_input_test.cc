// What the shell answers where a database cannot be opened, written, imported or exported: each message in
// full.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/checksum.h"
#include "tests/shell/process.h"

namespace dosql::shell_test {
namespace {

using testing::MatchesRegex;

class BadInputTest : public testing::Test {
 protected:
  Outcome run(const std::string& command) { return run_command(folder_.path(), command, ""); }

  // `command` fails with nothing on standard output.
  void expect_error(const std::string& command, const std::string& message) {
    const Outcome outcome = run(command);
    EXPECT_EQ(outcome.output, "");
    EXPECT_THAT(outcome.errors, MatchesRegex(message)) << command;
    EXPECT_EQ(outcome.exit_status, 1) << command;
  }

  void SetUp() override {
    ASSERT_EQ(run("dosql shop 'CREATE TABLE t(x)' 'INSERT INTO t VALUES(1)'").errors, "");
  }

  TemporaryFolder folder_;
};

// A small file system of its own at `disk`, gone with the commands that it is there for.
class OwnDiskTest : public BadInputTest {
 protected:
  void SetUp() override {
    BadInputTest::SetUp();
    ASSERT_EQ(run("mkdir disk").exit_status, 0);
    if (run(on_disk("true")).exit_status != 0) GTEST_SKIP() << "this machine lets us mount nothing";
  }

  // The command that runs `commands` beside a copy of the database, disk/shop.
  std::string on_disk(const std::string& commands) {
    write_file(folder_.path() / "commands",
               "mount -t tmpfs -o size=2m tmpfs disk && cp -r shop disk && {\n" + commands + "\n}\n");
    return std::string("unshare --mount ") + (geteuid() == 0 ? "" : "--map-root-user ") + "sh commands";
  }
};

// It is opened for reading, follows the writer, and says so.
TEST_F(BadInputTest, ASecondWriter) {
  const Outcome outcome =
      run("mkfifo in; dosql shop < in > out & exec 3> in; printf 'CREATE TABLE u(x);\\n.print ready\\n' >&3;"
          "until grep -qs ready out; do :; done;"
          "dosql shop 'SELECT count(*) FROM u' 'INSERT INTO u VALUES(1)'; status=$?; exec 3>&-; wait; exit "
          "$status");
  EXPECT_EQ(outcome.output, "0\n");
  EXPECT_THAT(outcome.errors,
              MatchesRegex("opened read-only: 'shop' is open for writing in process [0-9]+ \\(dosql\\)\n"
                           "error: the database is open for reading only\n"
                           "hint:  process [0-9]+ has it open for writing\n"));
  EXPECT_EQ(outcome.exit_status, 1);
}

TEST_F(BadInputTest, ADirectoryThatIsNoDatabase) {
  ASSERT_EQ(run("mkdir letters; echo Dear > letters/ann; echo key > letters/lock").exit_status, 0);
  expect_error("dosql letters 'SELECT 1'",
               "error: 'letters' is a directory with other files, not a DoSQL database\n"
               "hint:  name an empty or a new directory to make a database\n");
  EXPECT_EQ(run("ls letters; cat letters/lock").output, "ann\nlock\nkey\n");
}

// Both copies of the 128 bytes at the head of the control file or of a segment, from the other release.
std::string of_format_version(std::string bytes, std::size_t second_copy, std::uint32_t version) {
  for (const std::size_t copy : {std::size_t{0}, second_copy}) {
    auto* at = reinterpret_cast<std::byte*>(bytes.data()) + copy;
    store<std::uint32_t>(at + 8, version);
    store(at + 120, checksum64(Bytes(at, 120), 0));
  }
  return bytes;
}

TEST_F(BadInputTest, ASegmentOfANewerFormatVersion) {
  const auto segment = folder_.path() / "shop" / "log-00000001";
  write_file(segment, of_format_version(read_file(segment), 2048, 99));
  const std::string message =
      "error: 'shop': 'log-00000001' has format version 99, this release reads up to 1\n"
      "hint:  open it with a newer release of DoSQL\n";
  expect_error("dosql shop 'SELECT * FROM t'", message);
  expect_error("dosql -readonly shop 'SELECT * FROM t'", message);
}

TEST_F(BadInputTest, ANewerFormatVersion) {
  const auto control = folder_.path() / "shop" / "control";
  const std::string bytes = of_format_version(read_file(control), 4096, 99);
  write_file(control, bytes);
  const std::string message = "error: .*99.*\n(hint:  .*\n)?";
  expect_error("dosql shop 'SELECT * FROM t'", message);
  expect_error("dosql -readonly shop 'SELECT * FROM t'", message);
  EXPECT_EQ(read_file(control), bytes);
}

TEST_F(BadInputTest, ACorruptImportFile) {
  ASSERT_EQ(run("sqlite3 old.db 'CREATE TABLE a(x); INSERT INTO a VALUES(zeroblob(20000))' && truncate -s "
                "9000 old.db")
                .exit_status,
            0);
  expect_error("dosql new '.import-sqlite old.db'", "error: .*old.db.*(cut off|malformed).*\n");
  EXPECT_EQ(run("dosql new 'SELECT count(*) FROM dosql_log'").output, "0\n");
}

TEST_F(BadInputTest, AnExportOverAnExistingFile) {
  ASSERT_EQ(run("echo precious > out.db").exit_status, 0);
  expect_error("dosql shop '.export-sqlite out.db'", "error: 'out.db' exists and is not replaced\n");
  EXPECT_EQ(run("cat out.db").output, "precious\n");
}

TEST_F(OwnDiskTest, AReadOnlyFileSystem) {
  const auto read_only = [this](const std::string& command) {
    return on_disk("mount -o remount,ro disk && " + command);
  };
  expect_error(read_only("dosql disk/shop 'SELECT x FROM t'"),
               "error: cannot lock 'disk/shop/lock': Read-only file system\nhint:  open it with -readonly\n");
  expect_error(read_only("dosql disk/new 'SELECT 1'"),
               "error: cannot create directory 'disk/new': Read-only file system\n");
  expect_error(read_only("dosql -readonly disk/shop '.export-sqlite disk/out.db'"),
               "error: cannot create 'disk/out.db[^']*': Read-only file system\n");
  EXPECT_EQ(run(read_only("dosql -readonly disk/shop 'SELECT x FROM t' .check")).output, "1\nok\n");
}

// The file itself is well and elsewhere.
TEST_F(OwnDiskTest, AnImportWithoutRoomForTheCopy) {
  ASSERT_EQ(run("sqlite3 old.db 'PRAGMA page_size = 1024; CREATE TABLE a(x); INSERT INTO a "
                "VALUES(zeroblob(4000000))'")
                .exit_status,
            0);
  expect_error(
      on_disk("dosql disk/new '.import-sqlite old.db'"),
      "error: cannot write '[^']*/disk/new/import.tmp/rewritten.sqlite', a copy of 'old.db': No space left "
      "on device\n"
      "hint:  importing this file takes room for it twice, in the directory of the database\n");
}

// Of three statements of a transaction the last one fails; that the others are gone too must be said.
TEST_F(OwnDiskTest, AFullDiskInATransaction) {
  const Outcome outcome =
      run(on_disk("dosql disk/shop 'BEGIN; INSERT INTO t VALUES(2)' "
                  "'INSERT INTO t VALUES(randomblob(20000000))'\n"
                  "dosql disk/shop 'SELECT x FROM t'"));
  EXPECT_EQ(outcome.output, "1\n");
  EXPECT_THAT(outcome.errors,
              MatchesRegex("error: cannot [^']* 'disk/shop/log-[0-9]+': No space left on device\n"
                           "hint:  the whole transaction was rolled back\n"));
}

TEST_F(OwnDiskTest, AFullDisk) {
  const Outcome outcome =
      run(on_disk("dosql disk/shop 'INSERT INTO t VALUES(randomblob(5000000))'\n"
                  "dosql disk/shop 'SELECT x FROM t' .check"));
  EXPECT_EQ(outcome.output, "1\nok\n");
  EXPECT_THAT(outcome.errors,
              MatchesRegex("error: cannot [^']* 'disk/shop/log-[0-9]+': No space left on device\n"));
}

// After a kill opening has to write, and cannot. Reading needs no room.
TEST_F(OwnDiskTest, OpeningOnAFullDisk) {
  const Outcome outcome = run(on_disk(R"(
      mkfifo in; dosql disk/shop <in >out & exec 3>in; echo "INSERT INTO t VALUES(2) RETURNING 'done';" >&3
      until grep -qs done out; do :; done
      kill -9 $!; wait $! 2>/dev/null; cat /dev/zero 2>/dev/null >disk/rest
      dosql disk/shop 'SELECT sum(x) FROM t' && echo "this was to fail"
      dosql -readonly disk/shop 'SELECT sum(x) FROM t')"));
  EXPECT_EQ(outcome.output, "3\n");
  EXPECT_THAT(outcome.errors,
              MatchesRegex("error: cannot [^']* 'disk/shop/log-[0-9]+': No space left on device\n"
                           "hint:  make room, or open it with -readonly\n"));
}

}  // namespace
}  // namespace dosql::shell_test
