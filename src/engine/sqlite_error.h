// The one table between SQLite's result codes and ours, both ways.
#pragma once

#include <dosql/result.h>

struct sqlite3;

namespace dosql::engine {

// What an (extended) SQLite result code means to a caller.
ErrorCode error_code_of(int sqlite_code);

// The result code by which our file tells SQLite of `error`; `io_code` is the SQLITE_IOERR_... of the call.
// SQLite resets its page cache only after SQLITE_IOERR... and SQLITE_FULL.
int sqlite_code_of(const Error& error, int io_code);

// The failure that the newest call on `db` reported with `sqlite_code`: its message and place in the SQL
// text.
Error error_from_sqlite(sqlite3* db, int sqlite_code);

}  // namespace dosql::engine
