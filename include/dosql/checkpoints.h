// Checkpoints: how far somebody has got with something, under a name, in a table of the database.
//
//   CREATE TABLE checkpoints (name TEXT PRIMARY KEY, lsn, processed, saved, metadata)
//
// A slot (slots.h) is the cheaper way to keep a consumer's place, and does not show up in the history. A
// checkpoint is for a consumer that writes what it makes of the changes into the same database: saved in the
// same transaction, it makes each change count exactly once, whatever crashes.
//
//   connection.transaction([&](Connection& tx) -> Status {
//     DOSQL_RETURN_IF_ERROR(apply(tx, change));
//     return checkpoints.save(tx, "totals", {.lsn = change.lsn});
//   });
//
// Saving is a commit of the branch that the connection is on; a feed of the same branch gives it as a change
// of this table, so its filter should name the tables that it is about.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <dosql/connection.h>
#include <dosql/result.h>
#include <dosql/time_point.h>

namespace dosql {

class Clock;

struct Checkpoint {
  std::string name = {};  // save() has it as an argument
  std::uint64_t lsn = 0;  // all up to it was dealt with
  std::uint64_t processed = 0;
  std::string metadata = {};  // the caller's, often JSON
  Timestamp saved = {};       // save() sets it
};

// Each call is part of the connection's open transaction; without one it is a transaction of its own, as
// durable as the connection's commits are. Errors: those of statements. Threads: as the connection.
class Checkpoints {
 public:
  // `clock` null: the machine's; else it must outlive this.
  explicit Checkpoints(std::string table = "checkpoints", Clock* clock = nullptr);

  // None: nothing was saved under that name.
  Result<std::optional<Checkpoint>> load(Connection& connection, std::string_view name) const;
  // In place of the one of that name, also backwards. Makes the table where there is none.
  Status save(Connection& connection, std::string_view name, const Checkpoint& checkpoint) const;
  // By name, ascending.
  Result<std::vector<Checkpoint>> list(Connection& connection) const;
  // DOSQL_NOT_FOUND: there is none of that name.
  Status remove(Connection& connection, std::string_view name) const;

 private:
  Result<std::vector<Checkpoint>> select(Connection& connection, std::string_view condition,
                                         std::string_view name) const;

  std::string table_;
  std::string quoted_;
  Clock* clock_;
};

}  // namespace dosql
