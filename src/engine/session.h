// What a connection's API side and the file under its SQLite handle share.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include <dosql/result.h>

#include "version/version_store.h"

struct sqlite3;

namespace dosql::engine {

class ConnectionState;

// SQL that the engine runs for itself begins with this, and is not traced.
#define DOSQL_OWN_SQL "/*dosql*/ "

// Why the file refused the writer slot; words are put to it only when someone reads the error.
enum class Refusal : std::uint8_t { kNone, kSlotTaken, kStale };

// A PRAGMA that our file answered instead of SQLite.
struct AnsweredPragma {
  std::string name;
  bool is_integer = false;
};

// Belongs to one connection and its thread.
struct Session {
  // What the file uses: the open database, kept until SQLite lets go of its handle.
  std::shared_ptr<void> database;
  sqlite3* db = nullptr;
  // Null for a handle of the engine's own, and once the connection is gone while somebody still has its
  // handle.
  ConnectionState* connection = nullptr;
  // PRAGMAs come from the engine itself: SQLite gets them unchanged.
  bool configuring = true;
  bool read_only = false;
  bool holds_transaction = false;  // Connection::hold_transaction()
  // The version that the connection stays at, "main@5"; empty: it follows a branch.
  std::string fixed_at;

  int synchronous = 2;             // as PRAGMA synchronous shows it
  bool cache_size_chosen = false;  // by PRAGMA cache_size: it stays
  std::uint32_t busy_timeout_ms = 0;
  // Of the statement that waits for the slot: one for all its waits.
  std::chrono::steady_clock::time_point busy_deadline;

  // The store's own account of why a call of our file failed; SQLite passes on only the code.
  std::optional<Error> failure;
  // Set with `failure`: SQLite ignores it when a commit over several attached files got that far.
  bool commit_failed = false;
  Refusal refusal = Refusal::kNone;
  std::unique_ptr<AnsweredPragma> answered_pragma;

  version::Durability durability() const {
    if (synchronous == 0) return version::Durability::kOff;
    return synchronous == 1 ? version::Durability::kNormal : version::Durability::kFull;
  }

  // Forgets what an earlier call left behind that SQLite swallowed.
  void begin_call() {
    if (failure) [[unlikely]]
      failure.reset();
    commit_failed = false;
    refusal = Refusal::kNone;
  }
};

// Of what would write, where the session is for reading only: says so, or of which version of the past.
Error read_only_error(const Session& session);
// What the newest call reported with `sqlite_code`, in the store's own words where it was the store.
Error connection_error(Session& session, int sqlite_code);

}  // namespace dosql::engine
