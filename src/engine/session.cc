#include "engine/session.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <string_view>

#include "engine/past_databases.h"
#include "engine/sqlite_error.h"
#include "engine/vfs.h"

namespace dosql::engine {
namespace {

Error refusal_error(const Session& session, int sqlite_code) {
  if (session.refusal == Refusal::kStale && sqlite_code == SQLITE_BUSY_SNAPSHOT) {
    return Error(ErrorCode::kBusySnapshot, "the branch has new commits since this transaction read it")
        .with_hint("ROLLBACK and run the transaction again, or start it with BEGIN IMMEDIATE");
  }
  return Error(ErrorCode::kBusy,
               fmt::format("another connection is writing to the branch (busy_timeout is {} ms)",
                           session.busy_timeout_ms));
}

// Whether the connection has attached files of somebody else's: their writes are refused with the same code.
bool has_attached_files(sqlite3* db) {
  for (int index = 2;; ++index) {  // behind main and temp
    const char* const schema = sqlite3_db_name(db, index);
    if (schema == nullptr) return false;
    const bool of_the_past = std::string_view(schema).starts_with(PastDatabases::kSchemaPrefix);
    const char* const file = sqlite3_db_filename(db, schema);
    if (!of_the_past && file != nullptr && *file != '\0') return true;
  }
}

}  // namespace

Error read_only_error(const Session& session) {
  const std::string_view attached =
      has_attached_files(session.db) ? "; files attached to it are for reading only too" : "";
  if (session.fixed_at.empty())
    return Error(ErrorCode::kReadOnly, fmt::format("the database is open for reading only{}", attached));
  return Error(ErrorCode::kReadOnly,
               fmt::format("the past cannot be written: this is {}{}", session.fixed_at, attached))
      .with_hint(
          fmt::format("CREATE BRANCH x FROM '{}' makes a branch that begins with it", session.fixed_at));
}

Error connection_error(Session& session, int sqlite_code) {
  const int primary = sqlite_code & 0xff;
  if (session.failure) {
    Error error = std::move(*session.failure);
    session.failure.reset();
    return std::move(error).with_sqlite_code(sqlite_code);
  }
  if (auto refused = take_refused_file(); refused && primary == SQLITE_CANTOPEN) {
    return std::move(*refused).with_sqlite_code(sqlite_code);
  }
  if (primary == SQLITE_BUSY && session.refusal != Refusal::kNone) {
    return refusal_error(session, sqlite_code).with_sqlite_code(sqlite_code);
  }
  if (primary == SQLITE_READONLY && session.read_only)
    return read_only_error(session).with_sqlite_code(sqlite_code);
  return error_from_sqlite(session.db, sqlite_code);
}

}  // namespace dosql::engine
