// Running CREATE BRANCH, DROP BRANCH, CHECKOUT, CREATE SNAPSHOT, DROP SNAPSHOT and MERGE BRANCH.
//
// SQLite sees `SELECT name, point, strategy, message` in their place and works out the values, so that
// parameters and expressions mean in them what they mean everywhere; what they do is done here, when the
// statement is stepped. All but merges take effect at once and are no part of a transaction.
#pragma once

#include <string>
#include <string_view>

#include <dosql/merge.h>
#include <dosql/result.h>
#include <dosql/value.h>

#include "sql/recogniser.h"
#include "version/version_store.h"

namespace dosql::engine {

class ConnectionState;

class BranchCommand {
 public:
  // Errors, with their offset: a statement about merging, a name that no branch can have. REQUIRES:
  // recognition.statement.
  static Result<BranchCommand> make(std::string_view sql, const sql::Recognition& recognition);

  // What SQLite compiles in its place.
  std::string select_text() const;
  // The statement as it was written.
  const std::string& text() const { return text_; }

  // What SQLite compiles to give the rows that came of it, with one parameter; empty: it gives none.
  std::string rows_text() const;
  // With the values of the SELECT's columns.
  struct Input {
    Value name;
    Value point;
    Value strategy;
    Value message;
  };
  // Returns the value for the parameter of rows_text().
  Result<std::string> run(ConnectionState& connection, const Input& input) const;

 private:
  BranchCommand(std::string text, sql::BranchStatement statement)
      : text_(std::move(text)), statement_(std::move(statement)) {}

  Result<std::string> text_of(const sql::StatementText& said, const Value& value,
                              std::string_view what) const;
  Result<MergeOptions> merge_options(const Input& input) const;
  Result<version::ReadPoint> point_of(ConnectionState& connection, const Value& value) const;
  Result<std::string> run_merge(ConnectionState& connection, const std::string& name,
                                const Input& input) const;
  // MERGE BRANCH, REVERT, CHERRY PICK.
  bool merges() const;
  Result<MergeResult> merged(ConnectionState& connection, const std::string& name,
                             const MergeOptions& options, const Input& input) const;
  Status run_named(ConnectionState& connection, const std::string& name, const Value& point) const;

  std::string text_;
  sql::BranchStatement statement_;
};

}  // namespace dosql::engine
