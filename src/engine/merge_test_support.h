// What the tests of merging share: statements on a branch, and a database whose main and one branch went
// different ways.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "engine/connection_state.h"
#include "engine/engine_test_support.h"
#include "engine/merge_changes.h"
#include "engine/own_statement.h"

namespace dosql::engine {

// Those that a constraint is in the way of do nothing.
inline void run_all_on(Connection& connection, const std::string& branch,
                       const std::vector<std::string>& statements) {
  DOSQL_EXPECT_OK(connection.checkout(branch));
  for (const std::string& sql : statements) {
    const Status done = connection.exec(sql);
    if (!done) {
      EXPECT_EQ(done.error().code(), ErrorCode::kConstraint) << sql << done.error().message();
    }
  }
}

class MergeBench {
 public:
  explicit MergeBench(const std::string& base)
      : database_(open_in_memory()), ours_(database_.connect().value()) {
    DOSQL_EXPECT_OK(ours_.exec(base));
    base_ = core().store().head(kMainBranch);
    DOSQL_EXPECT_OK(ours_.branch("x"));
    theirs_.emplace(database_.connect().value());
    DOSQL_EXPECT_OK(theirs_->checkout("x"));
  }

  // Main does `sql`, and branch x begins with what comes of it.
  void begin_again(const std::string& sql) {
    theirs_.reset();
    DOSQL_EXPECT_OK(ours_.delete_branch("x", {.force = true}));
    DOSQL_EXPECT_OK(ours_.exec(sql));
    base_ = core().store().head(kMainBranch);
    DOSQL_EXPECT_OK(ours_.branch("x"));
    theirs_.emplace(database_.connect().value());
    DOSQL_EXPECT_OK(theirs_->checkout("x"));
  }
  Connection& our_connection() { return ours_; }
  Connection& their_connection() { return *theirs_; }

  void ours(const std::string& sql) { DOSQL_EXPECT_OK(ours_.exec(sql)); }
  void theirs(const std::string& sql) { DOSQL_EXPECT_OK(theirs_->exec(sql)); }

  // Branch x into main. False: there were conflicts, and nothing was changed.
  bool merge(merge::Preference preference = merge::Preference::kNone, bool renumber = false) {
    auto state = ConnectionState::open(core()).value();
    context_ = std::make_unique<MergeContext>(
        MergeContext{.connection = *state, .preference = preference, .renumber = renumber});
    DOSQL_EXPECT_OK(run_own(*state, "BEGIN IMMEDIATE"));
    const version::ReadPoint head = core().store().head(core().store().find_branch("x")->id);
    const Status merged = merge_changes(*context_, {.base = base_, .theirs = head});
    DOSQL_EXPECT_OK(merged);
    const bool clean = merged.has_value() && context_->conflicts.empty();
    DOSQL_EXPECT_OK(run_own(*state, clean ? "COMMIT" : "ROLLBACK"));
    return clean;
  }
  const MergeContext& context() const { return *context_; }

  // Of main, one line each, columns joined by |.
  std::string rows(const std::string& sql) {
    const std::string text = rows_text(ours_, sql);
    return text.empty() ? text : text + "\n";
  }

  DatabaseCore& core() { return DatabaseAccess::core(database_); }

 private:
  Database database_;
  Connection ours_;
  std::optional<Connection> theirs_;
  version::ReadPoint base_;
  std::unique_ptr<MergeContext> context_;
};

}  // namespace dosql::engine
