// What the engine needs of SQLite and its API does not offer: databases taken out of a handle's list and put
// back. sqlite_internals.c is compiled with SQLite's unmodified amalgamation in front of it.
//
// All functions: on the thread that uses the handle, which has no mutex of its own.
#pragma once

#ifdef __cplusplus
extern "C" {
#endif

struct sqlite3;
struct sqlite3_stmt;
struct Db;

// Databases that were taken out.
struct dosql_hidden_databases {
  struct Db* all;  // the handle's list as it was; the hidden ones are its last
  int visible;
  int hidden;
};

// Takes the databases from index `visible` (2 or more) on out of the handle's list: until they are shown
// again, no statement that is compiled finds them, and ATTACH and DETACH may be run. What is compiled already
// must not use them meanwhile, and no transaction on them ends. Returns 0, or SQLITE_NOMEM and nothing was
// done.
int dosql_hide_databases(struct sqlite3* db, int visible, struct dosql_hidden_databases* hidden);
// Puts them back behind those that there are now. Returns 0, or SQLITE_NOMEM and they are still hidden.
int dosql_show_databases(struct sqlite3* db, struct dosql_hidden_databases* hidden);

// How many databases the handle has, main and temp included.
int dosql_database_count(struct sqlite3* db);
// The index of the database in which SQLite finds a table or view that is named without a schema; -1: in
// none.
int dosql_index_of_table(struct sqlite3* db, const char* name);
// Whether the schema of the database `schema` was read, as it is when something that names it was compiled.
int dosql_knows_schema(struct sqlite3* db, const char* schema);
// Whether that schema, as it was read last, has a table or view `name`.
int dosql_has_table(struct sqlite3* db, const char* schema, const char* name);
// Whether SQLite takes `name` for a table although none of that name was created: it is a table-valued
// function.
int dosql_is_table_function(struct sqlite3* db, const char* name);
// Whether temp has a view or a trigger of that name.
int dosql_is_temporary_code(struct sqlite3* db, const char* name);

// Whether SQLite would compile the statement again before it runs it, because of what came or went in temp,
// or an ATTACH or DETACH.
int dosql_is_expired(struct sqlite3_stmt* statement);
// Whether running it begins a write transaction on main.
int dosql_writes_main(struct sqlite3_stmt* statement);

// What SQLite does when it begins to run a statement and no other is running: an interrupt that came before
// was not for this one.
void dosql_forget_interrupt(struct sqlite3* db);

#ifdef __cplusplus
}
#endif
