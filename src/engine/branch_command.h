// Running CREATE BRANCH, DROP BRANCH, CHECKOUT, CREATE SNAPSHOT and DROP SNAPSHOT.
//
// SQLite sees `SELECT name, point` in their place and works out the values, so that parameters and
// expressions mean in them what they mean everywhere; what they do is done here, when the statement is
// stepped. They take effect at once and are no part of a transaction.
#pragma once

#include <string>
#include <string_view>

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

  // `name` and `point` are the values of the SELECT's columns.
  Status run(ConnectionState& connection, const Value& name, const Value& point) const;

 private:
  BranchCommand(std::string text, sql::BranchStatement statement)
      : text_(std::move(text)), statement_(std::move(statement)) {}

  Result<std::string> name_of(const Value& value) const;
  Result<version::ReadPoint> point_of(ConnectionState& connection, const Value& value) const;
  Status run_named(ConnectionState& connection, const std::string& name, const Value& point) const;

  std::string text_;
  sql::BranchStatement statement_;
};

}  // namespace dosql::engine
