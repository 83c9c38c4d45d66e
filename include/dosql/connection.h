// A connection runs SQL. It belongs to one thread at a time.
#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include <dosql/result.h>
#include <dosql/statement.h>
#include <dosql/value.h>

struct sqlite3;

namespace dosql {

class Database;

namespace engine {
class ConnectionState;
}

struct RunResult {
  std::int64_t changes = 0;         // rows inserted, updated or deleted by the statement itself
  std::int64_t last_insert_id = 0;  // rowid of the newest insert on this connection
};

class Connection {
 public:
  Connection(Connection&&) noexcept;
  Connection& operator=(Connection&&) noexcept;
  ~Connection();  // rolls back an open transaction

  // Runs all statements of `sql` one after another, dropping rows. Stops at the first failure.
  Status exec(std::string_view sql);

  // Compiles one statement. Text behind it other than space and comments is DOSQL_INVALID_ARGUMENT.
  Result<Statement> prepare(std::string_view sql);
  // Compiles the first statement of `sql`; `tail` receives the text behind it. A Statement that
  // `empty()` means there was only space or comments.
  Result<Statement> prepare(std::string_view sql, std::string_view& tail);

  // Runs one statement to its end.
  template <class... Args>
  Result<RunResult> run(std::string_view sql, const Args&... args) {
    return run_list(sql, std::initializer_list<Value>{Value(args)...});
  }
  Result<RunResult> run(std::string_view sql, std::initializer_list<NamedValue> args);
  Result<RunResult> run_list(std::string_view sql, std::span<const Value> args);

  // Runs one statement and gives all its rows; use prepare() and step() to stream.
  template <class... Args>
  Result<Rows> query(std::string_view sql, const Args&... args) {
    return query_list(sql, std::initializer_list<Value>{Value(args)...});
  }
  Result<Rows> query(std::string_view sql, std::initializer_list<NamedValue> args);
  Result<Rows> query_list(std::string_view sql, std::span<const Value> args);

  // The first row, or none.
  template <class... Args>
  Result<std::optional<Row>> query_one(std::string_view sql, const Args&... args) {
    return query_one_list(sql, std::initializer_list<Value>{Value(args)...});
  }
  Result<std::optional<Row>> query_one(std::string_view sql, std::initializer_list<NamedValue> args);
  Result<std::optional<Row>> query_one_list(std::string_view sql, std::span<const Value> args);

  // BEGIN IMMEDIATE, body, COMMIT; ROLLBACK when the body or the commit fails. Inside an open
  // transaction it is a savepoint.
  Status transaction(const std::function<Status(Connection&)>& body);

  bool in_transaction() const;
  // The name of the branch that the connection is on, until the next CHECKOUT.
  std::string_view branch() const;
  // The version the connection's next read would see.
  std::uint64_t version() const;

  // Makes the running statement fail with DOSQL_INTERRUPTED. The one method any thread may call.
  void interrupt();

  // The SQLite handle, for what this class does not offer. It stays owned by the Connection.
  sqlite3* sqlite_handle() const;

 private:
  friend class Database;
  explicit Connection(std::shared_ptr<engine::ConnectionState> state);
  std::shared_ptr<engine::ConnectionState> state_;
};

}  // namespace dosql
