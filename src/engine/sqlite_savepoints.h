/* Whether a SAVEPOINT is open on a handle, which SQLite does not tell. */
#pragma once

struct sqlite3;

#ifdef __cplusplus
extern "C" {
#endif

int dosql_has_savepoint(const struct sqlite3* db);

#ifdef __cplusplus
}
#endif
