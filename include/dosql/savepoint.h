// A part of a transaction that can be undone by itself.
#pragma once

#include <memory>
#include <string>

#include <dosql/result.h>

namespace dosql {

namespace engine {
class ConnectionState;
}

// Made by Connection::savepoint(). Belongs to its Connection's thread; savepoints end in the reverse order of
// their making, and the end of the transaction ends them all.
class Savepoint {
 public:
  Savepoint(Savepoint&& other) noexcept = default;
  Savepoint& operator=(Savepoint&&) = delete;
  ~Savepoint();  // rolls back, unless it has ended

  // Keeps what was done since. Of a savepoint that began the transaction: commits it, with the errors of a
  // COMMIT; it goes on then, and rolls back in the end unless another release() succeeds.
  Status release();
  // Undoes what was done since, and ends it. Errors: DOSQL_INVALID_ARGUMENT (it has ended), DOSQL_SQL (its
  // transaction has).
  Status rollback();

 private:
  friend class Connection;
  Savepoint(std::shared_ptr<engine::ConnectionState> state, std::string name);
  std::shared_ptr<engine::ConnectionState> state_;  // none: it has ended
  std::string name_;
};

}  // namespace dosql
