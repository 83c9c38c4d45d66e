// The triggers that a connection has in temp, while a merge runs: SQLite's setting that switches triggers off
// leaves them on.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include <dosql/result.h>

namespace dosql::engine {

class ConnectionState;

// They are gone from drop() to create() and, where the merge is undone, never were. REQUIRES of all: inside a
// transaction.
class TempTriggers {
 public:
  using Definitions = std::vector<std::pair<std::string, std::string>>;  // name, SQL

  explicit TempTriggers(ConnectionState& connection) : connection_(connection) {}

  Status drop();
  // What one of main's tables or columns is called in them from now on: as SQLite itself would have it.
  // `rename`: the ALTER TABLE that is going to give it another name.
  Status follow(const std::string& rename);
  // Those whose table is no longer there have gone with it.
  Status create() const;

  // For what is undone: back to what they were.
  const Definitions& definitions() const { return definitions_; }
  void restore(Definitions definitions) { definitions_ = std::move(definitions); }

 private:
  Result<Definitions> read() const;

  ConnectionState& connection_;
  Definitions definitions_;
};

}  // namespace dosql::engine
