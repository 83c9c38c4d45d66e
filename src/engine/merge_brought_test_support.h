// What the tests of rows that come to a branch in several ways share.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/engine_test_support.h"
#include "version/store_test_support.h"

namespace dosql::engine {

// How rows are known, and what a merge may do to their numbers.
struct Kind {
  const char* name;
  const char* columns;
  const char* number;  // by which a test can give a row its own
  const char* merge;   // behind MERGE BRANCH f
};
inline const std::vector<Kind> kKinds{
    {"AutoIncrement", "id INTEGER PRIMARY KEY AUTOINCREMENT, u, a", "id", ""},
    {"Renumbered", "id INTEGER PRIMARY KEY, u, a", "id", " RENUMBER"},
    {"Hidden", "u, a", "rowid", ""},
};

class BranchSession {
 public:
  explicit BranchSession(const std::string& schema) {
    connect();
    run(schema);
  }
  void run(const std::string& sql) {
    SCOPED_TRACE(sql);
    DOSQL_EXPECT_OK(connection_->exec(sql));
  }
  std::string rows(const std::string& sql) { return rows_text(*connection_, sql); }
  std::uint64_t newest_lsn() {
    return static_cast<std::uint64_t>(
        connection_->query("SELECT lsn_last FROM dosql_log LIMIT 1").value()[0][0].integer());
  }
  std::uint64_t newest_lsn_of(const std::string& branch) {
    run("CHECKOUT " + branch);
    const std::uint64_t lsn = newest_lsn();
    run("CHECKOUT main");
    return lsn;
  }
  // None: there are conflicts, and nothing is changed.
  bool attempt(const std::string& sql) {
    SCOPED_TRACE(sql);
    const Status done = connection_->exec(sql);
    if (!done) {
      EXPECT_EQ(done.error().code(), ErrorCode::kMergeConflict) << failure_text(done.error());
    }
    return done.has_value();
  }
  void reopen() {
    connection_.reset();
    db_.reset();
    connect();
  }
  Connection& connection() { return *connection_; }
  std::vector<MergeConflict> conflicts_of(const std::string& merge) {
    const auto tried = connection_->exec(merge);
    EXPECT_FALSE(tried);
    if (tried) return {};
    EXPECT_EQ(tried.error().code(), ErrorCode::kMergeConflict) << failure_text(tried.error());
    hint = tried.error().hint();
    const auto foretold = connection_->query(merge + " DRY RUN");
    DOSQL_EXPECT_OK(foretold);
    std::vector<MergeConflict> found;
    for (const Row& row : *foretold) {
      if (row[9].is_null()) continue;
      MergeConflict& conflict = found.emplace_back();
      conflict.table = row[2].text();
      conflict.key = row[8].text();
      conflict.kind = row[9].text();
      conflict.main = row[11].text();
      conflict.branch = row[12].text();
    }
    return found;
  }

  std::string hint;

 private:
  void connect() {
    db_.emplace(open_on(std::make_unique<version::SharedDirectory>(*disk_)).value());
    connection_.emplace(db_->connect().value());
    run("PRAGMA synchronous = OFF; PRAGMA foreign_keys = ON");
  }

  std::unique_ptr<io::Directory> disk_ = io::make_memory_directory();
  std::optional<Database> db_;
  std::optional<Connection> connection_;
};

}  // namespace dosql::engine
