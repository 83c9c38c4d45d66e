// How SQLite runs statements, as far as the engine has to know and its API does not tell. Defined in
// sqlite_internals.c.
//
// All functions: on the thread that uses the handle.
#pragma once

#ifdef __cplusplus
extern "C" {
#endif

struct sqlite3;
struct sqlite3_context;
struct sqlite3_stmt;

// sqlite3_exec() of one statement that undoes or sets something, and that neither an interrupt nor a progress
// function stops. An interrupt that comes meanwhile stops the statements that were running already.
int dosql_run_uninterrupted(struct sqlite3* db, const char* sql);

// All schemas are read again when they are used next, and statements compiled again, as after
// PRAGMA writable_schema = RESET; it cannot fail. REQUIRES: no statement is running.
void dosql_forget_schemas(struct sqlite3* db);

// Whether the statement that begins to run now was begun before in the same call: SQLite found the schema to
// be another one, and has compiled it again.
int dosql_is_tried_again(struct sqlite3* db);

// The statement that calls a function.
struct sqlite3_stmt* dosql_caller(struct sqlite3_context* call);
// Whether a statement that is ending, and frees what its functions keep for it, ends since it failed.
int dosql_has_failed(struct sqlite3_stmt* statement);

// Whether the transaction on main has written to a page, be it that it was undone by a savepoint. That it may
// write is not enough.
int dosql_has_written(struct sqlite3* db);

// Whether that transaction made main larger or smaller.
int dosql_has_resized(struct sqlite3* db);
// A page of main that it has written to, be it that it was undone.
struct dosql_written_page {
  unsigned number;      // 0: before the first
  const void* content;  // until the handle is used; null: as the file has it
};
// Moves on to the next one that main had before; 0: there are no more.
int dosql_next_written_page(struct sqlite3* db, struct dosql_written_page* page);

// What sqlite3_changes64() and sqlite3_total_changes64() give.
struct dosql_change_counts {
  long long last;
  long long total;
};
struct dosql_change_counts dosql_get_change_counts(struct sqlite3* db);
void dosql_set_change_counts(struct sqlite3* db, struct dosql_change_counts counts);

// AUTOINCREMENT. The program of a statement that may insert into such tables, be it by triggers, begins by
// reading of each how far it has counted. A program that does not begin as those of the SQLite that this was
// written for has no such tables.

struct dosql_counter {
  const void* table;  // its name, which stays as long as the program
  int table_bytes;
  int encoding;  // SQLITE_UTF8, SQLITE_UTF16LE or SQLITE_UTF16BE
  int place;     // 0: before the first
};
// Moves on to the next such table of main; 0: there are no more.
int dosql_next_counter(struct sqlite3_stmt* statement, struct dosql_counter* counter);
// Has the statement give only numbers above `floor`, in each run that begins from now on and in one that is
// at its beginning; 0 or less: as SQLite by itself. A statement that inserts no row leaves the counter alone,
// but one that may insert rows under numbers of the user's choice raises it to the floor. REQUIRES of this
// and the next: dosql_next_counter() has moved there, and the program is still the same.
void dosql_count_from(struct sqlite3_stmt* statement, const struct dosql_counter* counter, long long floor);
// The highest number there is once the statement has inserted rows; 0: it has inserted none. REQUIRES: it has
// given a row or come to its end, and was not reset since.
long long dosql_counted_to(struct sqlite3_stmt* statement, const struct dosql_counter* counter);
// The statement that is taking main's lock for writing now, if it is at its beginning and has such tables;
// else null.
struct sqlite3_stmt* dosql_counting_statement(struct sqlite3* db);
// Compiles the statement again now, if it writes and the schema that the handle knows is another one than it
// was compiled for. REQUIRES: it is not running.
void dosql_compile_if_stale(struct sqlite3_stmt* statement);

#ifdef __cplusplus
}
#endif
