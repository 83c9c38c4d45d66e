// What a Database object of JavaScript stands for: a connection, and the thread of its asynchronous calls.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>

#include <dosql/connection.h>
#include <dosql/statement.h>

#include "bindings/node/open_databases.h"
#include "bindings/node/worker.h"

namespace dosql::node {

// A connection and its share of the database. Used by the worker's thread, and by JavaScript's while the
// worker is idle.
class OpenConnection {
 public:
  OpenConnection(DatabaseShare share, Connection connection)
      : share_(std::move(share)), connection_(std::make_unique<Connection>(std::move(connection))) {}

  // REQUIRES: not closed.
  Connection& connection() { return *connection_; }
  const DatabaseShare& share() const { return share_; }
  // Any thread; does nothing once it is closed.
  void interrupt();

  // The transaction of a body of JavaScript: nested ones are savepoints, named by their depth. While the
  // outermost is open, no SQL may end it; where a failure did (a full disk, an interrupt, ON CONFLICT
  // ROLLBACK), nothing runs before the body has ended.
  enum class Control : std::uint8_t { kBegin, kCommit, kRollback };
  Status control(Control control, int depth);
  // Errors: the body's transaction was rolled back; it is the failure that did it.
  Status check_body() const;
  // Behind a call that failed.
  void note_failure(const Error& error);
  // The connection ends, and with the last share the database.
  Status close();
  // The thread that may close it.
  bool closed() const { return connection_ == nullptr; }

 private:
  DatabaseShare share_;
  void hold_body(bool holds);

  std::mutex closing_;
  std::unique_ptr<Connection> connection_;
  bool in_body_ = false;
  std::optional<Error> body_failure_;
};

class Handle {
 public:
  // `done` gets the tasks of the worker.
  explicit Handle(std::function<void(std::unique_ptr<Task>)> done);

  // Null: not open yet, or closed.
  std::shared_ptr<OpenConnection> open_connection() const;
  void open(std::shared_ptr<OpenConnection> connection);
  // No more calls are taken; those that were made go on with the connection.
  void begin_close() { closing_ = true; }
  bool closing() const { return closing_; }

  Worker& worker() { return worker_; }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<OpenConnection> connection_;  // guarded by mutex_
  bool closing_ = false;                        // JavaScript's thread
  Worker worker_;                               // last: it ends before what its tasks use
};

// A synchronous statement.
struct Prepared {
  std::int64_t handle_number;
  Worker& worker;
  std::shared_ptr<OpenConnection> connection;  // outlives the statement
  Statement statement;
  bool runs = false;    // rows may be left
  ColumnNames columns;  // of the newest run
  double shape = 0;     // their number (Instance::shape_of)
};

}  // namespace dosql::node
