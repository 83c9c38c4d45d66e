// fork() with a database open: the child has copies of its parent's handles, and shares its locks.

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/engine_test_support.h"

namespace dosql::engine {
namespace {

// Uses and closes the copies of a child. What is wrong there, as an exit status; 0 when all is well.
int use_in_child(Database parents_db, Connection parents_conn) {
  const Database db = std::move(parents_db);
  Connection conn = std::move(parents_conn);
  if (rows_text(conn, "SELECT count(*) FROM t") != "1") return 1;
  const auto refused = conn.exec("INSERT INTO t VALUES (2)");
  if (refused || refused.error().code() != ErrorCode::kLocked) return 2;
  return 0;
}

TEST(ForkTest, AChildWritesNothingAndClosesNothing) {
  const TemporaryDirectory folder;
  const std::string path = folder.file("db");
  {
    Database db = Database::open(path).value();
    Connection conn = db.connect().value();
    DOSQL_ASSERT_OK(conn.exec("CREATE TABLE t(a); INSERT INTO t VALUES (1)"));
    const pid_t child = fork();
    if (child == 0) _exit(use_in_child(std::move(db), std::move(conn)));
    int status = -1;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
    const auto second = Database::open(path);
    ASSERT_FALSE(second) << "the child gave its parent's lock back";
    EXPECT_EQ(second.error().code(), ErrorCode::kLocked);
    EXPECT_NE(second.error().message().find("process"), std::string::npos) << second.error().message();
    DOSQL_ASSERT_OK(conn.exec("INSERT INTO t VALUES (3)"));
  }
  Database db = Database::open(path).value();
  EXPECT_TRUE(db.check().value().empty());
  Connection conn = db.connect().value();
  EXPECT_EQ(rows_text(conn, "SELECT a FROM t"), "1\n3");
}

}  // namespace
}  // namespace dosql::engine
