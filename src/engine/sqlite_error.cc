#include "engine/sqlite_error.h"

#include <sqlite3.h>

namespace dosql::engine {

ErrorCode error_code_of(int sqlite_code) {
  if (sqlite_code == SQLITE_BUSY_SNAPSHOT) return ErrorCode::kBusySnapshot;
  if (sqlite_code == SQLITE_IOERR_NOMEM) return ErrorCode::kOutOfMemory;
  if (sqlite_code == SQLITE_IOERR_DATA || sqlite_code == SQLITE_IOERR_CORRUPTFS) return ErrorCode::kCorrupt;
  switch (sqlite_code & 0xff) {
    case SQLITE_CONSTRAINT: return ErrorCode::kConstraint;
    case SQLITE_BUSY: return ErrorCode::kBusy;
    case SQLITE_READONLY: return ErrorCode::kReadOnly;
    case SQLITE_IOERR: return ErrorCode::kIo;
    case SQLITE_CANTOPEN: return ErrorCode::kIo;
    case SQLITE_NOLFS: return ErrorCode::kIo;
    case SQLITE_FULL: return ErrorCode::kDiskFull;
    case SQLITE_CORRUPT: return ErrorCode::kCorrupt;
    case SQLITE_NOTADB: return ErrorCode::kNotADatabase;
    case SQLITE_AUTH: return ErrorCode::kForbidden;
    case SQLITE_PERM: return ErrorCode::kForbidden;
    case SQLITE_INTERRUPT: return ErrorCode::kInterrupted;
    case SQLITE_NOMEM: return ErrorCode::kOutOfMemory;
    case SQLITE_MISUSE: return ErrorCode::kInvalidArgument;
    case SQLITE_RANGE: return ErrorCode::kInvalidArgument;
    case SQLITE_INTERNAL: return ErrorCode::kInternal;
    default: return ErrorCode::kSql;
  }
}

int sqlite_code_of(const Error& error, int io_code) {
  switch (error.code()) {
    case ErrorCode::kBusy: return SQLITE_BUSY;
    case ErrorCode::kBusySnapshot: return SQLITE_BUSY_SNAPSHOT;
    case ErrorCode::kReadOnly: return SQLITE_READONLY;
    case ErrorCode::kDiskFull: return SQLITE_FULL;
    case ErrorCode::kOutcomeUnknown: return SQLITE_IOERR_FSYNC;
    case ErrorCode::kCorrupt: return SQLITE_IOERR_DATA;
    case ErrorCode::kOutOfMemory: return SQLITE_IOERR_NOMEM;
    default: return io_code;
  }
}

Error error_from_sqlite(sqlite3* db, int sqlite_code) {
  Error error(error_code_of(sqlite_code), db ? sqlite3_errmsg(db) : sqlite3_errstr(sqlite_code));
  const int offset = db ? sqlite3_error_offset(db) : -1;
  if (offset >= 0) return std::move(error).with_sqlite_code(sqlite_code).with_sql_offset(offset);
  return std::move(error).with_sqlite_code(sqlite_code);
}

}  // namespace dosql::engine
