// How SQLite runs statements, as far as the engine has to know and its API does not tell. Defined in
// sqlite_internals.c.
//
// All functions: on the thread that uses the handle.
#pragma once

#ifdef __cplusplus
extern "C" {
#endif

struct sqlite3;

// sqlite3_exec() of one statement that undoes or sets something, and that neither an interrupt nor a progress
// function stops. An interrupt that comes meanwhile stops the statements that were running already.
int dosql_run_uninterrupted(struct sqlite3* db, const char* sql);

// All schemas are read again when they are used next, and statements compiled again, as after
// PRAGMA writable_schema = RESET; it cannot fail. REQUIRES: no statement is running.
void dosql_forget_schemas(struct sqlite3* db);

// Whether the statement that begins to run now was begun before in the same call: SQLite found the schema to
// be another one, and has compiled it again.
int dosql_is_tried_again(struct sqlite3* db);

#ifdef __cplusplus
}
#endif
