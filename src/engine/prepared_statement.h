// What stands behind a Statement: SQLite's compiled statement and the connection it belongs to.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <dosql/result.h>
#include <dosql/statement.h>
#include <dosql/value.h>

#include "engine/as_of_statement.h"
#include "engine/branch_command.h"
#include "engine/session.h"

struct sqlite3_stmt;

namespace dosql::engine {

class ConnectionState;

class PreparedStatement {
 public:
  // Of SQLite's `statement`, not null, which it takes and whose own copy of its text `text` is. `cacheable`:
  // that alone says what it is.
  static std::unique_ptr<PreparedStatement> make(const std::shared_ptr<ConnectionState>& connection,
                                                 sqlite3_stmt* statement, std::string_view text,
                                                 bool cacheable, std::unique_ptr<AnsweredPragma> pragma);
  // A statement about branches; `select` and `rows` are what stands for it in SQLite, `rows` null where it
  // gives none. Takes both.
  PreparedStatement(std::shared_ptr<ConnectionState> connection, sqlite3_stmt* select, sqlite3_stmt* rows,
                    BranchCommand command);
  // A statement that reads the past.
  PreparedStatement(std::shared_ptr<ConnectionState> connection, std::unique_ptr<AsOfStatement> as_of,
                    bool cacheable);
  ~PreparedStatement();
  PreparedStatement(const PreparedStatement&) = delete;
  PreparedStatement& operator=(const PreparedStatement&) = delete;

  // Ends the use of `statement`: back to its connection's cache, or away.
  static void release(std::unique_ptr<PreparedStatement> statement) { release(statement.release()); }
  static void release(PreparedStatement* statement);
  // Begins a new use of a statement out of the cache.
  void belong_to(std::shared_ptr<ConnectionState> connection);

  ConnectionState& connection() { return *connection_; }
  // What has the columns. Null while a statement whose points in time are parameters has not been stepped.
  sqlite3_stmt* handle() const { return command_rows_ ? command_rows_ : statement_; }
  std::string_view text() const { return text_; }

  int parameter_count() const;
  const char* parameter_name(int index) const;
  int parameter_index(std::string_view name) const;
  void clear_bindings();
  Status bind(int index, const Value& value);
  Status bind(std::string_view name, const Value& value);
  // Exactly as many values as the statement has parameters.
  Status bind_all(std::span<const Value> values);
  Status bind_all(std::span<const NamedValue> values);

  // True: a row. False: done and reset. After an error it is reset too.
  Result<bool> step();
  // Steps to the end.
  Result<RunResult> run();
  void reset();
  // reset() of a statement that was not run to its end: what is left of it (a RETURNING's commit) may fail.
  Status finish();

  // With the values of its parameters filled in; of a statement about branches the text as it is.
  std::string expanded_text() const;
  bool read_only() const;
  int column_count() const;
  std::string_view column_name(int column) const;
  const std::shared_ptr<const std::vector<std::string>>& column_names();
  Value::Type type(int column) const;
  Value value(int column) const;
  std::vector<Value> values() const;

 private:
  PreparedStatement() = default;
  bool becomes_blank();
  // While the connection's transaction is held, of what would end it.
  Status refuse_end() const;
  Result<bool> run_command();
  Result<bool> step_command_rows();
  Status misuse(int sqlite_code);
  int step_sqlite();
  int run_vacuum();
  Result<bool> stepped(int rc);
  Result<bool> step_as_of();
  Result<bool> step_beside_past();

  std::shared_ptr<ConnectionState> connection_;  // none while in the cache
  sqlite3_stmt* statement_ = nullptr;
  std::string_view text_;
  bool cacheable_ = false;
  bool is_vacuum_ = false;
  // What few statements have is elsewhere: an object is made for each text that is compiled.
  std::unique_ptr<AnsweredPragma> pragma_;
  std::unique_ptr<BranchCommand> command_;
  sqlite3_stmt* command_rows_ = nullptr;
  std::unique_ptr<AsOfStatement> as_of_;  // owns `statement_`
  std::shared_ptr<const std::vector<std::string>> columns_;
  // SQLite compiles again when the schema changes.
  std::uint64_t columns_of_compilation_ = 0;
};

}  // namespace dosql::engine
