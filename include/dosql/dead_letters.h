// Dead letters: changes that a consumer could not deal with, kept in a table of the database until somebody
// does.
//
//   CREATE TABLE dead_letters (
//     id INTEGER PRIMARY KEY, consumer, lsn, txn, timestamp, change, table_name, key, before, after,
//     code, error, attempts, failed_first, failed_last, UNIQUE (consumer, lsn, change, table_name, key))
//
// The change is as dosql_changes shows it, so that a person can read it; before and after are JSON. The table
// is an ordinary one: it is in the versions of its branch, and its rows are changes of that branch, too (a
// Consumer with a queue of dead letters leaves that table out).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <dosql/changes.h>
#include <dosql/result.h>
#include <dosql/time_point.h>

namespace dosql {

class Clock;
class Connection;
class Database;

struct DeadLetterOptions {
  std::string branch = "main";  // on which the table is
  std::string table = "dead_letters";
  Clock* clock = nullptr;  // null: the machine's; must outlive the queue
};

struct DeadLetter {
  std::int64_t id = 0;
  std::string consumer = {};
  Change change = {};      // every value as it was given
  std::string code = {};   // of the newest failure: "DOSQL_CONSTRAINT"
  std::string error = {};  // its message
  std::int64_t attempts = 0;
  Timestamp failed_first = {};
  Timestamp failed_last = {};
};

struct DeadLetterRetry {
  std::uint64_t dealt_with = 0;  // and taken off the queue
  std::uint64_t failed = 0;      // again
};

// A queue; it has a connection of its own and keeps the database open. Threads: any. What is written is
// durable on return. Errors of what follows: those of statements, of a database that is open for reading only
// DOSQL_READ_ONLY.
class DeadLetters {
 public:
  // Makes the table where there is none. Errors: also DOSQL_BRANCH_NOT_FOUND.
  static Result<DeadLetters> open(Database& database, const DeadLetterOptions& options = {});

  DeadLetters(DeadLetters&&) noexcept;
  DeadLetters& operator=(DeadLetters&&) noexcept;
  ~DeadLetters();

  // A change that is in the queue already gets the new error, and the attempts are added to it.
  Status add(std::string_view consumer, const Change& change, const Error& error, int attempts);
  // The consumer's, oldest first, from behind an id on. Errors: also DOSQL_INVALID_ARGUMENT (somebody wrote
  // into the table what is no change).
  Result<std::vector<DeadLetter>> list(std::string_view consumer, std::int64_t after_id = 0,
                                       std::int64_t count_max = 1'000);
  Result<std::uint64_t> count(std::string_view consumer);
  // DOSQL_NOT_FOUND: there is none with that id.
  Status remove(std::int64_t id);
  // Gives each dead letter of the consumer, oldest first, to `handler`. What it deals with is taken off the
  // queue; after a crash in between it comes again.
  Result<DeadLetterRetry> retry(std::string_view consumer,
                                const std::function<Status(const Change&)>& handler);

  // As it was given.
  const std::string& table() const;

 private:
  class Queue;
  explicit DeadLetters(std::unique_ptr<Queue> queue);
  std::unique_ptr<Queue> queue_;
};

}  // namespace dosql
